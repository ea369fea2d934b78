//! How long a test waits for anything: one limit for all. Then it fails, and says what did not happen.
//!
//! What is waited for comes within milliseconds on a machine with nothing else to do. Where all cores have been taken for
//! minutes it comes late, and that is no failure; a defect that would let a test wait for ever is one.

use std::{
    io,
    net::{TcpListener, TcpStream},
    sync::mpsc::channel,
    time::{Duration, Instant},
};

pub use tidemill_model::testing::{begin, within};

/// The limit.
const LIMIT: Duration = Duration::from_secs(600);

/// How often it is looked at most for something that is to happen, and how long between two looks.
const LOOKS: u32 = 40_000;
const PAUSE: Duration = Duration::from_millis(15);

/// And how often at least: a machine may stand still for longer than the limit.
const LOOKS_MIN: u32 = 50;

/// Whether something becomes so before the limit. A look may take long, because programs are run for it: so many are
/// made all the same, and then the time counts.
#[allow(clippy::disallowed_methods, reason = "a limit is a time")]
pub fn becomes(mut is_so: impl FnMut() -> bool) -> bool {
    let (_never, nothing) = channel::<()>();
    let began = Instant::now();
    for look in 0..LOOKS {
        if is_so() {
            return true;
        }
        if look >= LOOKS_MIN && began.elapsed() > LIMIT {
            break;
        }
        let _ = nothing.recv_timeout(PAUSE);
    }
    false
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    assert!(becomes(is_so), "it does not happen that {what}");
}

/// A connection to somebody who listens, or is about to, which no read or write blocks for ever.
#[track_caller]
pub fn connect(address: &str) -> TcpStream {
    let (address, mut connected) = (address.parse().unwrap(), None);
    wait_until("somebody listens there", || {
        connected = TcpStream::connect_timeout(&address, LIMIT).ok();
        connected.is_some()
    });
    limited(connected.unwrap())
}

/// The next peer, if there is one by now, whom no read or write waits for without end.
pub fn accept(listener: &TcpListener) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(false).unwrap();
            Some(limited(stream))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Err(error) => panic!("no peer is accepted: {error}"),
    }
}

fn limited(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.set_write_timeout(Some(LIMIT)).unwrap();
    stream
}
