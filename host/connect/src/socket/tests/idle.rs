//! Connections that say nothing for too long, by a clock that the test has.

use super::*;

/// A limit that is short by the system's clock, so that it is looked often; what time it is the test says.
const IDLE: Duration = Duration::from_millis(20);

/// A source whose connections may be quiet for [`IDLE`], and its clock.
fn idle(mode: SocketMode, idle_max: Option<Duration>, buffer_bytes_max: usize) -> (Trial, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let world = World { clock: clock.clone(), ..world(Arc::new(Threads)) };
    let spec = SocketSource { mode, text: TextOptions::default(), buffer_bytes_max, idle_max, acknowledge: false };
    let mut source = ReceivedLines::open_with_chunks("lines", &spec, &world, 1).unwrap();
    begin_source(&mut source);
    let runtime = Runtime::of(&world).unwrap();
    (Trial { source, wake: world.wake.clone(), lines: Vec::new(), runtime }, clock)
}

fn idle_listening(idle_max: Option<Duration>) -> (Trial, Arc<ManualClock>) {
    idle(SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port: 0 }), idle_max, 1 << 20)
}

/// So much time goes by, and the source has looked at its clock several times, if it does.
fn pass(clock: &ManualClock, time: Duration) {
    let micros = i64::try_from(time.as_micros()).unwrap();
    clock.advance_to(Timestamp(clock.now().0 + micros));
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(IDLE * 4);
}

/// Whether the other side has closed, however it said so.
fn is_closed(connection: &mut TcpStream) -> bool {
    connection.set_nonblocking(true).unwrap();
    let read = connection.read(&mut [0; 64]);
    connection.set_nonblocking(false).unwrap();
    match read {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn a_connection_without_a_line_is_closed_after_its_time_and_a_line_begins_it_anew() {
    let (mut trial, clock) = idle_listening(Some(IDLE));
    let mut producer = trial.producer();
    for _ in 0..10 {
        producer.write_all(b"a\n").unwrap();
        assert_eq!(trial.lines(1), ["a"]);
        pass(&clock, IDLE * 2 / 3);
        assert!(!is_closed(&mut producer), "it is not quiet for so long");
    }
    // What has no end is no line, and does not make it longer; it is the last one, as with any other end.
    producer.write_all(b"half").unwrap();
    until("it is closed", |_| {
        pass(&clock, IDLE);
        is_closed(&mut producer).then_some(())
    });
    assert_eq!(trial.lines(1), ["half"]);
    let mut next = trial.producer();
    next.write_all(b"b\n").unwrap();
    assert_eq!(trial.lines(1), ["b"]);
}

#[test]
fn bytes_without_the_end_of_a_line_are_quiet() {
    let (trial, clock) = idle_listening(Some(IDLE));
    let mut producer = trial.producer();
    until("it is closed", |_| {
        let written = producer.write_all(b"x");
        pass(&clock, IDLE);
        (written.is_err() || is_closed(&mut producer)).then_some(())
    });
}

#[test]
fn without_a_limit_a_connection_may_be_quiet_for_ever() {
    let (mut trial, clock) = idle_listening(None);
    let mut producer = trial.producer();
    producer.write_all(b"a\n").unwrap();
    assert_eq!(trial.lines(1), ["a"]);
    pass(&clock, Duration::from_secs(366 * 86_400));
    assert!(!is_closed(&mut producer));
    producer.write_all(b"b\n").unwrap();
    assert_eq!(trial.lines(1), ["b"]);
}

/// Nobody is quiet who is not listened to: there was no room.
#[test]
fn a_peer_that_is_held_back_is_not_quiet() {
    let address = Address { host: "127.0.0.1".to_owned(), port: 0 };
    let (mut trial, clock) = idle(SocketMode::Listen(address), Some(IDLE), 100);
    let mut producer = trial.producer();
    producer.write_all(&b"0123456789\n".repeat(20)).unwrap();
    until("it has come", |pause| {
        let has_come = lock(&trial.source.receiver.inbox).lines.received() == 20;
        if !has_come {
            trial.wake.wait(Some(pause));
        }
        has_come.then_some(())
    });
    for _ in 0..5 {
        pass(&clock, IDLE * 10);
    }
    assert!(!is_closed(&mut producer));
    // Its time begins when there is room.
    assert_eq!(trial.lines(20).len(), 20);
    pass(&clock, IDLE * 2 / 3);
    assert!(!is_closed(&mut producer));
    producer.write_all(b"more\n").unwrap();
    assert_eq!(trial.lines(1), ["more"]);
}

#[test]
fn a_source_that_connects_does_so_again_when_its_peer_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let (mut trial, clock) = idle(SocketMode::Connect(address), Some(IDLE), 1 << 20);
    let mut silent = accept(&listener);
    until("it is closed", |_| {
        pass(&clock, IDLE);
        is_closed(&mut silent).then_some(())
    });
    let mut peer = accept(&listener);
    peer.write_all(b"a\n").unwrap();
    assert_eq!(trial.lines(1), ["a"]);
}
