//! What becomes of each field.

use tidemill_model::schema::{Field, Kind, Schema, Type};

use super::Conflict;

/// Where the values of a new field come from.
#[derive(Clone, Debug)]
pub(super) enum FieldPlan {
    /// The field at this place among the old ones.
    From(usize, Conversion),
    /// Nowhere: it is new.
    Blank,
}

/// What is done to values.
#[derive(Clone, Debug)]
pub(super) enum Conversion {
    /// Nothing.
    Same,
    /// A record's fields.
    Record(Vec<FieldPlan>),
    /// Text is bytes.
    Bytes,
    /// A list's items.
    List(Box<Conversion>),
}

/// Compares schemas, and notes what it finds.
#[derive(Debug, Default)]
pub(super) struct Planner {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) conflicts: Vec<Conflict>,
}

impl Planner {
    /// A plan for each new field. `prefix` stands before the names in paths.
    pub(super) fn fields(&mut self, prefix: &str, old: &Schema, new: &Schema) -> Vec<FieldPlan> {
        let path = |name: &str| format!("{prefix}{name}");
        let gone = old.fields().iter().filter(|field| new.index_of(&field.name).is_none());
        self.removed.extend(gone.map(|field| path(&field.name)));
        let plan = |field: &Field| match old.index_of(&field.name) {
            Some(at) => FieldPlan::From(at, self.ty(&path(&field.name), &old.fields()[at].ty, &field.ty)),
            None => {
                self.added.push(path(&field.name));
                FieldPlan::Blank
            }
        };
        new.fields().iter().map(plan).collect()
    }

    fn ty(&mut self, path: &str, old: &Type, new: &Type) -> Conversion {
        let mut conflict = |reason| {
            self.conflicts.push(Conflict { path: path.to_owned(), old: old.clone(), new: new.clone(), reason });
            Conversion::Same
        };
        if old.is_open() || new.is_open() {
            return conflict("a type that is not settled has no values");
        }
        if old.optional && !new.optional {
            return conflict("it may be missing");
        }
        match (&old.kind, &new.kind) {
            (old, new) if old == new => Conversion::Same,
            (Kind::Text, Kind::Bytes) => Conversion::Bytes,
            (Kind::List(old), Kind::List(new)) => Conversion::List(Box::new(self.ty(&format!("{path}[]"), old, new))),
            (Kind::Record(old), Kind::Record(new)) => Conversion::Record(self.fields(&format!("{path}."), old, new)),
            (Kind::Integer, Kind::Float) => conflict("not every integer is a float"),
            _ => conflict("that is another type"),
        }
    }
}
