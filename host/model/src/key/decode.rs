//! Canonical key bytes back to columns.

use super::is_plain;
use crate::{
    columns::{ColumnBuffer, RowsBuffer, blank_node},
    schema::{Kind, Schema, Type},
};

/// Bytes that are no key of the schema, or more of them than a column can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no key of `{schema}`, or there are more than a column can hold")]
pub struct DecodeError {
    schema: String,
}

/// Appends keys to `out`, whose schema says what they are.
///
/// That text is UTF-8 is not looked at: the bytes come from columns that were checked.
///
/// # Errors
/// The first key that is none. `out` then holds a part of it, and serves for nothing but [`RowsBuffer::clear`].
pub fn decode<'a>(keys: impl Iterator<Item = &'a [u8]>, out: &mut RowsBuffer) -> Result<(), DecodeError> {
    let schema = out.schema().clone();
    let error = || DecodeError { schema: schema.to_string() };
    if is_plain(&schema) {
        for key in keys {
            out.node_mut(0).push_bytes(key).map_err(|_| error())?;
            out.end_row();
        }
        return Ok(());
    }
    for key in keys {
        decode_one(&schema, key, out.nodes_mut()).ok_or_else(error)?;
        out.end_row();
    }
    Ok(())
}

fn decode_one(schema: &Schema, key: &[u8], nodes: &mut [ColumnBuffer]) -> Option<()> {
    let (mut bytes, mut at) = (key, 0);
    for (i, field) in schema.fields().iter().enumerate() {
        value(&field.ty, &mut bytes, i + 1 == schema.len(), &mut nodes[at..])?;
        at += field.ty.nodes();
    }
    bytes.is_empty().then_some(())
}

/// Appends one value that [`encode_value`](super::encode_value) wrote to a node and its children. See [`decode`].
pub fn decode_value(ty: &Type, bytes: &[u8], nodes: &mut [ColumnBuffer]) -> Result<(), DecodeError> {
    let mut rest = bytes;
    match value(ty, &mut rest, false, nodes) {
        Some(()) if rest.is_empty() => Ok(()),
        _ => Err(DecodeError { schema: ty.to_string() }),
    }
}

fn value(ty: &Type, bytes: &mut &[u8], ends_key: bool, nodes: &mut [ColumnBuffer]) -> Option<()> {
    if ty.optional && !flag(take_byte(bytes)?)? {
        blank_node(ty, nodes, 1);
        return Some(());
    }
    let (node, children) = nodes.split_first_mut()?;
    match &ty.kind {
        Kind::Boolean => node.push_boolean(flag(take_byte(bytes)?)?),
        Kind::Integer | Kind::Timestamp => node.push_word(take_word(bytes)? ^ 1 << 63),
        Kind::Float => node.push_word(float_bits(take_word(bytes)?)),
        Kind::Text | Kind::Bytes if ends_key => node.push_bytes(std::mem::take(bytes)).ok()?,
        Kind::Text | Kind::Bytes => take_escaped(bytes, node)?,
        Kind::List(item) => {
            while flag(take_byte(bytes)?)? {
                value(item, bytes, false, children)?;
            }
            node.end_list(children.first()?.len()).ok()?;
        }
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                value(&field.ty, bytes, false, &mut children[at..])?;
                at += field.ty.nodes();
            }
            node.end_record();
        }
        Kind::Any => return None,
    }
    Some(())
}

pub(super) fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

pub(super) fn flag(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

pub(super) fn take_word(bytes: &mut &[u8]) -> Option<u64> {
    let (word, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_be_bytes(*word))
}

pub(super) fn float_bits(ordered: u64) -> u64 {
    if ordered >> 63 == 1 { ordered ^ 1 << 63 } else { !ordered }
}

fn take_escaped(bytes: &mut &[u8], node: &mut ColumnBuffer) -> Option<()> {
    loop {
        let zero = bytes.iter().position(|&byte| byte == 0)?;
        let (plain, rest) = bytes.split_at(zero);
        let (mark, rest) = rest.split_first_chunk::<2>()?;
        *bytes = rest;
        node.append(plain);
        match mark[1] {
            0 => return node.end_bytes().ok(),
            0xff => node.append(&[0]),
            _ => return None,
        }
    }
}
