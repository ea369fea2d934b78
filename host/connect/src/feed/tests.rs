//! Feeds over real connections on this machine.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and needs another thread")]

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    sync::{Arc, mpsc},
};

use tidemill_model::{
    connector::GenerateKind,
    ports::PortErrorKind,
    testing::{Work, begin},
};

use super::*;
use crate::{
    generate::Generator,
    system::ManualClock,
    testing::{accept, connect},
};

/// Gives one line whenever it is told to.
struct ToldLines {
    told: mpsc::Receiver<&'static [u8]>,
    line: &'static [u8],
}

impl Feed for ToldLines {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line = self.told.recv().unwrap_or_default();
        Ok((!self.line.is_empty()).then_some(self.line))
    }
}

type Ending = Work<Result<(), PortError>>;

/// A feed to clients on a thread of its own: where it is, what tells it lines, and its end.
fn serve(keep: bool) -> (SocketAddr, mpsc::Sender<&'static [u8]>, Ending) {
    let listener = listen(&Address { host: "127.0.0.1".to_owned(), port: 0 }).unwrap();
    let address = listener.local_addr().unwrap();
    let (teller, told) = mpsc::channel();
    let feed = begin("the feed ends", move || to_clients(&mut ToldLines { told, line: b"" }, listener, keep));
    (address, teller, feed)
}

fn client(address: SocketAddr) -> BufReader<TcpStream> {
    BufReader::new(connect(address).unwrap())
}

fn line(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line
}

#[test]
fn all_clients_get_all_lines_and_none_is_lost_between_them() {
    let (address, teller, feed) = serve(true);
    let mut one = client(address);
    teller.send(b"a\n").unwrap();
    assert_eq!(line(&mut one), "a\n");
    let mut two = client(address);
    // The system may take its time to hand a connection on; from then on it gets everything.
    let is_served = |_| {
        teller.send(b"early\n").unwrap();
        assert_eq!(line(&mut one), "early\n");
        two.get_ref().set_nonblocking(true).unwrap();
        let is_served = two.get_ref().peek(&mut [0]).is_ok();
        two.get_ref().set_nonblocking(false).unwrap();
        is_served
    };
    assert!((0..1_000_000).any(is_served), "the second client gets nothing");
    teller.send(b"b\n").unwrap();
    let last = std::iter::repeat_with(|| line(&mut two)).find(|line| line != "early\n");
    assert_eq!((line(&mut one), last), ("b\n".to_owned(), Some("b\n".to_owned())));
    drop((one, two));
    teller.send(b"c\n").unwrap();
    let mut three = client(address);
    assert_eq!(line(&mut three), "c\n");
    drop(teller);
    feed.end().unwrap();
    assert_eq!(line(&mut three), "");
}

#[test]
fn without_keeping_on_the_feed_ends_with_its_client() {
    let (address, teller, feed) = serve(false);
    let mut one = client(address);
    teller.send(b"a\n").unwrap();
    assert_eq!(line(&mut one), "a\n");
    drop(one);
    teller.send(b"b\n").unwrap();
    feed.end().unwrap();
    assert_eq!(connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_peer_that_comes_back_gets_the_lines_it_missed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (teller, told) = mpsc::channel();
    let feed = begin("the feed ends", move || {
        let address = Address { host: "127.0.0.1".to_owned(), port };
        to_peer(&mut ToldLines { told, line: b"" }, &address, Patience::TryOn(&ManualClock::new(Timestamp(0))))
    });
    let mut peer = BufReader::new(accept(&listener));
    teller.send(b"a\n").unwrap();
    assert_eq!(line(&mut peer), "a\n");
    drop(peer);
    teller.send(b"b\n").unwrap();
    let mut peer = BufReader::new(accept(&listener));
    assert_eq!(line(&mut peer), "b\n");
    drop(teller);
    feed.end().unwrap();
    assert_eq!(peer.read_to_string(&mut String::new()).unwrap(), 0);
}

#[test]
fn copies_are_faithful() {
    for text in ["", "a", "a\n", "a\nb", "a\r\n\n\nb\nlast", "\n"] {
        for buffer in [1, 2, 3, 100] {
            let mut feed = CopiedLines::new(BufReader::with_capacity(buffer, text.as_bytes()));
            let mut copy = String::new();
            while let Some(lines) = feed.next().unwrap() {
                copy.push_str(std::str::from_utf8(lines).unwrap());
                assert!(copy.ends_with('\n') || copy == text, "{copy:?} of {text:?}");
            }
            assert_eq!(copy, text);
        }
    }
    let long = vec![b'x'; 3 << 20];
    let mut out = Vec::new();
    to_writer(&mut CopiedLines::new(&long[..]), &mut out).unwrap();
    assert!(out == long);
}

#[test]
fn a_rate_is_kept_by_the_clock() {
    for (rate, count, micros) in [(10, 25, 2_500_000), (1, 3, 3_000_000), (1_000, 500, 500_000), (3, 1, 333_334)] {
        let clock = Arc::new(ManualClock::new(Timestamp(7)));
        let generator = Generator::new(GenerateKind::Points, 1);
        let mut out = Vec::new();
        let mut feed = GeneratedLines::new(generator, Some(rate), Some(count), clock.clone());
        to_writer(&mut feed, &mut out).unwrap();
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count() as u64, count);
        assert_eq!(clock.now(), Timestamp(7 + micros));
    }
}

#[test]
fn a_feed_that_was_held_up_makes_up_for_a_second() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let mut feed = GeneratedLines::new(Generator::new(GenerateKind::Orders, 1), Some(10), None, clock.clone());
    feed.next().unwrap();
    clock.advance_to(Timestamp(60_000_000));
    for _ in 0..10 {
        feed.next().unwrap();
        assert_eq!(clock.now(), Timestamp(60_000_000));
    }
    feed.next().unwrap();
    assert_eq!(clock.now(), Timestamp(60_100_000));
}

#[test]
fn without_a_rate_lines_come_at_once() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let feed = || GeneratedLines::new(Generator::new(GenerateKind::Orders, 1), None, Some(5_000), clock.clone());
    let mut out = Vec::new();
    to_writer(&mut feed(), &mut out).unwrap();
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 5_000);
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = to_writer(&mut feed(), &mut Closed).unwrap_err();
    assert_eq!(error.source.unwrap().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = listen(&Address { host: "127.0.0.1".to_owned(), port }).unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Environment);
    assert!(error.to_string().starts_with(&format!("the feed cannot listen at 127.0.0.1:{port}: the port is in use")));
}
