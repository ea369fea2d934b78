//! A past batch run again from what a checkpoint still has of it: for finding out what a plugin did, and what another one
//! would have done. The checkpoint is only read, and nothing is given to a sink.

mod difference;
mod logged;
mod rows;

use std::{collections::HashMap, sync::Arc};

use tidemill_checkpoint::{CheckpointError, History, Past, Record, SectionKind};
use tidemill_guest::Plugin;
use tidemill_model::ports::{Clock, Source, Spawn, Wake};
use tidemill_plan::graph::{NodeId, Plan};

use crate::{
    checkpoint::{Pending, Renames, RestoreError, planned_chunks, states_of},
    failure::RunError,
    run::{Parts, Run, Settings, Until},
};
use logged::{LoggedSource, NoSink};

pub use difference::{Difference, difference};
pub use rows::{BatchRows, OutputRows};

/// What a replay is made of.
pub struct ReplayParts<'a> {
    /// The pipeline as it is now.
    pub plan: Plan,
    /// The plugins that it names.
    pub plugins: HashMap<String, Plugin>,
    /// A source for each source node whose rows are not in the input log; they are asked for the batch again.
    pub sources: Vec<(NodeId, Box<dyn Source>)>,
    /// For each output how many rows its sink looks at; `None`: all.
    pub rows_max: Vec<Option<usize>>,
    /// Time, for what the run says of itself.
    pub clock: Arc<dyn Clock>,
    /// Starts the worker threads.
    pub spawn: Arc<dyn Spawn>,
    /// The checkpoint.
    pub history: &'a History,
    /// The batch.
    pub past: &'a Past,
}

/// What was committed, and what comes out now.
#[derive(Debug)]
pub struct Replayed {
    /// What was committed, if it was.
    pub then: Option<BatchRows>,
    /// What comes out now.
    pub now: BatchRows,
    /// Rows that sources gave.
    pub rows: u64,
    /// Rows that functions rejected now.
    pub rejected: u64,
    /// It failed now and was skipped, as the pipeline says.
    pub is_skipped: bool,
}

/// A batch that cannot be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A source of the pipeline had no part in the batch.
    #[error("the stream `{stream}` was no source in that batch; name the pipeline as it was then")]
    NewSource {
        /// The stream.
        stream: String,
    },
    /// A source of the batch is not in the pipeline.
    #[error(
        "the stream `{stream}` was a source in that batch, and the pipeline has none; name the pipeline as it was then"
    )]
    NoSource {
        /// The stream.
        stream: String,
    },
    /// It failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What was committed cannot be understood.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// The sources of a pipeline whose rows of a batch are in the input log: they are not opened.
pub fn logged(plan: &Plan, history: &History, past: &Past) -> Vec<String> {
    let renames = renames(plan, history);
    let logged = past.plan.sources.iter().filter(|source| source.logged.is_some());
    logged.map(|source| renames.now(&source.stream).to_owned()).collect()
}

/// What the streams of the checkpoint are called now: the pipeline may not say any more what a commit still does.
fn renames(plan: &Plan, history: &History) -> Renames {
    let newest_first = history.records.iter().rev();
    Renames::of(plan).learn(newest_first.filter_map(|record| states_of(&history.records, record.number)))
}

/// Runs a past batch again.
pub fn replay(parts: ReplayParts<'_>, workers: usize, seed: u64) -> Result<Replayed, ReplayError> {
    let ReplayParts { plan, plugins, mut sources, rows_max, clock, spawn, history, past } = parts;
    let renames = renames(&plan, history);
    check_sources(&plan, past, &renames)?;
    let logged = logged(&plan, history, past);
    for (index, node) in plan.nodes.iter().enumerate() {
        if node.source().is_some() && logged.contains(&node.name) {
            sources.push((NodeId(index), Box::new(LoggedSource::new(&node.schema))));
        }
    }
    let sinks = rows_max.into_iter().map(|rows_max| Box::new(NoSink { rows_max }) as _).collect();
    let parts = Parts { plan, plugins, sources, sinks, clock, wake: Wake::default(), spawn, checkpoint: None };
    let settings = Settings { workers, seed, fresh_instances: true, until: Until::Batches(1) };
    let then = committed(history, past, &renames)?;
    let run = Run::try_new(parts, &settings)?;
    let input =
        Pending { planned: planned_chunks(&past.plan, &renames, |range| history.input(range))?, ..Pending::default() };
    let counters = counters_before(history, past);
    let replayed = run.replay(history.archive(), &history.records, past, &renames, input, &counters)?;
    Ok(Replayed {
        then,
        now: BatchRows::try_new(replayed.sections, &replayed.states, &renames, replayed.summary.counters)?,
        rows: replayed.summary.rows,
        rejected: replayed.summary.rejected,
        is_skipped: replayed.summary.skipped > 0,
    })
}

/// What was committed.
fn committed(history: &History, past: &Past, renames: &Renames) -> Result<Option<BatchRows>, ReplayError> {
    let Some((number, commit)) = &past.commit else { return Ok(None) };
    let mut sections = history.archive().read_sections(*number)?;
    if commit.outbox.is_some() {
        sections.retain(|section| section.kind != SectionKind::Output);
        sections.extend(history.archive().read_outputs(*number, commit.outbox.as_ref())?);
    }
    Ok(Some(BatchRows::try_new(sections, &commit.tables, renames, commit.counters.clone())?))
}

/// The batch must have had the sources that the pipeline has.
fn check_sources(plan: &Plan, past: &Past, renames: &Renames) -> Result<(), ReplayError> {
    let sources = plan.nodes.iter().filter(|node| node.source().is_some());
    let now: Vec<&str> = sources.map(|node| node.name.as_str()).collect();
    let then: Vec<&str> = past.plan.sources.iter().map(|source| renames.now(&source.stream)).collect();
    if let Some(&stream) = now.iter().find(|stream| !then.contains(stream)) {
        return Err(ReplayError::NewSource { stream: stream.to_owned() });
    }
    match then.iter().find(|stream| !now.contains(stream)) {
        Some(&stream) => Err(ReplayError::NoSource { stream: stream.to_owned() }),
        None => Ok(()),
    }
}

/// The counters that the commit before the batch had.
fn counters_before(history: &History, past: &Past) -> Vec<(String, u64)> {
    let records = history.records.iter();
    let before = past.before.and_then(|number| records.clone().find(|record| record.number == number));
    match before.and_then(|record| record.found.as_ref().ok()).map(|header| &header.record) {
        Some(Record::Commit(commit)) => commit.counters.clone(),
        _ => Vec::new(),
    }
}
