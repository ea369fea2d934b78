//! Snapshots: made in the background from what the checkpoint holds already, so that the tables at work are not touched.
//!
//! A snapshot is the one before with the changes of the commits since. For as long as one is made, its state is in memory
//! a second time. One that fails is tried again less and less often: each try reads all state.

use std::{
    error::Error,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, channel},
    },
};

use tidemill_checkpoint::{
    Archive, CheckpointError, Log, Number, Record, Recovery, Section, SectionKind, SnapshotsFound, TableSchema,
};
use tidemill_model::ports::Spawn;
use tidemill_state::table::BlockLimits;

use super::{
    Renames, TableId,
    restore::{RestoreError, States, record_of, states_of},
};

/// When a snapshot is made: the changes since the last one are as large as it was and at least `bytes_min`, or there are
/// so many commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAfter {
    /// Bytes of commits.
    pub bytes_min: u64,
    /// Commits.
    pub commits_max: usize,
}

impl Default for SnapshotAfter {
    fn default() -> SnapshotAfter {
        SnapshotAfter { bytes_min: 64 << 20, commits_max: 1_000 }
    }
}

impl SnapshotAfter {
    /// Whether it is time, after so many commits of so many bytes since a snapshot of `snapshot_bytes`.
    fn is_due(&self, commits: usize, bytes: u64, snapshot_bytes: u64) -> bool {
        commits > 0 && (commits >= self.commits_max || bytes >= self.bytes_min.max(snapshot_bytes))
    }
}

/// How many commits there are at most between two tries.
const COMMITS_BETWEEN_TRIES_MAX: usize = 256;

/// When a snapshot is tried again that could not be made.
#[derive(Debug, Default)]
struct BackOff {
    /// How many failed in a row.
    failed: u32,
    /// Not with fewer commits since the last snapshot.
    commits_min: usize,
}

impl BackOff {
    /// One has failed, so many commits after the last snapshot. Gives whether it is the first in a row.
    fn failed(&mut self, commits: usize) -> bool {
        self.failed = self.failed.saturating_add(1);
        let between = 1_usize.checked_shl(self.failed).unwrap_or(usize::MAX).min(COMMITS_BETWEEN_TRIES_MAX);
        self.commits_min = commits.saturating_add(between);
        self.failed == 1
    }
}

/// A snapshot that was made.
pub(super) struct Made {
    /// About how many bytes it has.
    bytes: u64,
    /// The snapshots that there are now.
    found: Result<SnapshotsFound, CheckpointError>,
}

/// What a snapshot is made of.
struct Request {
    base: Option<Number>,
    /// By their numbers, with what the states were then.
    deltas: Vec<(Number, Vec<TableSchema>)>,
    base_states: Vec<TableSchema>,
}

/// A record that says what changed in tables: a commit, or one that tells how sources go on.
struct Delta {
    number: Number,
    tables: Vec<TableSchema>,
    is_commit: bool,
}

/// Has snapshots made, each on a thread of its own, one at a time.
pub(super) struct Snapshots {
    after: SnapshotAfter,
    states: Vec<TableSchema>,
    base: Option<Number>,
    base_bytes: u64,
    base_states: Vec<TableSchema>,
    /// The records with changes since the base, and their bytes.
    deltas: Vec<Delta>,
    bytes: u64,
    back_off: BackOff,
    maker: Arc<Maker>,
    spawn: Arc<dyn Spawn>,
    /// The commit of the one that is being made, and where its maker says what came of it.
    running: Option<(Number, Receiver<Result<Made, RestoreError>>)>,
}

impl Snapshots {
    pub(super) fn new(
        log: &Log,
        recovered: &Recovery,
        states: &[TableSchema],
        partitions: u32,
        after: SnapshotAfter,
        spawn: Arc<dyn Spawn>,
    ) -> Snapshots {
        let maker = Maker { archive: log.archive().clone(), partitions };
        let found = |number: Number| record_of(log.records(), number);
        let record_bytes = |number: Number| found(number).map_or(0, |record| record.bytes);
        let outbox_bytes = |number: Number| log.outbox_of(number).map_or(0, |outbox| outbox.bytes);
        let bytes = recovered.deltas.iter().map(|&number| record_bytes(number) + outbox_bytes(number)).sum();
        let states_of = |number: Number| states_of(log.records(), number).unwrap_or(states).to_vec();
        let is_commit = |number: Number| {
            let header = found(number).and_then(|record| record.found.as_ref().ok());
            header.is_some_and(|header| matches!(header.record, Record::Commit(_)))
        };
        let delta = |&number| Delta { number, tables: states_of(number), is_commit: is_commit(number) };
        Snapshots {
            after,
            states: states.to_vec(),
            base: recovered.snapshot,
            base_bytes: 0,
            base_states: recovered.snapshot.map(states_of).unwrap_or_default(),
            deltas: recovered.deltas.iter().map(delta).collect(),
            bytes,
            back_off: BackOff::default(),
            maker: Arc::new(maker),
            spawn,
            running: None,
        }
    }

    /// Changes of sources' tables were written with a plan or a start.
    pub(super) fn settled(&mut self, number: Number, bytes: u64, tables: Vec<TableSchema>) {
        self.deltas.push(Delta { number, tables, is_commit: false });
        self.bytes += bytes;
    }

    /// A batch was committed.
    pub(super) fn committed(&mut self, number: Number, bytes: u64) {
        self.deltas.push(Delta { number, tables: self.states.clone(), is_commit: true });
        self.bytes += bytes;
    }

    fn commits(&self) -> usize {
        self.deltas.iter().filter(|delta| delta.is_commit).count()
    }

    /// Whether a snapshot should be begun: a pipeline without state needs them too, or its log would only grow.
    pub(super) fn is_due(&self) -> bool {
        let commits = self.commits();
        let is_wanted = self.after.is_due(commits, self.bytes, self.base_bytes);
        self.running.is_none() && is_wanted && commits >= self.back_off.commits_min
    }

    /// Whether there is anything to make one of.
    pub(super) fn is_possible(&self) -> bool {
        self.running.is_none() && self.commits() > 0
    }

    /// The newest one, if it holds all that was committed.
    pub(super) fn complete(&self) -> Option<Number> {
        self.base.filter(|_| self.deltas.is_empty())
    }

    /// Begins one, after the last commit.
    pub(super) fn begin(&mut self) {
        // A snapshot is the state after a commit.
        let Some(last) = self.deltas.iter().rposition(|delta| delta.is_commit) else { return };
        let deltas = self.deltas[..=last].iter().map(|delta| (delta.number, delta.tables.clone())).collect();
        let last = self.deltas[last].number;
        let request = Request { base: self.base, deltas, base_states: self.base_states.clone() };
        let (done, result) = channel();
        let maker = self.maker.clone();
        let make = move || {
            // Nobody listens any more if the run has ended.
            let _ = done.send(maker.make(&request));
        };
        self.spawn.spawn("snapshot".to_owned(), Box::new(make));
        self.running = Some((last, result));
    }

    /// The snapshots that there are, once after one was made. That it could not be made is said in the log, once in a row.
    pub(super) fn poll(&mut self) -> Option<Result<SnapshotsFound, CheckpointError>> {
        let (commit, result) = self.running.as_ref()?;
        let commit = *commit;
        let result = match result.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(RestoreError::NoThread),
        };
        self.running = None;
        match result {
            Ok(made) => Some(self.made(commit, made)),
            Err(error) => {
                if self.back_off.failed(self.commits()) {
                    let why = with_causes(&error);
                    tracing::warn!("no snapshot could be made; it is tried again, less and less often: {why}");
                }
                None
            }
        }
    }

    fn made(&mut self, commit: Number, made: Made) -> Result<SnapshotsFound, CheckpointError> {
        if std::mem::take(&mut self.back_off).failed > 0 {
            tracing::info!("a snapshot could be made again");
        }
        let states = self.deltas.iter_mut().find(|delta| delta.number == commit);
        self.base_states = states.map(|delta| std::mem::take(&mut delta.tables)).unwrap_or_default();
        self.deltas.retain(|delta| delta.number > commit);
        // Commits that came meanwhile are counted as nothing: there are few.
        (self.base, self.base_bytes, self.bytes) = (Some(commit), made.bytes, 0);
        made.found
    }
}

/// An error and what the system said.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The threads' side.
struct Maker {
    archive: Archive,
    partitions: u32,
}

impl Maker {
    /// Writes the snapshot, and looks for what there is then.
    fn make(&self, request: &Request) -> Result<Made, RestoreError> {
        let bytes = self.write(request)?;
        Ok(Made { bytes, found: self.archive.find_snapshots() })
    }

    /// Writes the snapshot, and gives about how many bytes it has.
    fn write(&self, request: &Request) -> Result<u64, RestoreError> {
        let base = request.base.map(|base| (base, &request.base_states[..]));
        let deltas: Vec<_> = request.deltas.iter().map(|(number, schemas)| (*number, &schemas[..])).collect();
        // The state as it was after that commit: the pipeline of now may keep another, which no commit has yet.
        let Some(&(last, last_states)) = deltas.last() else { return Ok(0) };
        let renames =
            Renames::of_states(last_states).learn(deltas.iter().rev().chain(&base).map(|(_, states)| *states));
        let mut states = States::owned(last_states, self.partitions, renames)?;
        states.load(&self.archive, base, &deltas)?;
        let mut bytes = 0;
        let sections = states.tables().map(|(id, partition, table)| {
            let blocks: Result<Vec<_>, _> = table.whole(BlockLimits::default()).collect();
            let batches = blocks.map_err(|error| CheckpointError::OutOfOrder { what: error.to_string() })?;
            bytes += batches.iter().map(|batch| batch.get_array_memory_size() as u64).sum::<u64>();
            let TableId { stream, table } = id.clone();
            Ok(Section { kind: SectionKind::State, stream, table, partition, batches })
        });
        self.archive.write_snapshot(last, sections)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_costs_no_more_than_the_changes_since_the_last() {
        let after = SnapshotAfter { bytes_min: 10, commits_max: 5 };
        let due = |commits, bytes, snapshot| after.is_due(commits, bytes, snapshot);
        assert!(!due(0, 0, 0) && !due(0, 100, 0));
        assert!(!due(1, 9, 0) && due(1, 10, 0));
        assert!(!due(4, 99, 100) && due(4, 100, 100));
        assert!(due(5, 0, 100));
    }

    #[test]
    fn a_snapshot_that_fails_again_and_again_is_tried_less_and_less_often() {
        let (mut back_off, mut commits, mut tries) = (BackOff::default(), 100, Vec::new());
        for _ in 0..11 {
            let is_first = back_off.failed(commits);
            assert_eq!(is_first, tries.is_empty());
            tries.push(back_off.commits_min - commits);
            commits = back_off.commits_min;
        }
        assert_eq!(tries, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256, 256]);
        back_off.failed = u32::MAX;
        assert!(!back_off.failed(usize::MAX - 1));
        assert_eq!(back_off.commits_min, usize::MAX);
    }
}
