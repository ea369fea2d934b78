//! Runs a plugin's functions natively, the way a guest runs them: rows become columns, the SDK's own loops run over
//! them, in chunks, and what comes back is read again.
//!
//! ```
//! use tidemill_sdk::{prelude::*, testing};
//!
//! #[map]
//! fn halves(number: i64) -> Result<i64, String> {
//!     if number % 2 == 0 { Ok(number / 2) } else { Err(format!("{number} is odd")) }
//! }
//!
//! let out = testing::map::<halves>([4, 5, 6]);
//! assert_eq!(out.rows(), [2, 3]);
//! assert_eq!(out.origins(), [0, 2]);
//! assert_eq!(out.rejected(), [(1, "5 is odd")]);
//! ```
//!
//! A function that asks for its [`Context`](crate::Context) gets what a [`Kit`] says:
//!
//! ```
//! # use tidemill_sdk::{prelude::*, testing::Kit};
//! /// Lines that are longer than the parameter `limit`.
//! #[map]
//! fn long<'a>(context: &Context, line: &'a str) -> Result<Option<&'a str>, std::num::ParseIntError> {
//!     let limit: usize = context.parameter("limit").unwrap_or("80").parse()?;
//!     Ok(Some(line).filter(|line| line.len() > limit))
//! }
//!
//! let out = Kit::new().parameter("limit", "3").map::<long>(["abc", "abcd"])?;
//! assert_eq!(out.rows(), ["abcd"]);
//! # Ok::<(), tidemill_sdk::testing::Failed>(())
//! ```
//!
//! A reduce must be associative and commutative. It is run with its rows cut and ordered in several ways, and fails where it
//! comes to something else:
//!
//! ```
//! # use tidemill_sdk::{prelude::*, testing::Kit};
//! #[reduce]
//! fn last(_a: i64, b: i64) -> i64 {
//!     b
//! }
//!
//! let failed = Kit::new().reduce::<last, _>([("a", 1), ("a", 2)]).unwrap_err();
//! assert!(failed.reason.contains("comes to 2, and to 1 with its rows in the opposite order"));
//! ```

mod batch;
mod kit;
mod mapped;
mod orders;
mod plain;
mod reduced;
mod updated;

use std::hash::Hash;

use crate::value::Write;

pub use crate::function::{Function, ReduceFunction, RowsFunction, UpdateFunction};
pub use batch::Column;
pub use kit::{Failed, Kit, Noted};
pub use mapped::Mapped;
pub use reduced::Reduced;
pub use updated::{Keyed, Updated};

/// Runs a map or an output over rows, with a [`Kit::new`]. A failed call fails the test.
#[track_caller]
pub fn map<'a, F: RowsFunction>(rows: impl IntoIterator<Item = F::Input<'a>>) -> Mapped<F> {
    passed(Kit::new().map(rows))
}

/// Reduces rows by their keys, with a [`Kit::new`]. A failed call fails the test, and so does a reduce that depends on how its
/// rows are cut or ordered.
#[track_caller]
pub fn reduce<'a, F: ReduceFunction, K: Clone + Eq + Hash>(
    rows: impl IntoIterator<Item = (K, F::Input<'a>)>,
) -> Reduced<F, K> {
    passed(Kit::new().reduce(rows))
}

/// A reduce whose keys have accumulators that its version `from_version` wrote, migrated and finished, with a [`Kit::new`]. A
/// migration that fails fails the test.
#[track_caller]
pub fn migrated_reduce<F: ReduceFunction, K: Clone + Eq + Hash, S: Write>(
    from_version: u32,
    accumulators: impl IntoIterator<Item = (K, S)>,
) -> Reduced<F, K> {
    passed(Kit::new().migrated_reduce(from_version, accumulators))
}

/// An update-state function with no states yet, for a [`Kit::new`].
pub fn keyed<F: UpdateFunction, K: Clone + Eq + Hash + Write>() -> Keyed<F, K> {
    Kit::new().keyed()
}

/// An update-state function whose keys have states that its version `from_version` wrote, for a [`Kit::new`]. A migration that
/// fails fails the test.
#[track_caller]
pub fn migrated<F: UpdateFunction, K: Clone + Eq + Hash + Write, S: Write>(
    from_version: u32,
    states: impl IntoIterator<Item = (K, S)>,
) -> Keyed<F, K> {
    passed(Kit::new().migrated(from_version, states))
}

/// A function's signature in one line, for example `split(line: text) -> word: text, count: integer`.
pub fn signature<F: Function>() -> String {
    batch::signature_line(&F::signature())
}

#[track_caller]
fn passed<T>(result: Result<T, Failed>) -> T {
    match result {
        Ok(value) => value,
        #[allow(clippy::panic, reason = "this is for tests, which end so")]
        Err(failed) => panic!("{failed}"),
    }
}
