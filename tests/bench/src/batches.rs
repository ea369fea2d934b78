//! Small batches: what an empty one costs end to end, and what keys cost that do not change.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tidemill_connect::system::{ManualClock, SystemClock};
use tidemill_engine::Until;
use tidemill_model::{
    columns::RowsBuffer,
    ports::{Chunk, Clock, Irregularity, PortError, Sealed, Sink, SinkBatch, Source, Taken},
    schema::{Kind, Schema},
    time::Timestamp,
};

use crate::{
    job::{self, Plugins},
    report::{Figure, Goal},
};

/// Batches of the empty pipeline.
const EMPTY_BATCHES: u64 = 1_000;

/// Keys that change in a batch.
const CHANGED: usize = 1_000;

/// Batches over which idle keys are measured.
const STATE_BATCHES: usize = 300;

/// From the tick to the delivery of an empty batch, every 5 ms; p50 and p99.
pub fn empty(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let plan = job::plan(&toml("5ms"), plugins)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let delays = Arc::new(Mutex::new(Vec::new()));
    let sink = Box::new(DelaySink { clock: clock.clone(), delays: delays.clone() });
    let source: Box<dyn Source> = Box::new(Empty(Schema::single("line", Kind::Text)));
    let settings = job::settings(Until::Batches(EMPTY_BATCHES));
    job::run_with(plan, plugins, source, vec![sink], clock, &settings)?.run()?;
    let mut delays = std::mem::take(&mut *delays.lock().expect("no sink has panicked"));
    delays.sort_by(f64::total_cmp);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    let figure = |name, value, goal| Figure { name, value, unit: "ms", goal, range: None };
    Ok(vec![
        figure("batch.empty_ms_p50", at(0.5), Some(Goal::AtMost(0.2))),
        figure("batch.empty_ms_p99", at(0.99), None),
    ])
}

/// The median time of a batch that changes 1,000 keys, with 1 M keys of state and with 1,000.
pub fn idle_keys(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let (many, few) = (state_batch_ms(1_000_000, plugins)?, state_batch_ms(CHANGED, plugins)?);
    let figure = |name, value, unit, goal| Figure { name, value, unit, goal, range: None };
    Ok(vec![
        figure("state.idle_keys_ratio", many / few, "", Some(Goal::AtMost(1.5))),
        figure("state.batch_ms_1m_keys", many, "ms", None),
        figure("state.batch_ms_1k_keys", few, "ms", None),
    ])
}

fn state_batch_ms(keys: usize, plugins: &Plugins) -> anyhow::Result<f64> {
    let plan = job::plan(&toml("1s"), plugins)?;
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let fill = keys.div_ceil(CHANGED);
    let began = Arc::new(Mutex::new(Vec::new()));
    let source: Box<dyn Source> = Box::new(Keys {
        keys,
        next: 0,
        batch: Schema::single("line", Kind::Text),
        began: began.clone(),
        sealed: false,
    });
    let sink = Box::new(TimesSink { began, times: Arc::default() });
    let times = sink.times.clone();
    let settings = job::settings(Until::Batches((fill + STATE_BATCHES) as u64));
    job::run_with(plan, plugins, source, vec![sink], clock, &settings)?.run()?;
    let mut times = times.lock().expect("no sink has panicked").split_off(fill);
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn toml(interval: &str) -> String {
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

/// A source without rows.
struct Empty(Schema);

impl Source for Empty {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        Ok(Taken { end: true, ..Taken::default() })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

/// 1,000 keys a batch, spread over all keys: every key comes in turn.
struct Keys {
    keys: usize,
    next: usize,
    batch: Schema,
    began: Arc<Mutex<Vec<Instant>>>,
    sealed: bool,
}

impl Keys {
    fn chunk(&mut self) -> Result<Chunk, PortError> {
        let mut rows = RowsBuffer::new(&self.batch);
        for _ in 0..CHANGED {
            // A step that is prime to the number of keys.
            self.next = (self.next + 389_999) % self.keys.max(CHANGED);
            let full = |_| PortError::configuration("a column is full");
            rows.node_mut(0).push_bytes(format!("{:07}", self.next).as_bytes()).map_err(full)?;
            rows.end_row();
        }
        let rows = rows.to_batch(&self.batch.to_arrow());
        Ok(Chunk { partition: None, rows: rows.map_err(|error| PortError::configuration(error.to_string()))? })
    }
}

impl Source for Keys {
    fn schema(&self) -> &Schema {
        &self.batch
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

/// Notes how long after its tick a batch is delivered, in ms.
struct DelaySink {
    clock: Arc<dyn Clock>,
    delays: Arc<Mutex<Vec<f64>>>,
}

impl Sink for DelaySink {
    fn stage(&mut self, _batch: &SinkBatch<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let delay = self.clock.now().since(time).as_secs_f64() * 1e3;
        self.delays.lock().expect("no sink has panicked").push(delay);
        Ok(())
    }
}

/// Notes how long a batch took from its rows to its delivery, in ms.
struct TimesSink {
    began: Arc<Mutex<Vec<Instant>>>,
    times: Arc<Mutex<Vec<f64>>>,
}

impl Sink for TimesSink {
    fn stage(&mut self, _batch: &SinkBatch<'_>) -> Result<(), PortError> {
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
