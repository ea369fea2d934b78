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
    ports::{Clock, PortError, PortErrorKind, Wake},
    time::Timestamp,
};

use crate::address::{self, Address};
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
    let taken = address::listen("the feed", address);
    taken.map_err(|error| PortError { kind: PortErrorKind::Environment, ..error })
}

/// Sends every line to all clients that are there then; without any, waits for one. With `keep_listening` it goes on
/// when they have gone, else it takes one client and ends with it. The slowest one decides how fast it goes, but a client that
/// takes nothing for 5 seconds, while others would, is let go.
///
/// # Errors
///
/// What cannot be read. Clients that break off are no error.
pub fn to_clients(
    feed: &mut dyn Feed,
    listener: TcpListener,
    keep_listening: bool,
    clock: &dyn Clock,
) -> Result<(), PortError> {
    let lost = |error| PortError::environment("no client can be accepted", error);
    let mut audience = Audience::new(listener, keep_listening, clock);
    // Nothing is read before somebody listens.
    audience.wait_for_client().map_err(lost)?;
    while let Some(lines) = feed.next().map_err(unreadable)? {
        loop {
            audience.refresh().map_err(lost)?;
            if audience.send(lines).map_err(lost)? {
                break;
            }
            if !keep_listening {
                return Ok(());
            }
            audience.wait_for_client().map_err(lost)?;
        }
    }
    audience.finish();
    Ok(())
}

/// What to do when nobody is where a feed connects to.
#[derive(Clone, Copy)]
pub enum Patience<'a> {
    /// Say it once, and try again until somebody is there; the same when the peer goes.
    TryOn(&'a dyn Clock),
    /// End with an error.
    GiveUp,
}

/// Connects and sends all lines.
///
/// # Errors
///
/// What cannot be read; and, where there is no patience, a peer that is not there or has gone.
pub fn to_peer(feed: &mut dyn Feed, address: &Address, patience: Patience<'_>) -> Result<(), PortError> {
    let mut peer = connect(address, patience)?;
    while let Some(lines) = feed.next().map_err(unreadable)? {
        while is_gone(&peer) || peer.write_all(lines).is_err() {
            if matches!(patience, Patience::GiveUp) {
                return Err(PortError::refused(format!("{address}: the peer has gone")));
            }
            tracing::warn!(peer = %address, "the peer has gone; connecting again");
            peer = connect(address, patience)?;
        }
    }
    // The peer may have gone just now; it has what it took.
    let _ = peer.shutdown(Shutdown::Write);
    Ok(())
}

fn connect(address: &Address, patience: Patience<'_>) -> Result<TcpStream, PortError> {
    let mut told = false;
    loop {
        let missing = match address::connect(address) {
            Ok(peer) => {
                tracing::info!(peer = %address, "connected");
                return Ok(peer);
            }
            Err(missing) => missing,
        };
        let (what, error) = missing.told();
        let Patience::TryOn(clock) = patience else {
            return Err(PortError::environment(format!("{address}: {what}"), error));
        };
        if !told {
            tracing::warn!(peer = %address, %error, every = ?RETRY_DELAY, "{what}; trying on");
            told = true;
        }
        let micros = i64::try_from(RETRY_DELAY.as_micros()).unwrap_or(i64::MAX);
        clock.wait(Timestamp(clock.now().0.saturating_add(micros)), &Wake::default());
    }
}

fn unreadable(error: io::Error) -> PortError {
    PortError::environment("lines cannot be read", error)
}
