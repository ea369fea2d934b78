//! The order in which the rows of a stream come, in whichever partitions they are.

use tidemill_model::ports::Chunk;

/// The place of a push among all those of a stream in a batch. Within a push rows are in order, and within a partition pushes
/// are: only where rows of several partitions meet must it be known.
///
/// It depends on the batch alone: not on workers, timing, or the number of partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    /// Which of the streams that a union puts together, in the order of its inputs. Behind those of a stage's input comes one
    /// more, for the rows that its functions make when the batch ends.
    pub(crate) origin: u32,
    /// Between two lanes there is no order of time that a later run could repeat, so that all rows of one come before those of
    /// the next: a source's partition, if it has its own (all chunks of a source that has not are in one lane); or the
    /// partition in which the rows were made.
    pub(crate) lane: u32,
    /// A chunk's place in the source's batch.
    pub(crate) index: u32,
}

impl Arrival {
    /// Of all rows that a partition of a stage makes anew: they have no place among the source's.
    pub(crate) fn of_partition(partition: u32) -> Arrival {
        Arrival { lane: partition, ..Arrival::default() }
    }
}

/// A source's chunk, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) arrival: Arrival,
    pub(crate) chunk: Chunk,
}

impl Arrived {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.chunk.rows.num_rows()
    }
}
