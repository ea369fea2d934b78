//! Keys that come and go: whether a batch waits for a table that grows, or for the room of keys that have gone.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tidemill_connect::system::ManualClock;
use tidemill_engine::Until;
use tidemill_model::{
    ports::{PortError, Sink, SinkParts, SinkRows},
    time::Timestamp,
};

use crate::{
    job::{self, Plugins},
    keys::{Keys, toml},
    report::{Figure, Goal},
};

/// Keys that are new in each batch of a second: a million a minute.
const NEW: usize = 16_667;

/// Batches that are measured, from the first one on: the table grows to a million keys in sixty of them, which go in the others.
const BATCHES: usize = 600;

/// From one batch to the next, while a million keys a minute come, and go a minute later; p50, p99, and how many times as long.
pub fn measure(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let text = toml("1s").replace("running-total\"", "running-total\"\n        idle-timeout = \"60s\"");
    let plan = job::plan(&text, plugins)?;
    let ends = Arc::new(Mutex::new(Vec::new()));
    let sink = Box::new(Ends(ends.clone()));
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let settings = job::settings(Until::Batches(BATCHES as u64));
    job::run_with(plan, plugins, Box::new(Keys::ever_new(NEW)), vec![sink], clock, &settings, None)?.run()?;
    let ends = ends.lock().expect("no sink has panicked");
    let mut times: Vec<f64> = ends.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let figure = |name, value, unit, goal| Figure { name, value, unit, goal, range: None };
    Ok(vec![
        figure("churn.p99_ratio", at(0.99) / at(0.5), "", Some(Goal::AtMost(3.0))),
        figure("churn.batch_ms_p50", at(0.5), "ms", None),
        figure("churn.batch_ms_p99", at(0.99), "ms", None),
        figure("churn.batch_ms_max", at(1.0), "ms", None),
    ])
}

/// Notes when batches are delivered.
struct Ends(Arc<Mutex<Vec<Instant>>>);

impl Sink for Ends {
    fn write(&mut self, _: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _: Timestamp) -> Result<(), PortError> {
        self.0.lock().expect("no sink has panicked").push(Instant::now());
        Ok(())
    }
}
