//! Functions that fail, and what the pipeline does about it.

/// What is to happen with rows that a function cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No function fails.
    None,
    /// They become dead letters.
    Letters,
    /// Their whole batch is skipped.
    Skip,
    /// They are tried again, and taken then.
    Retry,
    /// The run stops, and is run again with a pipeline that skips their batch.
    Stop,
}

/// Lines that `hostile/touchy` cannot take.
pub(crate) const POISON: [&str; 3] = ["panic", "fail", "again"];

/// The line that it rejects.
pub(crate) const REJECTED: &str = "reject";

/// The line that only an instance takes which has not been called before.
const TIRED: &str = "tired";

impl Trouble {
    /// Lines that are trouble. Not empty.
    pub fn lines(self) -> &'static [&'static str] {
        match self {
            Trouble::None => &[REJECTED],
            Trouble::Letters => &[POISON[0], POISON[1], POISON[2], REJECTED, TIRED],
            Trouble::Skip | Trouble::Stop => &POISON,
            Trouble::Retry => &[TIRED, REJECTED],
        }
    }

    /// Once in so many lines there is one of them.
    pub fn lines_every(self) -> u64 {
        match self {
            Trouble::None => 1_000,
            Trouble::Letters | Trouble::Retry => 5,
            Trouble::Skip | Trouble::Stop => 30,
        }
    }

    /// What stands behind `on-error` where functions stumble. `skips`: in place of a stop.
    pub fn policy(self, skips: bool) -> &'static str {
        match self {
            Trouble::Stop if skips => "\"skip-batch\"",
            Trouble::None | Trouble::Stop => "\"stop\"",
            Trouble::Letters => "\"dead-letter\"",
            Trouble::Skip => "\"skip-batch\"",
            Trouble::Retry => "{ retry = 1, delay = \"1ms\" }",
        }
    }

    /// Whether nothing comes of a batch with [`POISON`].
    pub fn skips(self) -> bool {
        matches!(self, Trouble::Skip | Trouble::Stop)
    }
}
