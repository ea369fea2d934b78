//! Standard output, which keeps nothing and knows nothing.

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
};

use tidemill_conform::{Kept, Place, SinkSample};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_model::{connector::World, time::Timestamp};

struct Printed {
    stdout: Arc<Mutex<Vec<u8>>>,
    written: &'static str,
}

fn printed(written: &'static str) -> Box<dyn Place> {
    Box::new(Printed { stdout: Arc::default(), written })
}

impl Place for Printed {
    fn written(&self) -> String {
        self.written.to_owned()
    }

    fn world(&self, run: u64) -> World {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        World { run, ..World::new(clock, Arc::new(Threads), ".".into(), self.stdout.clone()) }
    }

    fn seen(&self) -> Vec<Kept> {
        let text = self.whole();
        let head = format!("{}\nTime: ", "-".repeat(43));
        let batches = text.split(&head).skip(1).map(|batch| {
            let (time, rows) = batch.split_once('\n').unwrap();
            Kept { batch: Timestamp(micros(time)), rows: rows.to_owned() }
        });
        batches.collect()
    }

    fn whole(&self) -> String {
        String::from_utf8(self.stdout.lock().unwrap().clone()).unwrap()
    }

    fn take_away(&mut self) -> bool {
        false
    }
}

/// In the style of Scala times are milliseconds.
fn micros(time: &str) -> i64 {
    match time.strip_suffix(" ms") {
        Some(millis) => millis.parse::<i64>().unwrap() * 1_000,
        None => jiff::Timestamp::from_str(&format!("{time}Z")).unwrap().as_microsecond(),
    }
}

pub fn sinks() -> Vec<SinkSample> {
    vec![
        SinkSample { key: "print", name: "print as Python", place: || printed("{ rows = 3 }") },
        SinkSample { key: "print", name: "print as Scala", place: || printed("{ rows = 100, style = \"scala\" }") },
    ]
}
