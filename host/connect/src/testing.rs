//! Waiting in real time, for tests over real connections.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail, and needs another thread"
)]

use std::{
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// No test waits longer for anything. A machine that is busy with other things may need long, so it is no measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Does something on a thread of its own, whose result [`result`] waits for.
pub fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(work());
    });
    result
}

/// What came of it.
#[track_caller]
pub fn result<T>(begun: Receiver<T>) -> T {
    begun.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("it does not end: {error}"))
}

/// The next connection.
#[track_caller]
pub fn accept(listener: &TcpListener) -> TcpStream {
    let listener = listener.try_clone().unwrap();
    let connection = result(begin(move || listener.accept())).unwrap().0;
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.set_write_timeout(Some(PATIENCE)).unwrap();
    connection
}
