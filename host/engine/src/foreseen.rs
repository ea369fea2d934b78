//! What a run would do before its first new batch, and why it would be refused, as far as that can be known while nothing is
//! taken, made or changed.

use std::sync::Arc;

use tidemill_checkpoint::{CheckpointError, Glance, Log, Storage, StorageError, TableSchema};
use tidemill_model::{ports::Sink, time::Timestamp};
use tidemill_plan::graph::Plan;

use crate::{
    checkpoint::{InputKeeper, MigrationAhead, Renames, check_glance, table_schemas},
    commit::{Newest, Sinks, check_undelivered, new_ones},
    failure::RunError,
    open::OpenSources,
    run::{Sources, check_sinks, foreseen_sources},
};

/// What a run that begins now would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    /// The last batch of the checkpoint, behind which it would go on.
    pub last: Option<Timestamp>,
    /// The batch that it would run again.
    pub again: Option<Timestamp>,
    /// The batches that it would deliver again.
    pub undelivered: Vec<Timestamp>,
    /// States that it would migrate.
    pub migrations: Vec<MigrationAhead>,
}

/// Looks at the places of the outputs, and at the checkpoint, of which `storage` is what there is of it.
///
/// # Errors
/// Why a run would be refused. What shows only where something is taken or changed does not: a port that another one has, a
/// file that is not what it was, a migration that fails.
pub fn foresee(
    plan: &Plan,
    sources: OpenSources,
    sinks: Vec<Box<dyn Sink>>,
    is_kept: bool,
    storage: Option<&Arc<dyn Storage>>,
) -> Result<Foreseen, RunError> {
    Sinks::look(plan, &sinks, is_kept)?;
    if !is_kept {
        return Ok(Foreseen::default());
    }
    let mut sources = foreseen_sources(plan, sources);
    let mut refusals = Refusals::ask(plan, &mut sources, &sinks)?;
    let glance = storage.map(|storage| Log::foresee(storage, &plan.name)).transpose()?.flatten();
    refusals.check(glance.as_ref())
}

/// What a run that cannot go on with a checkpoint is refused for, before it claims that: the host at work there goes on. All of it is
/// decided again behind the claim, because that host may have gone on meanwhile.
pub(crate) struct Refusals<'a> {
    plan: &'a Plan,
    sources: &'a mut Sources,
    sinks: &'a [Box<dyn Sink>],
    /// What its streams keep.
    tables: Vec<TableSchema>,
    newest: Newest,
}

impl<'a> Refusals<'a> {
    /// Asks what has to be asked before the checkpoint is read.
    pub(crate) fn ask(plan: &'a Plan, sources: &'a mut Sources, sinks: &'a [Box<dyn Sink>]) -> Result<Self, RunError> {
        let tables = table_schemas(plan).into_iter().chain(sources.tables()).collect();
        Ok(Refusals { plan, sources, sinks, tables, newest: Newest::of(plan, sinks)? })
    }

    /// What its streams keep.
    pub(crate) fn tables(&self) -> &[TableSchema] {
        &self.tables
    }

    /// Refuses what was found, if it must be; `None`: no run has begun there.
    pub(crate) fn check(&mut self, glance: Option<&Glance>) -> Result<Foreseen, RunError> {
        let recovery = glance.map(|glance| &glance.recovery);
        let last = recovery.and_then(|recovery| Some(recovery.last.as_ref()?.commit.batch));
        self.newest.check(last)?;
        let Some(glance) = glance else { return Ok(Foreseen::default()) };
        let (recovery, renames) = (&glance.recovery, Renames::of(self.plan));
        let migrations = check_glance(glance, self.plan, &self.tables, &renames)?;
        self.sources.check(recovery, &renames)?;
        if self.sources.need_log() {
            unless_gone(unless_newer(InputKeeper::check(glance), glance)?)?;
        }
        let new_ones = new_ones(self.plan.outputs.iter().map(|output| &output.name).zip(self.sinks));
        unless_gone(check_sinks(&new_ones, &glance.archive, recovery))?;
        unless_gone(check_undelivered(self.plan, glance))?;
        Ok(Foreseen {
            last,
            again: recovery.planned.as_ref().map(|planned| planned.plan.batch),
            undelivered: recovery.undelivered.iter().map(|batch| batch.batch).collect(),
            migrations,
        })
    }
}

/// Nor does what it has made of its input since.
fn unless_newer(checked: Result<(), CheckpointError>, glance: &Glance) -> Result<Result<(), RunError>, RunError> {
    let seen = glance.records.last().map(|record| record.number);
    let is_newer = checked.is_err() && glance.archive.newest()? != seen;
    Ok(if is_newer { Ok(()) } else { checked.map_err(RunError::from) })
}

/// What a host at work has removed since it was seen refuses nothing: that host has gone on.
fn unless_gone(checked: Result<(), RunError>) -> Result<(), RunError> {
    match checked {
        Err(RunError::Checkpoint(error))
            if matches!(*error, CheckpointError::Storage(StorageError::NotFound { .. })) =>
        {
            Ok(())
        }
        checked => checked,
    }
}
