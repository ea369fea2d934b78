//! A producer that keeps its lines until it is told that they are durable, and goes on there when it connects again.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, TryRecvError},
    time::Duration,
};

use crate::records;

/// Lines that are sent at a time.
const LINES: u64 = 50;

/// How long it listens for what it is told, between two times.
const PAUSE: Duration = Duration::from_millis(15);

/// Sends before it breaks the connection of its own accord.
const SENDS: usize = 40;

/// An address that is free, of those that the system gives to nobody by itself.
pub fn address() -> SocketAddr {
    let mut ports = (20_000..30_000).map(|port| (port + std::process::id() as u16 % 9_000 - 20_000) % 10_000 + 20_000);
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    SocketAddr::from(([127, 0, 0, 1], free.unwrap()))
}

struct Producer {
    /// Lines that there are.
    lines: u64,
    /// Lines that are durable, as it was told.
    durable: u64,
    /// The beginning of what it is being told.
    told: Vec<u8>,
}

/// Sends lines until it is told to stop, and then until all of them are durable; gives their number.
pub fn feed(address: SocketAddr, stopped: &Receiver<()>) -> u64 {
    let mut producer = Producer { lines: 0, durable: 0, told: Vec::new() };
    let mut is_stopped = false;
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    while !is_stopped || producer.durable < producer.lines {
        if let Ok(connection) = TcpStream::connect(address) {
            // Whatever ends the connection, the next one goes on where it has to.
            let _ = producer.serve(connection, stopped, &mut is_stopped);
        }
        let _ = nothing.recv_timeout(Duration::from_millis(1));
        is_stopped |= is_told_to_stop(stopped);
    }
    producer.lines
}

fn is_told_to_stop(stopped: &Receiver<()>) -> bool {
    stopped.try_recv() == Err(TryRecvError::Disconnected)
}

impl Producer {
    fn serve(
        &mut self,
        mut connection: TcpStream,
        stopped: &Receiver<()>,
        is_stopped: &mut bool,
    ) -> Result<(), ErrorKind> {
        connection.set_read_timeout(Some(PAUSE)).unwrap();
        self.told.clear();
        let mut sent = None;
        for _ in 0..SENDS {
            while let Some(number) = self.listen(&mut connection)? {
                // What was durable once stays so, and nothing is that was never sent.
                assert!((self.durable..=sent.unwrap_or(self.lines)).contains(&number), "{number} of {sent:?}");
                self.durable = number;
                sent.get_or_insert(number);
            }
            *is_stopped |= is_told_to_stop(stopped);
            if *is_stopped && self.durable == self.lines {
                return Ok(());
            }
            let Some(from) = sent else { continue };
            self.lines += if *is_stopped { 0 } else { LINES };
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
