//! Addresses: takes ports, and finds peers.

use std::{
    fmt, io,
    net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
};

use tidemill_model::{connector::Listens, ports::PortError};

use crate::alive::keep_alive;

/// `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port; 0 (listen only) lets the system choose.
    pub port: u16,
}

/// Listens at `address`. `who` begins the message of an error.
pub(crate) fn listen(who: &str, address: &Address) -> Result<TcpListener, PortError> {
    let failed = format!("{who} cannot listen at {address}");
    let addresses = resolve(address).map_err(|error| {
        PortError::environment(format!("{failed}: the host name `{}` is not known here", address.host), error)
    })?;
    TcpListener::bind(addresses.as_slice()).map_err(|error| {
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let what = "the port is in use: end the program that has it, or choose another port";
                return PortError::passing(format!("{failed}: {what}"));
            }
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
    let connect = || {
        let connection = TcpStream::connect(addresses.as_slice())?;
        keep_alive(&connection)?;
        Ok(connection)
    };
    connect().map_err(Missing::Silent)
}

/// Where somebody listens at `address`.
pub(crate) fn listens(address: &Address) -> Listens {
    Listens { shown: address.to_string(), addresses: resolve(address).unwrap_or_default() }
}

fn resolve(address: &Address) -> io::Result<Vec<SocketAddr>> {
    Ok((address.host.as_str(), address.port).to_socket_addrs()?.collect())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads `HOST:PORT` or `[IPV6]:PORT`; the error says what is wrong with it.
    pub fn try_parse(text: &str) -> Result<Address, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}` has no port: write HOST:PORT"))?;
        let port = match port.parse() {
            Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => return Err(format!("`{port}` is no port: a number from 0 to 65535")),
        };
        if host.is_empty() {
            return Err(format!("`{text}` has no host: write HOST:PORT, say 127.0.0.1:{port}"));
        }
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inside {
            // A link-local address may name its interface behind a `%`.
            Some(inside) => inside.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
            None => !host.contains([':', '[', ']', '/']) && !host.contains(char::is_whitespace),
        };
        if !is_host {
            return Err(format!("`{host}` is no host: write a name, an IPv4 address, or an IPv6 address in brackets"));
        }
        let host = inside.unwrap_or(host);
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["localhost:9999", "127.0.0.1:0", "[::1]:80", "[fe80::1%eth0]:80", "a-b.example:65535"] {
            assert_eq!(Address::try_parse(text).expect("an address").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            assert_eq!(Address::try_parse(text).expect_err("no address"), expect);
        }
        check("", "`` has no port: write HOST:PORT");
        check("localhost", "`localhost` has no port: write HOST:PORT");
        check(":80", "`:80` has no host: write HOST:PORT, say 127.0.0.1:80");
        for port in ["http", "65536", "-1", "+80", "", " 80", "80 "] {
            check(&format!("localhost:{port}"), &format!("`{port}` is no port: a number from 0 to 65535"));
        }
        for host in ["::1", ":", "[::1", "::1]", "[]", "[localhost]", "[127.0.0.1]", "a b", "tcp://a"] {
            let expect = format!("`{host}` is no host: write a name, an IPv4 address, or an IPv6 address in brackets");
            check(&format!("{host}:80"), &expect);
        }
    }
}
