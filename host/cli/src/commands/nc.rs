//! `tidemill nc`: the lines of standard input over TCP, the way tutorials feed their pipelines.

use std::{io, net::TcpListener};

use tidemill_connect::Address;
use tidemill_connect::{
    feed::{self, CopiedLines, Patience},
    system::SystemClock,
};

use crate::{arguments, failure::Failure};

/// Where a port alone listens: on this machine, for nobody outside.
const LISTEN_HOST: &str = "127.0.0.1";

pub fn run(arguments: &arguments::Nc) -> Result<(), Failure> {
    let address = address(arguments)?;
    let mut lines = CopiedLines::new(io::stdin().lock());
    if arguments.listen {
        feed::to_clients(&mut lines, listen(&address)?, arguments.keep, &SystemClock)?;
    } else {
        feed::to_peer(&mut lines, &address, Patience::GiveUp)?;
    }
    Ok(())
}

/// Takes the port and says which one it is: the system may have chosen it.
pub fn listen(address: &Address) -> Result<TcpListener, Failure> {
    let listener = feed::listen(address)?;
    let taken = listener.local_addr().map_err(|error| Failure::run(format!("the port was lost: {error}")))?;
    tracing::info!("listening on {taken}");
    Ok(listener)
}

fn address(arguments: &arguments::Nc) -> Result<Address, Failure> {
    let (host, port) = match arguments.address.as_slice() {
        [port] if arguments.listen => (LISTEN_HOST, port),
        [host, port] => (host.as_str(), port),
        _ => return Err(Failure::input("a host and a port are needed").hint("tidemill nc HOST PORT")),
    };
    let port = port.parse().map_err(|_| Failure::input(format!("`{port}` is no port: a number from 0 to 65535")))?;
    Ok(Address { host: host.to_owned(), port })
}
