//! Rows as single values, and random schemas and rows: what tests compare columns with. Built for this crate's own
//! tests and, with the feature `testing`, for those of others; no operator uses it, and nothing in it is fast.
//!
//! ```
//! use tidemill_model::testing::{Value, buffer_of, values_of};
//!
//! let schema = "word: text, count: integer?".parse().expect("a schema");
//! let rows = vec![vec![Value::text("a"), Value::Missing], vec![Value::text("b"), Value::Integer(2)]];
//! let buffer = buffer_of(&schema, &rows);
//! assert_eq!(values_of(&buffer.with_columns(&buffer.columns())), rows);
//! ```

mod cases;
pub mod disk;
mod hostile;
mod random;
mod transpose;
mod within;

use std::cmp::Ordering;

use crate::schema::{Kind, Schema, Type};

pub use cases::cases;
pub use hostile::HOSTILE;
pub use random::{kinds, rows_of, schemas, tables, types, values};
pub use transpose::{buffer_of, push_value, values_of};
pub use within::{Work, begin, until, within};

/// One value. The derived order is the documented order of keys, if both values are [canonical](Value::canonical).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// None, where the type allows it. The first variant, because missing sorts first.
    Missing,
    /// A boolean.
    Boolean(bool),
    /// An integer or a timestamp.
    Integer(i64),
    /// A float.
    Float(Float),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list's items.
    List(Vec<Value>),
    /// A record's fields.
    Record(Vec<Value>),
}

/// A float that is equal to another if its bits are.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

// === impl Float ===

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Float {}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

// === impl Value ===

impl Value {
    /// A float.
    pub fn float(value: f64) -> Value {
        Value::Float(Float(value))
    }

    /// A text.
    pub fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// What a key makes of it: -0.0 is 0.0, and there is one NaN.
    pub fn canonical(&self) -> Value {
        match self {
            Value::Float(Float(value)) if value.is_nan() => Value::float(f64::from_bits(0x7ff8_0000_0000_0000)),
            Value::Float(Float(value)) if *value == 0.0 => Value::float(0.0),
            Value::List(items) => Value::List(items.iter().map(Value::canonical).collect()),
            Value::Record(fields) => Value::Record(fields.iter().map(Value::canonical).collect()),
            other => other.clone(),
        }
    }

    /// What stands where there is no value: missing where the type allows it, else 0, false, no text, no items.
    pub fn blank(ty: &Type) -> Value {
        if ty.optional {
            return Value::Missing;
        }
        match &ty.kind {
            Kind::Boolean => Value::Boolean(false),
            Kind::Integer | Kind::Timestamp => Value::Integer(0),
            Kind::Float => Value::float(0.0),
            Kind::Text => Value::text(""),
            Kind::Bytes => Value::Bytes(Vec::new()),
            Kind::List(_) => Value::List(Vec::new()),
            Kind::Record(schema) => Value::Record(blank_row(schema)),
            Kind::Any => Value::Missing,
        }
    }
}

/// A row of [blanks](Value::blank).
pub fn blank_row(schema: &Schema) -> Vec<Value> {
    schema.fields().iter().map(|field| Value::blank(&field.ty)).collect()
}

/// What is said of a failing function, without the lines of its source: compilers differ in them.
pub fn without_source_lines(text: &str) -> String {
    let mut parts = text.split(" (at src/");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, behind)| behind))
}
