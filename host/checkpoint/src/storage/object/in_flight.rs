//! Parts that are being put, a few at a time.

use std::collections::VecDeque;

use super::{
    calls::Put,
    objects::{Answer, Objects},
};
use crate::storage::StorageError;

/// How many parts are on their way at once: so much memory they take, and as much again those of a sync that was begun.
const IN_FLIGHT_MAX: usize = 4;

/// PUTs that have begun and whose answers are not known yet, the oldest first.
pub(super) struct InFlight {
    objects: Objects,
    /// What is done with the parts, for errors.
    action: &'static str,
    puts: VecDeque<(String, Answer<Put>)>,
}

impl InFlight {
    pub fn new(objects: &Objects, action: &'static str) -> InFlight {
        InFlight { objects: objects.clone(), action, puts: VecDeque::new() }
    }

    /// What is on its way now, for another to wait for.
    pub fn split(&mut self) -> InFlight {
        let rest = InFlight::new(&self.objects, self.action);
        std::mem::replace(self, rest)
    }

    /// Begins to put a part, when there are not too many on their way.
    pub fn put(&mut self, name: String, part: Vec<u8>) -> Result<(), StorageError> {
        while self.puts.len() >= IN_FLIGHT_MAX {
            self.wait_for_one()?;
        }
        let answer = self.objects.begin_put(&name, part.into());
        self.puts.push_back((name, answer));
        Ok(())
    }

    /// Waits until all parts are there.
    pub fn wait_for_all(&mut self) -> Result<(), StorageError> {
        while !self.puts.is_empty() {
            self.wait_for_one()?;
        }
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), StorageError> {
        let Some((name, answer)) = self.puts.pop_front() else { return Ok(()) };
        match self.objects.wait(self.action, &name, answer)? {
            Put::Ours => Ok(()),
            // Somebody else makes the same file, or has made the part and it was not seen.
            Put::Taken => Err(self.objects.exists_already(&name)),
        }
    }
}
