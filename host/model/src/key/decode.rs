//! Canonical key bytes back to columns.

use arrow_array::{Array, ArrayRef};

use super::is_plain;
use crate::{
    columns::Column,
    schema::{Kind, Schema, Type},
};

/// Bytes that are no key of the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no key of `{schema}`")]
pub struct DecodeError {
    schema: String,
}

/// One array a field, from keys as a column of bytes.
pub fn decode(schema: &Schema, keys: Column<'_>) -> Result<Vec<ArrayRef>, DecodeError> {
    let error = || DecodeError { schema: schema.to_string() };
    let len = keys.offsets.len().saturating_sub(1);
    if is_plain(schema) {
        return crate::columns::arrays_of(schema, len, &[keys]).map_err(|_| error());
    }
    let mut nodes: Vec<Node> = Vec::with_capacity(schema.nodes());
    for field in schema.fields() {
        declare(&field.ty, &mut nodes);
    }
    for row in 0..len {
        let mut bytes = keys.slice(row);
        let mut at = 0;
        for (i, field) in schema.fields().iter().enumerate() {
            let ends_key = i + 1 == schema.len();
            value(&field.ty, &mut bytes, ends_key, &mut nodes[at..]).ok_or_else(error)?;
            at += field.ty.nodes();
        }
        if !bytes.is_empty() {
            return Err(error());
        }
    }
    let columns: Vec<Column<'_>> = nodes.iter().map(Node::column).collect();
    let arrays = crate::columns::arrays_of(schema, len, &columns).map_err(|_| error())?;
    debug_assert!(arrays.iter().all(|array| array.len() == len));
    Ok(arrays)
}

/// A node's buffers while they grow.
#[derive(Default)]
struct Node {
    rows: usize,
    validity: Option<Vec<u8>>,
    offsets: Vec<i32>,
    /// Bytes of text and bytes; the bitmap of boolean.
    bytes: Vec<u8>,
    /// Of integer, timestamp and float, as bits.
    words: Vec<u64>,
}

impl Node {
    fn column(&self) -> Column<'_> {
        let values = if self.words.is_empty() { &self.bytes[..] } else { bytemuck::cast_slice(&self.words) };
        Column { validity: self.validity.as_deref(), offsets: &self.offsets, values }
    }
}

fn declare(ty: &Type, nodes: &mut Vec<Node>) {
    let offsets = if matches!(ty.kind, Kind::Text | Kind::Bytes | Kind::List(_)) { vec![0] } else { Vec::new() };
    nodes.push(Node { validity: ty.optional.then(Vec::new), offsets, ..Node::default() });
    match &ty.kind {
        Kind::List(item) => declare(item, nodes),
        Kind::Record(schema) => schema.fields().iter().for_each(|field| declare(&field.ty, nodes)),
        _ => {}
    }
}

fn value(ty: &Type, bytes: &mut &[u8], ends_key: bool, nodes: &mut [Node]) -> Option<()> {
    let there = match ty.optional.then(|| take_byte(bytes)) {
        None => true,
        Some(byte) => matches!(flag(byte?)?, true),
    };
    let (node, children) = nodes.split_first_mut()?;
    let row = node.rows;
    node.rows += 1;
    if let Some(validity) = &mut node.validity {
        push_bit(validity, row, there);
    }
    match &ty.kind {
        Kind::Boolean => {
            let set = there && flag(take_byte(bytes)?)?;
            push_bit(&mut node.bytes, row, set);
        }
        Kind::Integer | Kind::Timestamp => node.words.push(if there { take_word(bytes)? ^ 1 << 63 } else { 0 }),
        Kind::Float => node.words.push(if there { float_bits(take_word(bytes)?) } else { 0 }),
        Kind::Text | Kind::Bytes => {
            if there {
                take_bytes(bytes, ends_key, &mut node.bytes)?;
            }
            node.offsets.push(i32::try_from(node.bytes.len()).ok()?);
        }
        Kind::List(item) => {
            while there && flag(take_byte(bytes)?)? {
                value(item, bytes, false, children)?;
            }
            node.offsets.push(i32::try_from(children.first()?.rows).ok()?);
        }
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                if there {
                    value(&field.ty, bytes, false, &mut children[at..])?;
                } else {
                    blank(&field.ty, &mut children[at..])?;
                }
                at += field.ty.nodes();
            }
        }
        Kind::Any => return None,
    }
    Some(())
}

/// A row of a record that is missing: something must stand there.
fn blank(ty: &Type, nodes: &mut [Node]) -> Option<()> {
    let (node, children) = nodes.split_first_mut()?;
    let row = node.rows;
    node.rows += 1;
    if let Some(validity) = &mut node.validity {
        push_bit(validity, row, false);
    }
    match &ty.kind {
        Kind::Boolean => push_bit(&mut node.bytes, row, false),
        Kind::Integer | Kind::Timestamp | Kind::Float => node.words.push(0),
        Kind::Text | Kind::Bytes | Kind::List(_) => node.offsets.push(*node.offsets.last()?),
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                blank(&field.ty, &mut children[at..])?;
                at += field.ty.nodes();
            }
        }
        Kind::Any => return None,
    }
    Some(())
}

fn push_bit(bits: &mut Vec<u8>, row: usize, set: bool) {
    if row.is_multiple_of(8) {
        bits.push(0);
    }
    bits[row / 8] |= u8::from(set) << (row % 8);
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn take_word(bytes: &mut &[u8]) -> Option<u64> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*word))
}

fn float_bits(ordered: u64) -> u64 {
    if ordered >> 63 == 1 { ordered ^ 1 << 63 } else { !ordered }
}

fn take_bytes(bytes: &mut &[u8], ends_key: bool, out: &mut Vec<u8>) -> Option<()> {
    if ends_key {
        out.extend_from_slice(bytes);
        *bytes = &[];
        return Some(());
    }
    loop {
        match (take_byte(bytes)?, bytes.first()) {
            (0, Some(0)) => {
                take_byte(bytes);
                return Some(());
            }
            (0, Some(0xff)) => {
                take_byte(bytes);
                out.push(0);
            }
            (0, _) => return None,
            (byte, _) => out.push(byte),
        }
    }
}
