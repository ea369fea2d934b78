//! Rows that own their columns and grow: what operators gather rows in.

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};

use super::{Column, Rows, bit};
use crate::schema::{Kind, Schema, Type};

/// Rows that grow, column by column.
#[derive(Clone, Debug)]
pub struct RowsBuffer {
    schema: Schema,
    len: usize,
    nodes: Vec<ColumnBuffer>,
}

/// One node's buffers while they grow.
#[derive(Clone, Debug, Default)]
pub struct ColumnBuffer {
    len: usize,
    /// Bits; there from the first missing value on.
    validity: Option<Vec<u8>>,
    /// For text, bytes and lists; begins with 0.
    offsets: Vec<i32>,
    /// For text and bytes their bytes, for boolean the bitmap.
    bytes: Vec<u8>,
    /// For integer, timestamp and float, as bits.
    words: Vec<u64>,
}

/// More text, bytes or list items than 32-bit offsets can number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than 2 GiB of text in one column of one partition's batch; use more partitions or a shorter interval")]
pub struct ColumnFull;

// === impl ColumnBuffer ===

impl ColumnBuffer {
    fn new(kind: &Kind) -> ColumnBuffer {
        let offsets = if matches!(kind, Kind::Text | Kind::Bytes | Kind::List(_)) { vec![0] } else { Vec::new() };
        ColumnBuffer { offsets, ..ColumnBuffer::default() }
    }

    /// The column as it is now.
    pub fn column(&self) -> Column<'_> {
        let values = if self.words.is_empty() { &self.bytes[..] } else { bytemuck::cast_slice(&self.words) };
        Column { validity: self.validity.as_deref(), offsets: &self.offsets, values }
    }

    /// Appends a number that is there.
    pub fn push_word(&mut self, word: u64) {
        self.words.push(word);
        self.push_validity(true);
    }

    /// Appends a text or bytes that is there.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), ColumnFull> {
        self.bytes.extend_from_slice(bytes);
        self.end_bytes()
    }

    /// Appends 0; marked as missing if `missing`.
    pub fn push_no_word(&mut self, missing: bool) {
        self.words.push(0);
        self.push_validity(!missing);
    }

    /// Appends no bytes; marked as missing if `missing`.
    pub fn push_no_bytes(&mut self, missing: bool) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ColumnFull)?);
        self.push_validity(!missing);
        Ok(())
    }

    /// Appends a truth value that is there.
    pub fn push_boolean(&mut self, value: bool) {
        push_bit(&mut self.bytes, self.len, value);
        self.push_validity(true);
    }

    /// Appends a list of the items that its child got since the last row; `items` is how many the child has in all.
    pub fn end_list(&mut self, items: usize) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(items).map_err(|_| ColumnFull)?);
        self.push_validity(true);
        Ok(())
    }

    /// Appends a record that is there; its fields are pushed to its children.
    pub fn end_record(&mut self) {
        self.push_validity(true);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the text or bytes that [`ColumnBuffer::end_bytes`] will end.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Counts a text or bytes whose bytes were appended.
    pub(crate) fn end_bytes(&mut self) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ColumnFull)?);
        self.push_validity(true);
        Ok(())
    }

    /// Counts a row, and says whether its value is there.
    fn push_validity(&mut self, there: bool) {
        match &mut self.validity {
            Some(bits) => push_bit(bits, self.len, there),
            None if there => {}
            None => {
                let mut bits = vec![0xff; self.len.div_ceil(8)];
                clear_above(&mut bits, self.len);
                push_bit(&mut bits, self.len, false);
                self.validity = Some(bits);
            }
        }
        self.len += 1;
    }

    fn extend_validity(&mut self, from: Option<&[u8]>, rows: impl Iterator<Item = usize>, count: usize) {
        if from.is_none() && self.validity.is_none() {
            self.len += count;
            return;
        }
        for row in rows {
            self.push_validity(from.is_none_or(|bits| bit(bits, row)));
        }
    }

    fn clear(&mut self) {
        self.len = 0;
        self.validity = None;
        self.offsets.truncate(1);
        self.bytes.clear();
        self.words.clear();
    }
}

fn push_bit(bits: &mut Vec<u8>, at: usize, set: bool) {
    if at.is_multiple_of(8) {
        bits.push(0);
    }
    bits[at / 8] |= u8::from(set) << (at % 8);
}

/// Bits beyond the rows are 0, so that equal rows have equal bytes.
fn clear_above(bits: &mut [u8], len: usize) {
    if let (Some(last), 1..) = (bits.last_mut(), len % 8) {
        *last &= (1 << (len % 8)) - 1;
    }
}

// === impl RowsBuffer ===

impl RowsBuffer {
    /// No rows yet.
    pub fn new(schema: &Schema) -> RowsBuffer {
        let mut nodes = Vec::with_capacity(schema.nodes());
        schema.fields().iter().for_each(|field| declare(&field.ty, &mut nodes));
        RowsBuffer { schema: schema.clone(), len: 0, nodes }
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

    /// Forgets the rows, and keeps the room.
    pub fn clear(&mut self) {
        self.len = 0;
        self.nodes.iter_mut().for_each(ColumnBuffer::clear);
    }

    /// The nodes as columns, for [`RowsBuffer::with_columns`] or to be put beside others.
    pub fn columns(&self) -> Vec<Column<'_>> {
        self.nodes.iter().map(ColumnBuffer::column).collect()
    }

    /// The rows over `columns`, which must be [`RowsBuffer::columns`] of this buffer.
    pub fn with_columns<'a>(&'a self, columns: &'a [Column<'a>]) -> Rows<'a> {
        Rows { schema: &self.schema, len: self.len, columns }
    }

    /// All nodes, to write to. See [`RowsBuffer::end_row`].
    pub fn nodes_mut(&mut self) -> &mut [ColumnBuffer] {
        &mut self.nodes
    }

    /// A node to write to; after one value was pushed to every top-level node of flat types, call [`RowsBuffer::end_row`].
    pub fn node_mut(&mut self, node: usize) -> &mut ColumnBuffer {
        &mut self.nodes[node]
    }

    /// Counts the row whose values were pushed to the nodes.
    pub fn end_row(&mut self) {
        self.len += 1;
    }

    /// Counts `rows` rows whose values were pushed to the nodes.
    pub fn end_rows(&mut self, rows: usize) {
        self.len += rows;
    }

    /// Appends all rows.
    pub fn extend(&mut self, rows: &Rows<'_>) -> Result<(), ColumnFull> {
        self.extend_range(rows, 0..rows.len)
    }

    /// Appends the rows from `range.start` to before `range.end`.
    pub fn extend_range(&mut self, rows: &Rows<'_>, range: std::ops::Range<usize>) -> Result<(), ColumnFull> {
        let mut at = 0;
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            extend_node(&field.ty, &mut self.nodes[at..at + nodes], &rows.columns[at..at + nodes], range.clone())?;
            at += nodes;
        }
        self.len += range.len();
        Ok(())
    }

    /// Appends the rows at `indices`, in that order.
    pub fn take(&mut self, rows: &Rows<'_>, indices: &[u32]) -> Result<(), ColumnFull> {
        let mut at = 0;
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            take_node(&field.ty, &mut self.nodes[at..at + nodes], &rows.columns[at..at + nodes], indices)?;
            at += nodes;
        }
        self.len += indices.len();
        Ok(())
    }

    /// The rows as an Arrow batch. `arrow` is the schema's.
    pub fn to_batch(&self, arrow: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        self.with_columns(&self.columns()).to_batch(arrow)
    }
}

fn declare(ty: &Type, nodes: &mut Vec<ColumnBuffer>) {
    nodes.push(ColumnBuffer::new(&ty.kind));
    match &ty.kind {
        Kind::List(item) => declare(item, nodes),
        Kind::Record(schema) => schema.fields().iter().for_each(|field| declare(&field.ty, nodes)),
        _ => {}
    }
}

/// Appends consecutive rows of a node and its children.
fn extend_node(
    ty: &Type,
    nodes: &mut [ColumnBuffer],
    columns: &[Column<'_>],
    range: std::ops::Range<usize>,
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
            node.words.extend_from_slice(&bytemuck::cast_slice(from.values)[range.clone()]);
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
fn take_node(ty: &Type, nodes: &mut [ColumnBuffer], columns: &[Column<'_>], indices: &[u32]) -> Result<(), ColumnFull> {
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
            let words: &[u64] = bytemuck::cast_slice(from.values);
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

impl RowsBuffer {
    /// Appends `count` rows of blanks: 0, false, no text, no items; missing where the type allows it.
    pub fn push_blanks(&mut self, count: usize) -> Result<(), ColumnFull> {
        let mut at = 0;
        for field in self.schema.fields() {
            let nodes = field.ty.nodes();
            blank_node(&field.ty, &mut self.nodes[at..at + nodes], count);
            at += nodes;
        }
        self.len += count;
        Ok(())
    }

    /// Appends one value of top-level field `field`, from a row of `rows`' field `from` of the same kind.
    pub fn take_field(&mut self, field: usize, columns: &[Column<'_>], indices: &[u32]) -> Result<(), ColumnFull> {
        let at: usize = self.schema.fields()[..field].iter().map(|field| field.ty.nodes()).sum();
        let ty = &self.schema.fields()[field].ty;
        take_node(ty, &mut self.nodes[at..at + ty.nodes()], columns, indices)
    }
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
