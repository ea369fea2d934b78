//! Waits for producers.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tidemill_model::ports::PortError;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    task::JoinSet,
    time::sleep,
};

use super::{PRODUCERS_MAX, receive::Receiver};
use crate::{
    address::{self, Address},
    alive::keep_alive,
};

/// How long to wait when the system cannot accept, for want of file descriptors say.
pub(super) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Takes the port, at once: one in use is known before the first batch.
pub(super) fn bind(
    stream: &str,
    address: &Address,
    runtime: &runtime::Handle,
) -> Result<(TcpListener, SocketAddr), PortError> {
    let listener = address::listen(&format!("stream `{stream}`"), address)?;
    let register = || -> io::Result<_> {
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let _inside = runtime.enter();
        Ok((TcpListener::from_std(listener)?, local))
    };
    let (listener, local) = register()
        .map_err(|error| PortError::environment(format!("stream `{stream}` cannot listen at {address}"), error))?;
    tracing::info!(%stream, address = %local, "waiting for producers");
    Ok((listener, local))
}

/// A producer that has vanished does not keep its place. One whose connection has ended meanwhile is read to its end all the same.
pub(super) fn look_after(stream: &str, connection: &TcpStream) {
    if let Err(error) = keep_alive(connection) {
        tracing::warn!(%stream, %error, "the system does not look whether a producer is still there");
    }
}

/// Takes producers as they come, and reads each to its end.
pub(super) async fn accept(receiver: Arc<Receiver>, listener: TcpListener) {
    let stream = &receiver.stream;
    let mut producers = JoinSet::new();
    loop {
        while producers.try_join_next().is_some() {}
        if producers.len() >= PRODUCERS_MAX {
            tracing::warn!(%stream, max = PRODUCERS_MAX, "as many producers as can be; the next ones wait");
            producers.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((connection, peer)) => {
                look_after(stream, &connection);
                let receiver = Arc::clone(&receiver);
                producers.spawn(async move {
                    let stream = &receiver.stream;
                    receiver.visits.came(stream, &peer, "a producer came");
                    match receiver.read(&connection).await {
                        Ok(()) => receiver.visits.closed(stream, &peer, "the producer closed the connection"),
                        Err(error) => receiver.visits.lost(stream, &peer, &error, "the producer was lost"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%stream, %error, "a producer could not be accepted; trying on");
                #[allow(clippy::disallowed_methods, reason = "the system needs real time to recover")]
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}
