//! `sample`: some of the rows of a batch, as if each were drawn by lot.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Value, ValueKind},
    graph::{self, Node, Operator, Role, Way},
    reader::{Reader, values},
    resolve::Plugins,
};

pub(super) struct Sample;

#[derive(Debug)]
struct SampleEntry(graph::Sample);

impl OperatorKind for Sample {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["sample = 0.1"],
            beside: &["seed"],
            rows: "so large a part of the rows, in one partition and in their order: whether a row is taken hangs on its place in \
                   the batch, the batch's time and `seed`, so that a batch that is run again gives the same. No row comes twice",
            holds: "nothing",
        };
        &Page { key: "sample", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let fraction = fraction(value, reader.diagnostics);
        let seed = reader.read("seed", |value, diagnostics| {
            values::integer(value, "`seed`", 0..=i64::MAX.unsigned_abs(), diagnostics)
        });
        if reader.get("seed").is_some() && seed.is_none() {
            return None;
        }
        Some(Box::new(SampleEntry(graph::Sample { fraction: fraction?, seed: seed.unwrap_or(0) })))
    }
}

/// A number from 0 to 1.
fn fraction(value: &Value, diagnostics: &mut Diagnostics) -> Option<f64> {
    let number = match &value.kind {
        ValueKind::Float(text) => text.replace('_', "").parse().ok(),
        ValueKind::Integer(Some(integer)) => Some(*integer as f64),
        ValueKind::Integer(None) => None,
        _ => {
            values::wrong_type(value, "number", diagnostics);
            return None;
        }
    };
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    if number.is_none() {
        let error = Diagnostic::error(value.span, "`sample` is a part of all rows, from 0.0 to 1.0");
        diagnostics.push(error.help("for example: sample = 0.1 takes about one of ten"));
    }
    number
}

impl Entry for SampleEntry {
    fn resolve(&self, inputs: &Inputs<'_>, _: &Plugins<'_>, _: &mut Diagnostics) -> Option<Node> {
        let way = Way::One { rows_max: None };
        Some(Node::new(Operator::Sample(self.0), inputs.first()?.schema.clone(), Role::Sample, way))
    }
}
