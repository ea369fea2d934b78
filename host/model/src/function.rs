//! What a plugin says of its functions, and what the host says of a call. The shapes are those of the WIT package
//! `tidemill:plugin@0.1.0`.

use crate::{schema::Schema, time::Timestamp};

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// Rows in, rows out.
    Map,
    /// Rows of a group to one row.
    Reduce,
    /// A key's new rows and its state to a new state.
    UpdateState,
    /// Rows to what a sink takes.
    Output,
}

/// A function's types and properties. In a description a type may be open ([`Schema`] with `any`); after `open` none
/// is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Unique in its plugin.
    pub name: String,
    /// What it does.
    pub kind: FunctionKind,
    /// For people.
    pub doc: String,
    /// The fields that it reads.
    pub input: Schema,
    /// The rows it returns, finishes with or emits.
    pub output: Schema,
    /// The accumulator, or what is kept for a key.
    pub state: Schema,
    /// The version of the state's meaning.
    pub state_version: u32,
    /// One instance sees all chunks of a partition's batch.
    pub whole_partition: bool,
    /// The phase finish has something to do.
    pub finishes: bool,
    /// The phase subtract is there.
    pub invertible: bool,
    /// Side inputs, by name.
    pub shared: Vec<(String, Schema)>,
}

/// A plugin's functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The plugin's own name.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// In the order of the plugin; a [`Binding`] names them by place.
    pub functions: Vec<Signature>,
}

/// What a function is bound to at one place of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its place in the description.
    pub function: usize,
    /// The key fields; empty where there is no key.
    pub keys: Schema,
    /// The input fields as the stream has them, in the order of the signature.
    pub input: Schema,
    /// By name, sorted.
    pub parameters: Vec<(String, String)>,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallContext {
    /// The batch.
    pub batch_time: Timestamp,
    /// The batch interval in microseconds.
    pub interval_micros: i64,
    /// The partition, and how many there are.
    pub partition: u32,
    /// How many partitions the stream has.
    pub partitions: u32,
    /// Which chunk of the partition's batch, from 0.
    pub chunk: u32,
    /// Whether it is the last one.
    pub last: bool,
}

/// The steps of a reduce. See `phase` in the WIT package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows to accumulators.
    Combine,
    /// Accumulators to one a group.
    Merge,
    /// Accumulators to output rows.
    Finish,
    /// One accumulator out of another.
    Subtract,
}

impl FunctionKind {
    /// What the sdk's attribute and the docs call it: `map`, `reduce`, `update-state`, `output`.
    pub fn name(self) -> &'static str {
        match self {
            FunctionKind::Map => "map",
            FunctionKind::Reduce => "reduce",
            FunctionKind::UpdateState => "update-state",
            FunctionKind::Output => "output",
        }
    }
}

impl Description {
    /// The place of the function called `name`.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.functions.iter().position(|function| function.name == name)
    }
}
