//! `union`: the rows of several streams.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Value,
    graph::{Node, Operator, Role, Way},
    reader::{Reader, values},
    resolve::{Plugins, fields},
};

/// Nothing more is written of it, so that it is its own entry.
#[derive(Debug)]
pub(super) struct Union;

impl OperatorKind for Union {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["union = true"],
            beside: &[],
            rows: "the rows of all streams of `from`, those of the first before those of the second, which have the same \
                   fields in the same order; its partitions are those of all of them, 16384 at most",
            holds: "nothing",
        };
        &Page { key: "union", reads: Reads::Several, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        values::only_true(value, "union", reader.diagnostics)?;
        Some(Box::new(Union))
    }
}

impl Entry for Union {
    fn resolve(&self, inputs: &Inputs<'_>, _: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let (first, rest) = inputs.streams?.split_first()?;
        for (stream, name) in rest.iter().zip(inputs.names.iter().skip(1)) {
            if stream.schema != first.schema {
                let message = format!("`{}` and `{}` have different fields", first.name, stream.name);
                let help = format!(
                    "`{}` has {}; `{}` has {}; streams of a union have the same fields in the same order",
                    first.name,
                    fields::shown_fields(first.schema),
                    stream.name,
                    fields::shown_fields(stream.schema)
                );
                diagnostics.push(Diagnostic::error(name.span, message).label("different").help(help));
            }
        }
        Some(Node::new(Operator::Union, first.schema.clone(), Role::Pass, Way::Behind { batches: 1 }))
    }
}
