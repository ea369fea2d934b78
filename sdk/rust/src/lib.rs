//! Write Tidemill plugins as plain typed functions.
//!
//! ```
//! use tidemill_sdk::prelude::*;
//!
//! #[derive(Record)]
//! struct Word<'a> {
//!     word: &'a str,
//!     count: i64,
//! }
//!
//! /// The words of a line.
//! #[map]
//! fn split(line: &str) -> impl Iterator<Item = Word<'_>> {
//!     words(line).map(|word| Word { word, count: 1 })
//! }
//!
//! /// The sum of a key's values.
//! #[reduce(inverse = |whole, part| whole - part)]
//! fn sum(a: i64, b: i64) -> i64 {
//!     a + b
//! }
//!
//! /// The sum of a key's values since the pipeline began.
//! #[update_state]
//! fn running_total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
//!     Some(total.unwrap_or(0) + new.iter().sum::<i64>())
//! }
//!
//! plugin!(split, sum, running_total);
//!
//! # fn main() {
//! // Functions stay plain functions, and the test kit runs them as a guest does.
//! let out = tidemill_sdk::testing::reduce::<sum, _>([("to", 1), ("be", 1), ("to", 1)]);
//! assert_eq!(out.rows::<i64>(), [("to", 2), ("be", 1)]);
//! # }
//! ```
//!
//! The crate of a plugin is a `cdylib`; `tidemill build` makes a component of it. A function is written for one row, or one
//! key, and is called once a batch underneath: the loop, the columns and their checks are in here.
//!
//! # Values
//!
//! | in rows | in Rust |
//! |--|--|
//! | boolean | `bool` |
//! | integer | `i64` |
//! | float | `f64` |
//! | text | `&str`, `String`, `Cow<str>` |
//! | bytes | `&[u8]`, `Vec<u8>`, `Cow<[u8]>` |
//! | timestamp | [`Timestamp`] |
//! | `list<T>` | `Vec<T>`, [`Values<T>`] |
//! | `record<...>` | a struct with `#[derive(Record)]` |
//! | `T?` | `Option<T>` |
//!
//! A struct with `#[derive(Record)]` has named fields and at most one lifetime. A field's name in rows is its name in Rust, or
//! what `#[record(name = "...")]` says. A value that is no record stands for a field of its own: a parameter's has the
//! parameter's name (an underscore before it left out); what is returned, and what [`Values`] of a key's rows hold, is called
//! `value`. An optional record is one field, which is missing as a whole; a record that is always there is its fields.
//!
//! # Functions
//!
//! A function's name in pipelines has dashes for underscores, its documentation is its doc comment. Each kind can ask for its
//! [`Context`] with a first parameter `context: &Context`, which has the time of the batch, counters, and `parameters` of the
//! pipeline as texts. A function that declares them gets them with their types, and a pipeline that gives others is refused. A
//! text is whatever stands there: `label = 7` is `"7"`:
//!
//! ```
//! use tidemill_sdk::prelude::*;
//!
//! #[derive(Parameters)]
//! struct Settings {
//!     /// Shorter words are left out.
//!     #[parameter(default = 2)]
//!     minimum: i64,
//!     label: Option<String>,
//! }
//!
//! #[map]
//! fn long<'a>(context: &Context<Settings>, word: &'a str) -> Option<&'a str> {
//!     (word.len() as i64 >= context.parameters().minimum).then_some(word)
//! }
//!
//! # fn main() {
//! let kit = tidemill_sdk::testing::Kit::new().parameter("minimum", "3");
//! assert_eq!(kit.map::<long>(["to", "bee"]).unwrap().rows(), ["bee"]);
//! assert!(kit.parameter("maximum", "9").map::<long>(["to"]).is_err());
//! # }
//! ```
//!
//! Parameters are `i64`, `f64`, `bool`, `String`, or an `Option` of one of them; `#[parameter(name = "...")]` gives one another
//! name, and a default is a literal of its type. `tidemill inspect` shows them. A function without a context takes none.
//!
//! A field with `#[shared]` above it is a side input: all rows that another stream has in the batch, which the pipeline names
//! with `shared = { scores = "stream" }`. It is a `Vec<T>`, an `Option<T>` (of one row at most), a `HashMap<K, V>` or
//! `BTreeMap<K, V>` (fields `key` and `value`, or those of records; of rows with one key the last one counts), a `HashSet<T>` or a
//! `BTreeSet<T>`, of values that borrow nothing. The order of a `HashMap` hangs on the instance: go through a `BTreeMap` instead. It is made of the rows once for each batch and instance, and not for each call.
//! Maps and update-states read side inputs; reduces and outputs do not.
//!
//! ```
//! use std::collections::HashMap;
//! use tidemill_sdk::{prelude::*, testing::Kit};
//!
//! #[derive(Parameters)]
//! struct Lists {
//!     /// What words stand for.
//!     #[shared]
//!     scores: HashMap<String, i64>,
//! }
//!
//! /// The score of a word that has one.
//! #[map]
//! fn score(context: &Context<Lists>, word: &str) -> Option<i64> {
//!     context.parameters().scores.get(word).copied()
//! }
//!
//! # fn main() {
//! let kit = Kit::new().shared("scores", [("good", 3), ("bad", -3)]);
//! assert_eq!(kit.map::<score>(["bad", "word", "good"]).unwrap().rows(), [-3, 3]);
//! # }
//! ```
//!
//! - `#[map]`: parameters are fields of a row; a record's fields are fields of the row, too. It returns a row, `Option`
//!   (none: the row is left out) or `Vec` of rows, `impl Iterator` of rows, or a `Result` of one of them. An error rejects
//!   the row with its text for a reason. `#[map(whole_partition)] fn f(rows: impl Iterator<Item = T>)` sees a whole
//!   partition's batch at once; its error fails the call.
//! - `#[output]`: the same, from rows to what a sink takes.
//! - `#[reduce] fn f(a: T, b: T) -> T`: rows of a key to one. A key's first row is its accumulator. `inverse = |whole, part| ...`
//!   takes rows out again. Where accumulators differ from rows, `fn f(total: Total, fields ...) -> Total` adds a row to one,
//!   with `create = |fields ...| ...` (an accumulator of the first row) or `zero = ...` (an empty one), and
//!   `merge = |a, b| ...`. `finish = |total| ...` makes the result of an accumulator. An accumulator that owns memory is better
//!   taken as `&mut Total`, by the function and by `merge`: one that is taken by value is cloned for each row. A reduce must be
//!   associative and commutative: partitions are reduced each for itself and put together in any order. For the newest value of
//!   a key use `#[update_state]`, whose [`Values`] come in order of arrival. The test kit finds reduces that depend on order.
//! - `#[update_state] fn f(new: Values<T>, state: Option<S>) -> Option<S>`: a key's new rows and its state to its new state;
//!   `None` deletes it. The key's fields can be asked for before `new`: `key: &str`, or a record. It may return [`Update`]
//!   instead, to emit rows and to be called again at a time, and a `Result` of either: an error rejects the key's new rows
//!   and keeps its state. A key with more than 65,536 new rows in a batch, or 4 MiB of them, is called several times, each
//!   time with the state that the call before left.
//!
//! A key that is to be looked at without new rows asks for a time, and is told why it is called. Times are those of batches:
//!
//! ```
//! use std::time::Duration;
//! use tidemill_sdk::{prelude::*, testing};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Record)]
//! struct Visit { pages: i64 }
//!
//! /// The pages of a visit, once nothing came for a minute.
//! #[update_state]
//! fn visit(context: &Context, new: Values<i64>, visit: Option<Visit>) -> Update<Visit, Visit> {
//!     let pages = visit.map_or(0, |visit| visit.pages) + new.iter().sum::<i64>();
//!     if context.cause().woken && new.is_empty() {
//!         return Update::delete().emit(Visit { pages });
//!     }
//!     Update::put(Visit { pages }).wake_at(context.batch_time() + Duration::from_secs(60))
//! }
//!
//! # fn main() -> Result<(), testing::Failed> {
//! let mut visits = testing::keyed::<visit, &str>();
//! visits.batch([("ann", 1), ("ann", 2)])?;
//! assert_eq!(visits.states(), [("ann", Visit { pages: 3 })]);
//!
//! let minute_later = Timestamp::default() + Duration::from_secs(60);
//! let updated = visits.at(minute_later).batch([])?;
//! assert_eq!(updated.emitted(), [("ann", Visit { pages: 3 })]);
//! assert_eq!(visits.states(), []);
//! # Ok(())
//! # }
//! ```
//!
//! A time that is asked for takes the place of the one before.
//!
//! Fields of a state may come, go, change their order or become optional: the host takes old states over by itself. For
//! anything else give the state a new version, and say how older states become new ones:
//!
//! ```
//! use tidemill_sdk::{prelude::*, testing};
//!
//! /// The state of version 1, as far as it is needed, by the names of its fields.
//! #[derive(Record)]
//! struct Seconds { busy_seconds: i64 }
//!
//! #[derive(Clone, Debug, PartialEq, Record)]
//! struct Busy { busy: f64 }
//!
//! fn from_seconds(old: Seconds) -> Busy {
//!     Busy { busy: old.busy_seconds as f64 }
//! }
//!
//! #[update_state(version = 2, migrate(1 = from_seconds))]
//! fn busy(new: Values<f64>, busy: Option<Busy>) -> Option<Busy> {
//!     Some(Busy { busy: busy.map_or(0.0, |busy| busy.busy) + new.iter().sum::<f64>() })
//! }
//!
//! # fn main() -> Result<(), testing::Failed> {
//! let mut busy = testing::migrated::<busy, _, _>(1, [("ann", Seconds { busy_seconds: 60 })]);
//! busy.batch([("ann", 0.5)])?;
//! assert_eq!(busy.states(), [("ann", Busy { busy: 60.5 })]);
//! # Ok(())
//! # }
//! ```
//!
//! A migration leads from its version to the function's own in one step, and is called once for each state before the first
//! batch: `migrate(1 = from_one, 2 = from_two)`. An old state that was no record is taken as it was: `fn from_one(total: i64)
//! -> Total`. It may return a `Result`: an error ends the run before it changed anything.
//!
//! A reduce over a window has accumulators in its state, and they are migrated alike: `#[reduce(version = 2, migrate(1 =
//! from_one), ...)]` takes an accumulator of version 1 and gives one of its own. `testing::migrated_reduce` tries that.
//!
//! # What it is not
//!
//! A way to reach the world: there is no clock, no randomness, no file and no network in a plugin, and state is the host's
//! alone. A `static` or `thread_local!` is gone whenever the host likes.
//!
//! # Limits
//!
//! Eight parameters a row (take a struct for more), 4 GiB a batch, functions of one type each (no generics). A panic ends the
//! call, and the host decides what becomes of the batch; the message is logged first. An integer that overflows is a panic, in a
//! component that `tidemill build` makes as in tests: where it may wrap around, say so (`wrapping_add`).
//!
//! Compared with the plain functions the loops cost 1 to 3 ns a row; `unsafe` is confined to `buffer` and [`text`].

#[allow(unused_extern_crates, reason = "what the macros write names the crate, in here too")]
extern crate self as tidemill_sdk;

#[doc(hidden)]
pub mod bindings;
mod buffer;
mod context;
mod export;
mod function;
pub mod log;
mod parameters;
mod shared;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
mod update;
mod value;
mod values;

pub use context::{Cause, Context};
pub use parameters::{AnyParameters, Parameters};
pub use update::{StateChange, Update};
pub use value::Timestamp;
pub use values::{Values, ValuesIter};

pub use tidemill_sdk_macros::{Parameters, Record, map, output, plugin, reduce, update_state};

/// Everything that a plugin's functions need.
pub mod prelude {
    pub use crate::{
        Cause, Context, Parameters, Record, Timestamp, Update, Values, map, output, plugin, reduce, text::words,
        update_state,
    };
    pub use crate::{debug, error, info, trace, warn};
}

/// What the macros' code names. Not for authors.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        bindings::{
            exports::tidemill::plugin::operators::{Binding, Kind, Signature},
            tidemill::plugin::data::{Batch, Column, Failure, Field},
        },
        context::Context,
        export::{Exports, Table},
        function::*,
        parameters::{AnyParameters, Declared, Given, NoParameters, ParameterValue, Parameters},
        shared::{DeclaredShared, SideInput},
        update::Update,
        value::*,
        values::Values,
    };
}
