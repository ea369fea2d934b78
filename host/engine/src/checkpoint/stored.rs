//! The state that a checkpoint holds, for looking at.

use arrow_array::{
    Array, RecordBatch, RecordBatchOptions,
    cast::AsArray,
    types::{Int64Type, TimestampMicrosecondType},
};
use arrow_schema::ArrowError;
use tidemill_checkpoint::{Archive, Number, Recovery, Scanned, TableSchema};
use tidemill_model::{columns::RowsBuffer, key, schema::Schema, table::TableKind, time::Timestamp};
use tidemill_state::{
    numbered::Change,
    table::{BlockLimits, StateError, Table, block_schema},
};

use super::{
    Renames, TableId,
    restore::{RestoreError, States, schema, states_of},
};

/// The state after the last batch that counts, put together as a run does it, all in memory.
pub struct StoredStates {
    schemas: Vec<TableSchema>,
    states: States<Table>,
}

/// How much there is of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredSize {
    /// Keys that have state, or rows of panes.
    pub rows: usize,
    /// Bytes of memory that they take, roughly.
    pub bytes: usize,
}

/// Some rows of a table, or what became of them.
#[derive(Clone, Debug)]
pub struct TableRows {
    kind: TableKind,
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
        let schemas = recovery.last.as_ref().map(|last| last.commit.tables.clone()).unwrap_or_default();
        // Which partition a key lies in is no property of it, so one partition takes all.
        let used = recovery.deltas.iter().rev().copied().chain(recovery.snapshot);
        let renames = Renames::of_states(&schemas).learn(used.filter_map(|commit| states_of(records, commit)));
        let mut states = States::owned(&schemas, 1, renames)?;
        let of = |number: Number| (number, states_of(records, number).unwrap_or(&schemas));
        let deltas: Vec<_> = recovery.deltas.iter().map(|&number| of(number)).collect();
        states.load(archive, recovery.snapshot.map(of), &deltas)?;
        Ok(StoredStates { schemas, states })
    }

    /// Every table, and how much there is of it.
    pub fn tables(&mut self) -> Vec<(TableId, &TableSchema, StoredSize)> {
        let schemas = &self.schemas;
        let sizes = self.states.tables().filter_map(|(id, _, table)| {
            let schema = id.schema_in(schemas)?;
            Some((id.clone(), schema, StoredSize { rows: table.len(), bytes: table.memory_bytes() }))
        });
        sizes.collect()
    }

    /// Gives all rows of a table block by block: of one with a row a key in the order of the keys' canonical bytes. Ends with
    /// the first error of `take`.
    pub fn each_block<E: From<RestoreError>>(
        &mut self,
        wanted: &TableId,
        mut take: impl FnMut(&TableRows) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(stored) = wanted.schema_in(&self.schemas) else { return Ok(()) };
        for (_, _, table) in self.states.tables().filter(|(found, ..)| *found == wanted) {
            for block in table.sorted(BlockLimits::default()) {
                take(&TableRows::try_new(stored, &block.map_err(RestoreError::from)?)?)?;
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

impl TableRows {
    /// The rows of a block of a stream's state or changes. `stored` says what the state was.
    pub fn try_new(stored: &TableSchema, block: &RecordBatch) -> Result<TableRows, RestoreError> {
        let key_schema = schema(&stored.stream, &stored.keys)?;
        let state_schema = schema(&stored.stream, &stored.rows)?;
        let kind = stored.kind;
        let block = fitting(&block_schema(kind, &state_schema), block)?;
        let keys = keys_of(kind, &key_schema, &block)?;
        let states = block.column_by_name("state").map_or(&[][..], |states| states.as_struct().columns());
        let options = RecordBatchOptions::new().with_row_count(Some(block.num_rows()));
        let states = RecordBatch::try_new_with_options(state_schema.to_arrow(), states.to_vec(), &options);
        Ok(TableRows { kind, key_schema, keys, state_schema, states: states.map_err(layout)?, block })
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.block.num_rows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The canonical bytes of a row's key; none of a row that says that a pane came or went.
    pub fn key_bytes(&self, row: usize) -> &[u8] {
        let column = if self.kind == TableKind::Keyed { 0 } else { 2 };
        self.block.column(column).as_binary::<i32>().value(row)
    }

    /// The number of a row's pane; `None`: the table has a row a key.
    pub fn pane(&self, row: usize) -> Option<i64> {
        (self.kind == TableKind::Blocks).then(|| self.number(0, row))
    }

    /// Whether it is a row at all, and does not only tell that a pane came or went.
    pub fn has_row(&self, row: usize) -> bool {
        self.kind == TableKind::Keyed || Change::of(self.number(1, row)) == Change::Has
    }

    fn number(&self, column: usize, row: usize) -> i64 {
        self.block.column(column).as_primitive::<Int64Type>().value(row)
    }

    /// Whether a row's key has no state any more, or a pane its rows.
    pub fn is_deleted(&self, row: usize) -> bool {
        match self.kind {
            TableKind::Blocks => Change::of(self.number(1, row)) == Change::Went,
            TableKind::Keyed => self.block.column(1).as_boolean().value(row),
        }
    }

    /// When the function is to be called for a row's key without new rows.
    pub fn wake_at(&self, row: usize) -> Option<Timestamp> {
        if self.kind != TableKind::Keyed {
            return None;
        }
        let times = self.block.column(2).as_primitive::<TimestampMicrosecondType>();
        times.is_valid(row).then(|| Timestamp(times.value(row)))
    }
}

/// The keys of a block's rows, blank ones where a row has none.
fn keys_of(kind: TableKind, schema: &Schema, block: &RecordBatch) -> Result<RecordBatch, RestoreError> {
    let mut keys = RowsBuffer::new(schema);
    let column = if kind == TableKind::Keyed { 0 } else { 2 };
    let has_key =
        |row: usize| kind == TableKind::Keyed || !block.column(column).as_binary::<i32>().value(row).is_empty();
    for (row, bytes) in block.column(column).as_binary::<i32>().iter().flatten().enumerate() {
        match has_key(row) {
            true => key::decode([bytes].into_iter(), &mut keys).map_err(StateError::from)?,
            false => keys.push_blanks(1).map_err(StateError::from)?,
        }
    }
    keys.to_batch(&schema.to_arrow()).map_err(layout)
}

/// A block whose columns are those of the schema.
fn fitting(schema: &Schema, block: &RecordBatch) -> Result<RecordBatch, RestoreError> {
    RecordBatch::try_new(schema.to_arrow(), block.columns().to_vec()).map_err(layout)
}

fn layout(error: ArrowError) -> RestoreError {
    RestoreError::State(StateError::Layout(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of, values_of};

    use super::{super::tables::schema_of, *};

    /// The rows of a table of this kind, given by all columns of its blocks.
    fn rows_of(kind: TableKind, rows: &[Vec<Value>]) -> TableRows {
        let (keys, rows_schema) = ("k: text".to_owned(), "n: integer".to_owned());
        let stored = TableSchema { kind, keys, rows: rows_schema, ..schema_of("s") };
        let schema = block_schema(kind, &stored.rows.parse().unwrap());
        TableRows::try_new(&stored, &buffer_of(&schema, rows).to_batch(&schema.to_arrow()).unwrap()).unwrap()
    }

    /// For each row its key's bytes and its key, its pane, and whether it is a row, is deleted, and is to be called.
    fn shown(rows: &TableRows) -> Vec<String> {
        let keys = buffer_of(&rows.key_schema, &[]);
        let columns = tidemill_model::columns::columns_of(&rows.keys);
        let keys =
            values_of(&tidemill_model::columns::Rows { len: rows.len(), columns: &columns, ..keys.with_columns(&[]) });
        let row = |(row, key): (usize, &Vec<Value>)| {
            let bytes = String::from_utf8_lossy(rows.key_bytes(row)).into_owned();
            let wake = rows.wake_at(row).map(|at| at.0);
            format!("{bytes} {key:?} {:?} {} {} {wake:?}", rows.pane(row), rows.has_row(row), rows.is_deleted(row))
        };
        keys.iter().enumerate().map(row).collect()
    }

    fn state(n: i64) -> Value {
        Value::Record(vec![Value::Integer(n)])
    }

    fn key(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    #[test]
    fn rows_by_key_and_rows_of_panes_are_shown() {
        let a = format!("{:?}", vec![Value::text("a")]);
        let b = format!("{:?}", vec![Value::text("b")]);
        let none = format!("{:?}", vec![Value::text("")]);
        let keyed = rows_of(
            TableKind::Keyed,
            &[
                vec![key("a"), Value::Boolean(false), Value::Integer(9), state(1)],
                vec![key("b"), Value::Boolean(true), Value::Missing, state(0)],
            ],
        );
        assert_eq!(shown(&keyed), [format!("a {a} None true false Some(9)"), format!("b {b} None true true None")]);
        let (went, came, has) = (0, 1, 2);
        let blocks = rows_of(
            TableKind::Blocks,
            &[
                vec![Value::Integer(5), Value::Integer(went), key(""), state(0)],
                vec![Value::Integer(7), Value::Integer(came), key(""), state(0)],
                vec![Value::Integer(7), Value::Integer(has), key("a"), state(1)],
            ],
        );
        let expect = [
            format!(" {none} Some(5) false true None"),
            format!(" {none} Some(7) false false None"),
            format!("a {a} Some(7) true false None"),
        ];
        assert_eq!(shown(&blocks), expect);
    }
}
