//! Columns from values, and values from columns.

use crate::bindings::{data::Column, operators::Batch};

/// A text column of these lines.
pub(crate) fn text(lines: &[&str]) -> Column {
    let ends = lines.iter().scan(0, |end, line| {
        *end += line.len() as u32;
        Some(*end)
    });
    let offsets = std::iter::once(0).chain(ends).flat_map(u32::to_le_bytes).collect();
    Column { validity: None, offsets, values: lines.concat().into_bytes() }
}

/// A text column with these offsets over these bytes, whether they fit or not.
pub(crate) fn cut(offsets: &[u32], values: &[u8]) -> Column {
    Column { validity: None, offsets: offsets.iter().flat_map(|o| o.to_le_bytes()).collect(), values: values.to_vec() }
}

/// An integer column.
pub(crate) fn integers(values: &[i64]) -> Column {
    Column { validity: None, offsets: Vec::new(), values: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
}

/// A boolean column.
pub(crate) fn booleans(values: &[bool]) -> Column {
    let bits = |values: &[bool]| values.iter().rev().fold(0, |bits, &value| bits << 1 | u8::from(value));
    Column { validity: None, offsets: Vec::new(), values: values.chunks(8).map(bits).collect() }
}

/// A batch.
pub(crate) fn batch(rows: u32, columns: Vec<Column>) -> Batch {
    Batch { rows, columns }
}

/// The values of a text column.
pub(crate) fn read_texts(column: &Column) -> Vec<&str> {
    let ends = read_numbers(&column.offsets);
    let slices = ends.windows(2).map(|pair| &column.values[pair[0] as usize..pair[1] as usize]);
    slices.map(|bytes| std::str::from_utf8(bytes).unwrap_or_default()).collect()
}

/// The values of an integer column.
pub(crate) fn read_integers(column: &Column) -> Vec<i64> {
    column.values.as_chunks().0.iter().map(|value| i64::from_le_bytes(*value)).collect()
}

/// A list of unsigned 32-bit numbers.
pub(crate) fn read_numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|value| u32::from_le_bytes(*value)).collect()
}

/// The same list as bytes.
pub(crate) fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
