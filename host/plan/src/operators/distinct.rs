//! `distinct`: each different row once.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    reduce,
    window::Lengths,
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Node, Reduce, Reducer},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Distinct;

#[derive(Debug)]
struct DistinctEntry(Option<Lengths>);

impl OperatorKind for Distinct {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["distinct = true"],
            beside: &["window", "slide", "previously"],
            rows: "each different row once",
            holds: "each different row",
        };
        &Page { key: "distinct", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "distinct", reader.diagnostics)?;
        Some(Box::new(DistinctEntry(Lengths::read_beside(reader)?)))
    }
}

impl Entry for DistinctEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let by: Vec<usize> = (0..stream.schema.len()).collect();
        let names = stream.schema.names_of(&by);
        let reduce = Reduce { by, reducer: Reducer::Keys, counts_nothing: false, window: None };
        let node = Node { holds: Some(plugins.on_error.then), ..reduce::node(reduce, names, stream.schema.clone()) };
        let accumulated = reduce::Accumulated::by_host(None, "distinct", stream.schema);
        reduce::windowed(node, self.0, &accumulated, stream, diagnostics)
    }
}
