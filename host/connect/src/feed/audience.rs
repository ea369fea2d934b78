//! The clients that listen to a feed.
//!
//! The slowest client decides how fast the feed is, so that nobody misses a line; but only as long as it goes on. One that holds
//! others up, although so much waits for it already, is let go after a while.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use tidemill_model::ports::Clock;

use crate::alive::keep_alive;

/// How many clients there are at a time; more wait until one goes.
const CLIENTS_MAX: usize = 64;

/// How much may wait for a client, beside others. A client that is alone gets what it takes.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// How long a client may hold up others, each time.
const HOLDING_UP_MAX: Duration = Duration::from_secs(5);

/// How long the system is waited for before it is looked who else is there.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Clients, and where the next ones come in.
pub(super) struct Audience<'a> {
    /// `None` when one client was enough.
    listener: Option<TcpListener>,
    keep_listening: bool,
    clients: Vec<Client>,
    clock: &'a dyn Clock,
}

/// Who listens.
struct Client {
    connection: TcpStream,
    /// What it is to get, and how much of that it has.
    waiting: Vec<u8>,
    taken: usize,
    /// What is sent now is among it.
    has_all: bool,
}

impl Audience<'_> {
    pub fn new(listener: TcpListener, keep_listening: bool, clock: &dyn Clock) -> Audience<'_> {
        Audience { listener: Some(listener), keep_listening, clients: Vec::new(), clock }
    }

    /// Returns when there is a client, or none can come any more.
    pub fn wait_for_client(&mut self) -> io::Result<()> {
        while self.clients.is_empty() && self.accept(true)? {}
        Ok(())
    }

    /// Lets in who waits, and forgets who has gone.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.clients.retain(|client| !is_gone(&client.connection));
        while self.clients.len() < CLIENTS_MAX && self.accept(false)? {}
        Ok(())
    }

    /// Sends to everybody, also to who comes meanwhile; says whether anybody has all of it.
    pub fn send(&mut self, lines: &[u8]) -> io::Result<bool> {
        self.clients.iter_mut().for_each(|client| client.has_all = false);
        let mut held_up = None;
        loop {
            let waiting_max = if self.clients.len() > 1 { WAITING_BYTES_MAX } else { 0 };
            self.clients.retain_mut(|client| client.offer(lines, waiting_max).is_ok());
            if self.clients.iter().all(|client| client.is_served(waiting_max)) {
                return Ok(!self.clients.is_empty());
            }
            self.let_go_of_slow(waiting_max, &mut held_up);
            let slow = self.clients.iter_mut().find(|client| !client.is_served(waiting_max));
            // Who cannot be written to is found out at the next offer.
            slow.map(Client::wait);
            self.refresh()?;
        }
    }

    /// Waits until everybody has everything.
    pub fn finish(&mut self) {
        while let Some(client) = self.clients.last_mut() {
            if client.left().is_empty() || client.wait().is_err() || is_gone(&client.connection) {
                self.clients.pop();
            }
        }
    }

    /// Of who would take more, nobody waits for the others for long. `held_up` is since when somebody does.
    fn let_go_of_slow(&mut self, waiting_max: usize, held_up: &mut Option<Duration>) {
        if !self.clients.iter().any(|client| client.is_served(waiting_max)) {
            *held_up = None;
            return;
        }
        let now = self.clock.steady().unwrap_or_else(|| Duration::from_micros(self.clock.now().0.unsigned_abs()));
        if now.saturating_sub(*held_up.get_or_insert(now)) < HOLDING_UP_MAX {
            return;
        }
        let slow = self.clients.extract_if(.., |client| !client.is_served(waiting_max));
        for client in slow {
            let peer = client.connection.peer_addr().map_or_else(|_| "a client".to_owned(), |peer| peer.to_string());
            tracing::warn!(%peer, after = ?HOLDING_UP_MAX, "a client that does not read is let go, because others wait for it");
        }
    }

    /// Lets one client in, if there is one or it may `wait` for one; says whether it did, or should try again.
    fn accept(&mut self, wait: bool) -> io::Result<bool> {
        let Some(listener) = &self.listener else { return Ok(false) };
        listener.set_nonblocking(!wait)?;
        match listener.accept() {
            Ok((client, peer)) => {
                // One that has gone already is none.
                let Ok(client) = Client::new(client) else { return Ok(true) };
                tracing::info!(%peer, "a client came");
                self.clients.push(client);
                if !self.keep_listening {
                    self.listener = None;
                }
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // It came and went.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }
}

// === impl Client ===

impl Client {
    fn new(connection: TcpStream) -> io::Result<Client> {
        connection.set_nonblocking(false)?;
        connection.set_write_timeout(Some(LOOK_EVERY))?;
        keep_alive(&connection)?;
        Ok(Client { connection, waiting: Vec::new(), taken: 0, has_all: false })
    }

    /// What it is still to get.
    fn left(&self) -> &[u8] {
        &self.waiting[self.taken..]
    }

    /// Whether nobody need wait for it.
    fn is_served(&self, waiting_max: usize) -> bool {
        self.has_all && self.left().len() <= waiting_max
    }

    /// Sends what it takes at once; the lines wait for it if there is room, or if nothing else does.
    fn offer(&mut self, lines: &[u8], waiting_max: usize) -> io::Result<()> {
        self.send_some(false)?;
        let has_room = self.left().is_empty() || self.left().len() + lines.len() <= waiting_max;
        if !self.has_all && has_room {
            self.waiting.drain(..self.taken);
            self.taken = 0;
            self.waiting.extend_from_slice(lines);
            self.has_all = true;
            self.send_some(false)?;
        }
        Ok(())
    }

    /// Waits a little until it takes more.
    fn wait(&mut self) -> io::Result<()> {
        self.send_some(true)
    }

    fn send_some(&mut self, wait: bool) -> io::Result<()> {
        if self.left().is_empty() {
            return Ok(());
        }
        self.connection.set_nonblocking(!wait)?;
        let sent = (&self.connection).write(&self.waiting[self.taken..]);
        self.connection.set_nonblocking(false)?;
        match sent {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                self.taken += bytes;
                Ok(())
            }
            Err(error) if is_passing(error.kind()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_passing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Whether the other side has closed: what is sent then would be lost without an error. What it says is passed over.
pub(super) fn is_gone(peer: &TcpStream) -> bool {
    if peer.set_nonblocking(true).is_err() {
        return true;
    }
    let mut passed_over = [0; 1_024];
    let mut reader = peer;
    let gone = loop {
        match reader.read(&mut passed_over) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break true,
        }
    };
    gone || peer.set_nonblocking(false).is_err()
}
