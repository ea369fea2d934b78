//! Buffers of chunks, used again when nobody holds the rows any more: new memory costs a page fault every 4 KiB.

use std::collections::VecDeque;

use arrow_array::{Array, StringArray};
use arrow_buffer::Buffer;

use super::CHUNK_BYTES;

/// Chunks that may be out at a time and whose buffers come back; more are simply freed.
const LENT_MAX: usize = 32;

/// Larger buffers, grown by long lines, are not kept.
const VALUES_BYTES_MAX: usize = 2 * CHUNK_BYTES;

/// The room for values of a new buffer: lines of up to an eighth of a chunk fit without growing.
const VALUES_BYTES: usize = CHUNK_BYTES + CHUNK_BYTES / 8;

/// The room for rows of a new buffer.
const ROWS: usize = CHUNK_BYTES / 32;

/// Values and offsets of columns that were handed out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    lent: VecDeque<(Buffer, Buffer)>,
}

impl Pool {
    /// Remembers the buffers of `column`, to have them back.
    pub fn lend(&mut self, column: &StringArray) {
        let values = column.values();
        let offsets = column.offsets().inner().inner();
        let small = values.capacity() <= VALUES_BYTES_MAX && offsets.capacity() <= 4 * VALUES_BYTES_MAX;
        if small && self.lent.len() < LENT_MAX && !column.is_empty() {
            self.lent.push_back((values.clone(), offsets.clone()));
        }
    }

    /// Two empty buffers, of a column that is gone if there is one.
    pub fn buffers(&mut self) -> (String, Vec<i32>) {
        let free = self.lent.iter().position(|(values, offsets)| values.strong_count() + offsets.strong_count() == 2);
        if let Some((values, offsets)) = free.and_then(|at| self.lent.remove(at))
            && let (Ok(mut values), Ok(mut offsets)) = (values.into_vec::<u8>(), offsets.into_vec::<i32>())
        {
            values.clear();
            offsets.clear();
            return (String::from_utf8(values).unwrap_or_default(), offsets);
        }
        (String::with_capacity(VALUES_BYTES), Vec::with_capacity(ROWS))
    }
}
