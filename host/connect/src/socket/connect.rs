//! Keeps a connection to a peer.

use std::{io, sync::Arc, time::Duration};

use tidemill_model::connector::Address;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{CONNECT_TIMEOUT, receive::Receiver};

/// Connects, reads to the end, and again, for ever. A peer that is not there is told of once, not at each try.
pub(super) async fn keep_connected(receiver: Arc<Receiver>, address: Address, delay: Duration) {
    let stream = &receiver.stream;
    let mut told_missing = false;
    loop {
        match connect(&address).await {
            Ok(connection) => {
                tracing::info!(%stream, peer = %address, "connected");
                match receiver.read(&connection).await {
                    Ok(()) => {
                        tracing::info!(%stream, peer = %address, "the peer closed the connection; connecting again")
                    }
                    Err(error) => tracing::warn!(%stream, peer = %address, %error, "connection lost; connecting again"),
                }
                told_missing = false;
            }
            Err(error) if !told_missing => {
                tracing::warn!(%stream, peer = %address, %error, every = ?delay, "nobody answers there; trying on");
                told_missing = true;
            }
            Err(error) => tracing::debug!(%stream, peer = %address, %error, "still nobody"),
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "a peer needs real time to come back, whatever the run's clock says"
        )]
        sleep(delay).await;
    }
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((address.host.as_str(), address.port))).await {
        Ok(result) => result,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
