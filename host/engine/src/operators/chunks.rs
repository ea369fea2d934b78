//! Many rows as chunks. Where they are cut depends on the rows alone.

use std::ops::Range;

use tidemill_model::columns::{Rows, RowsBuffer};

use super::{Batch, Out};
use crate::failure::Cause;

/// Rows of a chunk that is made from many rows at once.
pub(crate) const CHUNK_ROWS: usize = 1 << 16;

/// Bytes of rows that a guest is given in one call, unless a single row has more: a small part of its memory.
pub(crate) const CHUNK_BYTES: usize = 4 << 20;

/// Gets a chunk, and where it stands among all rows.
pub(crate) type EachChunk<'a> = dyn FnMut(&Rows<'_>, Range<usize>) -> Result<(), Cause> + 'a;

/// Pushes all rows of a buffer, in chunks.
pub(crate) fn push_in_chunks(batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
    for_each(rows, usize::MAX, &mut |chunk, _| out.push(batch, chunk))
}

/// Calls `call` with all rows, in chunks that a guest can take.
pub(crate) fn for_guest(rows: &Rows<'_>, call: &mut EachChunk<'_>) -> Result<(), Cause> {
    for_each(rows, CHUNK_BYTES, call)
}

fn for_each(rows: &Rows<'_>, bytes_max: usize, call: &mut EachChunk<'_>) -> Result<(), Cause> {
    let mut first = 0;
    let mut buffer: Option<RowsBuffer> = None;
    while first < rows.len {
        let range = next(rows, first, CHUNK_ROWS, bytes_max);
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
    let mut count = rows_max.min(rows.len - first);
    while count > 1 && rows.bytes_in(first..first + count) > bytes_max {
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
}
