//! `count`: how many rows there are.

use tidemill_model::schema::{Kind, Schema};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    reduce,
    window::Lengths,
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Aggregate, Node, Reduce, Reducer},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Count;

#[derive(Debug)]
struct CountEntry(Option<Lengths>);

impl OperatorKind for Count {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["count = true"],
            beside: &["window", "slide", "previously"],
            rows: "one row, `count: integer`",
            holds: "a number",
        };
        &Page { key: "count", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "count", reader.diagnostics)?;
        Some(Box::new(CountEntry(Lengths::read_beside(reader)?)))
    }
}

impl Entry for CountEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let reducer = Reducer::Native(Aggregate::Count);
        let reduce = Reduce { by: Vec::new(), reducer, counts_nothing: true, window: None };
        let node = reduce::node(reduce, Vec::new(), Schema::single("count", Kind::Integer));
        let accumulated = reduce::Accumulated::by_host(Some(Aggregate::Count), "count", stream.schema);
        let node = Node { holds: Some(plugins.on_error.then), ..node };
        reduce::windowed(node, self.0, &accumulated, stream, diagnostics)
    }
}
