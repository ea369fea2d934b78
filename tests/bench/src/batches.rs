//! Small batches: what an empty one costs end to end, and what keys cost that do not change.

use std::sync::{Arc, Mutex};

use tidemill_connect::system::{ManualClock, SystemClock};
use tidemill_engine::Until;
use tidemill_model::{
    ports::{Clock, Irregularity, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken},
    schema::{Kind, Schema},
    time::Timestamp,
};

use crate::{
    job::{self, Plugins},
    keys::{CHANGED, Keys, TimesSink, median, toml},
    report::{Figure, Goal},
};

/// Batches of the empty pipeline.
const EMPTY_BATCHES: u64 = 1_000;

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
    job::run_with(plan, plugins, source, vec![sink], clock, &settings, None)?.run()?;
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
    let source = Keys::new(keys);
    let sink = Box::new(TimesSink::new(&source));
    let (fill, times) = (source.fill_batches(), sink.times.clone());
    let settings = job::settings(Until::Batches((fill + STATE_BATCHES) as u64));
    job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, None)?.run()?;
    Ok(median(&times.lock().expect("no sink has panicked")[fill..]))
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

/// Notes how long after its tick a batch is delivered, in ms.
struct DelaySink {
    clock: Arc<dyn Clock>,
    delays: Arc<Mutex<Vec<f64>>>,
}

impl Sink for DelaySink {
    fn write(&mut self, _: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let delay = self.clock.now().since(time).as_secs_f64() * 1e3;
        self.delays.lock().expect("no sink has panicked").push(delay);
        Ok(())
    }
}
