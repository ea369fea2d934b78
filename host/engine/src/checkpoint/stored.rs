//! The state that a checkpoint holds, for looking at.

use arrow_array::{Array, RecordBatch, RecordBatchOptions, cast::AsArray, types::TimestampMicrosecondType};
use arrow_schema::ArrowError;
use tidemill_checkpoint::{Archive, Number, Recovery, Scanned, StateSchema};
use tidemill_model::{columns::RowsBuffer, key, schema::Schema, time::Timestamp};
use tidemill_state::table::{BlockLimits, StateError, StateTable, change_schema};

use super::{
    Renames,
    restore::{RestoreError, States, schema, states_of},
};

/// The state after the last batch that counts, put together as a run does it, all in memory.
pub struct StoredStates {
    schemas: Vec<StateSchema>,
    states: States<StateTable>,
}

/// How much there is of a stream's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredSize {
    /// Keys that have state.
    pub keys: usize,
    /// Bytes of memory that they take, roughly.
    pub bytes: usize,
}

/// Some keys of a stream and their states, or what became of them.
#[derive(Clone, Debug)]
pub struct KeyedRows {
    /// What the keys are.
    pub key_schema: Schema,
    /// A row a key.
    pub keys: RecordBatch,
    /// What the states are; it may have no fields.
    pub state_schema: Schema,
    /// A row a key: its state, or a blank if it has none any more.
    pub states: RecordBatch,
    /// The rows as they are stored.
    block: RecordBatch,
}

impl StoredStates {
    /// Loads what `recovery` says that a run would load. `records` are the checkpoint's.
    pub fn load(archive: &Archive, records: &[Scanned], recovery: &Recovery) -> Result<StoredStates, RestoreError> {
        let schemas = recovery.last.as_ref().map(|last| last.commit.states.clone()).unwrap_or_default();
        // Which partition a key lies in is no property of it, so one table takes all.
        let used = recovery.deltas.iter().rev().copied().chain(recovery.snapshot);
        let renames = Renames::of_states(&schemas).learn(used.filter_map(|commit| states_of(records, commit)));
        let mut states = States::owned(&schemas, 1, renames)?;
        let of = |number: Number| (number, states_of(records, number).unwrap_or(&schemas));
        let deltas: Vec<_> = recovery.deltas.iter().map(|&number| of(number)).collect();
        states.load(archive, recovery.snapshot.map(of), &deltas)?;
        Ok(StoredStates { schemas, states })
    }

    /// Every stream that keeps state, and how much.
    pub fn streams(&mut self) -> Vec<(&StateSchema, StoredSize)> {
        let schemas = &self.schemas;
        let sizes = self.states.tables().filter_map(|(stream, _, _, table)| {
            let schema = schemas.iter().find(|schema| schema.stream == stream)?;
            Some((schema, StoredSize { keys: table.len(), bytes: table.memory_bytes() }))
        });
        sizes.collect()
    }

    /// Gives all keys of a stream with their states block by block, in the order of the keys' canonical bytes. Ends with
    /// the first error of `take`.
    pub fn each_block<E: From<RestoreError>>(
        &mut self,
        stream: &str,
        mut take: impl FnMut(&KeyedRows) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(stored) = self.schemas.iter().find(|schema| schema.stream == stream) else { return Ok(()) };
        for (_, _, _, table) in self.states.tables().filter(|(found, ..)| *found == stream) {
            for block in table.sorted(BlockLimits::default()) {
                take(&KeyedRows::try_new(stored, &block.map_err(RestoreError::from)?)?)?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for StoredStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredStates").field("schemas", &self.schemas).finish_non_exhaustive()
    }
}

impl KeyedRows {
    /// The rows of a block of a stream's state or changes. `stored` says what the state was.
    pub fn try_new(stored: &StateSchema, block: &RecordBatch) -> Result<KeyedRows, RestoreError> {
        let key_schema = schema(&stored.stream, &stored.keys)?;
        let state_schema = schema(&stored.stream, &stored.state)?;
        let block = fitting(&change_schema(&state_schema), block)?;
        let mut keys = RowsBuffer::new(&key_schema);
        key::decode(block.column(0).as_binary::<i32>().iter().flatten(), &mut keys).map_err(StateError::from)?;
        let keys = keys.to_batch(&key_schema.to_arrow()).map_err(layout)?;
        let states = block.column_by_name("state").map_or(&[][..], |states| states.as_struct().columns());
        let options = RecordBatchOptions::new().with_row_count(Some(block.num_rows()));
        let states = RecordBatch::try_new_with_options(state_schema.to_arrow(), states.to_vec(), &options);
        Ok(KeyedRows { key_schema, keys, state_schema, states: states.map_err(layout)?, block })
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.block.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The canonical bytes of a row's key.
    pub fn key_bytes(&self, row: usize) -> &[u8] {
        self.block.column(0).as_binary::<i32>().value(row)
    }

    /// Whether a row's key has no state any more.
    pub fn is_deleted(&self, row: usize) -> bool {
        self.block.column(1).as_boolean().value(row)
    }

    /// When the function is to be called for a row's key without new rows.
    pub fn wake_at(&self, row: usize) -> Option<Timestamp> {
        let times = self.block.column(2).as_primitive::<TimestampMicrosecondType>();
        times.is_valid(row).then(|| Timestamp(times.value(row)))
    }
}

/// A block whose columns are those of the schema.
fn fitting(schema: &Schema, block: &RecordBatch) -> Result<RecordBatch, RestoreError> {
    RecordBatch::try_new(schema.to_arrow(), block.columns().to_vec()).map_err(layout)
}

fn layout(error: ArrowError) -> RestoreError {
    RestoreError::State(StateError::Layout(error.to_string()))
}
