//! Many rows as chunks. Where they are cut depends on the rows alone.

use std::ops::Range;

use tidemill_model::columns::{Rows, RowsBuffer};

use super::{Batch, Out};
use crate::failure::Cause;

/// Rows of a chunk that is made from many rows at once.
pub(crate) const CHUNK_ROWS: usize = 1 << 16;

/// Bytes of rows that a guest is given in one call, unless a single row has more: a small part of its memory.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;

/// Bytes of rows that are pushed at once, unless a single row has more: whoever puts them to others finds room. Few in tests, so
/// that they meet it.
const PUSH_BYTES: usize = if cfg!(test) { 8 << 20 } else { 64 << 20 };

/// Gets a chunk, and where it stands among all rows.
pub(crate) type EachChunk<'a> = dyn FnMut(&Rows<'_>, Range<usize>) -> Result<(), Cause> + 'a;

/// Pushes all rows of a buffer, in chunks.
pub(crate) fn push_in_chunks(batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
    for_each(rows, PUSH_BYTES, &|_| 0, &mut |chunk, _| out.push(batch, chunk))
}

/// Calls `call` with all rows, in chunks that a guest can take.
pub(crate) fn for_guest(rows: &Rows<'_>, call: &mut EachChunk<'_>) -> Result<(), Cause> {
    for_guest_beside(rows, &|_| 0, call)
}

/// The same where others are put beside the rows of a chunk, of so many bytes.
pub(super) fn for_guest_beside(
    rows: &Rows<'_>,
    beside: &dyn Fn(Range<usize>) -> usize,
    call: &mut EachChunk<'_>,
) -> Result<(), Cause> {
    for_each(rows, CHUNK_BYTES, beside, call)
}

fn for_each(
    rows: &Rows<'_>,
    bytes_max: usize,
    beside: &dyn Fn(Range<usize>) -> usize,
    call: &mut EachChunk<'_>,
) -> Result<(), Cause> {
    let mut first = 0;
    let mut buffer: Option<RowsBuffer> = None;
    while first < rows.len {
        let range = next_beside(rows, first, CHUNK_ROWS, bytes_max, beside);
        first = range.end;
        if range.len() == rows.len {
            return call(rows, range);
        }
        let chunk = buffer.get_or_insert_with(|| RowsBuffer::new(rows.schema));
        chunk.clear();
        chunk.extend_range(rows, range.clone())?;
        call(&chunk.with_columns(&chunk.columns()), range)?;
    }
    Ok(())
}

/// The chunk that begins at row `first`: so many rows at most, of so many bytes unless it is a single row.
pub(super) fn next(rows: &Rows<'_>, first: usize, rows_max: usize, bytes_max: usize) -> Range<usize> {
    next_beside(rows, first, rows_max, bytes_max, &|_| 0)
}

fn next_beside(
    rows: &Rows<'_>,
    first: usize,
    rows_max: usize,
    bytes_max: usize,
    beside: &dyn Fn(Range<usize>) -> usize,
) -> Range<usize> {
    let mut count = rows_max.min(rows.len - first);
    while count > 1 && rows.bytes_in(first..first + count) + beside(first..first + count) > bytes_max {
        count /= 2;
    }
    first..first + count
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of};

    use super::*;

    /// The lengths of the chunks of texts of these lengths.
    fn chunks(lengths: &[usize]) -> Vec<usize> {
        let rows: Vec<Vec<Value>> = lengths.iter().map(|&length| vec![Value::Text("x".repeat(length))]).collect();
        let buffer = buffer_of(&"t: text".parse().unwrap(), &rows);
        let (mut found, mut end) = (Vec::new(), 0);
        for_guest(&buffer.with_columns(&buffer.columns()), &mut |chunk, range| {
            assert_eq!((range.start, range.len()), (end, chunk.len));
            end = range.end;
            found.push(chunk.len);
            Ok(())
        })
        .unwrap();
        assert_eq!(end, lengths.len());
        found
    }

    #[test]
    fn chunks_have_few_rows_and_few_bytes() {
        const MIB: usize = 1 << 20;
        assert_eq!(chunks(&[]), [0; 0]);
        assert_eq!(chunks(&[1, 2]), [2]);
        assert_eq!(chunks(&vec![0; CHUNK_ROWS + 1]), [CHUNK_ROWS, 1]);
        assert_eq!(chunks(&[MIB; 10]), [2, 2, 3, 3]);
        assert_eq!(chunks(&[9 * MIB, 1, 9 * MIB, 1]), [1, 1, 1, 1]);
        assert_eq!(chunks(&[1, 1, 1, 9 * MIB]), [2, 1, 1]);
    }

    #[test]
    fn what_stands_beside_a_chunk_counts_with_it() {
        let rows: Vec<Vec<Value>> = vec![vec![Value::Integer(1)]; 8];
        let buffer = buffer_of(&"n: integer".parse().unwrap(), &rows);
        let mut found = Vec::new();
        let beside = |range: Range<usize>| range.map(|row| if row < 2 { CHUNK_BYTES } else { 1 << 20 }).sum();
        for_guest_beside(&buffer.with_columns(&buffer.columns()), &beside, &mut |chunk, _| {
            found.push(chunk.len);
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [1, 1, 3, 3]);
    }

    /// The rows of each push.
    struct Pushes(Vec<usize>);

    impl Out for Pushes {
        fn push(&mut self, _: &mut Batch, rows: &Rows<'_>) -> Result<(), Cause> {
            self.0.push(rows.len);
            Ok(())
        }
    }

    #[test]
    fn no_more_is_pushed_at_once_than_others_have_room_for() {
        let text = |bytes: usize| vec![Value::Text("x".repeat(bytes))];
        let half = PUSH_BYTES / 2 - 100;
        let buffer = buffer_of(&"t: text".parse().unwrap(), &[half, half, half, half, 2 * PUSH_BYTES, 1].map(text));
        let mut pushes = Pushes(Vec::new());
        let mut batch = Batch::new(tidemill_model::time::Interval::try_new(1_000).unwrap(), 0, 1);
        push_in_chunks(&mut batch, &buffer.with_columns(&buffer.columns()), &mut pushes).unwrap();
        assert_eq!(pushes.0, [1, 2, 1, 1, 1]);
    }
}
