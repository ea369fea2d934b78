//! The ports: how the engine reaches clocks, threads, sources and sinks. Whatever stands behind them can be replaced by
//! a simulated one.
//!
//! # The calls of a source, in order
//!
//! | when | call | how often |
//! |--|--|--|
//! | before the checkpoint is claimed | [`SourceSettings::open`](crate::connector::SourceSettings::open) | once; nothing has an effect |
//! | with a checkpoint | [`Source::repeatable`], [`Source::acknowledging`] | any number of times, from now on; who is asked for pins keeps what they need |
//! | the same, of a source that the checkpoint knows, before it is claimed | [`Repeatable::check`], [`Acknowledging::check`] | any number of times |
//! | the same, when it is claimed | [`Repeatable::restore`], if it has a table; then [`Repeatable::resume_after`] or [`Repeatable::repeat`]; [`Acknowledging::resume_after`] | once |
//! | behind it, when all that may be refused has been | [`Source::begin`] | once; as often as it fails in passing. From here on there are effects |
//! | if the checkpoint knows the source | [`Acknowledging::acknowledge`] | once, and then behind each commit; else behind each commit alone. The next batch may have been taken of by then, and sealed, but has no pin |
//! | while a batch is open | [`Source::take`] | any number of times |
//! | at the tick | [`Source::seal`] | once a batch |
//! | behind it | [`Source::take`] until it says [`Taken::end`] | once at least |
//! | with a checkpoint, of a source with a table that it does not know, when all sources have begun | [`Repeatable::pin`], then [`Repeatable::changes`] | once |
//! | with a checkpoint, behind a batch | [`Repeatable::pin`], then [`Repeatable::changes`]; or [`Acknowledging::pin`] | once a batch |
//! | when the batch is done | [`Source::irregularities`] | once a batch |
//! | at the end of the run, whatever ends it | [`Source::stop`] | once |
//!
//! # The calls of a sink, in order
//!
//! | when | call | how often |
//! |--|--|--|
//! | before the run | [`Sink::rows_max`], [`Sink::look`] | once each |
//! | with a checkpoint, before it is claimed, and again behind that | [`Sink::newest`], [`Sink::is_new`] | each time at least once; the first before the log is read, the second behind |
//! | behind it | [`Sink::begin`] | once |
//! | with a checkpoint, for each batch that was committed and is not known as delivered | [`Sink::write`] of its rows, [`Sink::prepare`], [`Sink::deliver`] | in this order; with rows that it may have got before |
//! | while a batch of many rows is open | [`Sink::write`] | any number of times, unless it has a [`Sink::rows_max`] |
//! | when such a batch is skipped, or the sink's stream turns out to have none | [`Sink::discard`] | once |
//! | when a batch is committed, or done if there is no checkpoint | [`Sink::write`] of the rest and [`Sink::prepare`] of all sinks, then [`Sink::deliver`] of all, in the order of the pipeline | once each; not of a sink whose stream has no batch, or when the batch is skipped |
//!
//! Sinks are called by another thread than sources are, while the next batch is received and run; but one sink after the other, and
//! one batch after the other.
//!
//! A sink that fails ends the run. The next run begins with that batch, from its commit.

mod disk;
mod sink;
mod wake;

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::{schema::Schema, table::TableSpec, time::Timestamp};

pub use disk::{Disk, DiskCall, DiskWatch, DiskWriter, FolderError, Folders, Look, may_make_folder};
pub use sink::{Owner, Sink, SinkBatch, SinkParts, SinkRows, WrittenRows};
pub use wake::Wake;

/// Time, and waiting for it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Returns at `deadline`, or earlier when `wake` is notified (or was, since the last wait), or when the time was set
    /// back.
    fn wait(&self, deadline: Timestamp, wake: &Wake);

    /// Whether waiting takes no time: time is made up, and goes on when nothing else is left to do.
    fn jumps(&self) -> bool {
        false
    }

    /// Time that has really passed since some instant, by a clock that nobody sets and that never goes back. `None`: there
    /// is none, as where time is made up.
    fn steady(&self) -> Option<Duration> {
        None
    }

    /// What to measure a time by that goes by: steady time, or, where time is made up and nobody sets it, the time itself.
    fn measured(&self) -> Duration {
        self.steady().unwrap_or_else(|| Duration::from_micros(self.now().0.max(0).unsigned_abs()))
    }
}

/// Starts threads.
pub trait Spawn: Send + Sync {
    /// Runs `work` on a thread of its own, called `name`.
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>);
}

/// Rows of a source's batch. Which rows make a chunk depends on their place in the batch alone, never on timing.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The partition that they belong to; `None`: the one whose turn it is.
    pub partition: Option<u32>,
    /// The rows, of the source's schema.
    pub rows: RecordBatch,
}

/// What [`Source::take`] gives.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Chunks in order.
    pub chunks: Vec<Chunk>,
    /// Bytes of input that the chunks were made of.
    pub bytes: usize,
    /// The sealed batch has no more; what is taken from now on belongs to the next one.
    pub end: bool,
}

/// What is known of a batch when it is sealed.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// The source has a batch at this tick (which may be empty); if not, operators treat it as no batch at all.
    pub present: bool,
    /// No later batch of this source has rows.
    pub last: bool,
}

/// Input that a source did not turn into rows as it was, counted and shown at the end of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Irregularity {
    /// What is wrong with it and what was done, as it stands behind their number: "lines longer than 1048576 bytes, rejected".
    pub what: String,
    /// How many since the last batch.
    pub count: u64,
    /// Nothing became of it: it counts as rejected. If not, it was mended, or is told of for another reason.
    pub is_rejected: bool,
}

/// Where rows come from. Neither call waits for input: a source that receives does so on its own thread, into a bounded
/// buffer, and notifies the engine's [`Wake`].
///
/// Nothing has an effect before [`Source::begin`]: a run that does not own the checkpoint binds no port, connects to nobody and
/// starts no thread. Batches are open until they are sealed. From an open batch the engine takes complete chunks ahead of the tick;
/// [`Source::seal`] then fixes the batch's end, and the engine takes until [`Taken::end`].
pub trait Source: Send {
    /// What the rows are.
    fn schema(&self) -> &Schema;

    /// Takes what it needs of the world: ports, connections, threads. Called once, behind
    /// [`Repeatable::resume_after`] or what else says where it goes on, and before anything is taken.
    ///
    /// # Errors
    /// What is not there or is another's, before any batch of this run is durable. One that is
    /// [`Passing`](PortErrorKind::Passing) is asked again.
    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        Ok(())
    }

    /// Chunks that are there already, of about `bytes_max` bytes of input in all (at least one chunk, if there is one).
    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError>;

    /// Ends the open batch: what was received up to `at` belongs to it.
    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError>;

    /// Input that was not taken as it was, since the last call.
    fn irregularities(&mut self) -> Vec<Irregularity>;

    /// Stops receiving, and lets go of sockets and threads.
    fn stop(&mut self);

    /// How it can be read again, if it can. The chunks of one that cannot are logged before they are run.
    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        None
    }

    /// How its peers are told what is durable, if they want to know. Only of a source that is not repeatable.
    fn acknowledging(&mut self) -> Option<&mut dyn Acknowledging> {
        None
    }
}

/// A source whose peers send again what was not acknowledged. Its pins say how much of their input was taken; what was
/// logged behind the last one is not used after a restart, because it comes again.
pub trait Acknowledging {
    /// The pin of the sealed batch, as of a [`Repeatable`] source.
    fn pin(&mut self) -> Result<String, PortError>;

    /// Whether a pin is one of this source: as [`Repeatable::check`].
    ///
    /// # Errors
    /// It is another source's: [`Acknowledging::resume_after`] would refuse it.
    fn check(&self, pin: &str) -> Result<(), PortError>;

    /// Goes on behind the batch of `pin`. Asked before anything was taken, at most once.
    ///
    /// # Errors
    /// The pin is not one of this source.
    fn resume_after(&mut self, pin: &str) -> Result<(), PortError>;

    /// What the last pin stands for is durable, and is not needed from a peer again; what was taken since then is not. Peers are
    /// not read before this was called once.
    fn acknowledge(&mut self);
}

/// Rows of a table that a source keeps.
#[derive(Clone, Debug)]
pub struct SourceRows {
    /// Their keys, of the table's schema of keys.
    pub keys: RecordBatch,
    /// Which of them have gone.
    pub deleted: Vec<bool>,
    /// What is kept for the others, of the table's schema of rows.
    pub rows: RecordBatch,
}

/// A source that can be read again: files, a queue, made-up rows.
///
/// A **pin** says what a sealed batch is made of and how far the source has come with it, as a JSON object of the
/// source's own making. It is kept in checkpoints: what one version wrote, later ones must understand.
///
/// What grows with what it has seen (the files of a folder) it keeps in a **table**, of which a batch stores what changed.
pub trait Repeatable {
    /// The pin of the sealed batch. Asked when all of it has been taken, before the next batch is sealed; of a source that has a
    /// table also before the first batch, for where it begins.
    fn pin(&mut self) -> Result<String, PortError>;

    /// The table that it keeps, if it keeps one: a row a key.
    fn table(&self) -> Option<TableSpec> {
        None
    }

    /// The rows of the table that have changed since it was asked last, or given them back; all of them at first. Asked behind
    /// a pin.
    fn changes(&mut self) -> Result<Vec<SourceRows>, PortError> {
        Ok(Vec::new())
    }

    /// Gets the rows of the table back, or all changes in order, as they are behind the batch of the pin that [`Repeatable::resume_after`] or
    /// [`Repeatable::repeat`] is called with next.
    ///
    /// # Errors
    /// They are none of this source's.
    fn restore(&mut self, _rows: &[SourceRows]) -> Result<(), PortError> {
        Ok(())
    }

    /// Whether a pin is one of this source, as far as the pin says it: asked before a checkpoint is taken over, and without an effect.
    ///
    /// # Errors
    /// It is another source's: [`Repeatable::resume_after`] would refuse it whatever the world is like.
    fn check(&self, pin: &str) -> Result<(), PortError>;

    /// Goes on behind the batch of `pin`: what it and those before it had will not come again. Asked before anything was
    /// taken, at most once.
    ///
    /// # Errors
    /// The pin is not one of this source, or what it stands for has changed or is gone (with its name).
    fn resume_after(&mut self, pin: &str) -> Result<(), PortError>;

    /// Gives the very batch of `pin` again: what is taken until the next seal's end is what was taken then, in the same
    /// chunks. Asked before anything was taken, at most once, and instead of [`Repeatable::resume_after`].
    ///
    /// # Errors
    /// As for [`Repeatable::resume_after`].
    fn repeat(&mut self, pin: &str) -> Result<(), PortError>;
}

/// What an operator can do about an error of a source or sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortErrorKind {
    /// The pipeline asks for what cannot be: change it.
    Configuration,
    /// The world is not as it should be (a port in use, a folder that is not writable): mend it and run again.
    Environment,
    /// The same, but it may pass by itself: the call is made again, after a while that grows, until the run is told to stop.
    Passing,
}

/// A source or sink failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// What can be done.
    pub kind: PortErrorKind,
    /// What, where, and what to do.
    pub message: String,
    /// What the system said.
    pub source: Option<std::io::Error>,
}

impl PortError {
    /// An error of the world. `message` says what and where; the system's own words follow.
    pub fn environment(message: impl Into<String>, source: std::io::Error) -> PortError {
        PortError { kind: PortErrorKind::Environment, message: message.into(), source: Some(source) }
    }

    /// The same where `message` says all that the system would.
    pub fn refused(message: impl Into<String>) -> PortError {
        PortError { kind: PortErrorKind::Environment, message: message.into(), source: None }
    }

    /// What may pass by itself; `message` says all that the system would.
    pub fn passing(message: impl Into<String>) -> PortError {
        PortError { kind: PortErrorKind::Passing, message: message.into(), source: None }
    }

    /// A pipeline that asks for what cannot be.
    pub fn configuration(message: impl Into<String>) -> PortError {
        PortError { kind: PortErrorKind::Configuration, message: message.into(), source: None }
    }
}
