//! All lines of one file, in the first batch.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::{
    FilesSource, Lines,
    facts::Facts,
    pin::{self, FilePin, Name},
    reading::{AsKnown, Reading, Waiting},
};

/// A file that is read once.
#[derive(Debug)]
pub(super) struct FileLines {
    stream: String,
    path: PathBuf,
    lines: Lines,
    sealed: bool,
    place: Place,
}

/// Where the last sealed batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// There is none yet.
    Start,
    /// It has the file.
    First,
    /// It has nothing.
    Behind,
}

impl FileLines {
    pub fn open(stream: &str, spec: &FilesSource, path: PathBuf) -> Result<FileLines, PortError> {
        let failed = |error| {
            let shown = path.display();
            PortError::environment(format!("stream `{stream}` cannot read {shown}: see its permissions"), error)
        };
        let file = fs::File::open(&path).map_err(failed)?;
        // What was opened is what is read, whatever stands under its name by now.
        let opened = file.metadata().and_then(|about| Facts::of(&about)).map_err(failed)?;
        let mut reading = Reading::new(stream, &spec.text);
        let name = spec.path.clone().into_os_string();
        reading.begin(Waiting { name, path: path.clone(), as_known: AsKnown::Opened }, file, opened);
        let lines = Lines::new(spec, reading);
        Ok(FileLines { stream: stream.to_owned(), path, lines, sealed: false, place: Place::Start })
    }

    fn given_path(&self) -> &Path {
        &self.lines.spec.path
    }

    fn read_pin(&self, pin: &str) -> Result<FilePin, PortError> {
        let pin: FilePin = crate::pin::read(&self.stream, pin)?;
        pin::check_path(&self.stream, &pin.path, self.given_path())?;
        Ok(pin)
    }

    /// Nothing is left of the file.
    fn pass_over(&mut self) {
        self.lines.reading.stop();
        self.place = Place::Behind;
    }
}

impl Source for FileLines {
    fn schema(&self) -> &Schema {
        &self.lines.schema
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.lines.take(bytes_max, &mut self.sealed)
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        self.sealed = true;
        self.place = if self.place == Place::Start { Place::First } else { Place::Behind };
        Ok(Sealed { present: true, last: true })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.lines.irregularities()
    }

    fn stop(&mut self) {
        self.lines.reading.stop();
    }

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        self.lines.reading.pins = true;
        Some(self)
    }
}

impl Repeatable for FileLines {
    fn pin(&mut self) -> Result<String, PortError> {
        if self.sealed {
            return Err(crate::pin::not_taken(&self.stream));
        }
        let read = match self.place {
            Place::First => self.lines.reading.finished()?.first().map(|file| file.content.clone()),
            Place::Start | Place::Behind => None,
        };
        let path = Name::new(self.given_path().as_os_str());
        crate::pin::write(&self.stream, &FilePin { path, begun: self.place != Place::Start, read })
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        self.read_pin(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        if self.read_pin(pin)?.begun {
            self.pass_over();
        }
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin = self.read_pin(pin)?;
        if !pin.begun {
            return Err(crate::pin::no_batch(&self.stream));
        }
        let Some(content) = pin.read else {
            self.pass_over();
            return Ok(());
        };
        pin::check_content(&self.stream, &self.path, &content)?;
        let name = self.given_path().as_os_str().to_owned();
        self.lines.reading.stop();
        self.lines.reading.append([Waiting::again(name, self.path.clone(), &content)]);
        Ok(())
    }
}
