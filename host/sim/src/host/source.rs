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
    world::{Feed, HostId, Site, World},
};

/// Chunks that are given at once.
const CHUNKS_MAX: usize = 3;

/// A feed that can be read again from any place, as files can.
pub(super) struct RepeatableSource {
    port: Port,
    /// Where the open or sealed batch begins.
    first: usize,
    next: usize,
    /// Where the sealed batch ends, until all of it was taken.
    sealed: Option<usize>,
    /// The batch that was taken last.
    last: Pin,
    /// Where a batch ends that is to be given again.
    again: Option<usize>,
}

/// What a batch is made of.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Pin {
    first: usize,
    end: usize,
}

/// A feed that is gone once it was taken, as a socket's is.
pub(super) struct LiveSource {
    port: Port,
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
            lines.map(|line| vec![Value::Integer(line.number), Value::text(&line.text)]).collect::<Vec<_>>()
        };
        let chunk = |range| {
            let batch = buffer_of(&self.schema, &rows(range)).to_batch(&self.schema.to_arrow());
            Chunk { partition: None, rows: batch.expect("made-up rows are of the schema") }
        };
        Taken { chunks: chunks.iter().map(chunk).collect(), bytes: 1, end }
    }

    /// The place behind what this host has received up to a time of its clock.
    fn received(&self, world: &World, at: Timestamp) -> usize {
        let until = at.0 - world.hosts[self.host].skew_micros;
        world.feeds[self.stream].arrived(Timestamp(until.min(world.now.0)))
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
            let there = self.sealed.unwrap_or_else(|| world.feeds[REPEATABLE].arrived(world.now));
            let chunks = self.port.chunks(world, self.next, there, self.sealed.is_some());
            let next = chunks.last().map_or(self.next, |last| last.end);
            (next, self.port.taken(&world.feeds[REPEATABLE], &chunks, self.sealed == Some(next)))
        });
        let (next, taken) = taken?;
        self.next = next;
        if taken.end {
            self.last = Pin { first: self.first, end: next };
            (self.first, self.sealed) = (next, None);
        }
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (end, last) = self.port.call("seals", |world| {
            let end = self.again.unwrap_or_else(|| self.port.received(world, at).max(self.next));
            (end, world.feeds[REPEATABLE].ends_at(end))
        })?;
        self.again = None;
        self.sealed = Some(end);
        Ok(Sealed { present: true, last })
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
        (self.first, self.next, self.again) = (pin.first, pin.first, Some(pin.end));
        Ok(())
    }
}

// === impl LiveSource ===

impl LiveSource {
    pub fn new(simulation: Arc<Simulation>, host: HostId, schema: Schema) -> LiveSource {
        LiveSource { port: Port { simulation, host, stream: LIVE, schema }, sealed: None }
    }
}

impl Source for LiveSource {
    fn schema(&self) -> &Schema {
        &self.port.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let taken = self.port.call("takes of", |world| {
            let next = world.feeds[LIVE].taken;
            let there = self.sealed.unwrap_or_else(|| world.feeds[LIVE].arrived(world.now));
            let chunks = self.port.chunks(world, next, there, self.sealed.is_some());
            let host = self.port.host;
            let feed = world.feeds.get_mut(LIVE).expect("its stream is in the scenario");
            chunks.iter().for_each(|chunk| feed.take(host, chunk.clone()));
            let end = self.sealed.is_some_and(|end| feed.taken >= end);
            self.port.taken(feed, &chunks, end)
        })?;
        if taken.end {
            self.sealed = None;
        }
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (end, last) = self.port.call("seals", |world| {
            let end = self.port.received(world, at).max(world.feeds[LIVE].taken);
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
