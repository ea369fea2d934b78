//! Rows from the middle of others, where they lie.

use std::{borrow::Cow, ops::Range};

use super::{Column, Rows};
use crate::schema::{Kind, Schema, Type};

/// The bitmaps of a part of some rows, two a node: those that are there, as bits from the first on. Bits that do not begin a
/// byte are copied, and nothing else is.
pub struct Bitmaps<'a>(Vec<[Option<Cow<'a, [u8]>>; 2]>);

impl<'a> Rows<'a> {
    /// The bitmaps of the rows in `range`, for [`Rows::columns_in`].
    pub fn bitmaps_in(&self, range: Range<usize>) -> Bitmaps<'a> {
        let mut bitmaps = Bitmaps(Vec::with_capacity(self.columns.len()));
        bitmaps_of_fields(self.schema, self.columns, &range, &mut bitmaps);
        bitmaps
    }

    /// The columns of the rows in `range`. Their offsets do not begin at 0: they are for whoever takes rows out of them, not
    /// for guests.
    pub fn columns_in<'b>(&self, range: Range<usize>, bitmaps: &'b Bitmaps<'_>) -> Vec<Column<'b>>
    where
        'a: 'b,
    {
        let mut columns = self.columns.to_vec();
        part_of_fields(self.schema, &mut columns, &range);
        for (column, [validity, values]) in columns.iter_mut().zip(&bitmaps.0) {
            column.validity = validity.as_deref().or(column.validity);
            column.values = values.as_deref().unwrap_or(column.values);
        }
        columns
    }
}

fn bitmaps_of_fields<'a>(schema: &Schema, columns: &[Column<'a>], range: &Range<usize>, bitmaps: &mut Bitmaps<'a>) {
    let mut at = 0;
    for field in schema.fields() {
        bitmaps_of_node(&field.ty, &columns[at..], range, bitmaps);
        at += field.ty.nodes();
    }
}

fn bitmaps_of_node<'a>(ty: &Type, columns: &[Column<'a>], range: &Range<usize>, bitmaps: &mut Bitmaps<'a>) {
    let column = &columns[0];
    let values = (ty.kind == Kind::Boolean).then(|| bits_in(column.values, range));
    bitmaps.0.push([column.validity.map(|bits| bits_in(bits, range)), values]);
    match &ty.kind {
        Kind::Record(schema) => bitmaps_of_fields(schema, &columns[1..], range, bitmaps),
        // The items of a list stay where they are.
        _ => bitmaps.0.extend(std::iter::repeat_n([const { None }; 2], ty.nodes() - 1)),
    }
}

fn part_of_fields(schema: &Schema, columns: &mut [Column<'_>], range: &Range<usize>) {
    let mut at = 0;
    for field in schema.fields() {
        part_of_node(&field.ty, &mut columns[at..], range);
        at += field.ty.nodes();
    }
}

fn part_of_node(ty: &Type, columns: &mut [Column<'_>], range: &Range<usize>) {
    match &ty.kind {
        Kind::Integer | Kind::Timestamp | Kind::Float => {
            columns[0].values = &columns[0].values[range.start * 8..range.end * 8];
        }
        Kind::Text | Kind::Bytes | Kind::List(_) => {
            columns[0].offsets = &columns[0].offsets[range.start..=range.end];
        }
        Kind::Record(schema) => part_of_fields(schema, &mut columns[1..], range),
        Kind::Boolean | Kind::Any => {}
    }
}

/// The bits in `range`, from the first on.
fn bits_in<'a>(bits: &'a [u8], range: &Range<usize>) -> Cow<'a, [u8]> {
    let (first, shift) = (range.start / 8, range.start % 8);
    let bytes = &bits[first..range.end.div_ceil(8).max(first)];
    if shift == 0 {
        return Cow::Borrowed(bytes);
    }
    let next = bytes.iter().skip(1).chain(&[0]);
    Cow::Owned(bytes.iter().zip(next).map(|(&byte, &next)| byte >> shift | next << (8 - shift)).collect())
}
