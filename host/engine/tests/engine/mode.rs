//! The ways in which a pipeline is run.

use tidemill_engine::Run;

/// One way. Those with the same partitions and chunks must give the same bytes; all must give the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    pub partitions: u32,
    pub workers: usize,
    pub seed: u64,
    /// New instances of guests for each batch.
    pub fresh: bool,
    /// Rows of a source's chunk.
    pub chunk_rows: usize,
    /// A part of each batch is there before its tick.
    pub ahead: bool,
    /// Rows for sinks are written as soon as there are any, as those of large batches are.
    pub early: bool,
    /// Each batch is delivered when the next one has been run.
    pub late: bool,
    /// So much of a batch an operator may hold, if it is less than by default.
    pub operator_bytes: Option<usize>,
}

/// One worker, whole batches.
pub const PLAIN: Mode = Mode {
    partitions: 4,
    workers: 1,
    seed: 1,
    fresh: false,
    chunk_rows: usize::MAX,
    ahead: false,
    early: false,
    late: false,
    operator_bytes: None,
};

/// Numbers of partitions that cases are run with.
const PARTITIONS: [u32; 4] = [1, 2, 4, 7];

impl Mode {
    /// Sets a run up as the mode says.
    pub fn set(self, run: &mut Run) {
        if self.early {
            run.hold_outputs(0);
        }
        if let Some(bytes_max) = self.operator_bytes {
            run.hold_in_operators(bytes_max);
        }
    }
}

/// Modes in groups; those of a group must give the same bytes.
pub fn groups(partitions: Option<u32>) -> Vec<Vec<Mode>> {
    let fixed = partitions.map(|partitions| vec![partitions]);
    let of = |partitions| {
        let plain = Mode { partitions, ..PLAIN };
        let small = Mode { chunk_rows: 2, ..plain };
        [
            vec![plain, Mode { workers: 3, seed: 0xdead_beef, fresh: true, early: true, ..plain }],
            vec![
                small,
                Mode { workers: 2, seed: u64::MAX, ahead: true, early: true, ..small },
                Mode { fresh: true, late: true, ..small },
            ],
        ]
    };
    fixed.unwrap_or(PARTITIONS.to_vec()).into_iter().flat_map(of).collect()
}
