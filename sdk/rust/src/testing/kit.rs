//! The surroundings of a call.

use std::{collections::BTreeMap, fmt, hash::Hash};

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext, Signature},
        tidemill::plugin::data::{Batch, Failure, Field},
    },
    function::{Entry, Function, Operator, ReduceFunction, RowsFunction, UpdateFunction},
    log::{self, Level},
    value::{Malformed, Timestamp, Write, WriteRow},
};

use super::{
    Keyed, Mapped, Reduced,
    batch::{batch_of, check_columns},
};

/// What functions are called with: parameters, times, and how the host cuts its input.
#[derive(Clone, Debug)]
pub struct Kit {
    parameters: BTreeMap<String, String>,
    shared: BTreeMap<String, Batch>,
    pub(super) batch_time: Timestamp,
    interval_micros: i64,
    watermark: Option<Timestamp>,
    partition: u32,
    partitions: u32,
    chunk_rows: usize,
}

/// Why a call failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// For a person to read.
    pub reason: String,
}

/// What a function logged and counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// In order.
    pub lines: Vec<(Level, String)>,
    /// By name.
    pub counters: BTreeMap<String, u64>,
}

/// Few, so that ordinary tests meet the ends of chunks.
const CHUNK_ROWS: usize = 3;

impl Default for Kit {
    fn default() -> Kit {
        Kit::new()
    }
}

impl Kit {
    /// No parameters; the batch at 1970-01-01 of 1 s batches; one partition; chunks of 3 rows.
    pub fn new() -> Kit {
        Kit {
            parameters: BTreeMap::new(),
            shared: BTreeMap::new(),
            batch_time: Timestamp(0),
            interval_micros: 1_000_000,
            watermark: None,
            partition: 0,
            partitions: 1,
            chunk_rows: CHUNK_ROWS,
        }
    }

    /// With a parameter of the operator.
    pub fn parameter(mut self, name: &str, value: &str) -> Kit {
        self.parameters.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With rows of a side input: values, records, or pairs of them. A side input that is given none is empty.
    pub fn shared<T: WriteRow>(mut self, name: &str, rows: impl IntoIterator<Item = T>) -> Kit {
        let rows: Vec<T> = rows.into_iter().collect();
        self.shared.insert(name.to_owned(), batch_of(&rows));
        self
    }

    /// With the time of the batch.
    pub fn batch_time(mut self, time: Timestamp) -> Kit {
        self.batch_time = time;
        self
    }

    /// With the time between two batches.
    pub fn interval_micros(mut self, micros: i64) -> Kit {
        self.interval_micros = micros;
        self
    }

    /// With a watermark.
    pub fn watermark(mut self, time: Timestamp) -> Kit {
        self.watermark = Some(time);
        self
    }

    /// As partition `partition` of `partitions`.
    pub fn partition(mut self, partition: u32, partitions: u32) -> Kit {
        (self.partition, self.partitions) = (partition, partitions);
        self
    }

    /// With chunks of `rows` rows, at least one.
    pub fn chunk_rows(mut self, rows: usize) -> Kit {
        self.chunk_rows = rows.max(1);
        self
    }

    /// Runs a map or an output over the rows of one partition's batch.
    pub fn map<'a, F: RowsFunction>(&self, rows: impl IntoIterator<Item = F::Input<'a>>) -> Result<Mapped<F>, Failed> {
        Mapped::run(self, rows)
    }

    /// Reduces rows by their keys: the first half of them and the second half by themselves, then merged.
    ///
    /// Then again, cut and ordered in other ways. A reduce that comes to something else there depends on what the host does not
    /// promise, and fails; floats may differ by their rounding.
    pub fn reduce<'a, F: ReduceFunction, K: Clone + Eq + Hash>(
        &self,
        rows: impl IntoIterator<Item = (K, F::Input<'a>)>,
    ) -> Result<Reduced<F, K>, Failed> {
        Reduced::run(self, rows)
    }

    /// A reduce whose keys have accumulators that its version `from_version` wrote: they are migrated and finished.
    pub fn migrated_reduce<F: ReduceFunction, K: Clone + Eq + Hash, S: Write>(
        &self,
        from_version: u32,
        accumulators: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Reduced<F, K>, Failed> {
        Reduced::migrated(self, from_version, accumulators)
    }

    /// An update-state function with no states yet.
    pub fn keyed<F: UpdateFunction, K: Clone + Eq + Hash + Write>(&self) -> Keyed<F, K> {
        Keyed::new(self)
    }

    /// An update-state function whose keys have states that its version `from_version` wrote: they are migrated first.
    pub fn migrated<F: UpdateFunction, K: Clone + Eq + Hash + Write, S: Write>(
        &self,
        from_version: u32,
        states: impl IntoIterator<Item = (K, S)>,
    ) -> Result<Keyed<F, K>, Failed> {
        Keyed::migrated(self, from_version, states)
    }

    /// A new instance, opened for input fields that are just what the function wants.
    pub(super) fn open<F: Function>(&self, keys: Vec<Field>) -> Result<Box<dyn Operator>, Failed> {
        let binding = Binding {
            function: 0,
            keys,
            input: F::signature().input,
            parameters: self.parameters.clone().into_iter().collect(),
        };
        let (signature, mut operator) = Entry::of::<F>().open(&binding).map_err(|reason| Failed { reason })?;
        self.share(&signature, operator.as_mut())?;
        Ok(operator)
    }

    /// Gives an instance its side inputs, as the host does before the calls of a batch.
    fn share(&self, signature: &Signature, operator: &mut dyn Operator) -> Result<(), Failed> {
        let is_read = |name: &String| signature.shared.iter().any(|(read, _)| read == name);
        if let Some(name) = self.shared.keys().find(|name| !is_read(name)) {
            let reason = format!("`{}` reads no side input `{name}`", signature.name);
            return Err(Failed { reason });
        }
        for (name, fields) in &signature.shared {
            let empty = Batch { rows: 0, columns: Vec::new() };
            let rows = self.shared.get(name).filter(|rows| rows.rows > 0);
            rows.map_or(Ok(()), |rows| check_columns(rows, fields))?;
            let failed = |failure: Failure| Failed { reason: format!("side input `{name}`: {}", failure.reason) };
            operator.share(name, rows.unwrap_or(&empty)).map_err(failed)?;
        }
        Ok(())
    }

    /// The context of chunk `chunk` of `chunks`.
    pub(super) fn call(&self, chunk: usize, chunks: usize) -> CallContext {
        CallContext {
            batch_time: self.batch_time.0,
            interval: self.interval_micros,
            watermark: self.watermark.map(|time| time.0),
            partition: self.partition,
            partitions: self.partitions,
            chunk: chunk as u32,
            last: chunk + 1 == chunks,
        }
    }

    /// Rows in chunks; one empty chunk where there are none.
    pub(super) fn chunks<'r, T>(&self, rows: &'r [T]) -> Vec<&'r [T]> {
        if rows.is_empty() { vec![rows] } else { rows.chunks(self.chunk_rows).collect() }
    }
}

impl Noted {
    /// What the thread's functions logged and counted since this was last asked.
    pub(super) fn take() -> Noted {
        let (lines, counters) = log::take();
        Noted { lines, counters }
    }
}

// === impl Failed ===

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the call failed: {}", self.reason)
    }
}

impl std::error::Error for Failed {}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed { reason: failure.reason }
    }
}

impl From<Malformed> for Failed {
    fn from(malformed: Malformed) -> Failed {
        Failed { reason: malformed.0 }
    }
}
