//! One source of a run: its chunks in order, those first that were logged before a restart.

use std::collections::VecDeque;

use tidemill_checkpoint::{InputPosition, LoggedRange, Section, SourcePin, TableSchema};
use tidemill_model::{
    ports::{Chunk, Owner, PortError, Repeatable, Sealed, Source, SourceRows, Taken},
    table::TableSpec,
    time::Timestamp,
};
use tidemill_plan::graph::NodeId;

use crate::{
    arrival::{Arrival, Arrived},
    checkpoint::{InputKeeper, Pending, RestoreError, section_of, source_schema},
    failure::RunError,
    run::patience::call_again,
    stop::Stopper,
};

/// Bytes of input that are logged at a time when a run ends.
const KEPT_BYTES: usize = 8 << 20;

pub(super) struct SourceFeed {
    pub(super) stream: String,
    /// What the stream was called before.
    previously: Option<String>,
    pub(super) node: NodeId,
    pub(super) stage: usize,
    partitions: usize,
    pub(super) source: Box<dyn Source>,
    /// The partition whose turn it is: chunks go round, beginning with partition 0 in every batch.
    next: usize,
    /// How many chunks of the open batch were taken.
    taken: u32,
    /// How many rows of a batch that has not left the loop.
    pub(super) open_rows: u64,
    pub(super) last: bool,
    /// What it has given is with nobody else, so that it is lost where nothing is logged.
    pub(super) comes_once: bool,
    /// Chunks that were logged and belong to no committed batch, before what the source gives.
    logged: VecDeque<Chunk>,
    /// What was logged before is not used.
    logged_from: Option<InputPosition>,
    /// It goes on behind a pin of its peers.
    is_resumed: bool,
    /// How many of `logged` are the batch that is run again; it has nothing else.
    again: Option<usize>,
    /// It came to the pipeline after the batch that is run again was planned: it has none then, and begins with the next one.
    absent: bool,
    /// A batch with a share of it was planned.
    pub(super) is_pinned: bool,
    /// Where it began, if no batch of it was planned yet.
    pub(super) began: Option<SourcePin>,
    /// The checkpoint does not know it.
    pub(super) is_new: bool,
    pub(super) sealed: bool,
    /// It receives.
    pub(super) has_begun: bool,
    /// A call of it has failed: nobody knows what the next one would do.
    is_broken: bool,
}

impl SourceFeed {
    /// A source of a stream, which may have had another name before.
    pub(super) fn new(
        (stream, previously): (&str, Option<&str>),
        node: NodeId,
        stage: usize,
        partitions: u32,
        source: Box<dyn Source>,
    ) -> SourceFeed {
        SourceFeed {
            stream: stream.to_owned(),
            previously: previously.map(str::to_owned),
            node,
            stage,
            partitions: partitions as usize,
            source,
            next: 0,
            taken: 0,
            open_rows: 0,
            last: false,
            comes_once: false,
            logged: VecDeque::new(),
            logged_from: None,
            is_resumed: false,
            again: None,
            absent: false,
            is_pinned: false,
            began: None,
            is_new: true,
            sealed: false,
            has_begun: false,
            is_broken: false,
        }
    }

    /// Whether its chunks are logged before they are run, if anything is.
    pub(super) fn is_logged(&mut self) -> bool {
        self.source.repeatable().is_none()
    }

    /// Gives what was logged for its stream before what the source gives. `again`: what was planned of it is a batch of
    /// its own, the next one.
    /// `end`: of the log.
    pub(super) fn resume_logged(
        &mut self,
        pending: &mut Pending,
        again: bool,
        pin: Option<&str>,
        end: Option<InputPosition>,
    ) -> Result<(), RunError> {
        self.is_new = pin.is_none() && !again;
        let planned = pending.planned.remove(&self.stream).unwrap_or_default();
        self.again = again.then_some(planned.len());
        self.logged = planned.into();
        let open = pending.open.remove(&self.stream).unwrap_or_default();
        // Behind a plan without a pin nothing comes again: nobody is read before the first one is committed.
        if !self.resume_peers(pin, end)? {
            self.logged.extend(open);
        }
        Ok(())
    }

    /// Goes on behind a pin of its peers, if there are any and it is one: what was logged behind that was not acknowledged, and
    /// comes again. No later batch has it. Gives whether it does. `end`: of the log.
    pub(super) fn resume_peers(&mut self, pin: Option<&str>, end: Option<InputPosition>) -> Result<bool, RunError> {
        let (Some(source), Some(pin)) = (self.source.acknowledging(), pin.filter(|pin| !pin.is_empty())) else {
            return Ok(false);
        };
        source.resume_after(pin).map_err(|error| self.failed(error))?;
        (self.logged_from, self.is_resumed, self.is_new) = (end, true, false);
        Ok(true)
    }

    /// Has it receive. Peers are told what counts, if a checkpoint says it; of a batch that is run again when it does, because the
    /// next host may run it without this source.
    pub(super) fn begin(&mut self, owner: &Owner<'_>, stopper: &Stopper) -> Result<(), RunError> {
        call_again(stopper, || self.source.begin(owner)).map_err(|error| self.failed(error))?;
        self.has_begun = true;
        let is_told = self.is_resumed && (self.again.is_none() || self.absent);
        if let Some(source) = self.source.acknowledging().filter(|_| is_told) {
            source.acknowledge();
        }
        Ok(())
    }

    /// Logs what was received until `now`, and what is left of the batch that is sealed; not what a peer sends again.
    pub(super) fn keep_received(&mut self, now: Timestamp, input: &mut InputKeeper) -> Result<(), RunError> {
        if self.is_broken || !self.is_logged() || self.source.acknowledging().is_some() {
            return Ok(());
        }
        // A batch that is run again was sealed by the run before.
        if self.sealed && self.again.is_none() {
            self.log_sealed(input)?;
        }
        self.source.seal(now).map_err(|error| self.failed(error))?;
        self.log_sealed(input)
    }

    /// Counts the rows that were received until `now`, that no batch has, and that nobody keeps.
    pub(super) fn count_lost(&mut self, now: Timestamp) -> Result<u64, RunError> {
        if self.is_broken || !self.has_begun || !self.comes_once {
            return Ok(0);
        }
        let mut lost = std::mem::take(&mut self.open_rows);
        if self.sealed {
            lost += self.count_sealed()?;
        }
        self.source.seal(now).map_err(|error| self.failed(error))?;
        Ok(lost + self.count_sealed()?)
    }

    fn count_sealed(&mut self) -> Result<u64, RunError> {
        let mut rows = 0;
        loop {
            let taken = self.source.take(KEPT_BYTES).map_err(|error| self.failed(error))?;
            rows += taken.chunks.iter().map(|chunk| chunk.rows.num_rows() as u64).sum::<u64>();
            if taken.end {
                return Ok(rows);
            }
        }
    }

    /// Logs what the source has of the sealed batch.
    fn log_sealed(&mut self, input: &mut InputKeeper) -> Result<(), RunError> {
        loop {
            let taken = self.source.take(KEPT_BYTES).map_err(|error| self.failed(error))?;
            input.append(&self.stream, &taken.chunks)?;
            if taken.end {
                return Ok(());
            }
        }
    }

    /// Where it begins in the log, for the checkpoint.
    pub(super) fn begin_logged(&mut self, end: InputPosition) -> SourcePin {
        self.logged_from = Some(end);
        SourcePin { stream: self.stream.clone(), pin: String::new(), logged: Some(LoggedRange { first: end, end }) }
    }

    /// Whether there are chunks that were logged before.
    pub(super) fn has_logged(&self) -> bool {
        !self.logged.is_empty()
    }

    /// It has begun, at this place of the log, and no batch of it was planned.
    pub(super) fn goes_on_from(&mut self, began: InputPosition) {
        (self.is_new, self.logged_from) = (false, Some(began));
    }

    /// It has begun, and gets what was logged since then behind the batch that is run again without it.
    pub(super) fn resume_begun(&mut self, pending: &mut Pending, began: InputPosition) {
        self.logged = pending.open.remove(&self.stream).unwrap_or_default().into();
        self.goes_on_from(began);
    }

    /// The next batch was planned without it.
    pub(super) fn stay_away(&mut self) {
        (self.again, self.absent) = (Some(0), true);
    }

    /// Refuses a pin that is another source's, without an effect.
    pub(super) fn check(&mut self, pin: &str) -> Result<(), RunError> {
        let checked = match self.source.repeatable() {
            Some(source) => source.check(pin),
            None => {
                let peers = self.source.acknowledging().filter(|_| !pin.is_empty());
                peers.map_or(Ok(()), |source| source.check(pin))
            }
        };
        checked.map_err(|error| self.failed(error))
    }

    /// Goes on behind the batch of a pin, with the rows of its table.
    pub(super) fn resume_after(&mut self, pin: &str, rows: &[SourceRows]) -> Result<(), RunError> {
        self.go_on(rows, |source| source.resume_after(pin))
    }

    /// Gives the batch of a pin again.
    pub(super) fn repeat(&mut self, pin: &str, rows: &[SourceRows]) -> Result<(), RunError> {
        self.go_on(rows, |source| source.repeat(pin))
    }

    fn go_on(
        &mut self,
        rows: &[SourceRows],
        go_on: impl FnOnce(&mut dyn Repeatable) -> Result<(), PortError>,
    ) -> Result<(), RunError> {
        self.is_new = false;
        let Some(source) = self.source.repeatable() else { return Ok(()) };
        source.restore(rows).and_then(|()| go_on(source)).map_err(|error| self.failed(error))
    }

    /// The table that it keeps. `is_whole`: what was kept under its name before does not count.
    pub(super) fn table(&mut self, is_whole: bool) -> Option<(TableSpec, TableSchema)> {
        let spec = self.source.repeatable()?.table()?;
        let schema = source_schema(&self.stream, self.previously.as_deref(), &spec, is_whole);
        Some((spec, schema))
    }

    /// What changed in its table, which is `spec`; `None`: nothing.
    pub(super) fn changes(&mut self, spec: &TableSpec) -> Result<Option<Section>, RunError> {
        let changes = self.source.repeatable().map_or(Ok(Vec::new()), |source| source.changes());
        let rows = changes.map_err(|error| self.failed(error))?;
        let section = (!rows.is_empty()).then(|| section_of(&self.stream, spec, &rows)).transpose();
        section.map_err(|error| RunError::from(RestoreError::State(error)))
    }

    pub(super) fn failed(&self, error: PortError) -> RunError {
        RunError::Source { stream: self.stream.clone(), error }
    }

    fn broken(&mut self, error: PortError) -> RunError {
        self.is_broken = true;
        self.failed(error)
    }

    pub(super) fn seal(&mut self, tick: Timestamp) -> Result<Sealed, RunError> {
        self.sealed = true;
        if self.again.is_some() {
            return Ok(Sealed { present: !self.absent, last: false });
        }
        self.absent = false;
        self.source.seal(tick).map_err(|error| self.broken(error))
    }

    /// What is there of the open or sealed batch, by partition, and whether the sealed one ends with it.
    pub(super) fn take(
        &mut self,
        bytes_max: usize,
        input: Option<&mut InputKeeper>,
    ) -> Result<(Vec<Vec<Arrived>>, bool), RunError> {
        let taken = match (&mut self.again, self.logged.is_empty()) {
            (Some(_), _) => self.take_again(bytes_max),
            (None, false) => Taken { chunks: self.take_logged(bytes_max, usize::MAX), ..Taken::default() },
            (None, true) => {
                let taken = self.source.take(bytes_max).map_err(|error| self.broken(error))?;
                // A source that is asked how it can be read again takes care that it can: only where somebody keeps pins.
                if let Some(input) = input.filter(|_| self.is_logged()) {
                    input.append(&self.stream, &taken.chunks)?;
                }
                taken
            }
        };
        let mut by_partition = vec![Vec::new(); self.partitions];
        for chunk in taken.chunks {
            let partition = match chunk.partition {
                Some(partition) => partition as usize % self.partitions,
                None => {
                    let turn = self.next;
                    self.next = (turn + 1) % self.partitions;
                    turn
                }
            };
            let arrival = Arrival { origin: 0, lane: chunk.partition.unwrap_or(0), index: self.taken };
            self.taken += 1;
            self.open_rows += chunk.rows.num_rows() as u64;
            by_partition[partition].push(Arrived { arrival, chunk });
        }
        if taken.end {
            (self.next, self.taken, self.sealed) = (0, 0, false);
        }
        Ok((by_partition, taken.end))
    }

    /// Of a batch that is run again.
    fn take_again(&mut self, bytes_max: usize) -> Taken {
        let left = self.again.unwrap_or(0);
        let chunks = self.take_logged(bytes_max, left);
        let left = left - chunks.len();
        let end = left == 0 && self.sealed;
        self.again = (!end).then_some(left);
        Taken { chunks, bytes: 0, end }
    }

    fn take_logged(&mut self, bytes_max: usize, chunks_max: usize) -> Vec<Chunk> {
        let (mut chunks, mut bytes) = (Vec::new(), 0);
        while chunks.len() < chunks_max && bytes < bytes_max {
            let Some(chunk) = self.logged.pop_front() else { break };
            bytes += chunk.rows.get_array_memory_size();
            chunks.push(chunk);
        }
        chunks
    }

    /// Whether it has a share of the sealed batch that a checkpoint keeps.
    pub(super) fn has_pin(&self) -> bool {
        !self.absent
    }

    /// What a checkpoint keeps of the sealed batch. `logged`: where its input lies in the log.
    pub(super) fn pin(&mut self, logged: Option<LoggedRange>) -> Result<SourcePin, RunError> {
        let stream = self.stream.clone();
        self.is_pinned = true;
        match self.source.repeatable().map(|source| source.pin()) {
            None => {
                let pin = self.source.acknowledging().map_or(Ok(String::new()), |source| source.pin());
                let first = |first: InputPosition| self.logged_from.map_or(first, |from| from.max(first));
                let logged = logged.map(|range| LoggedRange { first: first(range.first), ..range });
                Ok(SourcePin { stream, pin: pin.map_err(|error| self.failed(error))?, logged })
            }
            Some(Ok(pin)) => Ok(SourcePin { stream, pin, logged: None }),
            Some(Err(error)) => Err(self.failed(error)),
        }
    }
}

#[cfg(test)]
mod tests;
