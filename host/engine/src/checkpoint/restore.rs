//! From sections of state back to tables, whatever the number of partitions was, and whatever fields the state had.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, cast::AsArray};
use tidemill_checkpoint::{Archive, CheckpointError, Number, Record, Scanned, Section, SectionKind, TableSchema};
use tidemill_model::{key::Slot, schema::Schema, table::TableKind};
use tidemill_state::{
    evolve::{Evolution, Incompatible, plan_evolution},
    numbered,
    table::{ApplyError, StateError, Table, split},
};

use super::{
    Renames, TableId,
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
         put them back, or begin a new checkpoint in another folder"
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
        stored.stream, stored.version, stored.rows, wanted.version, wanted.rows, stored.version
    )]
    Version {
        /// As it was stored.
        stored: Box<TableSchema>,
        /// As it is now.
        wanted: Box<TableSchema>,
    },
    /// The function cannot take over the states that an older version of it wrote.
    #[error(
        "the state of stream `{}` is of version {} (`{}`), the plugin's function has version {} (`{}`), and the \
         migration failed: {cause}. Nothing was changed: give the function a migration from version {} that takes these \
         states, put the plugin back that has that version, or begin a new checkpoint in another folder",
        stored.stream, stored.version, stored.rows, wanted.version, wanted.rows, stored.version
    )]
    Migration {
        /// As it was stored.
        stored: Box<TableSchema>,
        /// As it is now.
        wanted: Box<TableSchema>,
        /// What happened.
        cause: Box<Cause>,
    },
    /// What a table hangs on besides its schema is not what it was.
    #[error(
        "the state of stream `{table}` was kept as `{stored}`, and the pipeline would keep it as `{wanted}`: put it back, or begin a \
         new checkpoint in another folder"
    )]
    Settings {
        /// The table.
        table: TableId,
        /// As it was stored.
        stored: String,
        /// As it is now.
        wanted: String,
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

/// The record of a number.
pub(super) fn record_of(records: &[Scanned], number: Number) -> Option<&Scanned> {
    records.binary_search_by_key(&number, |record| record.number).ok().map(|at| &records[at])
}

/// What the tables of a record were.
pub(crate) fn states_of(records: &[Scanned], number: Number) -> Option<&[TableSchema]> {
    match &record_of(records, number)?.found.as_ref().ok()?.record {
        Record::Commit(commit) => Some(&commit.tables),
        Record::Start(start) => Some(&start.tables),
        Record::Plan(plan) => Some(&plan.tables),
        _ => None,
    }
}

/// The tables of a pipeline, each with its partitions. `T` is a table, or a way to one.
pub(crate) struct States<T> {
    tables: BTreeMap<TableId, TableStates<T>>,
    renames: Renames,
}

struct TableStates<T> {
    wanted: TableSchema,
    keys: Schema,
    rows: Schema,
    partitions: Vec<T>,
    /// From the schema of a place in the history through those behind it to this one.
    evolutions: Option<(usize, Vec<Evolution>)>,
}

impl States<Table> {
    /// Empty tables of these schemas.
    pub(super) fn owned(
        schemas: &[TableSchema],
        partitions: u32,
        renames: Renames,
    ) -> Result<States<Table>, RestoreError> {
        let mut owned = States::new(renames);
        for wanted in schemas {
            let partitions = if wanted.is_of_source { 1 } else { partitions };
            let tables: Result<_, _> = (0..partitions).map(|_| empty_table(wanted)).collect();
            owned.add(wanted.clone(), tables?)?;
        }
        Ok(owned)
    }
}

impl<T: AsTable> States<T> {
    /// No tables yet. `renames` tells what streams of the checkpoint are called now.
    pub(crate) fn new(renames: Renames) -> States<T> {
        States { tables: BTreeMap::new(), renames }
    }

    /// A table with its partitions.
    pub(crate) fn add(&mut self, wanted: TableSchema, partitions: Vec<T>) -> Result<(), RestoreError> {
        let (keys, rows) = (schema(&wanted.stream, &wanted.keys)?, schema(&wanted.stream, &wanted.rows)?);
        let id = TableId::new(&wanted.stream, &wanted.table);
        self.tables.insert(id, TableStates { wanted, keys, rows, partitions, evolutions: None });
        Ok(())
    }

    /// Applies a section of a snapshot or commit. `schemas` says what the table's rows were when it was written, and behind
    /// it.
    fn apply(&mut self, id: &TableId, section: &Section, schemas: &[Since<'_>]) -> Result<(), RestoreError> {
        if section.kind != SectionKind::State || section.batches.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(());
        }
        let Some(table) = self.tables.get_mut(id) else {
            // What a source kept is of no use without it.
            let is_of_source = schemas.last().is_some_and(|(_, schema)| schema.is_of_source);
            return if is_of_source { Ok(()) } else { Err(RestoreError::NoStream { stream: id.to_string() }) };
        };
        table.settle(schemas)?;
        table.reserve(section);
        section.batches.iter().try_for_each(|block| table.apply(section.partition, block))
    }

    /// Applies a snapshot and the records behind it, in this order, each with what the tables were then. What came before the
    /// last version of a table's rows is left out.
    pub(crate) fn load<'a>(
        &mut self,
        archive: &Archive,
        snapshot: Option<(Number, &'a [TableSchema])>,
        deltas: &[(Number, &'a [TableSchema])],
    ) -> Result<(), RestoreError> {
        let history: Vec<&[TableSchema]> = snapshot.iter().chain(deltas).map(|(_, schemas)| *schemas).collect();
        let lineages = Lineages::of(&history, &self.renames);
        let whole = snapshot.iter().map(|&(number, _)| archive.read_snapshot(number));
        let changes = archive.sections_of(deltas.iter().map(|&(number, _)| number).collect());
        for (at, sections) in whole.chain(changes).enumerate() {
            for section in sections? {
                let section = section?;
                let id = TableId::of_section(&section, &self.renames);
                if let Some(schemas) = lineages.from(&id, at) {
                    self.apply(&id, &section, schemas)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a table away.
    pub(crate) fn take(&mut self, id: &TableId) -> Vec<T> {
        self.tables.remove(id).map(|table| table.partitions).unwrap_or_default()
    }

    /// How many keys have state. What sources keep is not counted.
    pub(crate) fn keys(&mut self) -> usize {
        let of_streams = self.tables.values_mut().filter(|table| !table.wanted.is_of_source);
        of_streams.flat_map(|table| &mut table.partitions).map(|table| table.as_table().len()).sum()
    }

    /// Every table, by name and partition.
    pub(super) fn tables(&mut self) -> impl Iterator<Item = (&TableId, u32, &mut Table)> {
        self.tables.iter_mut().flat_map(|(id, table)| {
            let partitions = (0u32..).zip(&mut table.partitions);
            partitions.map(move |(partition, table)| (id, partition, table.as_table()))
        })
    }
}

impl<T: AsTable> TableStates<T> {
    /// Finds out how rows that were stored like the first of these, and then like the others, become those of the pipeline.
    fn settle(&mut self, schemas: &[Since<'_>]) -> Result<(), RestoreError> {
        let Some(&(since, stored)) = schemas.first() else { return Ok(()) };
        if self.evolutions.as_ref().is_some_and(|(settled, _)| *settled == since) {
            return Ok(());
        }
        let wanted = &self.wanted;
        check_kept(stored, wanted)?;
        if stored.version != wanted.version {
            return Err(other_version(stored, wanted));
        }
        let mut evolutions = Vec::new();
        let mut old = &stored.rows;
        for new in schemas[1..].iter().map(|(_, schema)| &schema.rows).chain([&wanted.rows]) {
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
        if let Some(table) = self.partitions.get_mut(section.partition as usize).map(AsTable::as_table)
            && table.is_empty()
        {
            table.reserve(rows);
        }
    }

    fn apply(&mut self, partition: u32, block: &RecordBatch) -> Result<(), RestoreError> {
        let kind = self.wanted.kind;
        let failed = |cause| RestoreError::Block { stream: self.wanted.stream.clone(), cause };
        let mut evolved = block.clone();
        for evolution in self.evolutions.iter().flat_map(|(_, evolutions)| evolutions) {
            evolved = evolution.apply(kind, &evolved).map_err(failed)?;
        }
        let partitions = self.partitions.len() as u32;
        match (kind == TableKind::Blocks).then(|| numbered::said(&evolved)).flatten() {
            // Of a pane without rows nothing is missed where there is no such partition any more.
            Some(numbered::Change::Came) if partition >= partitions => return Ok(()),
            Some(numbered::Change::Came) => {
                return self.partitions[partition as usize].as_table().apply(&self.keys, &evolved).map_err(failed);
            }
            // They may have rows in all of them now.
            Some(numbered::Change::Went) => {
                let mut tables = self.partitions.iter_mut().map(AsTable::as_table);
                let Some(first) = tables.next() else { return Ok(()) };
                first.apply(&self.keys, &evolved).map_err(failed)?;
                let numbers = numbered::numbers(&evolved);
                tables.for_each(|table| table.numbered_mut().forget(numbers));
                return Ok(());
            }
            Some(numbered::Change::Has) | None => {}
        }
        if belongs(&evolved, partition, partitions) {
            let table = self.partitions[partition as usize].as_table();
            return table.apply(&self.keys, &evolved).map_err(failed);
        }
        let parts = split(kind, &self.rows, &evolved, partitions).map_err(failed)?;
        for (table, part) in self.partitions.iter_mut().zip(parts) {
            table.as_table().apply(&self.keys, &part).map_err(failed)?;
        }
        Ok(())
    }
}

/// The keys of a table stay what they are, and so do its kind and settings. Accumulators of a function are not merged with those of
/// another one, unless that has a newer version, and so has to say what becomes of them.
pub(super) fn check_kept(stored: &TableSchema, wanted: &TableSchema) -> Result<(), RestoreError> {
    let stream = wanted.stream.clone();
    if stored.keys != wanted.keys {
        return Err(RestoreError::Keys { stream, stored: stored.keys.clone(), wanted: wanted.keys.clone() });
    }
    let said = |schema: &TableSchema| match (schema.kind, schema.settings.as_str(), schema.function.as_str()) {
        (TableKind::Keyed, "", _) => "a row a key".to_owned(),
        (TableKind::Blocks, settings, function) if !function.is_empty() => format!("{settings} by {function}"),
        (_, settings, _) => settings.to_owned(),
    };
    let is_by_another =
        wanted.kind == TableKind::Blocks && stored.function != wanted.function && stored.version == wanted.version;
    if is_by_another || (stored.kind, &stored.settings) != (wanted.kind, &wanted.settings) {
        let table = TableId { stream, table: wanted.table.clone() };
        return Err(RestoreError::Settings { table, stored: said(stored), wanted: said(wanted) });
    }
    Ok(())
}

pub(super) fn other_version(stored: &TableSchema, wanted: &TableSchema) -> RestoreError {
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

/// A table for what was stored by this schema.
pub(crate) fn empty_table(stored: &TableSchema) -> Result<Table, RestoreError> {
    // Nobody chooses keys for a table that takes what another one held.
    Ok(Table::new(stored.kind, &schema(&stored.stream, &stored.rows)?, 0))
}

pub(super) fn schema(stream: &str, text: &str) -> Result<Schema, RestoreError> {
    text.parse().map_err(|_| RestoreError::Schema { stream: stream.to_owned(), schema: text.to_owned() })
}

/// A table, or a way to one.
pub(crate) trait AsTable {
    /// The table.
    fn as_table(&mut self) -> &mut Table;
}

impl AsTable for Table {
    fn as_table(&mut self) -> &mut Table {
        self
    }
}

impl AsTable for &mut Table {
    fn as_table(&mut self) -> &mut Table {
        self
    }
}
