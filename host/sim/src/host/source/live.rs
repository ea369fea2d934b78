//! Lines that are gone once they were taken, as a socket's are.

use tidemill_model::{
    ports::{Irregularity, PortError, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::Port;
use crate::scenario::LIVE;

/// See the module.
pub(super) struct LiveSource {
    port: Port,
    /// Where the open or sealed batch begins, roughly: another host may take lines too.
    first: usize,
    sealed: Option<usize>,
}

impl LiveSource {
    pub fn new(port: Port) -> LiveSource {
        let first = port.simulation.world().feeds[LIVE].taken;
        LiveSource { port, first, sealed: None }
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
