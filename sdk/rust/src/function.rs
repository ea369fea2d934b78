//! From typed functions to what a plugin exports: signatures, bindings, and one loop over the rows for each kind.

mod binding;
mod map;
mod migrate;
mod reduce;
mod rows;
mod update;

use crate::bindings::{
    exports::tidemill::plugin::operators::{Binding, CallContext, Changes, Kind, Mapped, Phase, Signature},
    tidemill::plugin::data::{Batch, Failure, Field},
};
use crate::{
    parameters::{Parameters, documented},
    value::Malformed,
};

pub use map::{MapFunction, RowsFunction, WholeFunction, open_map, open_whole};
pub use migrate::{Migrated, migrate_rows, no_migration};
pub use reduce::{ReduceFunction, finish_one, finished_fields, merge_into, merge_two, no_inverse, open_reduce};
pub use rows::Rows;
pub use update::{Changed, UpdateFunction, open_update};

/// A function of a plugin. The attributes `#[map]`, `#[reduce]`, `#[update_state]` and `#[output]` implement it for a type
/// of the function's name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of a plugin",
    label = "not a plugin's function",
    note = "write `#[map]`, `#[reduce]`, `#[update_state]` or `#[output]` above the function"
)]
pub trait Function {
    /// What the host knows of the function before it calls it.
    fn signature() -> Signature;

    /// The function at one place of a pipeline. The binding has been checked.
    fn open(binding: &Binding) -> Result<Box<dyn Operator>, String>;
}

/// A function at one place of a pipeline, and what it keeps between the chunks of a batch.
pub trait Operator {
    /// See the WIT package; and so the others.
    fn map_rows(&mut self, _call: CallContext, _rows: Batch) -> Result<Mapped, Failure> {
        Err(failure("this function is not of kind map-rows or output-rows"))
    }

    /// A side input's content.
    fn share(&mut self, name: &str, _rows: &Batch) -> Result<(), Failure> {
        Err(failure(format!("the function reads no side input `{name}`")))
    }

    /// Input rows or accumulators to accumulators or output rows.
    fn reduce_groups(
        &mut self,
        _call: CallContext,
        _phase: Phase,
        _rows: Batch,
        _groups: Vec<u8>,
        _count: u32,
    ) -> Result<Batch, Failure> {
        Err(failure("this function is not of kind reduce-groups"))
    }

    /// Keys with news, or whose time has come, to new states.
    fn update_states(&mut self, _call: CallContext, _news: News) -> Result<Changes, Failure> {
        Err(failure("this function is not of kind update-states"))
    }

    /// States that an older version wrote, with the fields that they were stored with, to states of this one.
    fn migrate_states(&mut self, _from_version: u32, _stored: &[Field], _states: &Batch) -> Result<Batch, Failure> {
        Err(failure("this function is not of kind update-states"))
    }
}

/// What update-states is called with.
#[derive(Clone, Debug)]
pub struct News {
    /// One row a group.
    pub keys: Batch,
    /// The new rows of all groups, one group's after the other's.
    pub rows: Batch,
    /// Where each group's rows end.
    pub ends: Vec<u8>,
    /// One row a group.
    pub states: Batch,
    /// 1 where the row of `states` is a state.
    pub present: Vec<u8>,
    /// Why each group is called.
    pub causes: Vec<u8>,
}

/// One entry of a plugin's table: what `plugin!` writes for each function.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    signature: fn() -> Signature,
    open: fn(&Binding) -> Result<Box<dyn Operator>, String>,
}

impl Entry {
    /// The entry of a function.
    pub const fn of<F: Function>() -> Entry {
        Entry { signature: F::signature, open: F::open }
    }

    /// The function's signature.
    pub fn signature(&self) -> Signature {
        (self.signature)()
    }

    /// The function, opened for a binding that fits its signature.
    pub fn open(&self, binding: &Binding) -> Result<(Signature, Box<dyn Operator>), String> {
        let signature = self.signature();
        binding::check(&signature, binding)?;
        Ok((signature, (self.open)(binding)?))
    }
}

/// A signature with nothing in it but its name, kind and documentation, and what the function takes from its pipeline.
pub fn signature<P: Parameters>(name: &str, kind: Kind, doc: &str) -> Signature {
    Signature {
        name: name.to_owned(),
        kind,
        doc: documented::<P>(doc),
        input: Vec::new(),
        output: Vec::new(),
        state: Vec::new(),
        state_version: 0,
        whole_partition: false,
        finishes: false,
        invertible: false,
        shared: P::shared().into_iter().map(|input| (input.name.to_owned(), input.fields)).collect(),
    }
}

/// Fields in the form that `Signature` has them.
pub type Fields = Vec<Field>;

/// A failure that will happen again with the same call.
pub(crate) fn failure(reason: impl Into<String>) -> Failure {
    Failure { reason: reason.into(), retryable: false }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Failure {
        failure(malformed.0)
    }
}
