//! A source, a sink and a clock that a test has in its hands while the pipeline runs.

use std::sync::{Arc, Mutex, MutexGuard};

use tidemill_connect::system::ManualClock;
use tidemill_model::{
    ports::{Clock, Irregularity, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken, Wake, WrittenRows},
    schema::Schema,
    testing::Value,
    time::Timestamp,
};

use crate::source::chunk_of;

/// What is shared with a [`Live`] source.
#[derive(Default)]
pub struct Feed {
    /// Integers with the time when they were received.
    pub received: Vec<(Timestamp, i64)>,
    /// The call that is to fail.
    pub broken: Option<&'static str>,
    pub irregularities: Vec<Irregularity>,
    pub is_stopped: bool,
}

pub type SharedFeed = Arc<Mutex<Feed>>;

/// Integers, as a feed has them.
pub struct Live {
    schema: Schema,
    feed: SharedFeed,
    sealed: Option<Vec<i64>>,
}

impl Live {
    pub fn new(feed: &SharedFeed) -> Live {
        Live { schema: "n: integer".parse().unwrap(), feed: feed.clone(), sealed: None }
    }

    fn feed(&self, call: &str) -> Result<MutexGuard<'_, Feed>, PortError> {
        let feed = self.feed.lock().unwrap();
        match feed.broken {
            Some(broken) if broken == call => Err(PortError::configuration(format!("the wire is cut at {call}"))),
            _ => Ok(feed),
        }
    }
}

impl Source for Live {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let received = std::mem::take(&mut self.feed("take")?.received);
        let end = self.sealed.is_some();
        let rows = match self.sealed.take() {
            Some(rows) => {
                self.feed("take")?.received = received;
                rows
            }
            None => received.into_iter().map(|(_, n)| n).collect(),
        };
        let rows: Vec<_> = rows.into_iter().map(|n| vec![Value::Integer(n)]).collect();
        let chunks = if rows.is_empty() { Vec::new() } else { vec![chunk_of(&self.schema, &rows)] };
        Ok(Taken { chunks, bytes: 1, end })
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let mut feed = self.feed("seal")?;
        let (now, later) = std::mem::take(&mut feed.received).into_iter().partition(|&(time, _)| time <= at);
        feed.received = later;
        drop(feed);
        let now: Vec<(Timestamp, i64)> = now;
        self.sealed = Some(now.into_iter().map(|(_, n)| n).collect());
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        std::mem::take(&mut self.feed.lock().unwrap().irregularities)
    }

    fn stop(&mut self) {
        self.feed.lock().unwrap().is_stopped = true;
    }
}

/// Calls back at every step of a batch: `stage` or `deliver`, its time, and at `stage` the rows.
pub struct Called<F> {
    call: F,
    written: WrittenRows,
}

impl<F> Called<F> {
    pub fn new(call: F) -> Called<F> {
        Called { call, written: WrittenRows::default() }
    }
}

/// A step of a sink.
pub enum Step {
    Prepare(Vec<i64>),
    Deliver,
}

impl<F: FnMut(Timestamp, Step) -> Result<(), PortError> + Send> Sink for Called<F> {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let parts = self.written.take(batch);
        let rows = parts.iter().flatten().flat_map(|rows| crate::show::values(batch.schema, rows));
        let integer =
            |row: Vec<Value>| if let [Value::Integer(n)] = row[..] { n } else { panic!("no integer: {row:?}") };
        (self.call)(batch.time, Step::Prepare(rows.map(integer).collect()))
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        (self.call)(time, Step::Deliver)
    }
}

/// A manual clock that notes what is waited for, and lets a test do something then.
pub struct WaitedFor<F> {
    pub clock: ManualClock,
    pub waits: Mutex<Vec<i64>>,
    pub during: F,
}

impl<F: Fn(&ManualClock, Timestamp) + Send + Sync> Clock for WaitedFor<F> {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        self.waits.lock().unwrap().push(deadline.0);
        (self.during)(&self.clock, deadline);
        self.clock.wait(deadline, wake);
    }
}
