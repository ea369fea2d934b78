//! Rows that are written while their batch is open, because they are too many to be held: to the sinks, which show nothing of
//! them yet, and to a file of the checkpoint, for whoever has to deliver the batch if this run does not.

use arrow_array::RecordBatch;
use tidemill_checkpoint::{CheckpointError, OutboxDraft, Outboxes, Section, SectionKind};

/// Bytes of rows that are held of an open batch before they are written.
pub(crate) const OUTBOX_BYTES: usize = 16 << 20;

/// Bytes of rows that are put into one section, about: so much is in memory once more while it is written or read.
const SECTION_BYTES: usize = 4 << 20;

/// Where rows are kept until their batch is committed.
pub(super) struct Outbox {
    /// `None`: there is no checkpoint.
    outboxes: Option<Outboxes>,
    /// Of the open batch.
    draft: Option<OutboxDraft>,
}

impl Outbox {
    pub(super) fn new(outboxes: Option<Outboxes>) -> Outbox {
        Outbox { outboxes, draft: None }
    }

    /// Adds rows to a part of an output's batch, and gives how many bytes these are.
    pub(super) fn write(&mut self, output: &str, part: u32, rows: &RecordBatch) -> Result<u64, CheckpointError> {
        let Some(outboxes) = &mut self.outboxes else { return Ok(0) };
        let draft = match &mut self.draft {
            Some(draft) => draft,
            none => none.insert(outboxes.begin()?),
        };
        let before = draft.bytes();
        for rows in sections_of(rows) {
            let (stream, table) = (output.to_owned(), String::new());
            let kind = SectionKind::Output;
            draft.write(&Section { kind, stream, table, partition: part, batches: vec![rows] })?;
        }
        Ok(draft.bytes() - before)
    }

    /// What was written of the open batch, to be published.
    pub(super) fn take(&mut self) -> Option<OutboxDraft> {
        self.draft.take()
    }
}

/// Rows in pieces that are not much longer than a section is to be.
fn sections_of(rows: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let count = rows.num_rows();
    let sections = rows.get_array_memory_size().div_ceil(SECTION_BYTES).clamp(1, count.max(1));
    let step = count.div_ceil(sections).max(1);
    (0..count).step_by(step).map(move |first| rows.slice(first, step.min(count - first)))
}
