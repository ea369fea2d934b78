//! A producer that is told how many lines are durable: one at a time, because lines are counted, not named.

use std::{io, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use super::{
    listen::{ACCEPT_AGAIN, look_after},
    receive::Receiver,
};
use crate::{lock, pin::Pin, text::LineCutter};

/// How far a source has come. Field names are part of the format of checkpoints.
#[derive(Serialize, Deserialize)]
pub(super) struct Acknowledged {
    /// Lines since the checkpoint began, those that became no rows too.
    pub lines: u64,
}

impl Pin for Acknowledged {
    const SOURCE: &'static str = "socket";

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Takes producers one after the other. A new one takes the place of the one before, of which it may not be known yet that
/// it has gone.
pub(super) async fn accept(receiver: Arc<Receiver>, listener: TcpListener) {
    let stream = receiver.stream.clone();
    let mut current: Option<Serving> = None;
    loop {
        match listener.accept().await {
            Ok((connection, peer)) => {
                look_after(&stream, &connection);
                if let Some(mut before) = current.take() {
                    if !before.0.is_finished() {
                        tracing::warn!(%stream, %peer, "a producer came, and the one before is let go: lines are \
                                       acknowledged to one at a time");
                    }
                    before.0.abort();
                    // What it has received stands in the inbox now, or nowhere.
                    let _ = (&mut before.0).await;
                }
                receiver.visits.came(&stream, &peer, "a producer came");
                let (receiver, stream) = (Arc::clone(&receiver), stream.clone());
                current = Some(Serving(tokio::spawn(async move {
                    match serve(&receiver, &connection).await {
                        Ok(()) => receiver.visits.closed(&stream, &peer, "the producer closed the connection"),
                        Err(error) => receiver.visits.lost(&stream, &peer, &error, "the producer was lost"),
                    }
                })));
            }
            Err(error) => {
                tracing::warn!(%stream, %error, "a producer could not be accepted; trying on");
                #[allow(clippy::disallowed_methods, reason = "the system needs real time to recover")]
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// A task that does not outlive the one that began it.
struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells the producer where to go on, and reads it to its end. A last line without an end is none: it comes again.
async fn serve(receiver: &Receiver, connection: &TcpStream) -> io::Result<()> {
    let Some(durable) = &receiver.durable else { return Ok(()) };
    let mut durable = durable.subscribe();
    let lines = settled(receiver, &mut durable).await;
    write(connection, lines).await?;
    let mut cutter = LineCutter::new(receiver.text.clone());
    tokio::select! {
        read = receiver.read_blocks(connection, &mut cutter) => read,
        told = tell(connection, &mut durable) => told,
    }
}

/// The number of durable lines, as soon as all are that were received: those of an earlier connection are not to come
/// twice.
async fn settled(receiver: &Receiver, durable: &mut watch::Receiver<Option<u64>>) -> u64 {
    loop {
        let lines = *durable.borrow_and_update();
        let received = lock(&receiver.inbox).lines_received();
        if let Some(lines) = lines.filter(|&lines| lines == received) {
            return lines;
        }
        if durable.changed().await.is_err() {
            // The source is gone, and this task with it.
            std::future::pending::<()>().await;
        }
    }
}

/// Tells of every change, or of the last one if the producer is slow to read.
async fn tell(connection: &TcpStream, durable: &mut watch::Receiver<Option<u64>>) -> io::Result<()> {
    while durable.changed().await.is_ok() {
        let lines = *durable.borrow_and_update();
        if let Some(lines) = lines {
            write(connection, lines).await?;
        }
    }
    Ok(())
}

async fn write(connection: &TcpStream, lines: u64) -> io::Result<()> {
    let text = format!("{lines}\n");
    let mut left = text.as_bytes();
    while !left.is_empty() {
        connection.writable().await?;
        match connection.try_write(left) {
            Ok(len) => left = &left[len..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
