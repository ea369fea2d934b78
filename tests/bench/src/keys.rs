//! Running totals of many keys, of which few change in a batch.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tidemill_model::{
    columns::RowsBuffer,
    ports::{Chunk, Irregularity, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken},
    schema::{Kind, Schema},
    time::Timestamp,
};

/// Keys that change in a batch.
pub const CHANGED: usize = 1_000;

/// Keys that are new in a batch, until all are there.
const FILLED: usize = 100_000;

/// The middle one of some times.
pub fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The pipeline.
pub fn toml(interval: &str) -> String {
    format!(
        r#"
        [pipeline]
        name = "small"
        interval = "{interval}"
        [plugins]
        wordcount = "wordcount.wasm"
        [streams.lines]
        socket = "127.0.0.1:1"
        [streams.words]
        from = "lines"
        map = "wordcount/split"
        [streams.totals]
        from = "words"
        by = ["word"]
        update-state = "wordcount/running-total"
        [outputs.totals]
        from = "totals"
        print = true
        "#
    )
}

/// All keys in turn, in few large batches, and then 1,000 a batch or some other number, spread over all keys.
pub struct Keys {
    keys: usize,
    next: usize,
    fill: usize,
    /// Keys of a batch when all are there.
    changed: usize,
    schema: Schema,
    began: Arc<Mutex<Vec<Instant>>>,
    sealed: bool,
}

impl Keys {
    /// So many keys.
    pub fn new(keys: usize) -> Keys {
        let schema = Schema::single("line", Kind::Text);
        Keys { keys, next: 0, fill: keys, changed: CHANGED, schema, began: Arc::default(), sealed: false }
    }

    /// So many that are there already.
    pub fn filled(keys: usize) -> Keys {
        Keys { fill: 0, ..Keys::new(keys) }
    }

    /// In each batch so many keys that were never there.
    pub fn ever_new(changed: usize) -> Keys {
        Keys { fill: 0, changed, ..Keys::new(10_000_000_000) }
    }

    /// With so many keys that change in a batch.
    pub fn changed(self, changed: usize) -> Keys {
        Keys { changed, ..self }
    }

    /// Batches until all keys are there.
    pub fn fill_batches(&self) -> usize {
        self.fill.div_ceil(FILLED)
    }

    fn chunk(&mut self) -> Result<Chunk, PortError> {
        let count = if self.fill > 0 { FILLED.min(self.fill) } else { self.changed };
        self.fill = self.fill.saturating_sub(count);
        let mut rows = RowsBuffer::new(&self.schema);
        for _ in 0..count {
            // A step that is prime to the number of keys.
            self.next = (self.next + 389_999) % self.keys;
            let full = |_| PortError::configuration("a column is full");
            rows.node_mut(0).push_bytes(format!("{:07}", self.next).as_bytes()).map_err(full)?;
            rows.end_row();
        }
        let rows = rows.to_batch(&self.schema.to_arrow());
        Ok(Chunk { partition: None, rows: rows.map_err(|error| PortError::configuration(error.to_string()))? })
    }
}

impl Source for Keys {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if !std::mem::take(&mut self.sealed) {
            return Ok(Taken::default());
        }
        let chunk = self.chunk()?;
        self.began.lock().expect("no source has panicked").push(Instant::now());
        Ok(Taken { chunks: vec![chunk], bytes: 0, end: true })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.sealed = true;
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

/// Notes how long a batch took from its rows to its delivery, in ms.
pub struct TimesSink {
    began: Arc<Mutex<Vec<Instant>>>,
    /// Batch by batch.
    pub times: Arc<Mutex<Vec<f64>>>,
}

impl TimesSink {
    /// For the batches of this source.
    pub fn new(source: &Keys) -> TimesSink {
        TimesSink { began: source.began.clone(), times: Arc::default() }
    }
}

impl Sink for TimesSink {
    fn write(&mut self, _: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _time: Timestamp) -> Result<(), PortError> {
        let began = self.began.lock().expect("no source has panicked").pop();
        if let Some(began) = began {
            self.times.lock().expect("no sink has panicked").push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    }
}
