//! Keeps a connection to a peer.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    time::{sleep, timeout},
};

use super::{CONNECT_TIMEOUT, receive::Receiver};
use crate::{
    address::{Address, Missing},
    alive::keep_alive,
};

/// Connects, reads to the end, and again, for ever. A peer that is not there is told of once, not at each try.
pub(super) async fn keep_connected(receiver: Arc<Receiver>, address: Address, delay: Duration) {
    let stream = &receiver.stream;
    let mut told_missing = false;
    loop {
        match connect(&address).await {
            Ok(connection) => {
                let visits = &receiver.visits;
                visits.came(stream, &address, "connected");
                match receiver.read(&connection).await {
                    Ok(()) => visits.closed(stream, &address, "the peer closed the connection; connecting again"),
                    Err(error) => visits.lost(stream, &address, &error, "connection lost; connecting again"),
                }
                told_missing = false;
            }
            Err(error) if !told_missing => {
                let (what, error) = error.told();
                tracing::warn!(%stream, peer = %address, %error, every = ?delay, "{what}; trying on");
                told_missing = true;
            }
            Err(error) => tracing::debug!(%stream, peer = %address, error = %error.told().1, "still nobody"),
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "a peer needs real time to come back, whatever the run's clock says"
        )]
        sleep(delay).await;
    }
}

async fn connect(address: &Address) -> Result<TcpStream, Missing> {
    let connect = async {
        let found = lookup_host((address.host.as_str(), address.port)).await.map_err(Missing::Unknown)?;
        let mut failed = io::ErrorKind::NotFound.into();
        for one in found {
            match TcpStream::connect(one).await {
                Ok(connection) => match keep_alive(&connection) {
                    Ok(()) => return Ok(connection),
                    Err(error) => failed = error,
                },
                Err(error) => failed = error,
            }
        }
        Err(Missing::Silent(failed))
    };
    let late = || Err(Missing::Silent(io::ErrorKind::TimedOut.into()));
    timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| late())
}
