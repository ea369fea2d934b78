//! What outlives every host: time, feeds, what sinks have made visible, and the schedule of faults.

mod editions;
mod faults;
mod feed;
mod folder;
mod outputs;
mod peer;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Range,
    thread::JoinHandle,
};

use tidemill_engine::{Stopper, Summary};
use tidemill_model::time::Timestamp;

use crate::{
    host::Ended,
    random::Random,
    scenario::{Edition, FILES, Scenario, Trouble},
};
pub(crate) use faults::{Faults, Site, Strike};
pub(crate) use feed::{Feed, Line, Logged};
pub(crate) use folder::Folder;
pub(crate) use outputs::{Delivery, Output, Rows};
pub(crate) use peer::Peer;

/// A simulated world begins here: 2026-01-01.
const BEGIN: Timestamp = Timestamp(1_767_225_600_000_000);

/// A run that makes more calls than this does not come to an end.
const CALLS_MAX: u64 = 200_000;

/// Hosts that wait more often than this without a commit wait for ever. What comes meanwhile is one batch: it must not have so many
/// rows of a key that those which fail are not searched for any more.
const WAITS_MAX: u32 = 60;

/// Work that a host has asked a thread for.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Which host it is, from 0: each start of the engine is a host of its own.
pub(crate) type HostId = usize;

/// See the module.
pub(crate) struct World {
    pub now: Timestamp,
    pub random: Random,
    pub trace: String,
    pub faults: Faults,
    pub feeds: BTreeMap<&'static str, Feed>,
    /// In the order of the pipeline.
    pub outputs: Vec<Output>,
    pub hosts: Vec<HostState>,
    /// Whose claim of the checkpoint is the newest.
    pub owner: Option<HostId>,
    /// Batches whose commit record is in the storage.
    pub committed: BTreeMap<Timestamp, Committed>,
    /// The pipelines that batches were planned with last.
    pub planned: BTreeMap<Timestamp, Edition>,
    /// Files that appeared in a call which failed: until their folder is synced, a power cut may take them back.
    pub unsettled: BTreeSet<String>,
    /// Files that were removed: until something is made durable in their folder, a power cut may bring them back.
    pub removed: BTreeMap<String, Vec<u8>>,
    /// Until when the disk is full.
    pub full_until: Option<Timestamp>,
    /// The pipeline that a host was started with last.
    pub edition: Edition,
    /// For the next ones.
    of_editions: Random,
    of_comings: Random,
    of_windows: Random,
    /// For files that are removed.
    of_removals: Random,
    /// For bytes of rows that are held before they are written.
    pub of_writing: Random,
    /// For how long a batch may go on behind a stop, and for ticks that are late.
    pub of_stops: Random,
    /// A function has stopped the run, and the next one is to skip its batch.
    pub is_stopped_by_function: bool,
    /// An output has not got all of its rows, and has to come back.
    pub lacks_output: bool,
    /// What is done about functions that fail.
    pub trouble: Trouble,
    /// Bytes that the checkpoint may have.
    pub budget_bytes: Option<u64>,
    /// How often hosts have waited since the last commit.
    waits: u32,
    /// Work of hosts that have ended, and whose threads have not.
    pub late_work: Vec<Work>,
    /// The call that is being made fails after its effect.
    pub is_failing: bool,
    /// The threads of the hosts that were started last.
    pub threads: Vec<JoinHandle<Ended>>,
    /// Of several hosts another one goes on once in so many calls.
    pub patience: u64,
    /// The first promise that was broken.
    pub broken: Option<String>,
    calls: u64,
}

/// A batch that counts.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    /// The name of its record.
    pub record: String,
    /// The pipeline that it was run with.
    pub edition: Edition,
    /// The one that it was planned with: of sources that came later it has nothing.
    pub planned: Edition,
    pub host: HostId,
    /// Which lines it has of the feeds that can be read again and that the pipeline has.
    pub lines: BTreeMap<&'static str, Range<usize>>,
}

/// What the world knows of a host.
pub(crate) struct HostState {
    /// The pipeline that it was started with.
    pub edition: Edition,
    /// It has crashed: nothing that it does has an effect.
    pub is_down: bool,
    /// A fault that it sees as an error was injected.
    pub has_met_errors: bool,
    /// It has not taken the checkpoint over yet.
    pub is_opening: bool,
    /// It was told to stop.
    pub is_stopped: bool,
    /// The lines of the batches that it sealed, of the feeds that can be read again.
    pub sealed: BTreeMap<Timestamp, BTreeMap<&'static str, Range<usize>>>,
    /// What it says when it has run everything.
    pub summary: Option<Summary>,
    /// The batch that its next record plans.
    pub planning: Option<Timestamp>,
    /// The batch that its next record commits.
    pub committing: Option<Timestamp>,
    /// How far its clock is ahead of the world's, in microseconds.
    pub skew_micros: i64,
    pub stopper: Option<Stopper>,
    /// Work for threads that have not had their turn.
    pub work: Vec<Work>,
}

impl World {
    pub fn new(seed: u64, scenario: &Scenario) -> World {
        World {
            now: BEGIN,
            random: Random::new(seed, "world"),
            trace: String::new(),
            faults: Faults::new(scenario.faults, Random::new(seed, "faults"), scenario.interval_micros),
            feeds: scenario.streams.iter().map(|&stream| (stream, Feed::new(seed, stream, BEGIN, scenario))).collect(),
            outputs: scenario.outputs.iter().map(Output::new).collect(),
            hosts: Vec::new(),
            owner: None,
            committed: BTreeMap::new(),
            planned: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            removed: BTreeMap::new(),
            full_until: None,
            edition: scenario.first_edition(),
            of_editions: Random::new(seed, "edition of each host"),
            of_comings: Random::new(seed, "what comes and goes"),
            of_windows: Random::new(seed, "lengths of windows"),
            of_removals: Random::new(seed, "files that are removed"),
            of_writing: Random::new(seed, "rows that are written early"),
            of_stops: Random::new(seed, "stops and late ticks"),
            is_stopped_by_function: false,
            lacks_output: false,
            trouble: scenario.trouble,
            budget_bytes: scenario.budget_bytes,
            waits: 0,
            late_work: Vec::new(),
            is_failing: false,
            threads: Vec::new(),
            patience: 1,
            broken: None,
            calls: 0,
        }
    }

    /// Notes what has happened.
    pub fn note(&mut self, what: &str) {
        let _ = writeln!(self.trace, "{:>12} {what}", self.now.0 - BEGIN.0);
    }

    /// A promise was broken: everything stops.
    pub fn broken(&mut self, what: String) {
        self.note(&format!("BROKEN: {what}"));
        self.broken.get_or_insert(what);
        self.hosts.iter_mut().for_each(|host| host.is_down = true);
    }

    /// Time goes by, and lines arrive.
    pub fn pass(&mut self, micros: u64) {
        self.now.0 += micros as i64;
        for feed in self.feeds.values_mut() {
            feed.arrive(self.now);
        }
    }

    /// A call takes its time. Says whether there can be more of them.
    pub fn count_call(&mut self) -> bool {
        let micros = self.random.between(0, 1_000);
        self.pass(micros);
        self.calls += 1;
        if self.calls == CALLS_MAX {
            self.broken("the simulation does not come to an end".to_owned());
        }
        self.calls < CALLS_MAX
    }

    /// The time on a host's own clock.
    pub fn time_of(&self, host: HostId) -> Timestamp {
        Timestamp(self.now.0 + self.hosts[host].skew_micros)
    }

    /// A host waits. If it does so for very long there is no room for what must be kept: the operator gives it more.
    pub fn waits(&mut self, host: HostId) {
        self.waits += 1;
        if self.waits > WAITS_MAX {
            self.waits = 0;
            self.budget_bytes = self.budget_bytes.map(|bytes| 2 * bytes);
            self.note(&format!("the operator stops host {host}, and has a budget of {:?} bytes", self.budget_bytes));
            self.hosts[host].stop();
        }
    }

    /// A commit record has appeared. An error says which promise is broken.
    pub fn committed(&mut self, host: HostId, batch: Timestamp, record: &str) -> Result<(), String> {
        self.waits = 0;
        let HostState { sealed, edition, .. } = &mut self.hosts[host];
        let lines = sealed.remove(&batch).unwrap_or_default();
        let planned = self.planned.get(&batch).copied().unwrap_or(*edition);
        let committed = Committed { record: record.to_owned(), edition: *edition, planned, host, lines };
        if self.committed.insert(batch, committed).is_some() {
            return Err(format!("host {host} commits the batch {batch} a second time"));
        }
        if self.owner != Some(host) {
            return Err(format!("host {host} commits the batch {batch} after another took over"));
        }
        Ok(())
    }

    /// What has changed in a folder is durable.
    pub fn settle(&mut self, folder: &str) {
        self.unsettled.retain(|name| !name.starts_with(folder));
        self.removed.retain(|name, _| !name.starts_with(folder));
    }

    /// Files go away that were read by batches which count.
    pub fn remove_files(&mut self) {
        let is_settled = |committed: &&Committed| !self.unsettled.contains(&committed.record);
        let ends = self.committed.values().filter(is_settled).filter_map(|committed| committed.lines.get(FILES));
        let end = ends.map(|lines| lines.end).max().unwrap_or(0);
        if let Some(feed) = self.feeds.get_mut(FILES) {
            feed.folder.remove_before(end, &mut self.of_removals);
        }
    }

    /// When nothing more is to fail, no more lines come, so that the run can end.
    pub fn close_feeds(&mut self) {
        if self.faults.are_over() {
            self.feeds.values_mut().for_each(Feed::close);
        }
    }
}
