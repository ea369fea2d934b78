//! The plugin's exports: a table of functions behind the WIT package's entry points.

use std::{cell::RefCell, marker::PhantomData};

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{
            Binding, CallContext, Changes, Description, Guest, Mapped, Phase, Signature,
        },
        tidemill::plugin::data::{Batch, Failure, Field},
    },
    function::{Entry, News, Operator, failure},
    log::{Level, log},
};

/// A plugin: what `plugin!` implements.
pub trait Table {
    /// The crate's name.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// The functions, in the order of the macro's arguments.
    const FUNCTIONS: &'static [Entry];
}

/// The exports of the plugin `T`.
#[derive(Debug)]
pub struct Exports<T>(PhantomData<T>);

thread_local! {
    /// The function that this instance was opened for. An instance serves one, from `open` to its end.
    static OPENED: RefCell<Option<Box<dyn Operator>>> = const { RefCell::new(None) };
}

/// What a plugin says of itself.
pub fn describe<T: Table>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        version: T::VERSION.to_owned(),
        functions: T::FUNCTIONS.iter().map(Entry::signature).collect(),
    }
}

/// Opens the function that a binding names.
pub fn open<T: Table>(binding: &Binding) -> Result<(Signature, Box<dyn Operator>), Failure> {
    let entry = T::FUNCTIONS.get(binding.function as usize).ok_or_else(|| {
        failure(format!("the plugin has {} functions, and not number {}", T::FUNCTIONS.len(), binding.function))
    })?;
    entry.open(binding).map_err(failure)
}

/// A panic ends the instance without a word; so its message goes to the operator's log first.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        log(Level::Error, &format!("panicked: {message}{place}"));
    }));
}

fn with_opened<R>(call: impl FnOnce(&mut dyn Operator) -> Result<R, Failure>) -> Result<R, Failure> {
    OPENED.with_borrow_mut(|opened| match opened {
        Some(operator) => call(operator.as_mut()),
        None => Err(failure("no function is open in this instance")),
    })
}

impl<T: Table> Guest for Exports<T> {
    fn describe() -> Description {
        log_panics();
        describe::<T>()
    }

    fn open(binding: Binding) -> Result<Signature, Failure> {
        log_panics();
        let (signature, operator) = open::<T>(&binding)?;
        OPENED.set(Some(operator));
        Ok(signature)
    }

    fn share(name: String, rows: Batch) -> Result<(), Failure> {
        with_opened(|operator| operator.share(&name, &rows))
    }

    fn map_rows(context: CallContext, rows: Batch) -> Result<Mapped, Failure> {
        with_opened(|operator| operator.map_rows(context, rows))
    }

    fn reduce_groups(
        context: CallContext,
        phase: Phase,
        rows: Batch,
        groups: Vec<u8>,
        count: u32,
    ) -> Result<Batch, Failure> {
        with_opened(|operator| operator.reduce_groups(context, phase, rows, groups, count))
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
        let news = News { keys, rows, ends, states, present, causes };
        with_opened(|operator| operator.update_states(context, news))
    }

    fn migrate_states(from_version: u32, fields: Vec<Field>, states: Batch) -> Result<Batch, Failure> {
        with_opened(|operator| operator.migrate_states(from_version, &fields, &states))
    }

    fn output_rows(context: CallContext, rows: Batch) -> Result<Mapped, Failure> {
        with_opened(|operator| operator.map_rows(context, rows))
    }
}
