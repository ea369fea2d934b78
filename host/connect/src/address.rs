//! Takes ports.

use std::{io, net::TcpListener};

use tidemill_model::{connector::Address, ports::PortError};

/// Listens at `address`. `who` begins the message of an error.
pub(crate) fn listen(who: &str, address: &Address) -> Result<TcpListener, PortError> {
    TcpListener::bind((address.host.as_str(), address.port)).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => "the port is in use: end the program that has it, or choose another port",
            io::ErrorKind::PermissionDenied => "the system does not allow it: choose a port from 1024 on",
            _ => "this address cannot be listened at: it must be one of this machine's",
        };
        PortError::environment(format!("{who} cannot listen at {address}: {what}"), error)
    })
}
