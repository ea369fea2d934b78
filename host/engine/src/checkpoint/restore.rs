//! From sections of state back to tables, whatever the number of partitions was, and whatever fields the state had.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, cast::AsArray};
use tidemill_checkpoint::{Archive, CheckpointError, Number, Record, Scanned, Section, SectionKind, StateSchema};
use tidemill_model::{key::Slot, schema::Schema};
use tidemill_state::{
    evolve::{Evolution, Incompatible, plan_evolution},
    table::{ApplyError, StateError, StateTable, split},
};

use super::{
    Renames,
    lineage::{Lineages, Since},
};
use crate::failure::Cause;

/// State that cannot be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The pipeline has no such stream, or it keeps no state.
    #[error(
        "the checkpoint has state of the stream `{stream}`, and the pipeline has no such stream with state; put it \
         back, give the one that it has become `previously = \"{stream}\"`, or begin a new checkpoint in another folder"
    )]
    NoStream {
        /// The stream.
        stream: String,
    },
    /// A source of the last batch is not in the pipeline, which has another one that was not in that batch.
    #[error(
        "the checkpoint has the source `{gone}`, the pipeline has not, and its source `{come}` is new: if that is what \
         `{gone}` has become, give it `previously = \"{gone}\"`, or its input would come once more; if it is another \
         one, run a batch without `{come}` first"
    )]
    Source {
        /// The source of the checkpoint.
        gone: String,
        /// That of the pipeline.
        come: String,
    },
    /// A stream has the name that another one had in commits that are still needed.
    #[error(
        "stream `{now}` was called `{old}` in commits that are still needed, and another stream has that name now: give \
         it a name that no stream had before"
    )]
    NameTaken {
        /// The name.
        old: String,
        /// What the stream that had it is called.
        now: String,
    },
    /// The keys of a stream are others.
    #[error(
        "the state of stream `{stream}` has keys of `{stored}`, and the pipeline has `{wanted}`; keys cannot change: \
         put them back, give the stream another name, or begin a new checkpoint in another folder"
    )]
    Keys {
        /// The stream.
        stream: String,
        /// As it was stored.
        stored: String,
        /// As it is now.
        wanted: String,
    },
    /// The function is an older one than that which wrote its states.
    #[error(
        "the state of stream `{}` is of version {} (`{}`), and the plugin's function has version {} (`{}`), which is \
         older: put the plugin back that has version {}, or begin a new checkpoint in another folder",
        stored.stream, stored.version, stored.state, wanted.version, wanted.state, stored.version
    )]
    Version {
        /// As it was stored.
        stored: Box<StateSchema>,
        /// As it is now.
        wanted: Box<StateSchema>,
    },
    /// The function cannot take over the states that an older version of it wrote.
    #[error(
        "the state of stream `{}` is of version {} (`{}`), the plugin's function has version {} (`{}`), and the \
         migration failed: {cause}. Nothing was changed: give the function a migration from version {} that takes these \
         states, put the plugin back that has that version, or begin a new checkpoint in another folder",
        stored.stream, stored.version, stored.state, wanted.version, wanted.state, stored.version
    )]
    Migration {
        /// As it was stored.
        stored: Box<StateSchema>,
        /// As it is now.
        wanted: Box<StateSchema>,
        /// What happened.
        cause: Box<Cause>,
    },
    /// The fields of the state are others, and cannot be made of those that there are.
    #[error(
        "the state of stream `{stream}` cannot be taken over: {cause}; or give the state a new version, and the function a \
         migration"
    )]
    Fields {
        /// The stream.
        stream: String,
        /// Which, with both schemas.
        cause: Box<Incompatible>,
    },
    /// A schema in the checkpoint that is none.
    #[error("the checkpoint names `{schema}` as a schema of stream `{stream}`, which is none")]
    Schema {
        /// The stream.
        stream: String,
        /// The text.
        schema: String,
    },
    /// A block that does not fit.
    #[error("the state of stream `{stream}`: {cause}")]
    Block {
        /// The stream.
        stream: String,
        /// What is wrong.
        cause: ApplyError,
    },
    /// State that cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The thread that makes snapshots is gone: a defect.
    #[error("the thread that makes snapshots has ended; this is a defect of tidemill, please report it")]
    NoThread,
}

/// What the states of a commit were.
pub(crate) fn states_of(records: &[Scanned], commit: Number) -> Option<&[StateSchema]> {
    let at = records.binary_search_by_key(&commit, |record| record.number).ok()?;
    match &records[at].found.as_ref().ok()?.record {
        Record::Commit(commit) => Some(&commit.states),
        _ => None,
    }
}

/// The tables of a pipeline, by stream and partition. `T` is a table, or a mutable reference to one.
pub(crate) struct States<T> {
    streams: BTreeMap<String, StreamStates<T>>,
    renames: Renames,
}

struct StreamStates<T> {
    wanted: StateSchema,
    keys: Schema,
    state: Schema,
    tables: Vec<T>,
    /// From the schema of a place in the history through those behind it to this one.
    evolutions: Option<(usize, Vec<Evolution>)>,
}

impl States<StateTable> {
    /// Empty tables for streams with these schemas.
    pub(super) fn owned(
        states: &[StateSchema],
        partitions: u32,
        renames: Renames,
    ) -> Result<States<StateTable>, RestoreError> {
        let mut owned = States::new(renames);
        for state in states {
            let schema = schema(&state.stream, &state.state)?;
            // Nobody chooses keys for a table that takes what another one held.
            let tables = (0..partitions).map(|_| StateTable::new(&schema, 0)).collect();
            owned.add(state.clone(), tables)?;
        }
        Ok(owned)
    }
}

impl<T: AsTable> States<T> {
    /// No tables yet. `renames` tells what streams of the checkpoint are called now.
    pub(crate) fn new(renames: Renames) -> States<T> {
        States { streams: BTreeMap::new(), renames }
    }

    /// The tables of a stream, one for each partition.
    pub(crate) fn add(&mut self, wanted: StateSchema, tables: Vec<T>) -> Result<(), RestoreError> {
        let (keys, state) = (schema(&wanted.stream, &wanted.keys)?, schema(&wanted.stream, &wanted.state)?);
        let stream = wanted.stream.clone();
        self.streams.insert(stream, StreamStates { wanted, keys, state, tables, evolutions: None });
        Ok(())
    }

    /// Applies a section of a snapshot or commit. `schemas` says what the stream's states were when it was written, and
    /// behind it.
    fn apply(&mut self, section: &Section, schemas: &[Since<'_>]) -> Result<(), RestoreError> {
        if section.kind != SectionKind::State || section.batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let no_stream = || RestoreError::NoStream { stream: section.stream.clone() };
        let stream = self.streams.get_mut(self.renames.now(&section.stream)).ok_or_else(no_stream)?;
        stream.settle(schemas)?;
        stream.reserve(section);
        section.batches.iter().try_for_each(|block| stream.apply(section.partition, block))
    }

    /// Applies a snapshot and the commits behind it, in this order, each with what the states were then. What came before
    /// the last version of a stream's states is left out.
    pub(crate) fn load<'a>(
        &mut self,
        archive: &Archive,
        snapshot: Option<(Number, &'a [StateSchema])>,
        deltas: &[(Number, &'a [StateSchema])],
    ) -> Result<(), RestoreError> {
        let history: Vec<&[StateSchema]> = snapshot.iter().chain(deltas).map(|(_, schemas)| *schemas).collect();
        let lineages = Lineages::of(&history, &self.renames);
        let whole = snapshot.iter().map(|&(number, _)| archive.read_snapshot(number));
        let changes = archive.sections_of(deltas.iter().map(|&(number, _)| number).collect());
        for (at, sections) in whole.chain(changes).enumerate() {
            for section in sections? {
                let section = section?;
                if let Some(schemas) = lineages.from(self.renames.now(&section.stream), at) {
                    self.apply(&section, schemas)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the tables of a stream away.
    pub(crate) fn take(&mut self, stream: &str) -> Vec<T> {
        self.streams.remove(stream).map(|states| states.tables).unwrap_or_default()
    }

    /// How many keys have state.
    pub(crate) fn keys(&mut self) -> usize {
        self.tables().map(|(_, _, _, table)| table.len()).sum()
    }

    /// Every table with its stream, its partition and the version of its states.
    pub(super) fn tables(&mut self) -> impl Iterator<Item = (&str, u32, u32, &mut StateTable)> {
        self.streams.iter_mut().flat_map(|(stream, states)| {
            let version = states.wanted.version;
            let tables = (0u32..).zip(&mut states.tables);
            tables.map(move |(partition, table)| (stream.as_str(), partition, version, table.as_table()))
        })
    }
}

impl<T: AsTable> StreamStates<T> {
    /// Finds out how states that were stored like the first of these, and then like the others, become those of the pipeline.
    fn settle(&mut self, schemas: &[Since<'_>]) -> Result<(), RestoreError> {
        let Some(&(since, stored)) = schemas.first() else { return Ok(()) };
        if self.evolutions.as_ref().is_some_and(|(settled, _)| *settled == since) {
            return Ok(());
        }
        let wanted = &self.wanted;
        check_keys(stored, wanted)?;
        if stored.version != wanted.version {
            return Err(other_version(stored, wanted));
        }
        let mut evolutions = Vec::new();
        let mut old = &stored.state;
        for new in schemas[1..].iter().map(|(_, schema)| &schema.state).chain([&wanted.state]) {
            evolutions.push(evolution(&stored.stream, old, new)?);
            old = new;
        }
        evolutions.retain(|evolution| !evolution.is_same());
        self.evolutions = Some((since, evolutions));
        Ok(())
    }

    /// Makes room in an empty table for the section of a snapshot that is most likely its own.
    fn reserve(&mut self, section: &Section) {
        let rows = section.batches.iter().map(RecordBatch::num_rows).sum();
        if let Some(table) = self.tables.get_mut(section.partition as usize).map(AsTable::as_table)
            && table.is_empty()
        {
            table.reserve(rows);
        }
    }

    fn apply(&mut self, partition: u32, block: &RecordBatch) -> Result<(), RestoreError> {
        let failed = |cause| RestoreError::Block { stream: self.wanted.stream.clone(), cause };
        let mut evolved = block.clone();
        for evolution in self.evolutions.iter().flat_map(|(_, evolutions)| evolutions) {
            evolved = evolution.apply(&evolved).map_err(failed)?;
        }
        let partitions = self.tables.len() as u32;
        if belongs(&evolved, partition, partitions) {
            let table = self.tables[partition as usize].as_table();
            return table.apply(&self.keys, &evolved).map_err(failed);
        }
        let parts = split(&self.state, &evolved, partitions).map_err(failed)?;
        for (table, part) in self.tables.iter_mut().zip(parts) {
            table.as_table().apply(&self.keys, &part).map_err(failed)?;
        }
        Ok(())
    }
}

/// The keys of a stream stay what they are.
pub(super) fn check_keys(stored: &StateSchema, wanted: &StateSchema) -> Result<(), RestoreError> {
    if stored.keys == wanted.keys {
        return Ok(());
    }
    let stream = wanted.stream.clone();
    Err(RestoreError::Keys { stream, stored: stored.keys.clone(), wanted: wanted.keys.clone() })
}

pub(super) fn other_version(stored: &StateSchema, wanted: &StateSchema) -> RestoreError {
    RestoreError::Version { stored: Box::new(stored.clone()), wanted: Box::new(wanted.clone()) }
}

/// How the states of a stream get from one schema to another.
pub(super) fn evolution(stream: &str, old: &str, new: &str) -> Result<Evolution, RestoreError> {
    let failed = |cause| RestoreError::Fields { stream: stream.to_owned(), cause: Box::new(cause) };
    plan_evolution(&schema(stream, old)?, &schema(stream, new)?).map_err(failed)
}

/// Whether all keys of a block belong to this partition of so many.
fn belongs(block: &RecordBatch, partition: u32, partitions: u32) -> bool {
    let keys = block.column_by_name("key").and_then(|keys| keys.as_binary_opt::<i32>());
    let is_there = partition < partitions;
    is_there
        && keys.is_some_and(|keys| keys.iter().flatten().all(|key| Slot::of(key).partition(partitions) == partition))
}

pub(super) fn schema(stream: &str, text: &str) -> Result<Schema, RestoreError> {
    text.parse().map_err(|_| RestoreError::Schema { stream: stream.to_owned(), schema: text.to_owned() })
}

/// A table, or a way to one.
pub(crate) trait AsTable {
    /// The table.
    fn as_table(&mut self) -> &mut StateTable;
}

impl AsTable for StateTable {
    fn as_table(&mut self) -> &mut StateTable {
        self
    }
}

impl AsTable for &mut StateTable {
    fn as_table(&mut self) -> &mut StateTable {
        self
    }
}
