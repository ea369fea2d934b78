//! State that outlives the plugin that made it: from the schema that it was stored with to the one that it has now.
//!
//! Fields are told by their names. Between two schemas a field may
//! - come: missing where its type allows that, else 0, false, no text, no items;
//! - go: its values are lost;
//! - stand in another place;
//! - become optional;
//! - be bytes where it was text.
//!
//! The same holds inside records, and in lists for their items. Everything else is refused, an integer that becomes a
//! float too: not every integer is one. A field that is given another name is one that goes and one that comes.

mod convert;
mod plan;
#[cfg(test)]
mod tests;

use arrow_array::{RecordBatch, RecordBatchOptions, cast::AsArray};
use arrow_schema::ArrowError;
use tidemill_model::{
    schema::{Kind, Schema, Type},
    table::TableKind,
};

use crate::table::{ApplyError, FIXED_COLUMNS, block_schema, checked_schema};
use plan::{FieldPlan, Planner};

/// Two schemas of which one cannot become the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "state of `{old}` cannot become `{new}`: {}; give a field its old type, or another name",
    conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
)]
pub struct Incompatible {
    /// The schema that the state was stored with.
    pub old: Schema,
    /// The one that it should have.
    pub new: Schema,
    /// The fields that are in the way; at least one.
    pub conflicts: Vec<Conflict>,
}

/// A field whose values cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{path}` was `{old}` and is `{new}`, but {reason}")]
pub struct Conflict {
    /// Its name behind those of the records that it is in; `[]` stands for the items of a list.
    pub path: String,
    /// What it was.
    pub old: Type,
    /// What it should be.
    pub new: Type,
    /// Why it cannot.
    pub reason: &'static str,
}

/// How state of one schema becomes state of another.
#[derive(Clone, Debug)]
pub struct Evolution {
    old: Schema,
    new: Schema,
    fields: Vec<FieldPlan>,
    added: Vec<String>,
    removed: Vec<String>,
}

/// Finds out how state of schema `old` becomes state of schema `new`.
///
/// # Errors
/// It does not: some field of both changed its type in a way that loses values or has none for some.
pub fn plan_evolution(old: &Schema, new: &Schema) -> Result<Evolution, Incompatible> {
    let mut planner = Planner::default();
    let fields = planner.fields("", old, new);
    let (old, new) = (old.clone(), new.clone());
    if !planner.conflicts.is_empty() {
        return Err(Incompatible { old, new, conflicts: planner.conflicts });
    }
    Ok(Evolution { old, new, fields, added: planner.added, removed: planner.removed })
}

impl Evolution {
    /// Whether the schemas are the same, so that there is nothing to do.
    pub fn is_same(&self) -> bool {
        self.old == self.new
    }

    /// The fields that come, by their paths as in [`Conflict`].
    pub fn added(&self) -> &[String] {
        &self.added
    }

    /// The fields that go, and whose values are lost, by their paths.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// A [block](block_schema) of a table of this kind of the old schema as one of the new. Values that stay are shared, not copied.
    ///
    /// # Errors
    /// The block is not one of the old schema.
    pub fn apply(&self, kind: TableKind, block: &RecordBatch) -> Result<RecordBatch, ApplyError> {
        checked_schema(kind, &self.old, block)?;
        if self.is_same() {
            return Ok(block.clone());
        }
        self.converted(kind, block).map_err(|error| ApplyError::Layout(error.to_string()))
    }

    fn converted(&self, kind: TableKind, block: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let rows = block.num_rows();
        let (fixed, state) = block.columns().split_at(FIXED_COLUMNS);
        let mut columns = fixed.to_vec();
        if !self.new.is_empty() {
            let ty = Type::required(Kind::Record(self.new.clone()));
            columns.push(match state.first() {
                Some(state) => convert::record(&self.fields, &self.new, state.as_struct())?,
                None => convert::blank(&ty, rows)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(block_schema(kind, &self.new).to_arrow(), columns, &options)
    }
}
