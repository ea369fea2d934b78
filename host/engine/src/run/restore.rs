//! The steps' tables filled from a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::{Archive, Number, TableSchema};
use tidemill_model::ports::SourceRows;
use tidemill_plan::graph::Plan;
use tidemill_state::{evolve::plan_evolution, table::Table};

use crate::{
    checkpoint::{AsTable, Loaded, Migration, Renames, States, TableId, empty_table, newest, other_versions, rows_of},
    failure::RunError,
    operators::Guests,
    store::StateStore,
};

/// What a restore needs to know of the pipeline.
pub(super) struct Restorer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) guests: &'a Guests,
    /// What the streams keep.
    pub(super) schemas: &'a [TableSchema],
    /// What streams of the checkpoint are called now.
    pub(super) renames: &'a Renames,
}

/// What a restore did.
pub(super) struct Restored {
    /// How many keys have state.
    pub(super) keys: usize,
    /// By stream what its source keeps in a table.
    pub(super) of_sources: BTreeMap<String, Vec<SourceRows>>,
    /// The tables whose rows have another version than the last commit says: the next one has to hold all of them.
    pub(super) whole: BTreeSet<TableId>,
}

impl Restorer<'_> {
    /// Fills the tables from a snapshot and the commits behind it, each with what the states were then. States
    /// of older versions are migrated.
    pub(super) fn restore<'s>(
        &self,
        store: &mut StateStore,
        archive: &Archive,
        snapshot: Option<(Number, &'s [TableSchema])>,
        deltas: &[(Number, &'s [TableSchema])],
    ) -> Result<Restored, RunError> {
        let history: Vec<&[TableSchema]> = snapshot.iter().chain(deltas).map(|(_, schemas)| *schemas).collect();
        let mut states = States::new(self.renames.clone());
        let mut migrations = Vec::new();
        store.note_changes();
        for kept in store.kept_mut() {
            let id = kept.id();
            let wanted = id.schema_in(self.schemas).expect("who has a table has a schema").clone();
            let stored = newest(&history, self.renames, &id);
            let tables: Vec<&mut Table> = kept.tables_mut().collect();
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
        let of_sources: Vec<&TableSchema> = self.schemas.iter().filter(|schema| schema.is_of_source).collect();
        for &wanted in &of_sources {
            states.add(wanted.clone(), vec![Loaded::Old(Box::new(empty_table(wanted)?))])?;
        }
        states.load(archive, snapshot, deltas)?;
        let keys = states.keys();
        let mut rows = BTreeMap::new();
        for wanted in of_sources {
            for mut table in states.take(&TableId::new(&wanted.stream, &wanted.table)) {
                rows.insert(wanted.stream.clone(), rows_of(wanted, table.as_table())?);
            }
        }
        for migration in migrations {
            let old = states.take(&TableId::of(&migration.stored, self.renames));
            self.migrate(migration, old)?;
        }
        Ok(Restored { keys, of_sources: rows, whole: other_versions(&history, self.renames, self.schemas) })
    }

    fn migrate(&self, migration: Migration<'_>, old: Vec<Loaded<'_>>) -> Result<(), RunError> {
        let node = self.plan.nodes.iter().find(|node| node.name == migration.stored.stream);
        let Some(node) = node else { unreachable!("what keeps state is a stream of the plan") };
        let mut guest = self.guests.slot_of(node)?.of_no_batch();
        Ok(migration.run(old, &mut guest)?)
    }
}

/// Says which values are lost: a field that is given another name is one that goes and one that comes.
fn tell_removed(stored: &TableSchema, wanted: &TableSchema) {
    let (Ok(old), Ok(new)) = (stored.rows.parse(), wanted.rows.parse()) else { return };
    if let Ok(evolution) = plan_evolution(&old, &new)
        && !evolution.removed().is_empty()
    {
        tracing::warn!(
            stream = %wanted.stream,
            "the state had `{}` and has `{}`: the values of {} are dropped, fields that are new begin empty",
            stored.rows,
            wanted.rows,
            evolution.removed().join(", "),
        );
    }
}
