//! Peers on this machine: one that is connected to, and one that connects and keeps what is not durable.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tidemill_conform::{Feed, SourceSample};
use tidemill_connect::system::SystemClock;
use tidemill_model::{connector::World, testing::Value};

/// How long a peer may take a connection, or what it is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines that come for a batch: of one of them some chunks are full before it ends.
fn lines(batch: usize) -> Vec<String> {
    (0..[3, 1, 400, 7][batch % 4]).map(|line| format!("line {line} of {batch} {:>1$}", "", line * 4)).collect()
}

/// Listens, and sends to whoever connects.
struct Sender {
    folder: TempDir,
    listener: TcpListener,
    connection: Option<TcpStream>,
    unsent: VecDeque<String>,
    all: Vec<String>,
}

impl Sender {
    fn feed() -> Box<dyn Feed> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Box::new(Sender { folder, listener, connection: None, unsent: VecDeque::new(), all: Vec::new() })
    }

    fn accept(&mut self) {
        if let Ok((connection, _)) = self.listener.accept() {
            connection.set_nonblocking(false).unwrap();
            connection.set_write_timeout(Some(PATIENCE)).unwrap();
            self.connection = Some(connection);
        }
    }
}

impl Feed for Sender {
    fn written(&self) -> String {
        format!("\"{}\"", self.listener.local_addr().unwrap())
    }

    fn world(&self) -> World {
        super::world(Arc::new(SystemClock), self.folder.path())
    }

    fn come(&mut self, batch: usize) {
        let lines = lines(batch);
        self.all.extend(lines.clone());
        self.unsent.extend(lines);
    }

    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        Some(super::rows(&self.all))
    }

    fn turn(&mut self) {
        self.accept();
        let Some(connection) = &mut self.connection else { return };
        while let Some(line) = self.unsent.pop_front() {
            connection.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }

    fn is_touched(&mut self) -> bool {
        self.accept();
        self.connection.is_some()
    }
}

/// An address that stays free from one source to the next: its port is one that the system gives to nobody by itself.
fn address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, a | 64, b, c);
    let host = if TcpListener::bind((own, 0)).is_ok() { own } else { Ipv4Addr::LOCALHOST };
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 30_000, "no port is free");
        if TcpListener::bind((host, port)).is_ok() {
            return SocketAddr::from((host, port));
        }
    }
}

/// Connects, is told how many lines are durable, and sends the others.
struct Keeper {
    folder: TempDir,
    address: SocketAddr,
    /// And how many lines were sent over it; nothing before a number was told.
    connection: Option<(TcpStream, Option<usize>)>,
    told: Vec<u8>,
    /// How many lines are durable, as far as it was told: it does not keep them.
    durable: usize,
    all: Vec<String>,
}

impl Keeper {
    fn feed() -> Box<dyn Feed> {
        let (folder, address) = (tempfile::tempdir().unwrap(), address());
        Box::new(Keeper { folder, address, connection: None, told: Vec::new(), durable: 0, all: Vec::new() })
    }

    /// Sends what is to be sent; an error is the connection's end.
    fn serve(&mut self) -> Result<(), ErrorKind> {
        if self.connection.is_none() {
            let connection = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(|error| error.kind())?;
            connection.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            connection.set_write_timeout(Some(PATIENCE)).unwrap();
            self.told.clear();
            self.connection = Some((connection, None));
        }
        let Some((connection, sent)) = &mut self.connection else { return Ok(()) };
        let mut byte = [0];
        loop {
            match connection.read(&mut byte) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof),
                Ok(_) if byte[0] == b'\n' => {
                    let number = String::from_utf8(std::mem::take(&mut self.told)).unwrap().parse().unwrap();
                    assert!(number >= self.durable, "{} lines were said to be durable, and now {number}", self.durable);
                    self.durable = number;
                    sent.get_or_insert(number);
                }
                Ok(_) => self.told.push(byte[0]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => return Err(error.kind()),
            }
        }
        if let Some(sent) = sent {
            for line in &self.all[*sent..] {
                connection.write_all(format!("{line}\n").as_bytes()).map_err(|error| error.kind())?;
            }
            *sent = self.all.len();
        }
        Ok(())
    }
}

impl Feed for Keeper {
    fn written(&self) -> String {
        format!("{{ listen = \"{}\", acknowledge = true }}", self.address)
    }

    fn world(&self) -> World {
        super::world(Arc::new(SystemClock), self.folder.path())
    }

    fn come(&mut self, batch: usize) {
        self.all.extend(lines(batch));
    }

    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        Some(super::rows(&self.all))
    }

    fn turn(&mut self) {
        if self.serve().is_err() {
            self.connection = None;
        }
    }

    fn is_touched(&mut self) -> bool {
        TcpListener::bind(self.address).is_err()
    }
}

pub fn sources() -> Vec<SourceSample> {
    vec![
        SourceSample {
            key: "socket",
            name: "a peer that is connected to",
            batches: 4,
            ends: false,
            feed: Sender::feed,
        },
        SourceSample { key: "socket", name: "a producer that is told", batches: 4, ends: false, feed: Keeper::feed },
    ]
}
