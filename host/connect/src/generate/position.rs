//! Where a generated source stands: what a checkpoint keeps of it, and which rows are due when.

use serde::{Deserialize, Serialize};
use tidemill_model::text::counted;
use tidemill_model::time::Timestamp;

use super::GenerateKind;
use crate::pin::Pin;

/// Millionths of a row, of which `due` counts whole rows.
const ROW_MILLIONTHS: u128 = 1_000_000;

/// The last sealed batch. Field names are part of the format of checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// `words`, `orders`, `points` or `activity`.
    pub kind: String,
    pub seed: u64,
    /// Rows before the batch.
    pub first_row: u64,
    /// Rows of the batch.
    pub rows: u64,
    /// The state of the random numbers before the batch, and behind it: nobody has to count up to there.
    pub random_before: u64,
    pub random_after: u64,
    /// When the batch was sealed; `None` before the first one.
    pub sealed_micros: Option<i64>,
    /// How much of the next row was due then.
    pub due_millionths: u32,
}

/// Which rows are due when: from `row` on, of which some millionths are due already, at a rate from `begin` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub begin: Timestamp,
    pub row: u64,
    pub due_millionths: u32,
}

impl Position {
    /// Before the first batch.
    pub fn start(kind: GenerateKind, seed: u64, random: u64) -> Position {
        Position {
            kind: name(kind).to_owned(),
            seed,
            first_row: 0,
            rows: 0,
            random_before: random,
            random_after: random,
            sealed_micros: None,
            due_millionths: 0,
        }
    }

    /// Rows up to the batch's end.
    pub fn end(&self) -> u64 {
        self.first_row.saturating_add(self.rows)
    }
}

impl Pin for Position {
    const SOURCE: &'static str = "generate";

    fn check(&self) -> Result<(), String> {
        if self.first_row.checked_add(self.rows).is_none() {
            return Err(format!("{} after {} are too many", counted(self.rows, "row"), self.first_row));
        }
        if u128::from(self.due_millionths) >= ROW_MILLIONTHS {
            return Err(format!("{} millionths of a row are a row and more", self.due_millionths));
        }
        Ok(())
    }
}

impl Schedule {
    /// Rows that are due at `at`, counted from the first of all, and how many millionths of the next one.
    pub fn due(&self, rate: u64, at: Timestamp) -> (u64, u32) {
        let millionths =
            (u128::from(rate) * at.since(self.begin).as_micros()).saturating_add(self.due_millionths.into());
        let rows = u64::try_from(millionths / ROW_MILLIONTHS).unwrap_or(u64::MAX);
        (self.row.saturating_add(rows), (millionths % ROW_MILLIONTHS) as u32)
    }

    /// Goes on behind `position` in a source that was opened at `opened`: the time between is left out. A clock that
    /// stands before the batch's tick leaves out nothing.
    pub fn after(position: &Position, opened: Timestamp) -> Schedule {
        let begin = position.sealed_micros.map_or(opened, |sealed| opened.max(Timestamp(sealed)));
        Schedule { begin, row: position.end(), due_millionths: position.due_millionths }
    }
}

/// What a pipeline calls it.
pub(super) fn name(kind: GenerateKind) -> &'static str {
    match kind {
        GenerateKind::Words => "words",
        GenerateKind::Orders => "orders",
        GenerateKind::Points => "points",
        GenerateKind::Activity => "activity",
    }
}
