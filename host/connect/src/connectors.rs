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
    ports::{Clock, PortError, Sink, Source, Spawn, Wake},
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
    /// Where prints go.
    pub stdout: Arc<Mutex<dyn Write + Send>>,
    /// The time zone of printed times.
    pub time_zone: TimeZone,
    /// The run ends when bounded sources are used up; folders count as bounded then.
    pub until_done: bool,
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
    /// Times are printed in UTC, the run has no end, and lost connections are tried again after
    /// [`socket::RECONNECT_DELAY`], unless these fields are set.
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
            stdout,
            time_zone: TimeZone::UTC,
            until_done: false,
            reconnect_delay: socket::RECONNECT_DELAY,
        }
    }
}

impl fmt::Debug for ConnectorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorSettings")
            .field("folder", &self.folder)
            .field("until_done", &self.until_done)
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
                Box::new(GeneratedSource::new(spec, self.settings.clock.now(), self.settings.until_done))
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

    /// Opens the sink of `output`.
    ///
    /// # Errors
    ///
    /// A folder that cannot be made or written to.
    pub fn open_sink(&self, output: &str, spec: &SinkSpec) -> Result<Box<dyn Sink>, PortError> {
        Ok(match spec {
            SinkSpec::Print(spec) => {
                let (stdout, time_zone) = (Arc::clone(&self.settings.stdout), self.settings.time_zone.clone());
                Box::new(PrintedSink::new(output, spec, stdout, time_zone))
            }
            SinkSpec::Files(spec) => {
                Box::new(FileSink::open(output, spec, &resolve(&self.settings.folder, &spec.folder))?)
            }
        })
    }
}

/// `path` as seen from `folder`.
pub(crate) fn resolve(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path)
}
