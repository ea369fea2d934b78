//! A folder that comes to be an output's, and what becomes visible in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{DiskCall, Owner, PortError},
    time::Timestamp,
};

use super::{FileSink, MARK, Mark, is_same, list, make_folder, remove, sync_above, sync_folder};

/// What is said of a folder that a batch does not come to be visible in.
const UNTAKEN: &str = "does not take the finished batch";

impl FileSink {
    /// The mark of the folder, if it has one. `failure`: what it means that it cannot be read.
    pub(super) fn read_mark(&self, failure: &str) -> Result<Option<Mark>, PortError> {
        Mark::read(&self.folder).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.refused(&format!(
                "has a {MARK} that cannot be read ({error}): if what is in the folder is this output's, remove that file; if \
                 not, choose another folder"
            )),
            _ => self.error(failure, error),
        })
    }

    /// Refuses a mark that is not this output's.
    pub(super) fn check_mark(&self, mark: &Mark, pipeline: &str, is_kept: bool) -> Result<(), PortError> {
        let (output, folder) = (&self.output, self.folder.display());
        if (&*mark.pipeline, &mark.output) != (pipeline, output) {
            return Err(PortError::configuration(format!(
                "output `{output}` of the pipeline `{pipeline}`: folder {folder} belongs to the output `{}` of the pipeline \
                 `{}`: give each its own folder; if that one has another folder or another name now, remove {MARK} \
                 from this one",
                mark.output, mark.pipeline
            )));
        }
        if mark.newest().is_some() && mark.generation.is_some() != is_kept {
            let [theirs, ours] = if is_kept { ["without", "with"] } else { ["with", "without"] };
            return Err(PortError::configuration(format!(
                "output `{output}`: folder {folder} has batches of runs {theirs} a checkpoint, and this run is one {ours}: choose \
                 another folder, or take them and {MARK} away"
            )));
        }
        Ok(())
    }

    /// Begins to own the place: see [`Sink::begin`](tidemill_model::ports::Sink::begin).
    pub(super) fn own(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        let made = make_folder(&self.disk, &self.folder).and_then(|()| sync_above(&self.disk, &self.folder));
        made.map_err(|error| self.unusable(error))?;
        let there = list(&self.folder).map_err(|error| self.error("cannot be listed", error))?;
        let found = self.read_mark("cannot be read")?;
        if let Some(mark) = &found {
            self.check_mark(mark, owner.pipeline, owner.generation.is_some())?;
        }
        // What was found is not a later host's if the place is this one's still.
        if !(owner.is_held)() {
            return Err(self.refused("is not this run's: the checkpoint is another's now, or cannot be read"));
        }
        let newest = match &found {
            Some(mark) => {
                self.finish(mark)?;
                mark.newest()
            }
            // Version 0.1.0 wrote no marks.
            None => there.newest,
        };
        let mark = Mark::new(owner.pipeline, &self.output, owner.generation, &self.run, newest);
        self.write_mark(&mark).map_err(|error| self.unusable(error))?;
        self.mark = Some(mark);
        for path in there.leftovers {
            if let Err(error) = remove(&self.disk, &path) {
                tracing::warn!("output `{}`: {} is left over: {error}", self.output, path.display());
            }
        }
        Ok(())
    }

    fn write_mark(&self, mark: &Mark) -> io::Result<()> {
        mark.write(&self.disk, &self.folder, &self.folder.join(format!(".staged-mark-{}", self.run)))
    }

    /// Gives the newest batch its name, if the run that has marked the folder was stopped right before.
    fn finish(&self, mark: &Mark) -> Result<(), PortError> {
        let Some(time) = mark.newest() else { return Ok(()) };
        let prepared = self.prepared_folder(time, &mark.run);
        match prepared.try_exists() {
            Ok(true) => self.name(&prepared, time),
            Ok(false) => Ok(()),
            Err(error) => Err(self.error("cannot be read", error)),
        }
    }

    /// Whether a batch is not to be delivered again. A folder in its place, which is none of this output's, is refused.
    pub(super) fn was_delivered(&self, time: Timestamp) -> Result<bool, PortError> {
        let mark = self.mark()?;
        if mark.generation.is_some() {
            // What the checkpoint says is before its last batch has been delivered by its runs.
            return Ok(Some(time) <= mark.newest());
        }
        let place = self.final_folder(time);
        match Some(time) <= self.delivered {
            false if place.exists() => Err(self.is_there_already(&place)),
            is_delivered => Ok(is_delivered),
        }
    }

    /// Makes a prepared batch visible.
    pub(super) fn publish(&mut self, time: Timestamp) -> Result<(), PortError> {
        let prepared = self.prepared_folder(time, &self.run);
        if self.was_taken_over(time)? {
            remove(&self.disk, &prepared).map_err(|error| self.untaken(error))?;
        } else {
            let place = self.final_folder(time);
            if place.exists() {
                self.check_same(&prepared, &place)?;
            }
            let mark = self.mark()?.with(time);
            self.write_mark(&mark).map_err(|error| self.untaken(error))?;
            self.mark = Some(mark);
            self.name(&prepared, time)?;
        }
        self.delivered = Some(time);
        Ok(())
    }

    /// Whether an earlier host of this checkpoint, which has slept, has delivered the batch meanwhile. It had the same rows, from
    /// the same record. Any other run that has marked the place since this one began is an error.
    fn was_taken_over(&self, time: Timestamp) -> Result<bool, PortError> {
        let mark = self.mark()?;
        let Some(found) = self.read_mark(UNTAKEN)?.filter(|found| found.run != mark.run) else { return Ok(false) };
        self.check_mark(&found, &mark.pipeline, mark.generation.is_some())?;
        if found.generation >= mark.generation {
            return Err(self.refused("was taken over by a later run; this run stops"));
        }
        let is_prepared = self.prepared_folder(time, &found.run).exists();
        Ok(found.newest() >= Some(time) && !is_prepared && !self.final_folder(time).exists())
    }

    /// Gives what is prepared of a batch its name, durably.
    fn name(&self, prepared: &Path, time: Timestamp) -> Result<(), PortError> {
        let place = self.final_folder(time);
        match self.disk.call(DiskCall::Rename(prepared, &place), || fs::rename(prepared, &place)) {
            Err(error) if is_there(&error) => {
                self.check_same(prepared, &place)?;
                remove(&self.disk, prepared).map_err(|error| self.untaken(error))?;
            }
            renamed => renamed.map_err(|error| self.untaken(error))?,
        }
        sync_folder(&self.disk, &self.folder).map_err(|error| self.untaken(error))
    }

    /// What is in a batch's place without having come from this run must be what this one has.
    fn check_same(&self, prepared: &Path, place: &Path) -> Result<(), PortError> {
        match is_same(prepared, place) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.is_there_already(place)),
            Err(error) => Err(self.untaken(error)),
        }
    }

    fn is_there_already(&self, place: &Path) -> PortError {
        let name = PathBuf::from(place.file_name().unwrap_or_default());
        self.refused(&format!(
            "does not take the batch: {} is there already, and this run has not written it: take it away, or choose another \
             folder",
            name.display()
        ))
    }

    fn untaken(&self, error: io::Error) -> PortError {
        self.error(UNTAKEN, error)
    }
}

/// Whether a folder could not be renamed because there is one with files already.
fn is_there(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}
