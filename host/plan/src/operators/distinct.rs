//! `distinct`: each different row once.

use super::{Entry, Inputs, OperatorKind, Page, keyed, page::Form, reduce};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Node, Reduce, Reducer},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Distinct;

#[derive(Debug)]
struct DistinctEntry;

impl OperatorKind for Distinct {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form { written: &["distinct = true"], beside: &[], rows: "each different row once" };
        &Page { key: "distinct", reads_several: false, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "distinct", reader.diagnostics)?;
        Some(Box::new(DistinctEntry))
    }
}

impl Entry for DistinctEntry {
    fn resolve(&self, inputs: &Inputs<'_>, _: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let by: Vec<usize> = (0..stream.schema.len()).collect();
        let names = keyed::names(&by, stream);
        let reduce = Reduce { by, reducer: Reducer::Keys, counts_nothing: false };
        Some(reduce::node(reduce, names, stream.schema.clone()))
    }
}
