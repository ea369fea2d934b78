//! Dead letters: rows that a function could not take, or would not, with the reason.

use tidemill_model::{
    columns::{Column, ColumnFull, Rows, RowsBuffer},
    schema::{Kind, Schema},
};

use super::Batch;
use crate::pieces::{Cut, Piece, Pieces};

/// Gathers the dead letters of a function for one partition, until the batch ends.
pub(crate) struct Letters {
    stream: String,
    function: String,
    pieces: Pieces,
}

/// A row of some rows.
pub(crate) type RowOf<'a> = (&'a Rows<'a>, usize);

/// What is set aside.
#[derive(Clone, Copy)]
pub(crate) struct Letter<'a> {
    /// The row's number in the operator's input of this partition and batch.
    pub(crate) row: Option<u64>,
    pub(crate) reason: &'a str,
    /// The row's key, of an operator that has one.
    pub(crate) key: Option<RowOf<'a>>,
    /// The row; none where a key has failed as a whole.
    pub(crate) values: Option<RowOf<'a>>,
}

impl<'a> Letter<'a> {
    /// Of an operator without a key: row `row` of `rows`, the first of which has the number `first_row`.
    pub(crate) fn of_row(rows: &'a Rows<'a>, row: usize, first_row: u64, reason: &'a str) -> Letter<'a> {
        Letter { row: Some(first_row + row as u64), reason, key: None, values: Some((rows, row)) }
    }
}

impl Letter<'_> {
    /// Bytes of its texts and of what it tells of the row.
    fn bytes(&self) -> usize {
        let rows = [self.key, self.values].into_iter().flatten();
        self.reason.len() + rows.map(|(rows, row)| rows.bytes_in(row..row + 1)).sum::<usize>()
    }
}

impl Letters {
    /// `schema` is that of the plan's output for these letters.
    pub(crate) fn new(schema: &Schema, stream: &str, function: &str) -> Letters {
        Letters { stream: stream.to_owned(), function: function.to_owned(), pieces: Pieces::new(schema, Cut::Apart) }
    }

    /// Forgets all of them: a new batch.
    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }

    /// Adds one.
    pub(crate) fn push(&mut self, batch: &Batch, letter: &Letter<'_>) -> Result<(), ColumnFull> {
        let bytes = self.bytes_of(letter);
        let Letters { stream, function, pieces } = self;
        pieces.add(batch.arrival, bytes, |rows| push_letter(rows, stream, function, batch, letter))
    }

    /// Bytes of one.
    pub(crate) fn bytes_of(&self, letter: &Letter<'_>) -> usize {
        self.stream.len() + self.function.len() + letter.bytes()
    }

    /// Those of the batch.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Piece> + use<> {
        self.pieces.take()
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.pieces.bytes()
    }
}

fn push_letter(
    rows: &mut RowsBuffer,
    stream: &str,
    function: &str,
    batch: &Batch,
    letter: &Letter<'_>,
) -> Result<(), ColumnFull> {
    rows.node_mut(0).push_word(batch.time.0 as u64);
    rows.node_mut(1).push_bytes(stream.as_bytes())?;
    rows.node_mut(2).push_bytes(function.as_bytes())?;
    rows.node_mut(3).push_word(batch.partition.into());
    match letter.row {
        Some(row) => rows.node_mut(4).push_word(row),
        None => rows.node_mut(4).push_no_word(true),
    }
    rows.node_mut(5).push_bytes(letter.reason.as_bytes())?;
    // One or both of them, by the operator.
    for (name, record) in [("key", letter.key), ("values", letter.values)] {
        if let Some(field) = rows.schema().index_of(name) {
            push_record(rows, field, record)?;
        }
    }
    rows.end_row();
    Ok(())
}

/// The value of a field that is a record: a row's fields, or missing.
fn push_record(rows: &mut RowsBuffer, field: usize, record: Option<RowOf<'_>>) -> Result<(), ColumnFull> {
    if let Some((from, row)) = record {
        let columns: Vec<Column<'_>> = [Column::default()].into_iter().chain(from.columns.iter().copied()).collect();
        return rows.take_field(field, &columns, &[row as u32]);
    }
    let Kind::Record(schema) = &rows.schema().fields()[field].ty.kind else { return Ok(()) };
    let mut blank = RowsBuffer::new(schema);
    blank.push_blanks(1)?;
    let missing = Column { validity: Some(&[0]), ..Column::default() };
    let columns: Vec<Column<'_>> = [missing].into_iter().chain(blank.columns()).collect();
    rows.take_field(field, &columns, &[0])
}
