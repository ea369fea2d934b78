//! A source of given batches, each cut into lanes: partitions of its own, as a case says. It can be read again.

use std::{collections::VecDeque, sync::Arc};

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    testing::{self, buffer_of},
    time::Timestamp,
};

use crate::case::Batches;

/// For each batch the rows of its lanes.
pub type Given = Arc<Vec<Option<Vec<RecordBatch>>>>;

/// See the module.
pub struct Lanes {
    schema: Schema,
    given: Given,
    chunk_rows: usize,
    /// A part of each batch is there before its tick.
    ahead: bool,
    sealed: usize,
    is_sealed: bool,
    /// The open or sealed batch, as far as it was not taken, once any of it was.
    chunks: Option<VecDeque<Chunk>>,
}

#[derive(Serialize, Deserialize)]
struct Pin {
    batches: usize,
}

/// Batches as they are given, so many, each cut into so many lanes: lane i of n has the items from i * len / n on.
pub fn cut(schema: &Schema, batches: &Batches, ticks: usize, lanes: usize) -> Given {
    let lane = |items: &[Value]| {
        let rows: Vec<_> = items.iter().map(|item| vec![testing::Value::Text(item.to_string())]).collect();
        let rows = buffer_of(schema, &rows).to_batch(&schema.to_arrow());
        rows.expect("values of a case are few")
    };
    let cut = |batch: Option<&Option<Vec<Value>>>| {
        let items = batch.map_or(Some(&[][..]), |batch| batch.as_deref())?;
        let bound = |at: usize| at * items.len() / lanes;
        Some((0..lanes).map(|at| lane(&items[bound(at)..bound(at + 1)])).collect())
    };
    Arc::new((0..ticks).map(|tick| cut(batches.get(tick))).collect())
}

impl Lanes {
    /// The source of a stream.
    pub fn new(schema: &Schema, given: &Given, chunk_rows: usize, ahead: bool) -> Lanes {
        let (schema, given) = (schema.clone(), given.clone());
        Lanes { schema, given, chunk_rows, ahead, sealed: 0, is_sealed: false, chunks: None }
    }

    /// The chunks of a batch.
    fn chunks_of(&self, batch: usize) -> VecDeque<Chunk> {
        let lanes = self.given.get(batch).and_then(Option::as_ref).into_iter().flatten();
        let chunks = (0..).zip(lanes).flat_map(|(lane, rows)| {
            let (len, step) = (rows.num_rows(), self.chunk_rows.min(rows.num_rows().max(1)));
            let slice = move |from| Chunk { partition: Some(lane), rows: rows.slice(from, step.min(len - from)) };
            (0..len).step_by(step).map(slice)
        });
        chunks.collect()
    }
}

impl Source for Lanes {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if self.is_sealed {
            self.is_sealed = false;
            return Ok(Taken { chunks: self.chunks.take().into_iter().flatten().collect(), bytes: 1, end: true });
        }
        if !self.ahead || self.chunks.is_some() {
            return Ok(Taken::default());
        }
        let mut chunks = self.chunks_of(self.sealed);
        let some = chunks.drain(..chunks.len().div_ceil(2)).collect();
        self.chunks = Some(chunks);
        Ok(Taken { chunks: some, bytes: 1, end: false })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        let batch = self.sealed;
        self.chunks = Some(self.chunks.take().unwrap_or_else(|| self.chunks_of(batch)));
        (self.sealed, self.is_sealed) = (batch + 1, true);
        let present = self.given.get(batch).is_none_or(Option::is_some);
        Ok(Sealed { present, last: self.sealed >= self.given.len() })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

fn read(pin: &str) -> Result<usize, PortError> {
    let pin: Result<Pin, _> = serde_json::from_str(pin);
    pin.map(|pin| pin.batches).map_err(|error| PortError::configuration(format!("this is no pin: {error}")))
}

impl Repeatable for Lanes {
    fn pin(&mut self) -> Result<String, PortError> {
        let pin = serde_json::to_string(&Pin { batches: self.sealed });
        pin.map_err(|error| PortError::configuration(error.to_string()))
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        read(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.sealed = read(pin)?;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        self.sealed = read(pin)?.saturating_sub(1);
        Ok(())
    }
}
