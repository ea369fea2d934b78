//! Opens sources and sinks.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::tz::TimeZone;
use tidemill_model::{
    connector::{SinkSpec, SourceSpec},
    ports::{Clock, Disk, PortError, Sink, Source, Spawn, Wake},
};

use crate::{
    files::open_files,
    files_sink::FileSink,
    generate::GeneratedSource,
    print::PrintedSink,
    queue::RowQueue,
    runtime::Runtime,
    socket::{self, ReceivedLines},
};

/// What sources and sinks share.
#[derive(Clone)]
pub struct ConnectorSettings {
    /// Stamps what is received.
    pub clock: Arc<dyn Clock>,
    /// Starts the thread that receives.
    pub spawn: Arc<dyn Spawn>,
    /// The folder that relative paths begin in: the pipeline file's.
    pub folder: PathBuf,
    /// What files are written through.
    pub disk: Disk,
    /// A number that no other run has, on whatever machine: in the names of what is staged. That of a process is not enough.
    pub run: u64,
    /// Where prints go.
    pub stdout: Arc<Mutex<dyn Write + Send>>,
    /// The time zone of printed times.
    pub time_zone: TimeZone,
    /// The run ends when bounded sources are used up; folders count as bounded then.
    pub until_done: bool,
    /// The pipeline's interval: so long the files of a folder rest, unless their source says otherwise.
    pub interval: Duration,
    /// How long a socket source waits before it connects again.
    pub reconnect_delay: Duration,
}

/// Opens sources and sinks. Sources that receive do so on one thread, which ends with this.
#[derive(Debug)]
pub struct Connectors {
    settings: ConnectorSettings,
    runtime: Runtime,
}

// === impl ConnectorSettings ===

impl ConnectorSettings {
    /// Times are printed in UTC, the run has no end and the number 0, the interval is a second, and lost connections are tried
    /// again after [`socket::RECONNECT_DELAY`], unless these fields are set.
    pub fn new(
        clock: Arc<dyn Clock>,
        spawn: Arc<dyn Spawn>,
        folder: PathBuf,
        stdout: Arc<Mutex<dyn Write + Send>>,
    ) -> ConnectorSettings {
        ConnectorSettings {
            clock,
            spawn,
            folder,
            disk: Disk::default(),
            run: 0,
            stdout,
            time_zone: TimeZone::UTC,
            until_done: false,
            interval: Duration::from_secs(1),
            reconnect_delay: socket::RECONNECT_DELAY,
        }
    }
}

impl fmt::Debug for ConnectorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorSettings")
            .field("folder", &self.folder)
            .field("until_done", &self.until_done)
            .field("interval", &self.interval)
            .field("reconnect_delay", &self.reconnect_delay)
            .finish_non_exhaustive()
    }
}

// === impl Connectors ===

impl Connectors {
    /// Starts the thread that receives. An error means that the system gives no event queue.
    pub fn try_new(settings: ConnectorSettings) -> Result<Connectors, PortError> {
        let runtime = Runtime::try_new(settings.spawn.as_ref())
            .map_err(|error| PortError::environment("nothing can be received on this system", error))?;
        Ok(Connectors { settings, runtime })
    }

    /// Opens the source of `stream`; `wake` is rung when it has a chunk.
    ///
    /// # Errors
    ///
    /// A port in use, a missing file, rows that do not fit their schema, limits that cannot be kept. A peer that is not
    /// there is no error: it is tried again.
    pub fn open_source(&self, stream: &str, spec: &SourceSpec, wake: &Wake) -> Result<Box<dyn Source>, PortError> {
        // What a file or a generator has is there at once, so these ring now.
        Ok(match spec {
            SourceSpec::Socket(spec) => Box::new(self.open_socket(stream, spec, wake)?),
            SourceSpec::Files(spec) => {
                wake.notify();
                open_files(stream, spec, &self.settings)?
            }
            SourceSpec::Queue(spec) => Box::new(RowQueue::try_new(stream, spec)?),
            SourceSpec::Generate(spec) => {
                wake.notify();
                Box::new(GeneratedSource::new(stream, spec, self.settings.clock.now(), self.settings.until_done))
            }
        })
    }

    /// Opens a socket source; unlike [`Connectors::open_source`] it says where it listens.
    ///
    /// # Errors
    ///
    /// A port in use, an address that is none, limits that cannot be kept.
    pub fn open_socket(
        &self,
        stream: &str,
        spec: &tidemill_model::connector::SocketSource,
        wake: &Wake,
    ) -> Result<ReceivedLines, PortError> {
        let world = socket::World {
            clock: Arc::clone(&self.settings.clock),
            runtime: self.runtime.handle().clone(),
            reconnect_delay: self.settings.reconnect_delay,
        };
        ReceivedLines::open(stream, spec, wake, world)
    }

    /// Opens the sink of `output`. Nothing is changed before it [begins](Sink::begin).
    ///
    /// # Errors
    ///
    /// A folder that is a file, or may not be written to.
    pub fn open_sink(&self, output: &str, spec: &SinkSpec) -> Result<Box<dyn Sink>, PortError> {
        Ok(match spec {
            SinkSpec::Print(spec) => {
                let (stdout, time_zone) = (Arc::clone(&self.settings.stdout), self.settings.time_zone.clone());
                Box::new(PrintedSink::new(output, spec, stdout, time_zone))
            }
            SinkSpec::Files(spec) => {
                let run = format!("{:016x}", self.settings.run);
                let folder = resolve(&self.settings.folder, &spec.folder);
                Box::new(FileSink::open(output, spec, &folder, &run, self.settings.disk.clone())?)
            }
        })
    }
}

/// How many rows of a batch the sink of this specification looks at, without opening it; `None`: all.
pub fn rows_max(spec: &SinkSpec) -> Option<usize> {
    match spec {
        SinkSpec::Print(spec) => Some(spec.rows.saturating_add(1)),
        SinkSpec::Files(_) => None,
    }
}

/// `path` as seen from `folder`.
pub(crate) fn resolve(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path)
}

#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use tidemill_model::{
        connector::{
            FileFormat, FilesSink, FilesSource, GenerateKind, GenerateSource, JsonText, PrintSink, PrintStyle,
            QueueSource, TextOptions,
        },
        ports::{PortErrorKind, SinkBatch},
        time::Timestamp,
    };

    use super::*;
    use crate::{
        lock,
        system::{ManualClock, Threads},
        testing::begin,
        text,
    };

    fn connectors(folder: &Path, stdout: Arc<Mutex<Vec<u8>>>) -> Connectors {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let mut settings = ConnectorSettings::new(clock, Arc::new(Threads), folder.to_owned(), stdout);
        settings.until_done = true;
        Connectors::try_new(settings).unwrap()
    }

    #[test]
    fn every_kind_opens_and_relative_paths_begin_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.txt"), "a\nb\n").unwrap();
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let connectors = connectors(folder.path(), stdout.clone());
        let text = TextOptions::default();
        let files = FilesSource { path: "in.txt".into(), existing: false, settled_after: None, text };
        let schema = text::schema();
        let batches = vec![Some(vec![JsonText("\"a\"".to_owned()), JsonText("\"b\"".to_owned())])];
        let queue = QueueSource { schema: schema.clone(), batches, partitions: None };
        let generate = GenerateSource { kind: GenerateKind::Points, rate: None, count: Some(2), seed: 0 };
        for spec in [SourceSpec::Files(files), SourceSpec::Queue(queue), SourceSpec::Generate(generate)] {
            let mut source = connectors.open_source("lines", &spec, &Wake::default()).unwrap();
            assert!(source.seal(Timestamp(1_000)).unwrap().last);
            let taken = source.take(usize::MAX).unwrap();
            assert_eq!((taken.end, taken.chunks[0].rows.num_rows()), (true, 2));
            assert_eq!(*source.schema(), schema);
            let print = SinkSpec::Print(PrintSink { rows: 1, style: PrintStyle::Scala });
            let files = SinkSpec::Files(FilesSink { folder: "out".into(), format: FileFormat::Text });
            let partitions = [vec![taken.chunks[0].rows.clone()]];
            for spec in [print, files] {
                let mut sink = connectors.open_sink("out", &spec).unwrap();
                begin(&mut *sink);
                let batch = SinkBatch { time: Timestamp(1_000), schema: &schema, parts: &partitions };
                batch.stage(&mut *sink).unwrap();
                sink.deliver(Timestamp(1_000)).unwrap();
            }
        }
        assert_eq!(lock(&stdout).split(|&byte| byte == b'\n').filter(|line| *line == b"...").count(), 3);
        let written = std::fs::read(folder.path().join("out/batch-0000000000001/part-00000.txt")).unwrap();
        assert_eq!(written, b"a\nb\n");
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let connectors = connectors(folder.path(), Arc::default());
        let text = TextOptions { line_bytes_max: 0, ..TextOptions::default() };
        let spec = SourceSpec::Files(FilesSource { path: ".".into(), existing: false, settled_after: None, text });
        let error = connectors.open_source("lines", &spec, &Wake::default()).err().unwrap();
        assert_eq!(error.kind, PortErrorKind::Configuration);
        assert_eq!(error.to_string(), "stream `lines`: lines of at most 0 bytes cannot be: choose 1 to 268435456");
    }
}
