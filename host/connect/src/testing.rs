//! Sinks that have begun, and connections for tests, which no test waits for without end. Other waits have the limit of `tidemill_model::testing`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use tidemill_model::{
    ports::{Owner, Sink, Source},
    testing::within,
};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher, span};

/// No test waits longer for the system to connect, to read or to write. A machine that is busy with other things may need
/// long, so it is no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Begins as the first host of a checkpoint.
pub fn begin(sink: &mut dyn Sink) {
    sink.begin(&Owner { pipeline: "p", generation: Some(1), is_held: &|| true }).unwrap();
}

/// The same for a source.
pub fn begin_source(source: &mut dyn Source) {
    source.begin(&Owner { pipeline: "p", generation: Some(1), is_held: &|| true }).unwrap();
}

/// A connection to somebody who listens.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, PATIENCE).map(patient)
}

/// The next connection.
#[track_caller]
pub fn accept(listener: &TcpListener) -> TcpStream {
    let listener = listener.try_clone().unwrap();
    patient(within("somebody connects", move || listener.accept()).unwrap().0)
}

/// Whether another one has connected by now.
pub fn is_connected_to(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        accepted => accepted.is_ok(),
    }
}

fn patient(connection: TcpStream) -> TcpStream {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.set_write_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// Hears what is said, and tells it on.
#[derive(Clone)]
pub struct Heard(pub mpsc::Sender<String>);

impl Heard {
    /// Does something over which all that is said is heard.
    pub fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&Dispatch::new(self.clone()), work)
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        // When the test has heard enough nobody listens any more.
        let _ = self.0.send(format!("{event:?}"));
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
