//! Columns to canonical key bytes.

use crate::{
    columns::{Column, ColumnFull, Rows},
    schema::{Kind, Schema, Type},
};

/// Keys, one after the other.
#[derive(Clone, Debug)]
pub struct KeyBuffer {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Default for KeyBuffer {
    fn default() -> KeyBuffer {
        KeyBuffer { offsets: vec![0], bytes: Vec::new() }
    }
}

impl KeyBuffer {
    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        self.offsets.truncate(1);
        self.bytes.clear();
    }

    /// Appends a key by its canonical bytes.
    ///
    /// # Errors
    /// The keys do not fit into a column.
    pub fn push_key(&mut self, key: &[u8]) -> Result<(), ColumnFull> {
        self.bytes.extend_from_slice(key);
        self.end_key()
    }

    /// The keys as a column of bytes.
    pub fn column(&self) -> Column<'_> {
        Column { validity: None, offsets: &self.offsets, values: &self.bytes }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn end_key(&mut self) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ColumnFull)?);
        Ok(())
    }
}

/// What becomes of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floats {
    /// -0.0 is 0.0 and there is one NaN: keys.
    Canonical,
    /// Every bit is kept: values that are stored in this format and come back as they were.
    Exact,
}

/// Appends the bytes of one value: row `row` of a node of type `ty` and its children, not as the end of a key.
pub fn encode_value(ty: &Type, columns: &[Column<'_>], row: usize, out: &mut Vec<u8>) {
    value(ty, columns, row, Ending::Inside, Floats::Exact, out);
}

/// Whether a text needs a terminator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    OfKey,
    Inside,
}

/// Appends the canonical bytes of the key fields of every row. `schema` is that of the key fields, `columns` theirs.
///
/// # Errors
/// More than 2 GiB of keys. A key is longer than its fields by the marks around them: up to 2 bytes a text and 1 an
/// item, and a 0 in a text takes 2, so that rows within the limits of a column can have keys beyond them.
pub fn encode(schema: &Schema, columns: &[Column<'_>], len: usize, keys: &mut KeyBuffer) -> Result<(), ColumnFull> {
    let firsts = schema.first_nodes();
    let last = schema.len().saturating_sub(1);
    for row in 0..len {
        for (i, field) in schema.fields().iter().enumerate() {
            let ending = if i == last { Ending::OfKey } else { Ending::Inside };
            value(&field.ty, &columns[firsts[i]..], row, ending, Floats::Canonical, &mut keys.bytes);
        }
        keys.end_key()?;
    }
    Ok(())
}

impl Rows<'_> {
    /// Appends the canonical bytes of the fields at `indices` of every row. See [`encode`].
    ///
    /// # Errors
    /// As for [`encode`].
    pub fn encode_keys(&self, indices: &[usize], keys: &mut KeyBuffer) -> Result<(), ColumnFull> {
        encode(&self.schema.project(indices), &self.project(indices), self.len, keys)
    }
}

fn value(ty: &Type, columns: &[Column<'_>], row: usize, ending: Ending, floats: Floats, out: &mut Vec<u8>) {
    let column = &columns[0];
    if ty.optional {
        let there = column.is_valid(row);
        out.push(u8::from(there));
        if !there {
            return;
        }
    }
    match &ty.kind {
        Kind::Boolean => out.push(u8::from(column.boolean(row))),
        Kind::Integer | Kind::Timestamp => out.extend_from_slice(&ordered_integer(column.integers()[row])),
        Kind::Float => out.extend_from_slice(&ordered_float(column.floats()[row], floats)),
        Kind::Text | Kind::Bytes if ending == Ending::OfKey => out.extend_from_slice(column.slice(row)),
        Kind::Text | Kind::Bytes => escaped(column.slice(row), out),
        Kind::List(item) => {
            for i in column.offsets[row]..column.offsets[row + 1] {
                out.push(1);
                value(item, &columns[1..], i as usize, Ending::Inside, floats, out);
            }
            out.push(0);
        }
        Kind::Record(schema) => {
            let mut at = 1;
            for field in schema.fields() {
                value(&field.ty, &columns[at..], row, Ending::Inside, floats, out);
                at += field.ty.nodes();
            }
        }
        Kind::Any => {}
    }
}

fn ordered_integer(value: i64) -> [u8; 8] {
    (value as u64 ^ 1 << 63).to_be_bytes()
}

fn ordered_float(value: f64, floats: Floats) -> [u8; 8] {
    let bits = if floats == Floats::Exact {
        value.to_bits()
    } else if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    };
    (if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }).to_be_bytes()
}

fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|&byte| byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}
