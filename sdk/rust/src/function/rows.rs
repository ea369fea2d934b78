//! Rows that a function returns, on their way into columns.

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Mapped, Origins},
        tidemill::plugin::data::{Batch, Rejection},
    },
    value::{ColumnWriter, WriteRow},
};

/// The rows that a call returns, as columns under construction.
#[derive(Debug, Default)]
pub struct Rows<W> {
    writer: W,
    count: u32,
}

/// What a map returns: rows, and for each the input row that it came from.
#[derive(Debug, Default)]
pub(super) struct MappedRows<W> {
    pub(super) rows: Rows<W>,
    /// Empty as long as row i came from input row i.
    origins: Vec<u8>,
    /// Whether `origins` are written.
    mixed: bool,
    rejected: Vec<Rejection>,
}

/// How many rows and bytes of text the last call returned: the next one makes room for as many.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capacity {
    rows: usize,
    bytes: usize,
}

// === impl Rows ===

impl<W: ColumnWriter> Rows<W> {
    /// Adds a row.
    #[inline(always)]
    pub fn push<T: WriteRow<RowWriter = W>>(&mut self, row: &T) {
        row.write_row(&mut self.writer);
        self.count += 1;
    }

    /// Adds a row that will not be looked at.
    pub fn push_blank(&mut self) {
        self.writer.write_blank();
        self.count += 1;
    }

    /// Number of rows.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn reserve(&mut self, capacity: Capacity) {
        self.writer.reserve(capacity.rows, capacity.bytes);
    }

    pub(super) fn reserve_rows(&mut self, rows: usize) {
        self.writer.reserve(rows, 0);
    }

    pub(super) fn capacity(&self) -> Capacity {
        Capacity { rows: self.count as usize, bytes: self.writer.bytes() }
    }

    /// The rows as a batch.
    pub fn finish(self) -> Batch {
        let mut columns = Vec::new();
        self.writer.finish_row(&mut columns);
        Batch { rows: self.count, columns }
    }
}

/// A batch without rows and without columns: what chunks before the last return.
pub(super) fn nothing() -> Batch {
    Batch { rows: 0, columns: Vec::new() }
}

// === impl MappedRows ===

impl<W: ColumnWriter> MappedRows<W> {
    pub(super) fn with_capacity(capacity: Capacity) -> MappedRows<W> {
        let mut rows = Rows::<W>::default();
        rows.reserve(capacity);
        MappedRows { rows, origins: Vec::new(), mixed: false, rejected: Vec::new() }
    }

    /// All rows from `first` on came from input row `row`. Called for each input row in order.
    #[inline]
    pub(super) fn came_from(&mut self, row: u32, first: u32) {
        let produced = self.rows.count - first;
        if !self.mixed && produced == 1 && first == row {
            return;
        }
        if !self.mixed {
            self.mix(first);
        }
        // Four at a time, and those that were too many taken back.
        let end = self.origins.len() + 4 * produced as usize;
        let [a, b, c, d] = row.to_le_bytes();
        while self.origins.len() < end {
            self.origins.extend_from_slice(&[a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d]);
        }
        self.origins.truncate(end);
    }

    /// The first row that does not stand at its origin's place: from here on origins are written.
    #[cold]
    fn mix(&mut self, first: u32) {
        self.mixed = true;
        self.origins.reserve(4 * (self.rows.count as usize + first as usize));
        for row in 0..first {
            self.origins.extend_from_slice(&row.to_le_bytes());
        }
    }

    /// The function will not take input row `row`.
    pub(super) fn reject(&mut self, row: u32, reason: String) {
        self.rejected.push(Rejection { row, reason });
    }

    pub(super) fn finish(self) -> Mapped {
        let origins = if self.mixed { Origins::Rows(self.origins) } else { Origins::Same };
        Mapped { rows: self.rows.finish(), origins, rejected: self.rejected }
    }
}

impl Capacity {
    /// An eighth more than the last call needed, and for the first one what its input suggests.
    pub(super) fn for_input(self, input: &Batch) -> Capacity {
        if self.rows > 0 {
            return Capacity { rows: self.rows + self.rows / 8, bytes: self.bytes + self.bytes / 8 };
        }
        let bytes = |column: &crate::bindings::tidemill::plugin::data::Column| match column.offsets.len() {
            0 => 0,
            _ => column.values.len(),
        };
        Capacity { rows: input.rows as usize, bytes: input.columns.iter().map(bytes).sum() }
    }
}
