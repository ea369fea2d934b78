//! Lines that were received and not taken yet, and how chunks are taken from them.

use std::collections::VecDeque;

use arrow_array::{Array, StringArray};

use super::{
    CHUNK_BYTES, Irregular,
    piece::{self, Piece},
    pool::Pool,
};

/// Columns with fewer bytes than this are copied out of the open one, so that few lines do not hold much memory.
const COPY_BYTES_MAX: usize = CHUNK_BYTES / 8;

/// A queue of lines, cut into batches where [`LineBuffer::seal`] says.
///
/// Lines go into an open column, which ends where the chunk of the open batch ends: in the ordinary case that column is
/// the chunk. Only lines that came before a seal and belong after it are copied once more, into the next batch's chunks.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    chunk_bytes: usize,
    /// Complete columns, in order; the first has a row that is not taken.
    pieces: VecDeque<Piece>,
    values: String,
    offsets: Vec<i32>,
    /// The bytes that the open batch's chunk has before the open column.
    carried: usize,
    /// Memory of the rows in `pieces` that are not taken.
    piece_bytes: usize,
    taken: u64,
    received: u64,
    /// The sealed batch's end, as a number of rows since the beginning.
    sealed: Option<u64>,
    /// Chunks that became full since this was last looked at.
    pub filled: usize,
    /// Lines that did not come here as they were.
    pub irregular: Irregular,
    /// How many lines that became no rows stood right before which row, if that is to be known.
    pub gaps: Option<VecDeque<(u64, u64)>>,
    pool: Pool,
}

/// What [`LineBuffer::take`] gives.
#[derive(Debug, Default)]
pub(crate) struct TakenLines {
    pub chunks: Vec<StringArray>,
    pub bytes: usize,
    pub end: bool,
}

impl LineBuffer {
    /// An empty one. `chunk_bytes` is [`CHUNK_BYTES`], but for tests.
    pub fn new(chunk_bytes: usize) -> LineBuffer {
        LineBuffer {
            chunk_bytes,
            pieces: VecDeque::new(),
            values: String::new(),
            offsets: vec![0],
            carried: 0,
            piece_bytes: 0,
            taken: 0,
            received: 0,
            sealed: None,
            filled: 0,
            irregular: Irregular::default(),
            gaps: None,
            pool: Pool::default(),
        }
    }

    /// Appends a line.
    #[inline]
    pub fn push(&mut self, line: &str) {
        self.values.push_str(line);
        // A column has at most a chunk and a line in it: see LINE_BYTES_MAX.
        self.offsets.push(self.values.len() as i32);
        if self.carried + self.values.len() + self.open_rows() >= self.chunk_bytes {
            self.filled += 1;
            self.close();
            self.carried = 0;
        }
    }

    /// A line has ended that becomes no row.
    pub fn pass_over(&mut self) {
        let row = self.received();
        let Some(gaps) = &mut self.gaps else { return };
        match gaps.back_mut() {
            Some((before, count)) if *before == row => *count += 1,
            _ => gaps.push_back((row, 1)),
        }
    }

    /// Rows since the beginning.
    pub fn received(&self) -> u64 {
        self.received + self.open_rows() as u64
    }

    /// Rows that were taken since the beginning.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Memory that the rows hold which are not taken.
    pub fn held_bytes(&self) -> usize {
        self.piece_bytes + self.values.len() + 4 * self.open_rows()
    }

    /// Bytes of the lines that are not taken, one for each line's end counted in.
    pub fn line_bytes(&self) -> usize {
        self.held_bytes() - 3 * (self.received() - self.taken) as usize
    }

    /// Ends the open batch before row `end` (counted since the beginning), or after the rows that were taken if they
    /// are more.
    pub fn seal(&mut self, end: u64) {
        self.close();
        let end = end.clamp(self.taken, self.received);
        self.sealed = Some(end);
        self.carried = self.weight_of_last_chunk((end - self.taken) as usize);
    }

    /// Full chunks of the open batch, or the sealed batch's chunks up to its end, of about `bytes_max` bytes in all.
    pub fn take(&mut self, bytes_max: usize) -> TakenLines {
        let mut taken = TakenLines::default();
        while taken.chunks.is_empty() || taken.bytes < bytes_max {
            let Some((chunk, bytes)) = self.take_chunk() else { break };
            taken.bytes += bytes;
            taken.chunks.push(chunk);
        }
        if self.sealed == Some(self.taken) {
            self.sealed = None;
            taken.end = true;
        }
        taken
    }

    fn open_rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The open column becomes a piece; what is carried to the next one stays for the caller to say.
    fn close(&mut self) {
        let rows = self.open_rows();
        if rows == 0 {
            return;
        }
        let column = if self.values.len() + 4 * rows <= COPY_BYTES_MAX {
            let column = piece::column(self.values.as_str().to_owned(), self.offsets.clone());
            self.values.clear();
            self.offsets.truncate(1);
            column
        } else {
            let (values, mut offsets) = self.pool.buffers();
            offsets.push(0);
            let column = piece::column(
                std::mem::replace(&mut self.values, values),
                std::mem::replace(&mut self.offsets, offsets),
            );
            self.pool.lend(&column);
            column
        };
        self.received += rows as u64;
        self.piece_bytes += piece::memory(&column, 0..rows);
        self.pieces.push_back(Piece { column, from: 0 });
    }

    /// The bytes in the last chunk of the rows that follow the next `skip` ones, if a batch begins there.
    fn weight_of_last_chunk(&self, mut skip: usize) -> usize {
        let mut weight = 0;
        for Piece { column, from } in &self.pieces {
            let left = column.len() - from;
            let mut at = from + skip.min(left);
            skip -= skip.min(left);
            while at < column.len() {
                match piece::chunk_end(column, at, self.chunk_bytes - weight) {
                    Some(end) => (at, weight) = (end, 0),
                    None => {
                        weight += piece::weight(column, at..column.len());
                        at = column.len();
                    }
                }
            }
        }
        weight
    }

    /// The next chunk of the batch and its bytes, if it is full or the batch ends with it.
    fn take_chunk(&mut self) -> Option<(StringArray, usize)> {
        let rows_max = self.sealed.map_or(u64::MAX, |sealed| sealed - self.taken);
        let (mut parts, mut rows, mut bytes) = (Vec::new(), 0, 0);
        let mut full = false;
        for Piece { column, from } in &self.pieces {
            if full || rows == rows_max {
                break;
            }
            let end = piece::chunk_end(column, *from, self.chunk_bytes - bytes);
            let left = usize::try_from(rows_max - rows).unwrap_or(usize::MAX);
            let to = end.unwrap_or(column.len()).min(from.saturating_add(left));
            full = end == Some(to);
            rows += (to - from) as u64;
            bytes += piece::weight(column, *from..to);
            parts.push((column.clone(), *from..to));
        }
        if rows == 0 || !(full || rows == rows_max) {
            return None;
        }
        self.drop_front(&parts);
        self.taken += rows;
        Some((piece::concat(&parts), bytes))
    }

    /// Forgets rows that are taken.
    fn drop_front(&mut self, parts: &[(StringArray, std::ops::Range<usize>)]) {
        for (column, rows) in parts {
            self.piece_bytes -= piece::memory(column, rows.clone());
            if rows.end == column.len() {
                self.pieces.pop_front();
            } else if let Some(first) = self.pieces.front_mut() {
                first.from = rows.end;
            }
        }
    }
}
