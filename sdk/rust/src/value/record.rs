//! What `#[derive(Record)]` needs beside what it writes itself.

use crate::bindings::tidemill::plugin::data::{Column, Field};

use super::Value;

/// The kind of a record with these fields.
pub fn record_kind(fields: &[Field]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
    format!("record<{}>", fields.join(", "))
}

/// A field of type `T`. A record inside a record is one field.
pub fn field<T: Value>(name: &str) -> Field {
    Field { name: name.to_owned(), kind: T::kind() }
}

/// The column of a record that is a field itself: its values are in the columns after it.
pub fn record_column() -> Column {
    Column { validity: None, offsets: Vec::new(), values: Vec::new() }
}

/// Compiles for a value of a row, and for nothing else.
pub const fn be_value<T: Value>() {}

/// A type behind a constant: where the constant does not compile, the compiler says no more of the type.
pub trait If<const CHECKED: usize> {
    /// The type itself.
    type Type;
}

impl<T, const CHECKED: usize> If<CHECKED> for T {
    type Type = T;
}
