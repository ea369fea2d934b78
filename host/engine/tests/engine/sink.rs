//! A sink that keeps what it gets.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use tidemill_model::{
    ports::{PortError, Sink, SinkParts, SinkRows, WrittenRows},
    testing::Value,
    time::Timestamp,
};

use crate::show;

/// A delivered batch: each part's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivered {
    pub output: String,
    pub time: Timestamp,
    pub parts: Vec<Vec<Vec<Value>>>,
}

/// What all sinks of a run were given, in the order of delivery.
pub type Log = Arc<Mutex<Vec<Delivered>>>;

/// Rows that were written, by calls in the order of the contract: of one batch at a time there are rows that are neither prepared
/// nor discarded.
#[derive(Default)]
pub struct Written {
    rows: WrittenRows,
    open: Option<Timestamp>,
}

impl Written {
    pub fn write(&mut self, rows: &SinkRows<'_>) {
        let before = self.open.replace(rows.batch);
        assert!(
            before.is_none_or(|before| before == rows.batch),
            "what was written of {before:?} is neither prepared nor discarded"
        );
        assert!(rows.rows.num_rows() > 0, "nothing is written");
        self.rows.write(rows);
    }

    pub fn take(&mut self, batch: &SinkParts<'_>) -> Vec<Vec<RecordBatch>> {
        let before = self.open.take();
        assert!(
            before.is_none_or(|before| before == batch.time),
            "what was written of {before:?} is neither prepared nor discarded"
        );
        self.rows.take(batch)
    }

    pub fn discard(&mut self, batch: Timestamp) {
        assert_eq!(self.open.take(), Some(batch), "what is discarded was not written, or is prepared");
        self.rows.discard(batch);
    }
}

/// Keeps batches.
pub struct Collect {
    output: String,
    written: Written,
    prepared: Option<Delivered>,
    log: Log,
}

impl Collect {
    pub fn new(output: &str, log: &Log) -> Collect {
        Collect { output: output.to_owned(), written: Written::default(), prepared: None, log: log.clone() }
    }
}

impl Sink for Collect {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let of_part = |rows: &Vec<_>| rows.iter().flat_map(|rows| show::values(batch.schema, rows)).collect();
        let parts = self.written.take(batch).iter().map(of_part).collect();
        self.prepared = Some(Delivered { output: self.output.clone(), time: batch.time, parts });
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let prepared = self.prepared.take().expect("a batch is prepared before it is delivered");
        assert_eq!(prepared.time, time);
        self.log.lock().unwrap().push(prepared);
        Ok(())
    }
}
