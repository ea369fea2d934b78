//! `count`: how many rows there are.

use tidemill_model::schema::{Kind, Schema};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    reduce,
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Aggregate, Node, Reduce, Reducer},
    reader::{Reader, values},
    resolve::Plugins,
};

/// Nothing more is written of it, so that it is its own entry.
#[derive(Debug)]
pub(super) struct Count;

impl OperatorKind for Count {
    fn page(&self) -> &'static Page {
        const FORM: Form =
            Form { written: &["count = true"], beside: &[], rows: "one row, `count: integer`", holds: "a number" };
        &Page { key: "count", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "count", reader.diagnostics)?;
        Some(Box::new(Count))
    }
}

impl Entry for Count {
    fn resolve(&self, _: &Inputs<'_>, plugins: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let reducer = Reducer::Native(Aggregate::Count);
        let reduce = Reduce { by: Vec::new(), reducer, counts_nothing: true };
        let node = reduce::node(reduce, Vec::new(), Schema::single("count", Kind::Integer));
        Some(Node { holds: Some(plugins.on_error.then), ..node })
    }
}
