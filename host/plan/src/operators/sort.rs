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
    resolve::{Plugins, fields},
};

pub(super) struct Sort;

/// Fields, and whether the largest come first.
#[derive(Debug)]
struct SortEntry(Vec<(Name, bool)>);

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
        let names = values::texts(value, reader.diagnostics)?;
        if names.is_empty() {
            let error = Diagnostic::error(value.span, "`sort` names no field");
            reader.diagnostics.push(error.help("for example: sort = [\"-count\", \"word\"]; - means largest first"));
            return None;
        }
        let mut keys: Vec<(Name, bool)> = Vec::new();
        for name in names {
            let (text, descending) = match name.text.strip_prefix('-') {
                Some(rest) => (rest.to_owned(), true),
                None => (name.text, false),
            };
            if keys.iter().any(|(key, _)| key.text == text) {
                reader.diagnostics.push(Diagnostic::error(name.span, format!("`{text}` is here twice")));
            } else {
                keys.push((Name { text, span: name.span }, descending));
            }
        }
        Some(Box::new(SortEntry(keys)))
    }
}

impl Entry for SortEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let key = |(name, descending): &(Name, bool)| {
            let field = fields::find(name, stream, diagnostics)?;
            Some(SortKey { field, descending: *descending })
        };
        let keys = self.0.iter().filter_map(key).collect();
        Some(Node {
            holds: Some(plugins.on_error.then),
            ..Node::new(Operator::Sort(keys), stream.schema.clone(), Role::Sort, Way::One { rows_max: None })
        })
    }
}
