//! Columns to canonical key bytes.

use crate::{
    columns::{Column, Rows},
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

    fn end_key(&mut self) {
        let end = i32::try_from(self.bytes.len()).expect("a chunk's keys are below 2 GiB, as its columns are");
        self.offsets.push(end);
    }
}

/// Appends the canonical bytes of the key fields of every row. `schema` is that of the key fields, `columns` theirs.
pub fn encode(schema: &Schema, columns: &[Column<'_>], len: usize, keys: &mut KeyBuffer) {
    let firsts = schema.first_nodes();
    let last = schema.len().saturating_sub(1);
    for row in 0..len {
        for (i, field) in schema.fields().iter().enumerate() {
            value(&field.ty, &columns[firsts[i]..], row, i == last, &mut keys.bytes);
        }
        keys.end_key();
    }
}

impl Rows<'_> {
    /// Appends the canonical bytes of the fields at `indices` of every row.
    pub fn encode_keys(&self, indices: &[usize], keys: &mut KeyBuffer) {
        encode(&self.schema.project(indices), &self.project(indices), self.len, keys);
    }
}

fn value(ty: &Type, columns: &[Column<'_>], row: usize, ends_key: bool, out: &mut Vec<u8>) {
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
        Kind::Float => out.extend_from_slice(&ordered_float(column.floats()[row])),
        Kind::Text | Kind::Bytes if ends_key => out.extend_from_slice(column.slice(row)),
        Kind::Text | Kind::Bytes => escaped(column.slice(row), out),
        Kind::List(item) => {
            for i in column.offsets[row]..column.offsets[row + 1] {
                out.push(1);
                value(item, &columns[1..], i as usize, false, out);
            }
            out.push(0);
        }
        Kind::Record(schema) => {
            let mut at = 1;
            for field in schema.fields() {
                value(&field.ty, &columns[at..], row, false, out);
                at += field.ty.nodes();
            }
        }
        Kind::Any => {}
    }
}

fn ordered_integer(value: i64) -> [u8; 8] {
    (value as u64 ^ 1 << 63).to_be_bytes()
}

fn ordered_float(value: f64) -> [u8; 8] {
    let bits = if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    };
    (if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }).to_be_bytes()
}

fn escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}
