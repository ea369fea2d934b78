//! Feeds over real connections on this machine.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and needs another thread")]

mod slow;

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
};

use tidemill_model::{
    ports::PortErrorKind,
    testing::{Work, begin, until},
};

use super::*;
use crate::{
    generate::{GenerateKind, Generator},
    runtime::Runtime,
    system::{ManualClock, SystemClock, Threads},
    testing::{Heard, accept, connect},
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
    let feed =
        begin("the feed ends", move || to_clients(&mut ToldLines { told, line: b"" }, listener, keep, &SystemClock));
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

/// Says when it is asked for a line.
struct Asked(mpsc::Sender<()>);

impl Feed for Asked {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.0.send(()).unwrap();
        Ok(None)
    }
}

/// Lines that are read before somebody listens would be old when they are heard.
#[test]
fn nothing_is_read_before_somebody_listens() {
    for keep in [false, true] {
        let listener = listen(&Address { host: "127.0.0.1".to_owned(), port: 0 }).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, is_asked) = mpsc::channel();
        let feed = begin("the feed ends", move || to_clients(&mut Asked(asked), listener, keep, &SystemClock));
        assert!(is_asked.recv_timeout(Duration::from_millis(300)).is_err(), "nobody listens yet");
        let _client = client(address);
        feed.end().unwrap();
        is_asked.try_recv().unwrap();
    }
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

/// Where time passes at once, and somebody begins to listen at an address after so many waits.
struct ComesLate {
    clock: ManualClock,
    waits: Mutex<u32>,
    /// Has the port, so that no other program can come between.
    socket: Mutex<Option<tokio::net::TcpSocket>>,
    came: Mutex<Option<TcpListener>>,
    runtime: Runtime,
}

impl Clock for ComesLate {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn wait(&self, until: Timestamp, wake: &Wake) {
        let mut waits = self.waits.lock().unwrap();
        *waits += 1;
        if *waits == 3 {
            let socket = self.socket.lock().unwrap().take().unwrap();
            let listener = self.runtime.handle().block_on(async { socket.listen(8).unwrap().into_std().unwrap() });
            listener.set_nonblocking(false).unwrap();
            *self.came.lock().unwrap() = Some(listener);
        }
        self.clock.wait(until, wake);
    }
}

#[test]
fn a_peer_that_is_missing_is_told_of_once_and_tried_every_two_seconds() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let clock = ComesLate {
        clock: ManualClock::new(Timestamp(0)),
        waits: 0.into(),
        socket: Some(socket).into(),
        came: None.into(),
        runtime: Runtime::try_new(&Threads).unwrap(),
    };
    let (teller, told) = mpsc::channel();
    let to = Address { host: "127.0.0.1".to_owned(), port: address.port() };
    let mut feed = CopiedLines::new(&b"a\n"[..]);
    Heard(teller).over(|| to_peer(&mut feed, &to, Patience::TryOn(&clock))).unwrap();
    assert_eq!(told.iter().filter(|said| said.contains("trying on")).count(), 1);
    assert_eq!((*clock.waits.lock().unwrap(), clock.now()), (3, Timestamp(3 * 2_000_000)));
    let mut got = String::new();
    accept(clock.came.lock().unwrap().as_ref().unwrap()).read_to_string(&mut got).unwrap();
    assert_eq!(got, "a\n");
}

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = connect(listener.local_addr().unwrap()).unwrap();
    (one, accept(&listener))
}

#[test]
fn who_has_gone_is_told_from_who_talks() {
    let (here, mut there) = pair();
    assert!(!is_gone(&here));
    // More than is looked at at a time. Some of it may still be on its way.
    there.write_all(&[b'x'; 5_000]).unwrap();
    (0..100).for_each(|_| assert!(!is_gone(&here)));
    // What is sent then waits for room, as before.
    let sent = vec![7; 16 << 20];
    let mut writer = here.try_clone().unwrap();
    let written = begin("all is written", {
        let sent = sent.clone();
        move || writer.write_all(&sent)
    });
    let mut got = vec![0; sent.len()];
    there.read_exact(&mut got).unwrap();
    written.end().unwrap();
    assert!(got == sent);
    there.write_all(&[b'x'; 3_000]).unwrap();
    there.shutdown(Shutdown::Write).unwrap();
    until("it has gone", |_| is_gone(&here).then_some(()));
    let (here, there) = pair();
    drop(there);
    until("it has gone", |_| is_gone(&here).then_some(()));
}

#[test]
fn so_many_clients_are_served_at_a_time() {
    let listener = listen(&Address { host: "127.0.0.1".to_owned(), port: 0 }).unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients: Vec<TcpStream> = (0..66).map(|_| connect(address).unwrap()).collect();
    clients.iter().for_each(|client| client.set_nonblocking(true).unwrap());
    let mut audience = Audience::new(listener, true, &SystemClock);
    audience.wait_for_client().unwrap();
    let mut served = |clients: &[TcpStream], expect: usize| {
        let count = || clients.iter().filter(|client| client.peek(&mut [0]).is_ok()).count();
        until("they are served", |_| {
            audience.refresh().unwrap();
            assert!(audience.send(b"line\n").unwrap());
            assert!(count() <= expect, "{} clients", count());
            (count() == expect).then_some(())
        });
    };
    served(&clients, 64);
    let is_served = |client: &TcpStream| client.peek(&mut [0]).is_ok();
    let at = clients.iter().position(is_served).unwrap();
    clients.remove(at);
    served(&clients, 64);
}

#[test]
fn at_high_rates_lines_go_together() {
    let lines = |rate: Option<u64>, count: Option<u64>| {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let mut feed = GeneratedLines::new(Generator::new(GenerateKind::Points, 1), rate, count, clock);
        let block = feed.next().unwrap().unwrap_or_default();
        block.iter().filter(|&&byte| byte == b'\n').count()
    };
    // So many times a second, and so many lines at most; never none, and no more than there are.
    for (rate, expect) in [(0, 1), (1, 1), (199, 1), (200, 2), (102_400, 1_024), (1_000_000, 1_024)] {
        assert_eq!(lines(Some(rate), None), expect, "{rate} a second");
    }
    assert_eq!((lines(Some(1_000_000), Some(7)), lines(Some(1_000_000), Some(0))), (7, 0));
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let mut feed = GeneratedLines::new(Generator::new(GenerateKind::Points, 1), None, None, clock);
    let block = feed.next().unwrap().unwrap().to_vec();
    let last = block.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap().len() + 1;
    assert!((64 << 10..(64 << 10) + last).contains(&block.len()), "{} bytes", block.len());
}

#[test]
fn a_vocabulary_has_a_word_at_least() {
    let words = |vocabulary: usize| {
        let mut out = Vec::new();
        let mut generator = Generator::with_vocabulary(GenerateKind::Words, 1, vocabulary);
        (0..100).for_each(|_| generator.append_line(&mut out));
        let text = String::from_utf8(out).unwrap();
        text.split_whitespace().map(str::to_owned).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((words(0), words(1), words(2), words(3)), (1, 1, 2, 3));
}

#[test]
fn a_line_is_cut_only_where_it_is_far_too_long() {
    let mebibyte = 1 << 20;
    for (length, parts) in [(10, 1), (mebibyte, 1), (mebibyte + 1, 2)] {
        let text = [vec![b'x'; length], b"\nrest\n".to_vec()].concat();
        // Read in pieces that end where the line could be cut.
        let mut feed = CopiedLines::new(BufReader::with_capacity(length, &text[..]));
        let mut blocks = Vec::new();
        while let Some(lines) = feed.next().unwrap() {
            blocks.push(lines.to_vec());
        }
        assert_eq!(blocks.concat(), text);
        let cut = blocks.iter().filter(|block| !block.ends_with(b"\n")).count();
        assert_eq!(cut + 1, parts, "{length} bytes");
    }
}

/// Gives what it was told, error or bytes, call by call.
struct Stutters(Vec<io::Result<&'static [u8]>>);

impl Read for Stutters {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("it is read by its buffer")
    }
}

impl BufRead for Stutters {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if matches!(self.0.first(), Some(Err(_))) {
            return Err(self.0.remove(0).unwrap_err());
        }
        Ok(self.0.first().map_or(&[], |bytes| bytes.as_ref().unwrap()))
    }

    fn consume(&mut self, amount: usize) {
        if amount > 0 {
            self.0.remove(0).unwrap();
        }
    }
}

#[test]
fn reading_that_was_interrupted_goes_on_and_other_errors_are_told() {
    let interrupted = || Err(io::ErrorKind::Interrupted.into());
    let stutters = Stutters(vec![interrupted(), Ok(b"a\nb"), interrupted(), interrupted(), Ok(b"c\n"), interrupted()]);
    let mut out = Vec::new();
    to_writer(&mut CopiedLines::new(stutters), &mut out).unwrap();
    assert_eq!(out, b"a\nbc\n");
    let broken = Stutters(vec![Ok(b"a\n"), Err(io::ErrorKind::ConnectionReset.into())]);
    let error = to_writer(&mut CopiedLines::new(broken), &mut Vec::new()).unwrap_err();
    assert_eq!(error.source.unwrap().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn without_keeping_on_nobody_else_is_let_in() {
    let (address, teller, feed) = serve(false);
    let mut one = client(address);
    teller.send(b"a\n").unwrap();
    assert_eq!(line(&mut one), "a\n");
    // It was let in, or this line would not have come; from then on nobody listens.
    assert_eq!(connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    teller.send(b"b\n").unwrap();
    assert_eq!(line(&mut one), "b\n");
    drop(teller);
    feed.end().unwrap();
}
