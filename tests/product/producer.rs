//! A producer that keeps its lines until it is told that they are durable, and goes on there when it connects again.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
    time::Duration,
};

use crate::{limit::wait_until, records};

/// Lines that are sent at a time.
const LINES: u64 = 50;

/// How long it listens for what it is told, between two times.
const PAUSE: Duration = Duration::from_millis(15);

/// How long a peer may take no connection, or nothing of what it is sent.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends before it breaks the connection of its own accord.
const SENDS: usize = 40;

/// An address that stays free from one life of a program to the next: its port is one that the system gives to nobody by
/// itself, no other test of this process has got it, and other processes have addresses of their own where this machine
/// has more than one.
pub fn address() -> SocketAddr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, a | 64, b, c);
    let host = if TcpListener::bind((own, 0)).is_ok() { own } else { Ipv4Addr::LOCALHOST };
    address_of(host)
}

/// The same of a host that is given: other processes may use it too, and have taken other ports by then, or begin elsewhere.
pub fn address_of(host: Ipv4Addr) -> SocketAddr {
    const PORTS: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (std::process::id().wrapping_mul(61).wrapping_add(next) % PORTS) as u16;
        if TcpListener::bind((host, port)).is_ok() {
            return SocketAddr::from((host, port));
        }
    }
    panic!("no port is free");
}

struct Producer {
    /// Lines that there are.
    lines: u64,
    /// Lines that are durable, as it was told.
    durable: u64,
    /// The beginning of what it is being told.
    told: Vec<u8>,
}

/// Sends lines until it is told to stop, then some more, and waits until all of them are durable; gives their number. Whoever
/// starts it waits with a limit of its own; its own begins when it is told to stop, so that it does not go on for ever when
/// that test has failed.
pub fn feed(address: SocketAddr, stopped: &Receiver<()>) -> u64 {
    let mut producer = Producer { lines: 0, durable: 0, told: Vec::new() };
    let mut left = LINES;
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    let mut serve = || {
        if let Ok(connection) = TcpStream::connect_timeout(&address, LIMIT) {
            // Whatever ends the connection, the next one goes on where it has to.
            let _ = producer.serve(connection, stopped, &mut left);
        }
        left == 0 && producer.durable == producer.lines
    };
    while !serve() && !is_told_to_stop(stopped) {
        let _ = nothing.recv_timeout(Duration::from_millis(1));
    }
    wait_until("all that was sent is durable", serve);
    producer.lines
}

fn is_told_to_stop(stopped: &Receiver<()>) -> bool {
    stopped.try_recv() == Err(TryRecvError::Disconnected)
}

impl Producer {
    fn serve(&mut self, mut connection: TcpStream, stopped: &Receiver<()>, left: &mut u64) -> Result<(), ErrorKind> {
        connection.set_read_timeout(Some(PAUSE)).unwrap();
        connection.set_write_timeout(Some(LIMIT)).unwrap();
        self.told.clear();
        let mut sent = None;
        for _ in 0..SENDS {
            while let Some(number) = self.listen(&mut connection)? {
                // What was durable once stays so, and nothing is that was never sent.
                assert!((self.durable..=sent.unwrap_or(self.lines)).contains(&number), "{number} of {sent:?}");
                self.durable = number;
                sent.get_or_insert(number);
            }
            if *left == 0 && self.durable == self.lines {
                return Ok(());
            }
            let Some(from) = sent else { continue };
            self.lines += *left;
            if is_told_to_stop(stopped) {
                *left = 0;
            }
            connection.write_all(records::text(from..self.lines).as_bytes()).map_err(|error| error.kind())?;
            sent = Some(self.lines);
        }
        Ok(())
    }

    /// The next number that it is told, if it is told one soon.
    fn listen(&mut self, connection: &mut TcpStream) -> Result<Option<u64>, ErrorKind> {
        let mut byte = [0];
        loop {
            match connection.read(&mut byte) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof),
                Ok(_) if byte[0] == b'\n' => {
                    let told = std::mem::take(&mut self.told);
                    return Ok(Some(String::from_utf8(told).unwrap().parse().unwrap()));
                }
                Ok(_) => self.told.push(byte[0]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) => return Err(error.kind()),
            }
        }
    }
}
