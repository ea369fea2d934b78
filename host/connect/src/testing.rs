//! Sinks that have begun, and connections for tests, which no test waits for without end. Other waits have the limit of `tidemill_model::testing`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use tidemill_model::{
    ports::{Owner, Sink},
    testing::within,
};

/// No test waits longer for the system to connect, to read or to write. A machine that is busy with other things may need
/// long, so it is no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Begins as the first host of a checkpoint.
pub fn begin(sink: &mut dyn Sink) {
    sink.begin(&Owner { pipeline: "p", generation: Some(1), is_held: &|| true }).unwrap();
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
