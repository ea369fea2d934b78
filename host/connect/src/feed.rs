//! Feeds for pipelines: what `tidemill generate` and `tidemill nc` do.
//!
//! A [`Feed`] gives lines, made up ([`GeneratedLines`]) or read ([`CopiedLines`]); [`to_writer`], [`to_clients`] and
//! [`to_peer`] send them on. Whoever listens gets whole lines: a client that comes late begins with a line, and when a
//! client goes away, lines wait for the next one.

mod audience;
mod lines;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use tidemill_model::{
    connector::Address,
    ports::{Clock, PortError, Wake},
    time::Timestamp,
};

use crate::address;
use audience::{Audience, is_gone};

pub use lines::{CopiedLines, GeneratedLines};

/// How long to wait before a peer that is not there is tried again.
pub const RETRY_DELAY: Duration = Duration::from_secs(2);

/// Lines, some at a time.
pub trait Feed {
    /// The next lines with their ends, as they come; `None` when there are no more.
    fn next(&mut self) -> io::Result<Option<&[u8]>>;
}

/// Writes all lines to `out`.
///
/// # Errors
///
/// What cannot be read or written; when the reader of a pipe has gone, the error's source is a broken pipe.
pub fn to_writer(feed: &mut dyn Feed, out: &mut dyn Write) -> Result<(), PortError> {
    while let Some(lines) = feed.next().map_err(unreadable)? {
        out.write_all(lines)
            .and_then(|()| out.flush())
            .map_err(|error| PortError::environment("lines cannot be written", error))?;
    }
    Ok(())
}

/// Takes the port for [`to_clients`].
///
/// # Errors
///
/// A port in use, or an address that is not this machine's.
pub fn listen(address: &Address) -> Result<TcpListener, PortError> {
    address::listen("the feed", address)
}

/// Sends every line to all clients that are there then; without any, waits for one. With `keep_listening` it goes on
/// when they have gone, else it takes one client and ends with it.
///
/// # Errors
///
/// What cannot be read. Clients that break off are no error.
pub fn to_clients(feed: &mut dyn Feed, listener: TcpListener, keep_listening: bool) -> Result<(), PortError> {
    let lost = |error| PortError::environment("no client can be accepted", error);
    let mut audience = Audience::new(listener, keep_listening);
    // Nothing is read before somebody listens.
    audience.wait_for_client().map_err(lost)?;
    while let Some(lines) = feed.next().map_err(unreadable)? {
        loop {
            audience.refresh().map_err(lost)?;
            if audience.send(lines) {
                break;
            }
            if !keep_listening {
                return Ok(());
            }
            audience.wait_for_client().map_err(lost)?;
        }
    }
    Ok(())
}

/// Connects and sends all lines; connects again when the peer goes, or is not there yet.
///
/// # Errors
///
/// What cannot be read. A peer that is not there is no error: it is said once, and tried again.
pub fn to_peer(feed: &mut dyn Feed, address: &Address, clock: &dyn Clock) -> Result<(), PortError> {
    let mut peer = connect(address, clock);
    while let Some(lines) = feed.next().map_err(unreadable)? {
        while is_gone(&peer) || peer.write_all(lines).is_err() {
            tracing::warn!(peer = %address, "the peer has gone; connecting again");
            peer = connect(address, clock);
        }
    }
    // The peer may have gone just now; it has what it took.
    let _ = peer.shutdown(Shutdown::Write);
    Ok(())
}

fn connect(address: &Address, clock: &dyn Clock) -> TcpStream {
    let mut told = false;
    loop {
        match TcpStream::connect((address.host.as_str(), address.port)) {
            Ok(peer) => {
                tracing::info!(peer = %address, "connected");
                return peer;
            }
            Err(error) if !told => {
                tracing::warn!(peer = %address, %error, every = ?RETRY_DELAY, "nobody answers there; trying on");
                told = true;
            }
            Err(_) => {}
        }
        let micros = i64::try_from(RETRY_DELAY.as_micros()).unwrap_or(i64::MAX);
        clock.wait(Timestamp(clock.now().0.saturating_add(micros)), &Wake::default());
    }
}

fn unreadable(error: io::Error) -> PortError {
    PortError::environment("lines cannot be read", error)
}
