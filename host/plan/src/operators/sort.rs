//! `sort`: all rows in order.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{Node, Operator, Role, SortKey, Way},
    reader::{Reader, values},
    resolve::{Plugins, Stream, fields},
};

pub(super) struct Sort;

#[derive(Debug)]
struct SortEntry(Order);

/// Fields to sort by, and whether the largest come first.
#[derive(Debug)]
pub(super) struct Order(Vec<(Name, bool)>);

impl OperatorKind for Sort {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["sort = [\"-count\", \"word\"]"],
            beside: &[],
            rows: "all rows in order; `-` is largest first. Missing values are smallest, NaN is larger than all numbers, and -0.0 is as large as 0.0",
            holds: "all rows, in one partition",
        };
        &Page { key: "sort", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        Order::read(value, reader.diagnostics).map(|order| Box::new(SortEntry(order)) as Box<dyn Entry>)
    }
}

impl Order {
    /// A list of names, each with `-` before it where the largest come first.
    pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<Order> {
        let names = values::texts(value, diagnostics)?;
        if names.is_empty() {
            let error = Diagnostic::error(value.span, "`sort` names no field");
            diagnostics.push(error.help("for example: sort = [\"-count\", \"word\"]; - means largest first"));
            return None;
        }
        let mut keys: Vec<(Name, bool)> = Vec::new();
        for name in names {
            let (text, descending) = match name.text.strip_prefix('-') {
                Some(rest) => (rest.to_owned(), true),
                None => (name.text, false),
            };
            if keys.iter().any(|(key, _)| key.text == text) {
                diagnostics.push(Diagnostic::error(name.span, format!("`{text}` is here twice")));
            } else {
                keys.push((Name { text, span: name.span }, descending));
            }
        }
        Some(Order(keys))
    }

    /// The fields of a stream; those that it does not have are reported.
    pub(super) fn resolve(&self, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Vec<SortKey> {
        let key = |(name, descending): &(Name, bool)| {
            let field = fields::find(name, stream, diagnostics)?;
            Some(SortKey { field, descending: *descending })
        };
        self.0.iter().filter_map(key).collect()
    }
}

impl Entry for SortEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let keys = self.0.resolve(stream, diagnostics);
        Some(Node {
            holds: Some(plugins.on_error.then),
            ..Node::new(Operator::Sort(keys), stream.schema.clone(), Role::Sort, Way::One { rows_max: None })
        })
    }
}
