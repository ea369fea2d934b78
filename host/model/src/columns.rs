//! Rows as borrowed columns: what operators of one stage hand to each other, and what crosses the boundary to a guest.
//!
//! A [`Rows`] may lie in a guest's memory or in Arrow arrays. Rows that outlive a chunk become a
//! [`RecordBatch`](arrow_array::RecordBatch).

mod buffer;
mod compact;
mod from_arrow;
mod part;
#[cfg(test)]
mod tests;
mod to_arrow;

use std::ops::Range;

use crate::schema::{Kind, Schema, Type};

pub use buffer::{ColumnBuffer, ColumnFull, RowsBuffer, blank_node};
pub use compact::compact;
pub use from_arrow::columns_of;
pub use part::Bitmaps;

/// One node's buffers in Arrow's layout. See `column` in the WIT package for the layout of each type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Column<'a> {
    /// Bit i (least significant first) is 1 where row i has a value; `None`: all have one.
    pub validity: Option<&'a [u8]>,
    /// rows + 1 ascending offsets from 0 for text, bytes and lists; else empty.
    pub offsets: &'a [i32],
    /// 8 bytes a row (aligned to 8, unless there is none) for integer, timestamp and float; a bitmap for boolean; the
    /// bytes of text and bytes.
    pub values: &'a [u8],
}

/// Rows of a schema as columns, one a node, depth first.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// What the rows are.
    pub schema: &'a Schema,
    /// How many there are.
    pub len: usize,
    /// `schema.nodes()` columns.
    pub columns: &'a [Column<'a>],
}

// === impl Column ===

impl<'a> Column<'a> {
    /// The values of an integer or timestamp column.
    pub fn integers(&self) -> &'a [i64] {
        numbers(self.values)
    }

    /// The values of a float column.
    pub fn floats(&self) -> &'a [f64] {
        numbers(self.values)
    }

    /// The values of an integer, timestamp or float column as bits.
    pub fn words(&self) -> &'a [u64] {
        numbers(self.values)
    }

    /// Row `row` of a text or bytes column.
    pub fn slice(&self, row: usize) -> &'a [u8] {
        &self.values[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// Row `row` of a boolean column.
    pub fn boolean(&self, row: usize) -> bool {
        bit(self.values, row)
    }

    /// Whether row `row` has a value.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.is_none_or(|bits| bit(bits, row))
    }
}

/// 8 bytes a number. A buffer of no rows may lie at any address, which the cast itself would not take.
fn numbers<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> &[T] {
    if bytes.is_empty() { &[] } else { bytemuck::cast_slice(bytes) }
}

/// Bit `i` of a bitmap, least significant first.
pub fn bit(bits: &[u8], i: usize) -> bool {
    bits[i / 8] >> (i % 8) & 1 == 1
}

// === impl Rows ===

impl<'a> Rows<'a> {
    /// The columns of field `index`: its node and its children's.
    pub fn field(&self, index: usize) -> &'a [Column<'a>] {
        let first: usize = self.schema.fields()[..index].iter().map(|field| field.ty.nodes()).sum();
        &self.columns[first..first + self.schema.fields()[index].ty.nodes()]
    }

    /// The columns of the fields at `indices`, one after the other.
    pub fn project(&self, indices: &[usize]) -> Vec<Column<'a>> {
        indices.iter().flat_map(|&index| self.field(index)).copied().collect()
    }

    /// Bytes in all buffers.
    pub fn bytes(&self) -> usize {
        let of = |column: &Column<'_>| {
            column.values.len() + column.offsets.len() * 4 + column.validity.map_or(0, <[u8]>::len)
        };
        self.columns.iter().map(of).sum()
    }

    /// Bytes of the rows in `range` in all buffers, if they were alone. Where values may be missing a bitmap counts whether it is
    /// there or not, so that the rows alone decide.
    pub fn bytes_in(&self, range: Range<usize>) -> usize {
        bytes_in(self.schema, self.columns, range, bitmap_bytes)
    }

    /// Bytes of the rows, each with a byte for what a bitmap has of it: a sum over rows, however they are cut.
    pub fn weight(&self) -> usize {
        bytes_in(self.schema, self.columns, 0..self.len, |values| values)
    }
}

fn bitmap_bytes(values: usize) -> usize {
    values.div_ceil(8)
}

/// `bitmap`: how much a bitmap of so many values counts.
fn bytes_in(schema: &Schema, columns: &[Column<'_>], range: Range<usize>, bitmap: fn(usize) -> usize) -> usize {
    let mut at = 0;
    let mut bytes = 0;
    for field in schema.fields() {
        bytes += node_bytes_in(&field.ty, &columns[at..], range.clone(), bitmap);
        at += field.ty.nodes();
    }
    bytes
}

fn node_bytes_in(ty: &Type, columns: &[Column<'_>], range: Range<usize>, bitmap: fn(usize) -> usize) -> usize {
    let (offsets, children) = (columns[0].offsets, &columns[1..]);
    let of_bitmap = bitmap(range.len());
    let of_values = match &ty.kind {
        Kind::Integer | Kind::Timestamp | Kind::Float => range.len() * 8,
        Kind::Text | Kind::Bytes => range.len() * 4 + (offsets[range.end] - offsets[range.start]) as usize,
        Kind::List(item) => {
            let items = offsets[range.start] as usize..offsets[range.end] as usize;
            range.len() * 4 + node_bytes_in(item, children, items, bitmap)
        }
        Kind::Record(schema) => bytes_in(schema, children, range, bitmap),
        Kind::Boolean => of_bitmap,
        Kind::Any => 0,
    };
    of_values + if ty.optional { of_bitmap } else { 0 }
}
