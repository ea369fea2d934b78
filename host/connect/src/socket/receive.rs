//! Reads a connection to its end.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use memchr::memchr;
use tidemill_model::ports::{Clock, Wake};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
};

use super::{Inbox, quiet::Quiet, visits::Visits};
use crate::{
    lock,
    text::{LineCutter, TextOptions},
};

/// What the connections of one source share.
pub(super) struct Receiver {
    pub stream: String,
    pub clock: Arc<dyn Clock>,
    pub wake: Wake,
    pub text: TextOptions,
    /// Who came and went.
    pub visits: Visits,
    pub buffer_bytes_max: usize,
    /// A connection without a line for so long is closed.
    pub idle_max: Option<Duration>,
    pub inbox: Mutex<Inbox>,
    /// Rung when rows were taken.
    pub room: Notify,
    /// How many lines are durable, for producers that are told; `None` until that is known.
    pub durable: Option<watch::Sender<Option<u64>>>,
    /// What is read, until its lines are cut. All connections are read on one thread, so nobody waits for it.
    pub block: Mutex<Vec<u8>>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Receiver {
    /// Reads lines until the peer closes. Either way the last line counts, ended or not.
    pub async fn read(&self, connection: &TcpStream) -> io::Result<()> {
        let mut cutter = LineCutter::new(self.text.clone());
        let result = self.read_blocks(connection, &mut cutter).await;
        let mut inbox = lock(&self.inbox);
        cutter.finish(&mut inbox.lines);
        self.received(inbox);
        result
    }

    pub(super) async fn read_blocks(&self, connection: &TcpStream, cutter: &mut LineCutter) -> io::Result<()> {
        let mut quiet = Quiet::new(&*self.clock, self.idle_max);
        loop {
            if self.wait_for_room().await {
                // Nobody could have said anything.
                quiet.begin();
            }
            quiet.readable(connection).await?;
            let mut block = lock(&self.block);
            match connection.try_read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(len) => {
                    let mut inbox = lock(&self.inbox);
                    cutter.cut(&block[..len], &mut inbox.lines);
                    self.received(inbox);
                    if memchr(b'\n', &block[..len]).is_some() {
                        quiet.begin();
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Stamps new lines, and rings if they filled a chunk.
    fn received(&self, mut inbox: std::sync::MutexGuard<'_, Inbox>) {
        inbox.arrived(self.clock.now());
        let filled = std::mem::take(&mut inbox.lines.filled);
        drop(inbox);
        if filled > 0 {
            self.wake.notify();
        }
    }

    /// Says whether it had to wait.
    async fn wait_for_room(&self) -> bool {
        let mut has_waited = false;
        loop {
            // Before the look, so that rows which are taken after it still ring.
            let taken = self.room.notified();
            if lock(&self.inbox).lines.held_bytes() < self.buffer_bytes_max {
                return has_waited;
            }
            taken.await;
            has_waited = true;
        }
    }
}
