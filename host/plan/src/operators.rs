//! Every operator: how it is written, what it makes of its input, and what is told of it in the manual. A new one is a file
//! and a line in [`OPERATORS`].

pub(crate) mod beside;
mod call;
mod count;
mod distinct;
mod filter;
mod group;
mod join;
mod keyed;
mod limit;
mod map;
mod page;
mod reduce;
mod repartition;
mod sample;
mod side_by_side;
mod sort;
mod table;
mod union;
mod update_state;
mod window;

use std::fmt;

use crate::{
    diagnostics::Diagnostics,
    document::{Name, Value},
    graph::Node,
    reader::Reader,
    resolve::{Plugins, Stream},
};

pub(crate) use call::{Call, OF_CALLS, Shared, call};
pub use page::operator_tables;
pub(crate) use page::{ABSENT, Page, Reads};

/// All of them, in the order of the manual.
pub(crate) static OPERATORS: &[&dyn OperatorKind] = &[
    &map::Map,
    &filter::Filter,
    &reduce::Reduce,
    &update_state::UpdateState,
    &count::Count,
    &union::Union,
    &group::Group,
    &join::Join,
    &window::Window,
    &sort::Sort,
    &limit::Limit,
    &sample::Sample,
    &repartition::Repartition,
    &distinct::Distinct,
    &table::Table,
];

/// The keys of all operators.
pub fn operators() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|operator| operator.page().key)
}

/// An operator that streams can have.
pub(crate) trait OperatorKind: Sync {
    /// How it is written.
    fn page(&self) -> &'static Page;

    /// Reads the value of its key, and the keys beside it. `None`: what is wrong has been reported.
    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>>;
}

/// A stream's operator as it is written.
pub(crate) trait Entry: fmt::Debug + Send + Sync {
    /// The function of a plugin that it calls.
    fn call(&self) -> Option<&Call> {
        None
    }

    /// The streams that it reads besides those of `from`, which stand behind these among its inputs.
    fn reads_beside(&self) -> Vec<Name> {
        Vec::new()
    }

    /// The stream's node, without a name and inputs. `None`: what is wrong has been reported; that of the inputs before, and
    /// then what can be said without them is said all the same.
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node>;
}

/// What a stream reads.
pub(crate) struct Inputs<'a> {
    /// As the pipeline names them.
    pub(crate) names: &'a [Name],
    /// `None` if one of them is not known.
    pub(crate) streams: Option<&'a [Stream<'a>]>,
}

impl<'a> Inputs<'a> {
    /// The first of them, or the only one.
    fn first(&self) -> Option<Stream<'a>> {
        self.streams?.first().copied()
    }
}
