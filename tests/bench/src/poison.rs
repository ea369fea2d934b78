//! One row in a million that makes a function fail: what it costs to find it.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::ensure;
use tidemill_connect::system::ManualClock;
use tidemill_engine::Until;
use tidemill_model::{
    columns::RowsBuffer,
    ports::{Chunk, Irregularity, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken},
    schema::{Kind, Schema},
    time::Timestamp,
};

use crate::{
    job::{self, Plugins},
    keys::median,
    report::Figure,
};

/// Rows of a batch.
const ROWS: usize = 1_000_000;

/// Batches of each kind, in turn.
const BATCHES: usize = 20;

/// The time of a batch with such a row over that of one without, and how many ms it is more.
pub fn measure(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let plan = job::plan(PIPELINE, plugins)?;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let source = Box::new(Lines { schema: Schema::single("line", Kind::Text), batch: 0, sealed: false });
    let sinks: Vec<Box<dyn Sink>> =
        vec![Box::new(Done { times: times.clone() }), Box::new(Done { times: Arc::default() })];
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let settings = job::settings(Until::Batches(2 * BATCHES as u64));
    let summary = job::run_with(plan, plugins, source, sinks, clock, &settings, None)?.run()?;
    ensure!(summary.rejected == BATCHES as u64, "{} rows were set aside", summary.rejected);
    let times = times.lock().expect("no sink has panicked");
    let seconds: Vec<f64> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    // The first interval is of the second batch, which has such a row.
    let of = |first: usize| median(&seconds.iter().skip(first).step_by(2).copied().collect::<Vec<_>>()) * 1e3;
    let (with, without) = (of(0), of(1));
    let figure = |name, value, unit| Figure { name, value, unit, goal: None, range: None };
    Ok(vec![figure("poison.ratio", with / without, ""), figure("poison.more_ms", with - without, "ms")])
}

const PIPELINE: &str = r#"
[pipeline]
name = "poison"
interval = "1s"
on-error = "dead-letter"
[plugins]
hostile = "hostile.wasm"
[streams.lines]
socket = "127.0.0.1:1"
[streams.taken]
from = "lines"
map = "hostile/touchy"
[streams.count]
from = "taken"
count = true
[outputs.count]
from = "count"
print = true
"#;

/// A million lines a batch; in every second batch one of them is poison.
struct Lines {
    schema: Schema,
    batch: usize,
    sealed: bool,
}

impl Source for Lines {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if !std::mem::take(&mut self.sealed) {
            return Ok(Taken::default());
        }
        let poison = (self.batch % 2 == 1).then_some(ROWS / 3);
        self.batch += 1;
        let mut rows = RowsBuffer::new(&self.schema);
        for row in 0..ROWS {
            let line = if Some(row) == poison { "panic" } else { "a line of a few words" };
            let full = |_| PortError::configuration("a column is full");
            rows.node_mut(0).push_bytes(line.as_bytes()).map_err(full)?;
            rows.end_row();
        }
        let rows = rows.to_batch(&self.schema.to_arrow());
        let rows = rows.map_err(|error| PortError::configuration(error.to_string()))?;
        Ok(Taken { chunks: vec![Chunk { partition: None, rows }], bytes: 0, end: true })
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

/// Notes when batches are done.
struct Done {
    times: Arc<Mutex<Vec<Instant>>>,
}

impl Sink for Done {
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
        self.times.lock().expect("no sink has panicked").push(Instant::now());
        Ok(())
    }
}
