//! Sources over the feeds of the world.

mod acknowledging;
mod folder;
mod live;
mod repeatable;

use std::{ops::Range, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use tidemill_model::{
    ports::{Chunk, PortError, Source, Taken},
    schema::Schema,
    testing::{Value, buffer_of},
    time::Timestamp,
};

use crate::{
    scenario::{ACKNOWLEDGED, FILES, LIVE},
    simulation::Simulation,
    world::{Feed, HostId, Line, Site, World},
};
use acknowledging::AcknowledgingSource;
use folder::FolderSource;
use live::LiveSource;
use repeatable::RepeatableSource;

/// Lines of a batch at most: a source's buffers are bounded.
const BATCH_LINES_MAX: usize = 60;

/// Chunks that are given at once.
const CHUNKS_MAX: usize = 3;

/// A host's source of a stream.
pub(super) fn source(
    simulation: &Arc<Simulation>,
    host: HostId,
    stream: &'static str,
    schema: &Schema,
) -> Box<dyn Source> {
    let port = Port { simulation: simulation.clone(), host, stream, schema: schema.clone() };
    match stream {
        LIVE => Box::new(LiveSource::new(port)),
        ACKNOWLEDGED => Box::new(AcknowledgingSource::new(port)),
        FILES => Box::new(FolderSource::new(port)),
        _ => Box::new(RepeatableSource::new(port)),
    }
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
        let lines: Vec<&[Line]> = chunks.iter().map(|chunk| &feed.lines[chunk.clone()]).collect();
        Taken { chunks: lines.into_iter().map(|lines| self.chunk(lines)).collect(), bytes: 1, end }
    }

    fn chunk<'a>(&self, lines: impl IntoIterator<Item = &'a Line>) -> Chunk {
        let row = |line: &Line| vec![Value::Integer(line.number), Value::Integer(line.value), Value::text(&line.text)];
        let rows: Vec<_> = lines.into_iter().map(row).collect();
        let batch = buffer_of(&self.schema, &rows).to_batch(&self.schema.to_arrow());
        Chunk { partition: None, rows: batch.expect("made-up rows are of the schema") }
    }

    /// The world's time when a clock of this host shows one that has come.
    fn world_time(&self, world: &World, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_sub(world.hosts[self.host].skew_micros).min(world.now.0))
    }

    fn read_pin<P: DeserializeOwned>(&self, what: &str, pin: &str) -> Result<P, PortError> {
        let pin = parsed(pin)?;
        self.call(what, |_| pin)
    }

    fn write_pin(&self, pin: &impl Serialize) -> Result<String, PortError> {
        self.call("pins", |_| ())?;
        serde_json::to_string(pin).map_err(|error| PortError::refused(error.to_string()))
    }

    /// The place behind what this host has received up to a time of its clock, of a batch that begins at `first`.
    fn received(&self, world: &World, first: usize, at: Timestamp) -> usize {
        world.feeds[self.stream].arrived(self.world_time(world, at)).min(first + BATCH_LINES_MAX)
    }
}

/// A pin as it is asked whether it is one.
fn parsed<P: DeserializeOwned>(pin: &str) -> Result<P, PortError> {
    serde_json::from_str(pin).map_err(|error| PortError::refused(format!("the pin {pin}: {error}")))
}
