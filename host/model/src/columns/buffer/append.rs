//! Rows of other columns to the end of a node and its children.

use std::ops::Range;

use super::column::{ColumnBuffer, ColumnFull, push_bit};
use crate::{
    columns::{Column, bit},
    schema::{Kind, Type},
};

/// Appends consecutive rows of a node and its children.
pub(super) fn extend_node(
    ty: &Type,
    nodes: &mut [ColumnBuffer],
    columns: &[Column<'_>],
    range: Range<usize>,
) -> Result<(), ColumnFull> {
    let (Some((node, children)), Some((from, from_children))) = (nodes.split_first_mut(), columns.split_first()) else {
        return Ok(());
    };
    match &ty.kind {
        Kind::Boolean => {
            for (i, row) in range.clone().enumerate() {
                push_bit(&mut node.bytes, node.len + i, bit(from.values, row));
            }
        }
        Kind::Integer | Kind::Timestamp | Kind::Float => {
            node.words.extend_from_slice(&from.words()[range.clone()]);
        }
        Kind::Text | Kind::Bytes => {
            let (start, end) = (from.offsets[range.start], from.offsets[range.end]);
            extend_offsets(node, &from.offsets[range.start..=range.end], node.bytes.len())?;
            node.bytes.extend_from_slice(&from.values[start as usize..end as usize]);
        }
        Kind::List(item) => {
            let items = from.offsets[range.start] as usize..from.offsets[range.end] as usize;
            let base = *node.offsets.last().unwrap_or(&0) as usize;
            extend_offsets(node, &from.offsets[range.start..=range.end], base)?;
            extend_node(item, children, from_children, items)?;
        }
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                let count = field.ty.nodes();
                let of_field = &from_children[at..at + count];
                extend_node(&field.ty, &mut children[at..at + count], of_field, range.clone())?;
                at += count;
            }
        }
        Kind::Any => {}
    }
    node.extend_validity(from.validity, range.clone(), range.len());
    Ok(())
}

/// Appends offsets that continue at `base`.
fn extend_offsets(node: &mut ColumnBuffer, offsets: &[i32], base: usize) -> Result<(), ColumnFull> {
    let (start, end) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let base = i32::try_from(base + end - start).map_err(|_| ColumnFull)? - end as i32;
    node.offsets.extend(offsets[1..].iter().map(|offset| offset + base));
    Ok(())
}

/// Appends chosen rows of a node and its children.
pub(super) fn take_node(
    ty: &Type,
    nodes: &mut [ColumnBuffer],
    columns: &[Column<'_>],
    indices: &[u32],
) -> Result<(), ColumnFull> {
    let (Some((node, children)), Some((from, from_children))) = (nodes.split_first_mut(), columns.split_first()) else {
        return Ok(());
    };
    match &ty.kind {
        Kind::Boolean => {
            for (i, &row) in indices.iter().enumerate() {
                push_bit(&mut node.bytes, node.len + i, bit(from.values, row as usize));
            }
        }
        Kind::Integer | Kind::Timestamp | Kind::Float => {
            let words = from.words();
            node.words.extend(indices.iter().map(|&row| words[row as usize]));
        }
        Kind::Text | Kind::Bytes => {
            for &row in indices {
                node.bytes.extend_from_slice(from.slice(row as usize));
                node.offsets.push(i32::try_from(node.bytes.len()).map_err(|_| ColumnFull)?);
            }
        }
        Kind::List(item) => {
            for &row in indices {
                let items = from.offsets[row as usize] as usize..from.offsets[row as usize + 1] as usize;
                let end = *node.offsets.last().unwrap_or(&0) as usize + items.len();
                node.offsets.push(i32::try_from(end).map_err(|_| ColumnFull)?);
                extend_node(item, children, from_children, items)?;
            }
        }
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                let count = field.ty.nodes();
                take_node(&field.ty, &mut children[at..at + count], &from_children[at..at + count], indices)?;
                at += count;
            }
        }
        Kind::Any => {}
    }
    node.extend_validity(from.validity, indices.iter().map(|&row| row as usize), indices.len());
    Ok(())
}

/// Appends `count` blanks to a node of type `ty` and its children; missing ones where the type allows it.
pub fn blank_node(ty: &Type, nodes: &mut [ColumnBuffer], count: usize) {
    let Some((node, children)) = nodes.split_first_mut() else { return };
    match &ty.kind {
        Kind::Boolean => (0..count).for_each(|i| push_bit(&mut node.bytes, node.len + i, false)),
        Kind::Integer | Kind::Timestamp | Kind::Float => node.words.resize(node.words.len() + count, 0),
        Kind::Text | Kind::Bytes | Kind::List(_) => {
            let end = node.offsets.last().copied().unwrap_or(0);
            node.offsets.resize(node.offsets.len() + count, end);
        }
        Kind::Record(schema) => {
            let mut at = 0;
            for field in schema.fields() {
                blank_node(&field.ty, &mut children[at..at + field.ty.nodes()], count);
                at += field.ty.nodes();
            }
        }
        Kind::Any => {}
    }
    if ty.optional {
        (0..count).for_each(|_| node.push_validity(false));
    } else {
        node.extend_validity(None, 0..count, count);
    }
}
