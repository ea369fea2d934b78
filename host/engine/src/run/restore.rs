//! The steps' tables filled from a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::{Archive, Number, StateSchema};
use tidemill_plan::graph::Plan;
use tidemill_state::{evolve::plan_evolution, table::StateTable};

use crate::{
    checkpoint::{Loaded, Migration, Renames, States, newest, other_versions},
    failure::RunError,
    operators::Guests,
    task::Task,
};

/// What a restore needs to know of the pipeline.
pub(super) struct Restorer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) guests: &'a Guests,
    /// What the streams keep.
    pub(super) schemas: &'a [StateSchema],
    /// What streams of the checkpoint are called now.
    pub(super) renames: &'a Renames,
}

/// What a restore did.
pub(super) struct Restored {
    /// How many keys have state.
    pub(super) keys: usize,
    /// The streams whose states have another version than the last commit says: the next one has to hold all of them.
    pub(super) whole: BTreeSet<String>,
}

impl Restorer<'_> {
    /// Fills the tables of the tasks from a snapshot and the commits behind it, each with what the states were then. States
    /// of older versions are migrated.
    pub(super) fn restore<'s>(
        &self,
        tasks: &mut [Vec<Option<Box<Task>>>],
        archive: &Archive,
        snapshot: Option<(Number, &'s [StateSchema])>,
        deltas: &[(Number, &'s [StateSchema])],
    ) -> Result<Restored, RunError> {
        let history: Vec<&[StateSchema]> = snapshot.iter().chain(deltas).map(|(_, schemas)| *schemas).collect();
        let mut states = States::new(self.renames.clone());
        let mut migrations = Vec::new();
        for (stream, tables) in tables_of(tasks) {
            let wanted = self.schemas.iter().find(|schema| schema.stream == stream);
            let wanted = wanted.expect("who has a table has a schema").clone();
            let stored = newest(&history, self.renames, &stream);
            match stored {
                Some(stored) if stored.version < wanted.version => {
                    let migration = Migration::of(stored.clone(), wanted, tables)?;
                    states.add(stored, migration.old_tables())?;
                    migrations.push(migration);
                }
                stored => {
                    stored.iter().for_each(|stored| tell_removed(stored, &wanted));
                    states.add(wanted, tables.into_iter().map(Loaded::Live).collect())?;
                }
            }
        }
        states.load(archive, snapshot, deltas)?;
        let keys = states.keys();
        for migration in migrations {
            let stream = &migration.stored.stream;
            let old = states.take(stream);
            self.migrate(migration, old)?;
        }
        Ok(Restored { keys, whole: other_versions(&history, self.renames, self.schemas) })
    }

    fn migrate(&self, migration: Migration<'_>, old: Vec<Loaded<'_>>) -> Result<(), RunError> {
        let node = self.plan.nodes.iter().find(|node| node.name == migration.stored.stream);
        let Some(node) = node else { unreachable!("what keeps state is a stream of the plan") };
        let mut guest = self.guests.slot_of(node)?;
        Ok(migration.run(old, &mut guest)?)
    }
}

/// Says which values are lost: a field that is given another name is one that goes and one that comes.
fn tell_removed(stored: &StateSchema, wanted: &StateSchema) {
    let (Ok(old), Ok(new)) = (stored.state.parse(), wanted.state.parse()) else { return };
    if let Ok(evolution) = plan_evolution(&old, &new)
        && !evolution.removed().is_empty()
    {
        tracing::warn!(
            stream = %wanted.stream,
            "the state had `{}` and has `{}`: the values of {} are dropped, fields that are new begin empty",
            stored.state,
            wanted.state,
            evolution.removed().join(", "),
        );
    }
}

/// The tables of every stream that keeps state, by partition. They note from now on what changes.
fn tables_of(tasks: &mut [Vec<Option<Box<Task>>>]) -> BTreeMap<String, Vec<&mut StateTable>> {
    let mut tables: BTreeMap<String, Vec<&mut StateTable>> = BTreeMap::new();
    for task in tasks.iter_mut().flatten().flatten() {
        for (stream, table) in task.tables() {
            table.note_changes(true);
            tables.entry(stream.to_owned()).or_default().push(table);
        }
    }
    tables
}
