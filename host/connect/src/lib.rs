//! The sources and sinks of Tidemill: what stands behind the ports of `tidemill_model`, and the feeds that drive them.
//!
//! Sources: lines over TCP, lines of files, rows given in a pipeline, made-up rows. Sinks: standard output and files. Each is a
//! file of its own and a line in [`CONNECTORS`]; [`system`] has the clock and the threads; [`generate`] and [`feed`] are what
//! `tidemill generate` and `tidemill nc` do.
//!
//! It does not decide when a batch ends or what is done with its rows, keeps nothing over a restart (but says what a
//! checkpoint needs to read its sources again), and reads no environment: everything comes in through
//! [`World`](tidemill_model::connector::World). Limits: a line, a source's buffer, and the number of producers of a listening
//! socket are bounded ([`text::LINE_BYTES_MAX`], `buffer_bytes_max`, [`socket::PRODUCERS_MAX`]); each connector's page in
//! `connectors/` says what it guarantees.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use tidemill_connect::{generate::{GenerateKind, GenerateSource}, system::{ManualClock, Threads}};
//! use tidemill_model::{connector::{SourceSettings, World}, time::Timestamp};
//!
//! let clock = Arc::new(ManualClock::new(Timestamp(0)));
//! let world = World::new(clock, Arc::new(Threads), ".".into(), Arc::new(Mutex::new(Vec::<u8>::new())));
//! let points = GenerateSource { kind: GenerateKind::Points, rate: Some(10), count: None, seed: 1 };
//! let mut source = points.open("points", &world)?;
//! source.seal(Timestamp(1_000_000))?;
//! let rows: usize = source.take(usize::MAX)?.chunks.iter().map(|chunk| chunk.rows.num_rows()).sum();
//! assert_eq!(rows, 10);
//! # Ok::<(), tidemill_model::ports::PortError>(())
//! ```

#![deny(unsafe_code)]

pub mod feed;
pub mod files;
pub mod files_sink;
pub mod generate;
pub mod print;
pub mod queue;
pub mod socket;
pub mod system;
pub mod text;

mod address;
mod alive;
mod connectors;
mod json;
mod pin;
mod runtime;
#[cfg(test)]
mod testing;
mod value;

pub use address::Address;
pub use connectors::CONNECTORS;
pub use json::write_json;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the locks of this crate guard stays usable when a thread that held it has panicked.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
