//! `limit`: the first rows.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::Diagnostics,
    document::Value,
    graph::{Node, Operator, Role, Way},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Limit;

#[derive(Debug)]
struct LimitEntry(usize);

impl OperatorKind for Limit {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["limit = 10"],
            beside: &[],
            rows: "the first rows of the batch",
            holds: "the first rows",
        };
        &Page { key: "limit", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let rows = values::integer(value, "`limit`", 1..=u64::MAX, reader.diagnostics)?;
        Some(Box::new(LimitEntry(usize::try_from(rows).unwrap_or(usize::MAX))))
    }
}

impl Entry for LimitEntry {
    fn resolve(&self, inputs: &Inputs<'_>, _: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let LimitEntry(rows_max) = *self;
        let way = Way::One { rows_max: Some(rows_max) };
        Some(Node::new(Operator::Limit(rows_max), inputs.first()?.schema.clone(), Role::Limit, way))
    }
}
