//! Sources over the feeds of the world.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    testing::{Value, buffer_of},
    time::Timestamp,
};

use crate::{
    scenario::{LIVE, REPEATABLE},
    simulation::Simulation,
    world::{Feed, HostId, Line, Site, World},
};

/// Lines of a batch at most: a source's buffers are bounded.
const BATCH_LINES_MAX: usize = 60;

/// Chunks that are given at once.
const CHUNKS_MAX: usize = 3;

/// A feed that can be read again from any place, as files can.
pub(super) struct RepeatableSource {
    port: Port,
    /// Where the open or sealed batch begins.
    first: usize,
    next: usize,
    /// The sealed batch, until all of it was taken.
    sealed: Option<Pin>,
    /// The batch that was taken last.
    last: Pin,
    /// The batch that is to be given again.
    again: Option<Pin>,
}

/// What a batch is made of.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Pin {
    first: usize,
    end: usize,
    /// There was no batch at its tick, which is not the same as one without rows.
    is_absent: bool,
}

/// Once in so many ticks without lines there is no batch.
const ABSENT_EVERY: u64 = 3;

/// A feed that is gone once it was taken, as a socket's is.
pub(super) struct LiveSource {
    port: Port,
    /// Where the open or sealed batch begins, roughly: another host may take lines too.
    first: usize,
    sealed: Option<usize>,
}

/// The way to a feed.
struct Port {
    simulation: Arc<Simulation>,
    host: HostId,
    stream: &'static str,
    schema: Schema,
}

impl Port {
    fn call<T>(&self, what: &str, effect: impl FnOnce(&mut World) -> T) -> Result<T, PortError> {
        let what = format!("{what} {}", self.stream);
        self.simulation.call(self.host, Site::Source, &what, PortError::refused, |world| Ok(effect(world)))
    }

    /// Which lines are given next, chunk by chunk: of the lines from `next` on that are there, whole chunks, and of a
    /// batch's end what is left.
    fn chunks(&self, world: &mut World, next: usize, there: usize, is_sealed: bool) -> Vec<Range<usize>> {
        let rows = self.simulation.scenario.chunk_rows;
        let left = there.saturating_sub(next);
        let whole = if is_sealed { left.div_ceil(rows) } else { left / rows };
        let count = if whole == 0 { 0 } else { world.random.length(1, whole.min(CHUNKS_MAX)) };
        (0..count).map(|chunk| next + chunk * rows..there.min(next + (chunk + 1) * rows)).collect()
    }

    fn taken(&self, feed: &Feed, chunks: &[Range<usize>], end: bool) -> Taken {
        let rows = |range: &Range<usize>| {
            let lines = feed.lines[range.clone()].iter();
            let row =
                |line: &Line| vec![Value::Integer(line.number), Value::Integer(line.value), Value::text(&line.text)];
            lines.map(row).collect::<Vec<_>>()
        };
        let chunk = |range| {
            let batch = buffer_of(&self.schema, &rows(range)).to_batch(&self.schema.to_arrow());
            Chunk { partition: None, rows: batch.expect("made-up rows are of the schema") }
        };
        Taken { chunks: chunks.iter().map(chunk).collect(), bytes: 1, end }
    }

    /// The place behind what this host has received up to a time of its clock, of a batch that begins at `first`.
    fn received(&self, world: &World, first: usize, at: Timestamp) -> usize {
        let until = at.0.saturating_sub(world.hosts[self.host].skew_micros);
        world.feeds[self.stream].arrived(Timestamp(until.min(world.now.0))).min(first + BATCH_LINES_MAX)
    }
}

// === impl RepeatableSource ===

impl RepeatableSource {
    pub fn new(simulation: Arc<Simulation>, host: HostId, schema: Schema) -> RepeatableSource {
        let port = Port { simulation, host, stream: REPEATABLE, schema };
        RepeatableSource { port, first: 0, next: 0, sealed: None, last: Pin::default(), again: None }
    }

    fn read_pin(&self, what: &str, pin: &str) -> Result<Pin, PortError> {
        let pin = serde_json::from_str(pin).map_err(|error| PortError::refused(format!("the pin {pin}: {error}")))?;
        self.port.call(what, |_| pin)
    }
}

impl Source for RepeatableSource {
    fn schema(&self) -> &Schema {
        &self.port.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let taken = self.port.call("takes of", |world| {
            let end = self.sealed.map(|sealed| sealed.end);
            let there = end.unwrap_or_else(|| self.port.received(world, self.first, Timestamp(i64::MAX)));
            let chunks = self.port.chunks(world, self.next, there, end.is_some());
            let next = chunks.last().map_or(self.next, |last| last.end);
            (next, self.port.taken(&world.feeds[REPEATABLE], &chunks, end == Some(next)))
        });
        let (next, taken) = taken?;
        self.next = next;
        if let Some(sealed) = self.sealed.take_if(|_| taken.end) {
            (self.last, self.first) = (sealed, next);
        }
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (pin, last) = self.port.call("seals", |world| {
            let pin = self.again.unwrap_or_else(|| {
                let (first, end) = (self.first, self.port.received(world, self.first, at).max(self.next));
                Pin { first, end, is_absent: first == end && world.random.once_in(ABSENT_EVERY) }
            });
            world.hosts[self.port.host].sealed = pin.first..pin.end;
            (pin, world.feeds[REPEATABLE].ends_at(pin.end))
        })?;
        self.again = None;
        self.sealed = Some(pin);
        Ok(Sealed { present: !pin.is_absent, last })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

impl Repeatable for RepeatableSource {
    fn pin(&mut self) -> Result<String, PortError> {
        let pin = self.port.call("pins", |_| self.last)?;
        serde_json::to_string(&pin).map_err(|error| PortError::refused(error.to_string()))
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin("goes on in", pin)?;
        (self.first, self.next) = (pin.end, pin.end);
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin("repeats a batch of", pin)?;
        (self.first, self.next, self.again) = (pin.first, pin.first, Some(pin));
        Ok(())
    }
}

// === impl LiveSource ===

impl LiveSource {
    pub fn new(simulation: Arc<Simulation>, host: HostId, schema: Schema) -> LiveSource {
        let first = simulation.world().feeds[LIVE].taken;
        LiveSource { port: Port { simulation, host, stream: LIVE, schema }, first, sealed: None }
    }
}

impl Source for LiveSource {
    fn schema(&self) -> &Schema {
        &self.port.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let first = self.first;
        let taken = self.port.call("takes of", |world| {
            let next = world.feeds[LIVE].taken;
            let there = self.sealed.unwrap_or_else(|| self.port.received(world, first, Timestamp(i64::MAX)));
            let chunks = self.port.chunks(world, next, there, self.sealed.is_some());
            let host = self.port.host;
            let feed = world.feeds.get_mut(LIVE).expect("its stream is in the scenario");
            chunks.iter().for_each(|chunk| feed.take(host, chunk.clone()));
            let end = self.sealed.is_some_and(|end| feed.taken >= end);
            self.port.taken(feed, &chunks, end)
        })?;
        if let Some(end) = self.sealed.take_if(|_| taken.end) {
            self.first = end;
        }
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (end, last) = self.port.call("seals", |world| {
            let end = self.port.received(world, self.first, at).max(world.feeds[LIVE].taken);
            (end, world.feeds[LIVE].ends_at(end))
        })?;
        self.sealed = Some(end);
        Ok(Sealed { present: true, last })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}
