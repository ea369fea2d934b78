//! `distinct`: each different row once.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    reduce,
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Node, Reduce, Reducer},
    reader::{Reader, values},
    resolve::Plugins,
};

/// Nothing more is written of it, so that it is its own entry.
#[derive(Debug)]
pub(super) struct Distinct;

impl OperatorKind for Distinct {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["distinct = true"],
            beside: &[],
            rows: "each different row once",
            holds: "each different row",
        };
        &Page { key: "distinct", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "distinct", reader.diagnostics)?;
        Some(Box::new(Distinct))
    }
}

impl Entry for Distinct {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let by: Vec<usize> = (0..stream.schema.len()).collect();
        let names = stream.schema.names_of(&by);
        let reduce = Reduce { by, reducer: Reducer::Keys, counts_nothing: false };
        Some(Node { holds: Some(plugins.on_error.then), ..reduce::node(reduce, names, stream.schema.clone()) })
    }
}
