//! The clients that listen to a feed.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
};

/// How many clients there are at a time; more wait until one goes.
const CLIENTS_MAX: usize = 64;

/// Clients, and where the next ones come in.
#[derive(Debug)]
pub(super) struct Audience {
    /// `None` when one client was enough.
    listener: Option<TcpListener>,
    keep_listening: bool,
    clients: Vec<TcpStream>,
}

impl Audience {
    pub fn new(listener: TcpListener, keep_listening: bool) -> Audience {
        Audience { listener: Some(listener), keep_listening, clients: Vec::new() }
    }

    /// Returns when there is a client, or none can come any more.
    pub fn wait_for_client(&mut self) -> io::Result<()> {
        while self.clients.is_empty() && self.accept(true)? {}
        Ok(())
    }

    /// Lets in who waits, and forgets who has gone.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.clients.retain(|client| !is_gone(client));
        while self.clients.len() < CLIENTS_MAX && self.accept(false)? {}
        Ok(())
    }

    /// Sends to everybody, the slowest decides how fast; says whether anybody has all of it.
    pub fn send(&mut self, lines: &[u8]) -> bool {
        self.clients.retain_mut(|client| client.write_all(lines).is_ok());
        !self.clients.is_empty()
    }

    /// Lets one client in, if there is one or it may `wait` for one; says whether it did, or should try again.
    fn accept(&mut self, wait: bool) -> io::Result<bool> {
        let Some(listener) = &self.listener else { return Ok(false) };
        listener.set_nonblocking(!wait)?;
        match listener.accept() {
            Ok((client, peer)) => {
                tracing::info!(%peer, "a client came");
                client.set_nonblocking(false)?;
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
