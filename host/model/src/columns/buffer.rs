//! Rows that own their columns and grow: what operators gather rows in.

mod append;
mod column;

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

use super::{Column, Rows};
use crate::schema::{Kind, Schema, Type};
use append::{extend_node, take_node};

pub use append::blank_node;
use column::has_offsets;
pub use column::{ColumnBuffer, ColumnFull};

/// Rows that grow, column by column.
///
/// One that never had a row takes next to nothing: there is one for each partition of each place where rows go to
/// others, and most of a large schema's columns.
#[derive(Clone, Debug)]
pub struct RowsBuffer {
    schema: Schema,
    len: usize,
    /// Those of the schema, or none before the first row.
    nodes: Vec<ColumnBuffer>,
}

/// The offsets of no text or list.
const NO_OFFSETS: &[i32] = &[0];

// === impl RowsBuffer ===

impl RowsBuffer {
    /// No rows yet.
    pub fn new(schema: &Schema) -> RowsBuffer {
        RowsBuffer { schema: schema.clone(), len: 0, nodes: Vec::new() }
    }

    /// What the rows are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in all buffers.
    pub fn bytes(&self) -> usize {
        self.nodes.iter().map(ColumnBuffer::bytes).sum()
    }

    /// Bytes that its columns take whatever is in them. Of few rows with many columns they are the most.
    pub fn fixed_bytes(&self) -> usize {
        size_of_val(&self.nodes[..])
    }

    /// Forgets the rows, and keeps the room.
    pub fn clear(&mut self) {
        self.len = 0;
        self.nodes.iter_mut().for_each(ColumnBuffer::clear);
    }

    /// Forgets the rows, and gives their room back if they had more bytes than these.
    pub fn clear_within(&mut self, bytes_max: usize) {
        if self.bytes() > bytes_max {
            self.nodes = Vec::new();
        }
        self.clear();
    }

    /// The nodes as columns, for [`RowsBuffer::with_columns`] or to be put beside others.
    pub fn columns(&self) -> Vec<Column<'_>> {
        if !self.nodes.is_empty() {
            return self.nodes.iter().map(ColumnBuffer::column).collect();
        }
        let mut columns = Vec::with_capacity(self.schema.nodes());
        each_kind(&self.schema, &mut |kind| {
            let offsets = if has_offsets(kind) { NO_OFFSETS } else { &[] };
            columns.push(Column { offsets, ..Column::default() });
        });
        columns
    }

    /// The rows over `columns`, which must be [`RowsBuffer::columns`] of this buffer.
    pub fn with_columns<'a>(&'a self, columns: &'a [Column<'a>]) -> Rows<'a> {
        Rows { schema: &self.schema, len: self.len, columns }
    }

    /// All nodes, depth first, to write to. See [`RowsBuffer::node_mut`].
    pub fn nodes_mut(&mut self) -> &mut [ColumnBuffer] {
        if self.nodes.is_empty() {
            self.make_nodes();
        }
        &mut self.nodes
    }

    /// One node to write to. When a row's value was pushed to every node, call [`RowsBuffer::end_row`].
    pub fn node_mut(&mut self, node: usize) -> &mut ColumnBuffer {
        &mut self.nodes_mut()[node]
    }

    #[cold]
    fn make_nodes(&mut self) {
        self.nodes.reserve_exact(self.schema.nodes());
        each_kind(&self.schema, &mut |kind| self.nodes.push(ColumnBuffer::new(kind)));
    }

    /// Counts the row whose values were pushed to the nodes.
    pub fn end_row(&mut self) {
        self.len += 1;
    }

    /// Counts `rows` rows whose values were pushed to the nodes.
    pub fn end_rows(&mut self, rows: usize) {
        self.len += rows;
    }

    /// Appends all rows. They are of this buffer's schema.
    ///
    /// # Errors
    /// A column is full. As after every such error, a part of the rows may be there: the buffer serves for nothing but
    /// [`RowsBuffer::clear`].
    pub fn extend(&mut self, rows: &Rows<'_>) -> Result<(), ColumnFull> {
        self.extend_range(rows, 0..rows.len)
    }

    /// Appends the rows from `range.start` to before `range.end`. See [`RowsBuffer::extend`].
    pub fn extend_range(&mut self, rows: &Rows<'_>, range: Range<usize>) -> Result<(), ColumnFull> {
        if range.is_empty() {
            return Ok(());
        }
        let mut at = 0;
        self.nodes_mut();
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            extend_node(&field.ty, &mut self.nodes[at..at + nodes], &rows.columns[at..at + nodes], range.clone())?;
            at += nodes;
        }
        self.len += range.len();
        Ok(())
    }

    /// Appends the rows at `indices`, in that order; a row may come again. See [`RowsBuffer::extend`].
    pub fn take(&mut self, rows: &Rows<'_>, indices: &[u32]) -> Result<(), ColumnFull> {
        if indices.is_empty() {
            return Ok(());
        }
        let mut at = 0;
        self.nodes_mut();
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            take_node(&field.ty, &mut self.nodes[at..at + nodes], &rows.columns[at..at + nodes], indices)?;
            at += nodes;
        }
        self.len += indices.len();
        Ok(())
    }

    /// Appends `count` rows of blanks: 0, false, no text, no items; missing where the type allows it.
    pub fn push_blanks(&mut self, count: usize) -> Result<(), ColumnFull> {
        let mut at = 0;
        self.nodes_mut();
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            blank_node(&field.ty, &mut self.nodes[at..at + nodes], count);
            at += nodes;
        }
        self.len += count;
        Ok(())
    }

    /// Appends the rows at `indices` of `columns` (a node of the field's kind, and its children) to top-level field
    /// `field` alone. When every field has its values, call [`RowsBuffer::end_rows`].
    pub fn take_field(&mut self, field: usize, columns: &[Column<'_>], indices: &[u32]) -> Result<(), ColumnFull> {
        let at: usize = self.schema.fields()[..field].iter().map(|field| field.ty.nodes()).sum();
        self.nodes_mut();
        let ty = &self.schema.fields()[field].ty;
        take_node(ty, &mut self.nodes[at..at + ty.nodes()], columns, indices)
    }

    /// The rows as an Arrow batch. `arrow` is the schema's.
    pub fn to_batch(&self, arrow: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        self.with_columns(&self.columns()).to_batch(arrow)
    }
}

/// The kinds of all nodes, depth first.
fn each_kind(schema: &Schema, each: &mut dyn FnMut(&Kind)) {
    schema.fields().iter().for_each(|field| each_kind_of(&field.ty, each));
}

fn each_kind_of(ty: &Type, each: &mut dyn FnMut(&Kind)) {
    each(&ty.kind);
    match &ty.kind {
        Kind::List(item) => each_kind_of(item, each),
        Kind::Record(schema) => each_kind(schema, each),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use crate::testing::{Value, buffer_of, values_of};

    #[test]
    fn room_is_given_back_where_it_was_much() {
        for (bytes_max, is_kept) in [(1_000_000, true), (1_016, true), (1_015, false), (0, false)] {
            let mut buffer = buffer_of(&"t: text, n: integer".parse().unwrap(), &[row(1_000)]);
            // The text with two offsets, and the number.
            assert_eq!(buffer.bytes(), 1_000 + 8 + 8);
            buffer.clear_within(bytes_max);
            let room: usize = buffer.nodes.iter().map(|node| node.bytes.capacity()).sum();
            assert_eq!((buffer.len(), room >= 1_000), (0, is_kept), "{bytes_max}");
            let other = buffer_of(buffer.schema(), &[row(3)]);
            buffer.extend(&other.with_columns(&other.columns())).unwrap();
            assert_eq!(values_of(&buffer.with_columns(&buffer.columns())), [row(3)]);
        }
    }

    fn row(length: usize) -> Vec<Value> {
        vec![Value::Text("x".repeat(length)), Value::Integer(1)]
    }
}
