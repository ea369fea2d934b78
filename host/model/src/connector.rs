//! What a connector's settings say of a source or a sink before it is opened, and what a run gives to those that are. The plan
//! holds the settings and asks them; which connectors there are it does not know.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    ports::{Clock, Disk, PortError, Sink, Source, Spawn, Wake},
    schema::Schema,
    time::Timestamp,
};

/// The settings of a source, checked: what can be known of it without looking at the world. They do not change.
pub trait SourceSettings: fmt::Debug + Send + Sync {
    /// What its rows are.
    fn schema(&self) -> Schema;

    /// How many partitions its rows come in; `None`: they go round those of the pipeline.
    fn partitions(&self) -> Option<u32> {
        None
    }

    /// What makes it one that never has an end, behind "the stream is": `a socket`. `None`: it ends, if the run is to.
    fn endless(&self) -> Option<&'static str> {
        None
    }

    /// What it is, `a socket`, if it cannot be read again, so that what it gives is logged; else its sources are
    /// [`Source::repeatable`].
    fn logged(&self) -> Option<&'static str> {
        None
    }

    /// What it tells its peers that it is durable, `lines`, if it does: then it needs a checkpoint, and is
    /// [`Source::acknowledging`].
    fn acknowledges(&self) -> Option<&'static str> {
        None
    }

    /// Where it waits for peers, if it does so at a place that nobody else can have.
    fn listens(&self) -> Option<Listens> {
        None
    }

    /// Opens the source of `stream`. Whatever has an effect waits for [`Source::begin`].
    ///
    /// # Errors
    /// What can be seen to be wrong without an effect: a missing file, rows that do not fit their schema.
    fn open(&self, stream: &str, world: &World) -> Result<Box<dyn Source>, PortError>;
}

/// An address at which a source waits for peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listens {
    /// As the pipeline has it.
    pub shown: String,
    /// What it stands for on this machine; nothing, if that is not known.
    pub addresses: Vec<SocketAddr>,
}

impl Listens {
    /// Whether who listens here keeps the other one from it.
    pub fn is_in_the_way_of(&self, other: &Listens) -> bool {
        // All addresses of the sixth version are those of the fourth, too.
        let has = |all: &SocketAddr, one: &SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4());
        let is_same = |one: &SocketAddr, other: &SocketAddr| {
            one.port() == other.port() && (one.ip() == other.ip() || has(one, other) || has(other, one))
        };
        self.addresses.iter().any(|one| other.addresses.iter().any(|other| is_same(one, other)))
    }
}

/// The settings of a sink, checked.
pub trait SinkSettings: fmt::Debug + Send + Sync {
    /// The folder that it writes to, as the pipeline has it: nobody else may. `None`: it has none.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// How many rows of a batch it looks at, from the first part's first row on; `None`: all.
    fn rows_max(&self) -> Option<usize> {
        None
    }

    /// Whether it writes to the program's standard output.
    fn prints(&self) -> bool {
        false
    }

    /// Opens the sink of `output`. Whatever has an effect waits for [`Sink::begin`].
    ///
    /// # Errors
    /// What can be seen to be wrong without an effect: a folder that is a file, or may not be written to.
    fn open(&self, output: &str, world: &World) -> Result<Box<dyn Sink>, PortError>;
}

/// By how many seconds clocks on walls are ahead of UTC at a time.
pub type UtcOffset = Arc<dyn Fn(Timestamp) -> i32 + Send + Sync>;

/// What a run gives to its sources and sinks.
#[derive(Clone)]
pub struct World {
    /// Stamps what is received.
    pub clock: Arc<dyn Clock>,
    /// Starts threads that receive.
    pub spawn: Arc<dyn Spawn>,
    /// Rung by a source that has a chunk.
    pub wake: Wake,
    /// The folder that relative paths begin in: the pipeline file's.
    pub folder: PathBuf,
    /// What files are written through.
    pub disk: Disk,
    /// A number that no other run has, on whatever machine: in the names of what is prepared. That of a process is not enough.
    pub run: u64,
    /// Where prints go.
    pub stdout: Arc<Mutex<dyn Write + Send>>,
    /// Whether people read prints on a terminal, and no program: then every character of them is to be seen.
    pub is_terminal: bool,
    /// Where the people are who read prints.
    pub utc_offset: UtcOffset,
    /// The run ends when bounded sources are used up; folders count as bounded then.
    pub until_done: bool,
    /// The pipeline's interval: so long the files of a folder rest, unless their source says otherwise.
    pub interval: Duration,
    /// How long a source waits before it connects to a lost peer again.
    pub reconnect_delay: Duration,
    /// What connectors of a kind have in common in this run.
    pub shared: Shared,
}

/// Things of which a run has one for all sources or sinks that need it, say the thread that receives. The first who asks makes
/// it; it goes with the last who has it and the run's [`World`].
#[derive(Clone, Default)]
pub struct Shared {
    things: Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>,
}

// === impl World ===

/// How long a source waits before it connects again, unless it is set.
pub const RECONNECT_DELAY: Duration = Duration::from_secs(2);

impl World {
    /// Prints go to no terminal, times are printed in UTC, the run has no end and the number 0, the interval is a second, and lost connections are tried
    /// again after [`RECONNECT_DELAY`], unless these fields are set.
    pub fn new(
        clock: Arc<dyn Clock>,
        spawn: Arc<dyn Spawn>,
        folder: PathBuf,
        stdout: Arc<Mutex<dyn Write + Send>>,
    ) -> World {
        World {
            clock,
            spawn,
            wake: Wake::default(),
            folder,
            disk: Disk::default(),
            run: 0,
            stdout,
            is_terminal: false,
            utc_offset: Arc::new(|_| 0),
            until_done: false,
            interval: Duration::from_secs(1),
            reconnect_delay: RECONNECT_DELAY,
            shared: Shared::default(),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("folder", &self.folder)
            .field("until_done", &self.until_done)
            .field("interval", &self.interval)
            .field("reconnect_delay", &self.reconnect_delay)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    /// The one thing of this type, which `make` makes if nobody has asked before.
    ///
    /// # Errors
    /// It cannot be made; the next who asks tries again.
    pub fn get<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Result<T, PortError>) -> Result<Arc<T>, PortError> {
        // A map of things is whole, whatever has panicked.
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thing) = things.get(&TypeId::of::<T>()).cloned().and_then(|thing| thing.downcast().ok()) {
            return Ok(thing);
        }
        let thing = Arc::new(make()?);
        things.insert(TypeId::of::<T>(), thing.clone());
        Ok(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_at_an_address_keeps_others_from_it() {
        let at = |addresses: &str| Listens {
            shown: String::new(),
            addresses: addresses.split_whitespace().map(|address| address.parse().expect("an address")).collect(),
        };
        for (one, other, expect) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("[::1]:1", "0.0.0.0:1", false),
            ("[::]:1", "127.0.0.1:1", true),
            ("[::]:1", "0.0.0.0:2", false),
            ("[::1]:1 127.0.0.1:1", "127.0.0.1:1", true),
            ("", "127.0.0.1:1", false),
        ] {
            assert_eq!(at(one).is_in_the_way_of(&at(other)), expect, "{one}, {other}");
            assert_eq!(at(other).is_in_the_way_of(&at(one)), expect, "{other}, {one}");
        }
    }

    #[test]
    fn what_is_shared_is_made_once_and_tried_again_if_it_could_not_be() {
        let shared = Shared::default();
        let refused = shared.get::<u32>(|| Err(PortError::refused("not now")));
        assert_eq!(refused.expect_err("refused").to_string(), "not now");
        let one = shared.clone().get(|| Ok(1_u32)).expect("a thing");
        let same = shared.get(|| Ok(2_u32)).expect("the same");
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(*shared.get(|| Ok("another")).expect("of another type"), "another");
    }
}
