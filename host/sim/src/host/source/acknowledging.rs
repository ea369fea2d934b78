//! Lines whose peer keeps them until it is told that they are durable, and then sends those behind them.

use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Acknowledging, Irregularity, PortError, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::Port;
use crate::{
    check::kept_lines,
    scenario::ACKNOWLEDGED,
    world::{Site, World},
};

/// See the module.
pub(super) struct AcknowledgingSource {
    port: Port,
    /// Where the open or sealed batch begins.
    first: usize,
    next: usize,
    sealed: Option<usize>,
    /// Lines up to the last pin.
    pinned: usize,
}

#[derive(Serialize, Deserialize)]
struct Pin {
    lines: usize,
}

impl AcknowledgingSource {
    pub fn new(port: Port) -> AcknowledgingSource {
        AcknowledgingSource { port, first: 0, next: 0, sealed: None, pinned: 0 }
    }

    /// The place behind what the peer has sent to this host. It sends nothing to one that has not told it where to begin.
    fn received(&self, world: &World, at: Timestamp) -> usize {
        let reader = world.feeds[ACKNOWLEDGED].peer.reader;
        let received = self.port.received(world, self.first, at).max(self.next);
        if reader == Some(self.port.host) { received } else { self.next }
    }
}

impl Source for AcknowledgingSource {
    fn schema(&self) -> &Schema {
        &self.port.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let taken = self.port.call("takes of", |world| {
            let there = self.sealed.unwrap_or_else(|| self.received(world, Timestamp(i64::MAX)));
            let chunks = self.port.chunks(world, self.next, there, self.sealed.is_some());
            let next = chunks.last().map_or(self.next, |last| last.end);
            (next, self.port.taken(&world.feeds[ACKNOWLEDGED], &chunks, self.sealed == Some(next)))
        });
        let (next, taken) = taken?;
        self.next = next;
        if let Some(end) = self.sealed.take_if(|_| taken.end) {
            self.first = end;
        }
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (end, last) = self.port.call("seals", |world| {
            let end = self.received(world, at);
            (end, world.feeds[ACKNOWLEDGED].ends_at(end))
        })?;
        self.sealed = Some(end);
        Ok(Sealed { present: true, last })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn acknowledging(&mut self) -> Option<&mut dyn Acknowledging> {
        Some(self)
    }
}

impl Acknowledging for AcknowledgingSource {
    fn pin(&mut self) -> Result<String, PortError> {
        self.pinned = self.first;
        self.port.write_pin(&Pin { lines: self.pinned })
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        super::parsed::<Pin>(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let Pin { lines } = self.port.read_pin("goes on in", pin)?;
        (self.first, self.next, self.pinned) = (lines, lines, lines);
        Ok(())
    }

    /// A peer that cannot be told finds it out the next time.
    fn acknowledge(&mut self) {
        let Port { simulation, host, .. } = &self.port;
        let (host, lines) = (*host, self.pinned);
        let what = format!("acknowledges {lines} lines of {ACKNOWLEDGED}");
        let _ = simulation.call(host, Site::Source, &what, drop, |world| {
            let is_known = lines <= world.feeds[ACKNOWLEDGED].peer.acknowledged;
            let kept = if is_known { lines } else { kept_lines(&simulation.storage, world) };
            let is_owner = world.owner == Some(host);
            let feed = world.feeds.get_mut(ACKNOWLEDGED).expect("its stream is in the scenario");
            feed.peer.told(host, is_owner, lines, kept).unwrap_or_else(|what| world.broken(what));
            Ok(())
        });
    }
}
