//! Real connections on this machine. Every line is a chunk here, so that each one rings.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail, and waits in real time"
)]

mod idle;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use arrow_array::cast::AsArray;
use tidemill_model::{
    ports::{Clock, PortErrorKind, Spawn, Wake},
    testing::{begin, until},
};

use super::*;
use crate::{
    Address,
    runtime::Runtime,
    system::{ManualClock, SystemClock, Threads},
    testing::{Heard, PATIENCE, accept, begin_source, connect, is_connected_to},
    text::{InvalidUtf8, TextOptions},
};

/// A source with its thread, and the lines that it gave so far.
struct Trial {
    source: ReceivedLines,
    wake: Wake,
    lines: Vec<String>,
    runtime: Arc<Runtime>,
}

fn open(mode: SocketMode, buffer_bytes_max: usize, chunk_bytes: usize) -> Result<Trial, PortError> {
    open_on(Arc::new(Threads), mode, buffer_bytes_max, chunk_bytes)
}

fn open_on(
    threads: Arc<dyn Spawn>,
    mode: SocketMode,
    buffer_bytes_max: usize,
    chunk_bytes: usize,
) -> Result<Trial, PortError> {
    let world = world(threads);
    let text = TextOptions { line_bytes_max: 1_000, invalid_utf8: InvalidUtf8::Replace };
    let spec = SocketSource { mode, text, buffer_bytes_max, idle_max: None, acknowledge: false };
    let mut source = ReceivedLines::open_with_chunks("lines", &spec, &world, chunk_bytes)?;
    source.begin(&Owner { pipeline: "p", generation: None, is_held: &|| true })?;
    Ok(Trial { source, wake: world.wake.clone(), lines: Vec::new(), runtime: Runtime::of(&world)? })
}

fn world(threads: Arc<dyn Spawn>) -> World {
    let stdout = Arc::new(Mutex::new(Vec::<u8>::new()));
    let world = World::new(Arc::new(SystemClock), threads, ".".into(), stdout);
    World { reconnect_delay: Duration::from_millis(5), ..world }
}

fn connect_to(listener: &TcpListener) -> Trial {
    let port = listener.local_addr().unwrap().port();
    open(SocketMode::Connect(Address { host: "127.0.0.1".to_owned(), port }), 1 << 20, 1).unwrap()
}

fn listen() -> Trial {
    open(SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port: 0 }), 1 << 20, 1).unwrap()
}

impl Trial {
    fn take(&mut self) {
        for chunk in self.source.take(usize::MAX).unwrap().chunks {
            let lines = chunk.rows.column(0).as_string::<i32>().iter().flatten();
            self.lines.extend(lines.map(str::to_owned));
        }
    }

    /// Takes until there are so many lines, and forgets them.
    #[track_caller]
    fn lines(&mut self, count: usize) -> Vec<String> {
        until(&format!("{count} lines come"), |pause| {
            self.take();
            let are_there = self.lines.len() >= count;
            if !are_there {
                self.wake.wait(Some(pause));
            }
            are_there.then_some(())
        });
        std::mem::take(&mut self.lines)
    }

    fn producer(&self) -> TcpStream {
        connect(self.source.local_address().unwrap()).unwrap()
    }
}

#[test]
fn a_peer_may_go_and_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut trial = connect_to(&listener);
    let mut peer = accept(&listener);
    peer.write_all(b"a\r").unwrap();
    peer.write_all(b"\nb\nla").unwrap();
    assert_eq!(trial.lines(2), ["a", "b"]);
    peer.write_all(b"st").unwrap();
    drop(peer);
    assert_eq!(trial.lines(1), ["last"]);
    let mut peer = accept(&listener);
    peer.write_all(b"again\n").unwrap();
    assert_eq!(trial.lines(1), ["again"]);
}

impl Spawn for Heard {
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        let heard = self.clone();
        Threads.spawn(name, Box::new(move || heard.over(work)));
    }
}

#[test]
fn a_peer_that_is_not_there_is_tried_again() {
    // The port is taken and nobody listens: no other program can come between.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let (host, port) = (address.ip().to_string(), address.port());
    let (teller, told) = mpsc::channel();
    let mut trial = open_on(Arc::new(Heard(teller)), SocketMode::Connect(Address { host, port }), 1 << 20, 1).unwrap();
    // That it is missing is told once, and not again as long as it is.
    let missing = || {
        let mut said = Vec::new();
        until("it is refused, and is tried again", |pause| {
            said.extend(told.recv_timeout(pause));
            (said.iter().filter(|said| said.contains("still nobody")).count() >= 3).then_some(())
        });
        said.into_iter().filter(|said| said.contains("trying on")).count()
    };
    assert_eq!(missing(), 1);
    let runtime = trial.runtime.handle().clone();
    let listener = runtime.block_on(async { socket.listen(8).unwrap().into_std().unwrap() });
    listener.set_nonblocking(false).unwrap();
    let mut peer = accept(&listener);
    peer.write_all(b"there\n").unwrap();
    assert_eq!(trial.lines(1), ["there"]);
    // As long as this connection is there, nobody else gets the port.
    drop(listener);
    told.try_iter().for_each(drop);
    drop(peer);
    assert_eq!(missing(), 1, "it has come and gone");
}

#[test]
fn producers_come_together_and_lines_stay_whole() {
    let mut trial = listen();
    let (mut one, mut two) = (trial.producer(), trial.producer());
    for part in ["1a 1", "b 1c\n1d 1e 1f\n"] {
        one.write_all(part.as_bytes()).unwrap();
        two.write_all(part.replace('1', "2").as_bytes()).unwrap();
    }
    let mut lines = trial.lines(4);
    lines.sort();
    assert_eq!(lines, ["1a 1b 1c", "1d 1e 1f", "2a 2b 2c", "2d 2e 2f"]);
    drop((one, two));
    trial.producer().write_all(b"three").unwrap();
    assert_eq!(trial.lines(1), ["three"]);
}

#[test]
fn bad_bytes_are_lines_too_and_long_lines_are_counted() {
    let mut trial = listen();
    let mut binary: Vec<u8> = (0..=255).collect();
    binary.extend(vec![b'x'; 5_000]);
    binary.extend(b"\nend\n");
    trial.producer().write_all(&binary).unwrap();
    let lines = trial.lines(2);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], String::from_utf8_lossy(&binary[..10]));
    assert_eq!(lines[1], "end");
    let told: Vec<_> = trial.source.irregularities().into_iter().map(|one| (one.what, one.count)).collect();
    assert_eq!(told, [("line longer than 1000 bytes, rejected".to_owned(), 1)]);
}

#[test]
fn a_full_buffer_stops_the_peer() {
    let mut trial = open(SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port: 0 }), 10_000, 100).unwrap();
    let mut producer = trial.producer();
    producer.set_nonblocking(true).unwrap();
    let line = [b"0123456789".repeat(9), b"\n".to_vec()].concat().repeat(1_000);
    let mut sent = 0;
    // The kernel's buffers fill up, and then nothing goes any more, because nobody takes.
    loop {
        match producer.write(&line[sent % line.len()..]) {
            Ok(len) => sent += len,
            Err(_) if is_stuck(&mut producer, &line[sent % line.len()..], &mut sent) => break,
            Err(_) => {}
        }
        assert!(sent < 1 << 28, "the buffer has no end");
    }
    let held = lock(&trial.source.receiver.inbox).lines.held_bytes();
    assert!(held <= 10_000 + 2 * READ_BYTES_MAX, "{held}");
    producer.set_nonblocking(false).unwrap();
    let rest = line[sent % line.len()..].to_vec();
    let lines = (sent + rest.len()) / 91;
    producer.set_write_timeout(Some(PATIENCE)).unwrap();
    let writer = begin("the rest is written", move || producer.write_all(&rest).unwrap());
    assert_eq!(trial.lines(lines).len(), lines);
    writer.end();
}

/// Nothing can be written, even after a while.
fn is_stuck(producer: &mut TcpStream, line: &[u8], sent: &mut usize) -> bool {
    producer.set_nonblocking(false).unwrap();
    producer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let written = producer.write(line);
    producer.set_nonblocking(true).unwrap();
    *sent += written.as_ref().map_or(0, |len| *len);
    written.is_err()
}

#[test]
fn a_batch_ends_where_it_is_sealed() {
    let mut trial = listen();
    let mut producer = trial.producer();
    producer.write_all(b"a\nb\n").unwrap();
    assert_eq!(trial.lines(2), ["a", "b"]);
    // What was received after the time of the seal stays for the next batch.
    let before = SystemClock.now();
    producer.write_all(b"c\nd").unwrap();
    until("it rings", |pause| trial.wake.wait(Some(pause)).then_some(()));
    let sealed = trial.source.seal(Timestamp(before.0 - 1)).unwrap();
    assert!(sealed.present && !sealed.last);
    let taken = trial.source.take(usize::MAX).unwrap();
    assert!(taken.end && taken.chunks.is_empty());
    // The ring that was heard may have been an older one, so the line may still be on its way.
    let chunks = until("the line comes", |pause| {
        trial.source.seal(SystemClock.now()).unwrap();
        let taken = trial.source.take(usize::MAX).unwrap();
        assert!(taken.end);
        if taken.chunks.is_empty() {
            trial.wake.wait(Some(pause));
        }
        Some(taken.chunks).filter(|chunks| !chunks.is_empty())
    });
    assert_eq!(chunks.len(), 1);
    producer.write_all(b"e\n").unwrap();
    assert_eq!(trial.lines(1), ["de"]);
}

#[test]
fn a_port_in_use_is_known_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = open(SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port }), 1, 1).err().unwrap();
    assert_eq!(error.kind, PortErrorKind::Environment);
    let what = "the port is in use: end the program that has it, or choose another port";
    assert_eq!(error.to_string(), format!("stream `lines` cannot listen at 127.0.0.1:{port}: {what}"));
}

/// The host before lets go of the port when it notices that it was overtaken: whoever took over waits for that, but not for
/// ever.
#[test]
fn a_port_of_the_host_before_is_waited_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let world = World { clock: clock.clone(), interval: Duration::from_secs(60), ..world(Arc::new(Threads)) };
    let mode = SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port });
    let spec = SocketSource {
        mode,
        text: TextOptions::default(),
        buffer_bytes_max: 1 << 20,
        idle_max: None,
        acknowledge: false,
    };
    let begin = |source: &mut ReceivedLines, generation| {
        source.begin(&Owner { pipeline: "p", generation, is_held: &|| true }).map_err(|error| error.kind)
    };
    let mut source = ReceivedLines::open("lines", &spec, &world).unwrap();
    for generation in [None, Some(1)] {
        assert_eq!(begin(&mut source, generation), Err(PortErrorKind::Environment), "nobody was overtaken");
    }
    for (second, kind) in
        [(0, PortErrorKind::Passing), (129, PortErrorKind::Passing), (131, PortErrorKind::Environment)]
    {
        clock.advance_to(Timestamp(second * 1_000_000));
        assert_eq!(begin(&mut source, Some(2)), Err(kind), "after {second} s");
    }
    drop(taken);
    assert_eq!(begin(&mut source, Some(2)), Ok(()));
    assert_eq!(source.local_address().map(|address| address.port()), Some(port));
}

#[test]
fn nothing_is_listened_at_or_connected_to_before_it_begins() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let address = || Address { host: "127.0.0.1".to_owned(), port };
    let world = world(Arc::new(Refusing));
    for mode in [SocketMode::Connect(address()), SocketMode::Listen(address())] {
        let spec = SocketSource {
            mode,
            text: TextOptions::default(),
            buffer_bytes_max: 1 << 20,
            idle_max: None,
            acknowledge: true,
        };
        // The port that it is to listen at is in use, and there are no threads.
        let mut source = ReceivedLines::open("lines", &spec, &world).unwrap();
        source.resume_after("{\"source\":\"socket\",\"lines\":7}").unwrap();
        source.seal(Timestamp(0)).unwrap();
        let taken = source.take(usize::MAX).unwrap();
        assert!(taken.end && taken.chunks.is_empty());
        source.stop();
    }
    assert!(!is_connected_to(&peer));
}

/// Has no threads to give.
struct Refusing;

impl Spawn for Refusing {
    fn spawn(&self, name: String, _: Box<dyn FnOnce() + Send>) {
        panic!("the thread `{name}` is started");
    }
}

#[test]
fn stopping_lets_go_of_the_connections() {
    let mut trial = listen();
    let mut producer = trial.producer();
    producer.write_all(b"a\n").unwrap();
    assert_eq!(trial.lines(1), ["a"]);
    trial.source.stop();
    producer.set_read_timeout(Some(PATIENCE)).unwrap();
    // The end of the stream, or a reset: in any case not nothing.
    let end = producer.read(&mut [0; 1]);
    assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
}

#[test]
fn a_source_that_is_dropped_lets_go_of_its_port() {
    let trial = listen();
    let mut producer = trial.producer();
    let address = trial.source.local_address().unwrap();
    // The threads of the source's connections go on for other sources.
    let Trial { source, runtime, .. } = trial;
    drop(source);
    let end = producer.read(&mut [0; 1]);
    assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    until("nobody listens", |_| connect(address).is_err().then_some(()));
    drop(runtime);
}

#[test]
fn a_source_gives_what_is_asked_for_and_says_how_much() {
    let mut trial = listen();
    let mut producer = trial.producer();
    producer.write_all(b"a\nb\nc\nd\ne\nf\n").unwrap();
    until("the lines come", |pause| {
        let have_come = lock(&trial.source.receiver.inbox).lines.received() == 6;
        if !have_come {
            trial.wake.wait(Some(pause));
        }
        have_come.then_some(())
    });
    // Each line, with its end, is a chunk of two bytes.
    for (bytes_max, chunks) in [(0, 1), (2, 1), (3, 2), (usize::MAX, 2), (usize::MAX, 0)] {
        let taken = trial.source.take(bytes_max).unwrap();
        assert_eq!((taken.chunks.len(), taken.bytes, taken.end), (chunks, 2 * chunks, false), "{bytes_max}");
    }
}

/// What is behind a seal, and is a full chunk already, is asked for again: nothing else would ring for it.
#[test]
fn full_chunks_behind_a_seal_ring_once_the_batch_is_taken() {
    for (bytes, rings) in [(CHUNK_BYTES - 1, false), (CHUNK_BYTES, true), (CHUNK_BYTES + 1, true)] {
        let address = Address { host: "127.0.0.1".to_owned(), port: 0 };
        let mut trial = open(SocketMode::Listen(address), 1 << 20, CHUNK_BYTES).unwrap();
        let before = SystemClock.now();
        {
            let mut inbox = lock(&trial.source.receiver.inbox);
            let line = "x".repeat(1_023);
            (0..bytes / 1_024).for_each(|_| inbox.lines.push(&line));
            if bytes % 1_024 > 0 {
                inbox.lines.push(&line[..bytes % 1_024 - 1]);
            }
            inbox.arrived(Timestamp(before.0 + 1));
        }
        trial.source.seal(before).unwrap();
        let taken = trial.source.take(usize::MAX).unwrap();
        assert!(taken.end && taken.chunks.is_empty());
        assert_eq!(trial.wake.wait(Some(Duration::ZERO)), rings, "{bytes} bytes");
        // Without a batch that ends there is nothing to be told.
        trial.source.take(0).unwrap();
        assert!(!trial.wake.wait(Some(Duration::ZERO)));
    }
}

/// A source that acknowledges, behind a batch of so many lines.
fn acknowledging(lines: Option<u64>) -> Trial {
    let world = world(Arc::new(Threads));
    let mode = SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port: 0 });
    let text = TextOptions { line_bytes_max: 10, invalid_utf8: InvalidUtf8::Reject };
    let spec = SocketSource { mode, text, buffer_bytes_max: 1 << 20, idle_max: None, acknowledge: true };
    let mut source = ReceivedLines::open_with_chunks("lines", &spec, &world, 1).unwrap();
    let pin = lines.map(|lines| format!("{{\"source\":\"socket\",\"lines\":{lines}}}"));
    pin.iter().for_each(|pin| source.resume_after(pin).unwrap());
    begin_source(&mut source);
    Trial { source, wake: world.wake.clone(), lines: Vec::new(), runtime: Runtime::of(&world).unwrap() }
}

impl Trial {
    /// Ends a batch, which becomes durable; gives its pin.
    fn commit(&mut self) -> String {
        let pin = self.source.pin().unwrap();
        self.source.acknowledge();
        pin
    }
}

/// What a producer is told next.
fn told(producer: &TcpStream) -> String {
    producer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = Vec::new();
    let mut byte = [0];
    while { producer }.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn a_producer_is_told_what_is_durable() {
    let mut trial = acknowledging(None);
    let mut producer = trial.producer();
    producer.write_all(b"a\nmuch too long\nb\n\xff\nc").unwrap();
    trial.source.acknowledge();
    assert_eq!(told(&producer), "0");
    assert_eq!(trial.lines(2), ["a", "b"]);
    let pin = trial.commit();
    assert_eq!(told(&producer), "4", "lines that became no rows too");
    assert!(pin.contains("\"lines\":4"), "{pin}");
    // What has no end is no line when the producer goes.
    drop(producer);
    let mut producer = trial.producer();
    assert_eq!(told(&producer), "4");
    producer.write_all(b"c\nd\n").unwrap();
    assert_eq!(trial.lines(2), ["c", "d"]);
    trial.commit();
    assert_eq!(told(&producer), "6");
}

#[test]
fn a_producer_that_comes_again_waits_until_what_it_sent_is_durable() {
    let mut trial = acknowledging(Some(1_000));
    trial.source.acknowledge();
    let mut first = trial.producer();
    assert_eq!(told(&first), "1000");
    first.write_all(b"a\n").unwrap();
    assert_eq!(trial.lines(1), ["a"]);
    first.write_all(b"b\n").unwrap();
    until("the line comes", |pause| {
        let has_come = lock(&trial.source.receiver.inbox).lines_received() == 1_002;
        if !has_come {
            trial.wake.wait(Some(pause));
        }
        has_come.then_some(())
    });
    // The first connection is still there; nobody knows that nothing will come of it.
    let mut second = trial.producer();
    assert_eq!(told(&first), "", "it is let go");
    second.write_all(b"c\n").unwrap();
    trial.commit();
    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut [0; 1]).is_err(), "`b` is not durable");
    assert_eq!(trial.lines(1), ["b"]);
    trial.commit();
    assert_eq!(told(&second), "1002");
    assert_eq!(trial.lines(1), ["c"]);
}
