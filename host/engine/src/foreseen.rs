//! What a run would do before its first new batch, and why it would be refused, as far as that can be known while nothing is
//! taken, made or changed.

use std::sync::Arc;

use tidemill_checkpoint::{Log, Storage};
use tidemill_model::{ports::Sink, time::Timestamp};
use tidemill_plan::graph::Plan;

use crate::{
    checkpoint::{MigrationAhead, Renames, check_glance, table_schemas},
    commit::Sinks,
    failure::RunError,
    open::OpenSources,
    run::{check_sinks, foreseen_sources},
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
    let glance = storage.map(|storage| Log::foresee(storage, &plan.name)).transpose()?.flatten();
    let Some(glance) = glance else { return Ok(Foreseen::default()) };
    let mut wanted = table_schemas(plan);
    let (mut sources, renames) = (foreseen_sources(plan, sources), Renames::of(plan));
    wanted.extend(sources.tables());
    let migrations = check_glance(&glance, plan, &wanted, &renames)?;
    sources.check(&glance.recovery, &renames)?;
    let recovery = &glance.recovery;
    let last = recovery.last.as_ref().map(|last| last.commit.batch);
    let sinks = Sinks::new(plan, sinks, None);
    if let Some((output, newest)) = sinks.ahead_of(last)? {
        return Err(RunError::SinkAhead { output, newest, last });
    }
    check_sinks(&sinks.new_ones(), &glance.archive, recovery)?;
    Ok(Foreseen {
        last,
        again: recovery.planned.as_ref().map(|planned| planned.plan.batch),
        undelivered: recovery.undelivered.iter().map(|batch| batch.batch).collect(),
        migrations,
    })
}
