//! Lines of the files of a folder. What is in a batch is known when it is sealed: all files that were not read before.

use std::{collections::BTreeSet, ops::Range};

use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::{BATCH_LINES_MAX, Port};
use crate::{
    scenario::FILES,
    world::{Feed, World},
};

/// See the module.
pub(super) struct FolderSource {
    port: Port,
    /// The files that were read, as far as they are still there.
    done: BTreeSet<usize>,
    /// The files of the sealed batch.
    batch: Vec<usize>,
    /// How many lines of it were taken.
    taken: usize,
    is_sealed: bool,
    /// The batch that is to be given again.
    again: Option<Vec<usize>>,
}

#[derive(Serialize, Deserialize)]
struct Pin {
    files: Vec<usize>,
    /// With the batch.
    done: BTreeSet<usize>,
}

impl FolderSource {
    pub fn new(port: Port) -> FolderSource {
        FolderSource { port, done: BTreeSet::new(), batch: Vec::new(), taken: 0, is_sealed: false, again: None }
    }

    /// The files of the batch that is sealed at a time.
    fn choose(&self, world: &World, at: Timestamp) -> Vec<usize> {
        let feed = &world.feeds[FILES];
        let left = feed.files(self.port.world_time(world, at)).filter(|file| !self.done.contains(file));
        let with_lines = left.scan(0, |lines, file| {
            *lines += feed.folder.files[file].lines.len();
            Some((file, *lines))
        });
        with_lines.take_while(|(_, lines)| *lines <= BATCH_LINES_MAX).map(|(file, _)| file).collect()
    }
}

/// The places of the lines of files.
fn places(feed: &Feed, files: &[usize]) -> Vec<usize> {
    files.iter().flat_map(|&file| feed.folder.files[file].lines.clone()).collect()
}

impl Source for FolderSource {
    fn schema(&self) -> &Schema {
        &self.port.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let (next, taken) = self.port.call("takes of", |world| {
            if !self.is_sealed {
                return (0, Taken::default());
            }
            let places = places(&world.feeds[FILES], &self.batch);
            let chunks = self.port.chunks(world, self.taken, places.len(), true);
            let next = chunks.last().map_or(self.taken, |last| last.end);
            let lines = &world.feeds[FILES].lines;
            let chunk = |range: Range<usize>| self.port.chunk(places[range].iter().map(|&place| &lines[place]));
            let chunks = chunks.into_iter().map(chunk).collect();
            (next, Taken { chunks, bytes: 1, end: next == places.len() })
        })?;
        self.taken = next;
        self.is_sealed &= !taken.end;
        Ok(taken)
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let (batch, last) = self.port.call("seals", |world| {
            let batch = self.again.clone().unwrap_or_else(|| self.choose(world, at));
            let feed = &world.feeds[FILES];
            let places = places(feed, &batch);
            // Files of a batch lie one behind the other, if none was read before.
            let end = places.last().map_or(0, |last| last + 1);
            let first = places.first().copied().unwrap_or(0);
            let is_left = |file| !self.done.contains(&file) && !batch.contains(&file);
            let last = feed.ends_at(feed.lines.len()) && !feed.files(Timestamp(i64::MAX)).any(is_left);
            world.hosts[self.port.host].sealed.entry(at).or_default().insert(FILES, first..end);
            (batch, last)
        })?;
        self.again = None;
        self.done.extend(&batch);
        {
            // As far as they are still there.
            let world = self.port.simulation.world();
            self.done.retain(|&file| !world.feeds[FILES].folder.files[file].is_gone);
        }
        (self.batch, self.taken, self.is_sealed) = (batch, 0, true);
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

impl Repeatable for FolderSource {
    fn pin(&mut self) -> Result<String, PortError> {
        self.port.write_pin(&Pin { files: self.batch.clone(), done: self.done.clone() })
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        super::parsed::<Pin>(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        self.done = self.port.read_pin::<Pin>("goes on in", pin)?.done;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let Pin { files, done } = self.port.read_pin("repeats a batch of", pin)?;
        let gone = {
            let world = self.port.simulation.world();
            files.iter().find(|&&file| world.feeds[FILES].folder.files[file].is_gone).copied()
        };
        if let Some(file) = gone {
            return Err(PortError::refused(format!("file {file} of {FILES} has to be read once more, and is gone")));
        }
        (self.done, self.again) = (done, Some(files));
        Ok(())
    }
}
