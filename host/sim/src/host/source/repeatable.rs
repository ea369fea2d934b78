//! Lines that can be read again from any place.

use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::Port;
use crate::scenario::REPEATABLE;

/// Once in so many ticks without lines there is no batch.
const ABSENT_EVERY: u64 = 3;

/// See the module.
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

impl RepeatableSource {
    pub fn new(port: Port) -> RepeatableSource {
        RepeatableSource { port, first: 0, next: 0, sealed: None, last: Pin::default(), again: None }
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
            world.hosts[self.port.host].sealed.entry(at).or_default().insert(REPEATABLE, pin.first..pin.end);
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
        self.port.write_pin(&self.last)
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        super::parsed::<Pin>(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.port.read_pin::<Pin>("goes on in", pin)?;
        (self.first, self.next) = (pin.end, pin.end);
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.port.read_pin::<Pin>("repeats a batch of", pin)?;
        (self.first, self.next, self.again) = (pin.first, pin.first, Some(pin));
        Ok(())
    }
}
