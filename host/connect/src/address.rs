//! Takes ports, and finds peers.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
};

use tidemill_model::{connector::Address, ports::PortError};

/// Listens at `address`. `who` begins the message of an error.
pub(crate) fn listen(who: &str, address: &Address) -> Result<TcpListener, PortError> {
    let failed = format!("{who} cannot listen at {address}");
    let addresses = resolve(address).map_err(|error| {
        PortError::environment(format!("{failed}: the host name `{}` is not known here", address.host), error)
    })?;
    TcpListener::bind(addresses.as_slice()).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => "the port is in use: end the program that has it, or choose another port",
            io::ErrorKind::PermissionDenied => "the system does not allow it: choose a port from 1024 on",
            io::ErrorKind::AddrNotAvailable => "this address cannot be listened at: it must be one of this machine's",
            _ => return PortError::environment(failed, error),
        };
        PortError::refused(format!("{failed}: {what}"))
    })
}

/// Why a peer was not reached.
pub(crate) enum Missing {
    /// Its name says nothing to this machine.
    Unknown(io::Error),
    /// Nobody took the connection.
    Silent(io::Error),
}

impl Missing {
    /// What to tell, and the system's words for it.
    pub(crate) fn told(self) -> (&'static str, io::Error) {
        match self {
            Missing::Unknown(error) => ("the host name is not known here", error),
            Missing::Silent(error) => ("nobody answers there", error),
        }
    }
}

/// Connects to a peer.
pub(crate) fn connect(address: &Address) -> Result<TcpStream, Missing> {
    let addresses = resolve(address).map_err(Missing::Unknown)?;
    TcpStream::connect(addresses.as_slice()).map_err(Missing::Silent)
}

fn resolve(address: &Address) -> io::Result<Vec<SocketAddr>> {
    Ok((address.host.as_str(), address.port).to_socket_addrs()?.collect())
}
