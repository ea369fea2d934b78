//! A sink that keeps values by batch. A batch that comes again has to be what it was.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arrow_array::RecordBatch;
use serde_json::Value;
use tidemill_model::{
    columns::{Rows, columns_of, compact},
    ports::{PortError, Sink, SinkParts, SinkRows, WrittenRows},
    schema::Schema,
    testing::{self, values_of},
    time::Timestamp,
};

/// By output and time of batch.
pub type Log = BTreeMap<(String, i64), Vec<Value>>;

/// The same, shared.
#[derive(Clone, Default)]
pub struct SharedLog(Arc<Mutex<Log>>);

impl SharedLog {
    /// What is there.
    pub fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub struct Keeping {
    output: String,
    written: WrittenRows,
    prepared: Option<Vec<Value>>,
    log: SharedLog,
}

impl Keeping {
    /// The sink of an output.
    pub fn new(output: &str, log: &SharedLog) -> Keeping {
        let (output, log) = (output.to_owned(), log.clone());
        Keeping { output, written: WrittenRows::default(), prepared: None, log }
    }
}

fn values(schema: &Schema, rows: &RecordBatch) -> Result<Vec<Value>, PortError> {
    let rows = compact(rows);
    let rows = values_of(&Rows { schema, len: rows.num_rows(), columns: &columns_of(&rows) });
    let value = |row: &Vec<testing::Value>| match row.as_slice() {
        [testing::Value::Text(text)] => serde_json::from_str(text).map_err(|error| error.to_string()),
        other => Err(format!("{other:?} is no value of a case")),
    };
    rows.iter().map(value).collect::<Result<_, _>>().map_err(PortError::configuration)
}

impl Sink for Keeping {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let parts = self.written.take(batch);
        let of_parts = parts.iter().flatten().map(|rows| values(batch.schema, rows));
        self.prepared = Some(of_parts.collect::<Result<Vec<_>, _>>()?.concat());
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let Some(prepared) = self.prepared.take() else { return Ok(()) };
        let before = self.log.lock().insert((self.output.clone(), time.millis()), prepared.clone());
        match before {
            Some(before) if before != prepared => {
                let what = format!("batch {time} came as {prepared:?} when it came again, and before as {before:?}");
                Err(PortError::configuration(what))
            }
            _ => Ok(()),
        }
    }
}
