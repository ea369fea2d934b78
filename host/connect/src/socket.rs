//! Lines over TCP.
//!
//! A task for each connection reads into one block that all share, and cuts lines from it into an inbox, which knows
//! when what arrived. The inbox is bounded: while it is full no socket is read, so that TCP slows the peers down.

mod acknowledge;
mod connect;
mod inbox;
mod listen;
mod quiet;
mod receive;
mod settings;
#[cfg(test)]
mod tests;
mod visits;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use arrow_schema::SchemaRef;
use tidemill_model::{
    connector::World,
    ports::{Acknowledging, Chunk, Irregularity, Owner, PortError, PortErrorKind, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    lock, pin,
    runtime::Runtime,
    text::{self, CHUNK_BYTES},
};
use acknowledge::Acknowledged;
use inbox::Inbox;
use receive::Receiver;
pub use settings::{SOCKET, SocketMode, SocketSource};
use visits::Visits;

/// How long a peer may take to answer before it counts as not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many producers a listening source has at a time; more wait until one goes.
pub const PRODUCERS_MAX: usize = 64;

/// Bytes read at a time: as much as a core's cache has room for beside a chunk.
pub const READ_BYTES_MAX: usize = 256 << 10;

/// How long a port may be another's behind a take-over, besides two intervals: the host before lets go of it when it notices, at
/// a batch's end.
const TAKE_OVER: Duration = Duration::from_secs(10);

/// The lines that come over a socket.
#[derive(Debug)]
pub struct ReceivedLines {
    spec: SocketSource,
    schema: Schema,
    arrow: SchemaRef,
    world: World,
    receiver: Arc<Receiver>,
    receiving: Option<Receiving>,
    /// When it was first found that the port is another's.
    waits_since: Option<Duration>,
    /// Lines up to the last pin.
    pinned: u64,
}

/// What runs once it has begun.
#[derive(Debug)]
struct Receiving {
    task: JoinHandle<()>,
    local_address: Option<SocketAddr>,
    /// Where the task runs.
    _runtime: Arc<Runtime>,
}

impl ReceivedLines {
    /// A source that has not begun.
    pub(crate) fn open(stream: &str, spec: &SocketSource, world: &World) -> Result<ReceivedLines, PortError> {
        ReceivedLines::open_with_chunks(stream, spec, world, CHUNK_BYTES)
    }

    fn open_with_chunks(
        stream: &str,
        spec: &SocketSource,
        world: &World,
        chunk_bytes: usize,
    ) -> Result<ReceivedLines, PortError> {
        text::check_options(stream, &spec.text)?;
        if spec.buffer_bytes_max == 0 {
            return Err(PortError::configuration(format!("stream `{stream}`: a buffer of 0 bytes takes no line")));
        }
        let mut inbox = Inbox::new(chunk_bytes);
        if spec.acknowledge {
            inbox.count_from(0);
        }
        let receiver = Receiver {
            stream: stream.to_owned(),
            clock: Arc::clone(&world.clock),
            wake: world.wake.clone(),
            text: spec.text.clone(),
            visits: Visits::default(),
            buffer_bytes_max: spec.buffer_bytes_max,
            idle_max: spec.idle_max,
            inbox: Mutex::new(inbox),
            durable: spec.acknowledge.then(|| watch::Sender::new(None)),
            room: Notify::new(),
            block: Mutex::new(vec![0; READ_BYTES_MAX]),
        };
        let schema = text::schema();
        Ok(ReceivedLines {
            spec: spec.clone(),
            arrow: schema.to_arrow(),
            schema,
            world: world.clone(),
            receiver: Arc::new(receiver),
            receiving: None,
            waits_since: None,
            pinned: 0,
        })
    }

    /// Where a listening source listens, once it has begun: its port was chosen by the system if 0 was asked for.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.receiving.as_ref()?.local_address
    }

    /// Begins to listen, or to connect.
    fn receive(&self) -> Result<Receiving, PortError> {
        let runtime = Runtime::of(&self.world)?;
        let receiver = Arc::clone(&self.receiver);
        let (task, local_address) = match &self.spec.mode {
            SocketMode::Connect(address) => {
                let delay = self.world.reconnect_delay;
                (runtime.handle().spawn(connect::keep_connected(receiver, address.clone(), delay)), None)
            }
            SocketMode::Listen(address) => {
                let (listener, local) = listen::bind(&receiver.stream, address, runtime.handle())?;
                let task = match self.spec.acknowledge {
                    true => runtime.handle().spawn(acknowledge::accept(receiver, listener)),
                    false => runtime.handle().spawn(listen::accept(receiver, listener)),
                };
                (task, Some(local))
            }
        };
        Ok(Receiving { task, local_address, _runtime: runtime })
    }

    /// Whether the host before may still have the port.
    fn may_be_let_go(&mut self, owner: &Owner<'_>) -> bool {
        let now = self.world.clock.measured();
        let waited = now.saturating_sub(*self.waits_since.get_or_insert(now));
        owner.generation.is_some_and(|generation| generation > 1) && waited <= TAKE_OVER + self.world.interval * 2
    }
}

impl Source for ReceivedLines {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        match self.receive() {
            Ok(receiving) => self.receiving = Some(receiving),
            Err(error) if error.kind == PortErrorKind::Passing && !self.may_be_let_go(owner) => {
                return Err(PortError { kind: PortErrorKind::Environment, ..error });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        let (taken, more) = {
            let mut inbox = lock(&self.receiver.inbox);
            let taken = inbox.take(bytes_max);
            // Full chunks that came before the seal and belong after it: no receiver will ring for them again.
            let more = taken.end && inbox.lines.line_bytes() >= CHUNK_BYTES;
            (taken, more)
        };
        self.receiver.room.notify_waiters();
        if more {
            self.receiver.wake.notify();
        }
        let rows = |lines| Chunk { partition: None, rows: text::rows(&self.arrow, lines) };
        Ok(Taken { chunks: taken.chunks.into_iter().map(rows).collect(), bytes: taken.bytes, end: taken.end })
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        lock(&self.receiver.inbox).seal(at, self.world.clock.now());
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        lock(&self.receiver.inbox).lines.irregular.drain(&self.spec.text)
    }

    fn stop(&mut self) {
        self.receiving.iter().for_each(|receiving| receiving.task.abort());
    }

    fn acknowledging(&mut self) -> Option<&mut dyn Acknowledging> {
        if self.spec.acknowledge { Some(self) } else { None }
    }
}

impl Acknowledging for ReceivedLines {
    fn pin(&mut self) -> Result<String, PortError> {
        self.pinned = lock(&self.receiver.inbox).lines_taken();
        pin::write(&self.receiver.stream, &Acknowledged { lines: self.pinned })
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        pin::read::<Acknowledged>(&self.receiver.stream, pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let Acknowledged { lines } = pin::read(&self.receiver.stream, pin)?;
        self.pinned = lines;
        lock(&self.receiver.inbox).count_from(lines);
        Ok(())
    }

    fn acknowledge(&mut self) {
        let lines = Some(self.pinned);
        let change = |durable: &mut Option<u64>| std::mem::replace(durable, lines) != lines;
        self.receiver.durable.iter().for_each(|durable| _ = durable.send_if_modified(change));
    }
}

impl Drop for ReceivedLines {
    fn drop(&mut self) {
        self.stop();
    }
}
