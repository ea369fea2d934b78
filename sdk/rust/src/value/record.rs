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
