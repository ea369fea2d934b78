//! Rows between stages, and on their way to sinks, cut where their order of arrival must be known.

use std::{ops::Range, sync::Arc};

use tidemill_model::{
    columns::{ColumnFull, Rows, RowsBuffer},
    schema::Schema,
};

use crate::arrival::Arrival;

/// A piece with so many bytes gets no more rows. Far from what 32-bit offsets can number, so that a batch may have any size.
const PIECE_BYTES: usize = 64 << 20;

/// And none that could make it more than 32-bit offsets can number. Few in tests, so that they meet it.
const COLUMN_BYTES_MAX: usize = if cfg!(test) { 1 << 12 } else { i32::MAX as usize };

/// Rows that one partition of a stage leaves for one place.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) rows: RowsBuffer,
    /// For each run of rows its place in the order, and where it ends. The first begins with row 0, the last ends with the
    /// rows.
    cuts: Vec<(Arrival, usize)>,
}

/// Pieces that are being filled.
pub(crate) struct Pieces {
    schema: Schema,
    cut: Cut,
    pieces: Vec<Piece>,
    /// Of all but the last.
    closed_bytes: usize,
}

/// Where rows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A piece for each place in the order: whoever gets it has whole rows.
    Apart,
    /// All places in one piece. Its reader takes rows out of the middle.
    Within,
}

/// Consecutive rows of a piece.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    piece: Arc<Piece>,
    range: Range<usize>,
    /// The place of the first row.
    pub(crate) arrival: Arrival,
    /// Of which of the inputs the rows are that the reader has.
    pub(crate) input: usize,
}

// === impl Piece ===

impl Piece {
    /// Bytes of its rows and cuts.
    fn bytes(&self) -> usize {
        self.rows.bytes() + size_of_val(&self.cuts[..])
    }

    /// All bytes that it holds.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes() + self.rows.fixed_bytes()
    }

    /// The place of its first row.
    pub(crate) fn arrival(&self) -> Arrival {
        self.cuts.first().map_or(Arrival::default(), |(arrival, _)| *arrival)
    }

    /// Its rows place by place.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Piece, Arrival, Range<usize>)> {
        let mut start = 0;
        self.cuts.iter().map(move |&(arrival, end)| (self, arrival, std::mem::replace(&mut start, end)..end))
    }

    /// Gives some of its rows to `push`.
    pub(crate) fn with_rows<T>(&self, range: Range<usize>, push: impl FnOnce(&Rows<'_>) -> T) -> T {
        let columns = self.rows.columns();
        let whole = self.rows.with_columns(&columns);
        if range.len() == self.rows.len() {
            return push(&whole);
        }
        let bitmaps = whole.bitmaps_in(range.clone());
        let columns = whole.columns_in(range.clone(), &bitmaps);
        push(&Rows { schema: whole.schema, len: range.len(), columns: &columns })
    }
}

// === impl Pieces ===

impl Pieces {
    pub(crate) fn new(schema: &Schema, cut: Cut) -> Pieces {
        Pieces { schema: schema.clone(), cut, pieces: Vec::new(), closed_bytes: 0 }
    }

    /// Adds what `write` appends to a buffer, at a place that is not before the last one of its lane. It is no more than so many
    /// bytes.
    pub(crate) fn add<E>(
        &mut self,
        arrival: Arrival,
        bytes_max: usize,
        write: impl FnOnce(&mut RowsBuffer) -> Result<(), E>,
    ) -> Result<(), E> {
        let piece = self.open(arrival, bytes_max);
        write(&mut piece.rows)?;
        let end = piece.rows.len();
        match piece.cuts.last_mut() {
            Some((last, last_end)) if *last == arrival => *last_end = end,
            _ => piece.cuts.push((arrival, end)),
        }
        Ok(())
    }

    /// Appends all rows. See [`Pieces::add`].
    pub(crate) fn extend(&mut self, arrival: Arrival, rows: &Rows<'_>, count: usize) -> Result<(), ColumnFull> {
        if count == 0 {
            return Ok(());
        }
        self.add(arrival, rows.bytes(), |buffer| buffer.extend_range(rows, 0..count))
    }

    /// The piece that so many bytes of rows of a place are appended to.
    fn open(&mut self, arrival: Arrival, more: usize) -> &mut Piece {
        let bytes = self.pieces.last().map_or(0, Piece::bytes);
        let has_room = bytes < PIECE_BYTES && bytes.saturating_add(more) <= COLUMN_BYTES_MAX;
        let is_open = |piece: &Piece| {
            (has_room || piece.rows.is_empty())
                && (self.cut == Cut::Within || piece.cuts.last().is_none_or(|cut| cut.0 == arrival))
        };
        if !self.pieces.last().is_some_and(is_open) {
            self.closed_bytes += self.pieces.last().map_or(0, Piece::held_bytes);
            self.pieces.push(Piece { rows: RowsBuffer::new(&self.schema), cuts: Vec::new() });
        }
        let last = self.pieces.len() - 1;
        &mut self.pieces[last]
    }

    /// Those that get no more rows: all but the last.
    pub(crate) fn take_closed(&mut self) -> std::vec::IntoIter<Piece> {
        self.closed_bytes = 0;
        let last = self.pieces.pop();
        std::mem::replace(&mut self.pieces, last.into_iter().collect()).into_iter()
    }

    /// Those that have rows; new ones take their place.
    pub(crate) fn take(&mut self) -> std::vec::IntoIter<Piece> {
        self.closed_bytes = 0;
        std::mem::take(&mut self.pieces).into_iter()
    }

    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.closed_bytes = 0;
        self.pieces.clear();
    }

    /// Bytes of all rows.
    pub(crate) fn bytes(&self) -> usize {
        self.closed_bytes + self.pieces.last().map_or(0, Piece::held_bytes)
    }
}

// === impl Slice ===

impl Slice {
    /// The rows of all pieces as they lie, by the places of their first rows.
    pub(crate) fn whole(pieces: impl IntoIterator<Item = (usize, Piece)>) -> Vec<Slice> {
        let whole = |(input, piece): (usize, Piece)| {
            let (range, arrival) = (0..piece.rows.len(), piece.arrival());
            Slice { piece: Arc::new(piece), range, arrival, input }
        };
        let mut slices: Vec<Slice> = pieces.into_iter().map(whole).collect();
        slices.sort_by_key(|slice| (slice.input, slice.arrival));
        slices
    }

    /// The rows of all pieces, input by input, in the order in which they came. Neighbours stay together.
    pub(crate) fn in_order(pieces: impl IntoIterator<Item = (usize, Piece)>) -> Vec<Slice> {
        let mut slices = Vec::new();
        for (input, piece) in pieces.into_iter().map(|(input, piece)| (input, Arc::new(piece))) {
            for (_, arrival, range) in piece.runs() {
                slices.push(Slice { piece: piece.clone(), range, arrival, input });
            }
        }
        slices.sort_by_key(|slice| (slice.input, slice.arrival));
        let mut joined: Vec<Slice> = Vec::with_capacity(slices.len());
        for slice in slices {
            match joined.last_mut() {
                Some(last) if last.is_followed_by(&slice) => last.range.end = slice.range.end,
                _ => joined.push(slice),
            }
        }
        joined
    }

    /// Whether `next` lies behind this one.
    fn is_followed_by(&self, next: &Slice) -> bool {
        Arc::ptr_eq(&self.piece, &next.piece) && self.range.end == next.range.start
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// Gives the rows to `push`.
    pub(crate) fn with_rows<T>(&self, push: impl FnOnce(&Rows<'_>) -> T) -> T {
        self.piece.with_rows(self.range.clone(), push)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of, values_of};

    use super::*;

    /// A row of many columns is far more than its values: what is held is what counts against the limit of an open batch.
    #[test]
    fn columns_are_held_whatever_is_in_them() {
        const COLUMNS: usize = 1_000;
        let fields: Vec<String> = (0..COLUMNS).map(|n| format!("f{n}: boolean")).collect();
        let schema: Schema = fields.join(", ").parse().unwrap();
        let row = buffer_of(&schema, &[vec![Value::Boolean(true); COLUMNS]]);
        let mut pieces = Pieces::new(&schema, Cut::Apart);
        for index in 1..4 {
            let arrival = Arrival { origin: 0, lane: 0, index };
            pieces.extend(arrival, &row.with_columns(&row.columns()), 1).unwrap();
            let held = index as usize * COLUMNS * (1 + size_of::<tidemill_model::columns::ColumnBuffer>());
            assert!(pieces.bytes() >= held, "{} of {held}", pieces.bytes());
        }
        let closed: usize = pieces.take_closed().map(|piece| piece.held_bytes()).sum();
        assert_eq!(closed, 2 * pieces.bytes());
    }

    /// However large the rows are that are put together, no piece has more than a column can number, unless one of them alone
    /// has.
    #[test]
    fn no_piece_has_more_than_a_column_can_number() {
        let schema: Schema = "t: text".parse().unwrap();
        for cut in [Cut::Apart, Cut::Within] {
            let mut pieces = Pieces::new(&schema, cut);
            let lengths = [10, COLUMN_BYTES_MAX / 2, 20, COLUMN_BYTES_MAX / 2, COLUMN_BYTES_MAX, 5, 5];
            for length in lengths {
                let rows = buffer_of(&schema, &[vec![Value::Text("x".repeat(length))]]);
                pieces.extend(Arrival::default(), &rows.with_columns(&rows.columns()), 1).unwrap();
            }
            let (mut came, mut count) = (Vec::new(), 0);
            for slice in Slice::in_order(pieces.take().map(|piece| (0, piece))) {
                assert!(
                    slice.len() == 1 || slice.piece.rows.bytes() <= COLUMN_BYTES_MAX,
                    "{}",
                    slice.piece.rows.bytes()
                );
                came.extend(slice.with_rows(values_of));
                count += 1;
            }
            let length = |row: &Vec<Value>| if let Value::Text(text) = &row[0] { text.len() } else { 0 };
            assert_eq!((came.iter().map(length).collect::<Vec<_>>(), count), (lengths.to_vec(), 4), "{cut:?}");
        }
    }
}
