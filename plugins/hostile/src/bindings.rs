//! The WIT package's types, and the exports.
#![allow(missing_docs, clippy::all, unsafe_op_in_unsafe_fn, reason = "generated code")]

include!("../../../sdk/rust/src/bindings/generated.rs");

pub(crate) use exports::tidemill::plugin::operators;
pub(crate) use tidemill::plugin::{data, host};

use operators::{Batch, Binding, CallContext, Changes, Description, Failure, Field, Guest, Mapped, Phase, Signature};

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Description {
        crate::open::describe()
    }

    fn open(binding: Binding) -> Result<Signature, Failure> {
        crate::open::open(&binding)
    }

    fn share(name: String, rows: Batch) -> Result<(), Failure> {
        crate::shared::share(&name, &rows)
    }

    fn map_rows(context: CallContext, rows: Batch) -> Result<Mapped, Failure> {
        crate::map::call(&context, rows)
    }

    fn reduce_groups(
        context: CallContext,
        phase: Phase,
        rows: Batch,
        groups: Vec<u8>,
        count: u32,
    ) -> Result<Batch, Failure> {
        crate::reduce::call(&context, phase, &rows, &groups, count)
    }

    fn update_states(
        context: CallContext,
        keys: Batch,
        rows: Batch,
        ends: Vec<u8>,
        states: Batch,
        present: Vec<u8>,
        causes: Vec<u8>,
    ) -> Result<Changes, Failure> {
        crate::update::call(&crate::update::Call { context, keys, rows, ends, states, present, causes })
    }

    fn migrate_states(from_version: u32, fields: Vec<Field>, states: Batch) -> Result<Batch, Failure> {
        crate::migrate::call(from_version, &fields, states)
    }

    fn output_rows(context: CallContext, rows: Batch) -> Result<Mapped, Failure> {
        crate::map::call(&context, rows)
    }
}

export!(Hostile with_types_in self);
