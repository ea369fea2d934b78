//! Connections whose other side may vanish without a word: a power cut, a cable, a firewall that forgets.

use std::{io, os::fd::AsFd, time::Duration};

use socket2::{SockRef, TcpKeepalive};

/// How long a connection is silent before the system asks the other side whether it is still there,
pub(crate) const ASKED_AFTER: Duration = Duration::from_secs(30);
/// how long it waits then before it asks again,
pub(crate) const ASKED_EVERY: Duration = Duration::from_secs(5);
/// and how many questions without an answer end the connection: a minute in all.
pub(crate) const ASKED_TIMES: u32 = 6;

/// Lets the system find out that the other side is not there any more. Nothing of it is seen by a peer that is there, however
/// little it says or reads.
pub(crate) fn keep_alive(connection: &impl AsFd) -> io::Result<()> {
    let times = TcpKeepalive::new().with_time(ASKED_AFTER).with_interval(ASKED_EVERY).with_retries(ASKED_TIMES);
    SockRef::from(connection).set_tcp_keepalive(&times)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::net::TcpListener;

    use super::*;
    use crate::testing::connect;

    /// What vanished is noticed within two minutes, whatever the system's own times are.
    #[test]
    fn the_system_asks_as_often_as_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&connection);
        assert!(!socket.keepalive().unwrap());
        keep_alive(&connection).unwrap();
        assert!(socket.keepalive().unwrap());
        let (after, every) = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        let times = socket.tcp_keepalive_retries().unwrap();
        assert_eq!((after, every, times), (Duration::from_secs(30), Duration::from_secs(5), 6));
        assert!(after + every * times <= Duration::from_secs(120));
    }
}
