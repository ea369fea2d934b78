//! Types, fields and schemas: what a stream's rows look like, and how a type is written.

mod arrow;
mod parse;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, fmt, sync::Arc};

pub use parse::{DEPTH_MAX, ParseError};

/// What a value is, a missing one aside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// 64-bit signed.
    Integer,
    /// IEEE 754 binary64.
    Float,
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// Any number of values of one type.
    List(Box<Type>),
    /// Named values; at least one.
    Record(Schema),
    /// Not settled yet: only in a plugin's description, never in a stream.
    Any,
}

/// A kind, and whether a value may be missing (written with a trailing `?`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// What a value is.
    pub kind: Kind,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A named, typed column of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// Ordered fields with different names. A clone shares them, so that whoever has rows can have their schema too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schema {
    fields: Arc<[Field]>,
}

/// Two fields of one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two fields have the name `{0}`")]
pub struct DuplicateField(pub String);

// === impl Type ===

impl Type {
    /// A type whose values are always there.
    pub fn required(kind: Kind) -> Type {
        Type { kind, optional: false }
    }

    /// A type whose values may be missing.
    pub fn optional(kind: Kind) -> Type {
        Type { kind, optional: true }
    }

    /// Number of nodes: this one and its children's. A batch has one column a node.
    pub fn nodes(&self) -> usize {
        match &self.kind {
            Kind::List(item) => 1 + item.nodes(),
            Kind::Record(schema) => 1 + schema.nodes(),
            _ => 1,
        }
    }

    /// Whether it is, or contains, [`Kind::Any`].
    pub fn is_open(&self) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::List(item) => item.is_open(),
            Kind::Record(schema) => schema.fields().iter().any(|field| field.ty.is_open()),
            _ => false,
        }
    }

    /// How many lists and records stand inside one another, at most.
    pub fn depth(&self) -> usize {
        match &self.kind {
            Kind::List(item) => 1 + item.depth(),
            Kind::Record(schema) => 1 + schema.depth(),
            _ => 0,
        }
    }

    /// Whether values of type `given` can be handed to a place of this type: the same type, or one that is never
    /// missing where this one may be, in lists and records too; [`Kind::Any`] takes everything.
    pub fn accepts(&self, given: &Type) -> bool {
        self.kind == Kind::Any || ((self.optional || !given.optional) && self.kind.accepts(&given.kind))
    }
}

// === impl Kind ===

impl Kind {
    fn accepts(&self, given: &Kind) -> bool {
        match (self, given) {
            (Kind::Any, _) => true,
            (Kind::List(ours), Kind::List(theirs)) => ours.accepts(theirs),
            (Kind::Record(ours), Kind::Record(theirs)) => {
                let mut pairs = ours.fields().iter().zip(theirs.fields());
                ours.len() == theirs.len()
                    && pairs.all(|(our, their)| our.name == their.name && our.ty.accepts(&their.ty))
            }
            (ours, theirs) => ours == theirs,
        }
    }
}

// === impl Field ===

impl Field {
    /// A field.
    pub fn new(name: impl Into<String>, ty: Type) -> Field {
        Field { name: name.into(), ty }
    }
}

// === impl Schema ===

impl Schema {
    /// A schema, unless two fields have one name.
    pub fn try_new(fields: Vec<Field>) -> Result<Schema, DuplicateField> {
        let mut names = HashSet::with_capacity(fields.len());
        match fields.iter().find(|field| !names.insert(field.name.as_str())) {
            Some(duplicate) => Err(DuplicateField(duplicate.name.clone())),
            None => Ok(Schema { fields: fields.into() }),
        }
    }

    /// A schema of one field that is never missing.
    pub fn single(name: &str, kind: Kind) -> Schema {
        Schema { fields: Arc::new([Field::new(name, Type::required(kind))]) }
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The place of the field called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Number of nodes of all fields: the columns of a batch.
    pub fn nodes(&self) -> usize {
        self.fields.iter().map(|field| field.ty.nodes()).sum()
    }

    /// How many lists and records stand inside one another in a field, at most; a schema that is written has [`DEPTH_MAX`].
    pub fn depth(&self) -> usize {
        self.fields.iter().map(|field| field.ty.depth()).max().unwrap_or(0)
    }

    /// The fields at `indices`, in that order. An index beyond the schema is a caller's mistake and panics.
    pub fn project(&self, indices: &[usize]) -> Schema {
        Schema { fields: indices.iter().map(|&i| self.fields[i].clone()).collect() }
    }

    /// The names of the fields at `indices`, in that order, as [`Schema::project`] has them.
    pub fn names_of(&self, indices: &[usize]) -> Vec<String> {
        indices.iter().map(|&i| self.fields[i].name.clone()).collect()
    }

    /// These fields and then `other`'s.
    pub fn join(&self, other: &Schema) -> Result<Schema, DuplicateField> {
        Schema::try_new(self.fields.iter().chain(other.fields()).cloned().collect())
    }

    /// For each field the place of its first node among the columns of a batch.
    pub fn first_nodes(&self) -> Vec<usize> {
        let mut at = 0;
        self.fields
            .iter()
            .map(|field| {
                let first = at;
                at += field.ty.nodes();
                first
            })
            .collect()
    }
}

// === impl Display ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Boolean => f.write_str("boolean"),
            Kind::Integer => f.write_str("integer"),
            Kind::Float => f.write_str("float"),
            Kind::Text => f.write_str("text"),
            Kind::Bytes => f.write_str("bytes"),
            Kind::Timestamp => f.write_str("timestamp"),
            Kind::List(item) => write!(f, "list<{item}>"),
            Kind::Record(schema) => write!(f, "record<{schema}>"),
            Kind::Any => f.write_str("any"),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.optional { "?" } else { "" })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, field) in self.fields.iter().enumerate() {
            write!(f, "{}{field}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
