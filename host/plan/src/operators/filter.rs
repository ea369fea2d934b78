//! `filter`: the rows for which something is true.

use tidemill_model::{function::FunctionKind, schema::Kind};

use super::{
    Call, Entry, Inputs, OF_CALLS, OperatorKind, Page, call,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{Condition, Letters, Node, Operator, Placement, Role, Way},
    reader::{Reader, values},
    resolve::{Plugins, Stream, calls, fields},
};

pub(super) struct Filter;

#[derive(Debug)]
enum FilterEntry {
    Field(Name),
    Function(Call),
}

impl OperatorKind for Filter {
    fn page(&self) -> &'static Page {
        const FIELD: Form = Form {
            written: &["filter = \"field\""],
            beside: &[],
            rows: "the rows where the boolean field is true; a missing value is not",
            holds: "nothing",
        };
        const FUNCTION: Form = Form {
            written: &["filter = \"plugin/function\""],
            beside: &["fields", "parameters", "shared", "on-error"],
            rows: "the same with a map that returns one boolean for each row, in order, or rejects the row; anything else \
                   is a failure",
            holds: "nothing",
        };
        &Page { key: "filter", reads: Reads::One, forms: &[FIELD, FUNCTION] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let text = values::text(value, reader.diagnostics)?;
        if text.text.contains('/') {
            return Some(Box::new(FilterEntry::Function(call(value, reader)?)));
        }
        for (key, _) in reader.entries().filter(|(key, _)| OF_CALLS.contains(&key.text.as_str())) {
            let message = format!("`{}` belongs to a filter by a plugin's function", key.text);
            reader.diagnostics.push(Diagnostic::error(key.span, message));
        }
        Some(Box::new(FilterEntry::Field(text)))
    }
}

impl Entry for FilterEntry {
    fn call(&self) -> Option<&Call> {
        if let FilterEntry::Function(call) = self { Some(call) } else { None }
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        match self {
            FilterEntry::Field(name) => by_field(name, inputs.first()?, diagnostics),
            FilterEntry::Function(call) => by_function(call, inputs.first(), plugins, diagnostics),
        }
    }
}

fn node(condition: Condition, stream: Stream<'_>) -> Node {
    Node {
        placement: Placement::AsInput,
        letters: Letters { key: None, values: stream.schema.clone() },
        ..Node::new(Operator::Filter(condition), stream.schema.clone(), Role::Filter, Way::Here)
    }
}

fn by_field(name: &Name, stream: Stream<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
    let place = fields::find(name, stream, diagnostics)?;
    let field = &stream.schema.fields()[place];
    if field.ty.kind != Kind::Boolean {
        let error = Diagnostic::error(
            name.span,
            format!("a filter takes a boolean field, and `{}` is {}", field.name, field.ty),
        );
        diagnostics.push(
            error.label("not boolean").help("or a map of a plugin that returns one boolean a row: plugin/function"),
        );
        return None;
    }
    Some(node(Condition::Field(place), stream))
}

fn by_function(
    call: &Call,
    stream: Option<Stream<'_>>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let function = calls::resolve(call, FunctionKind::Map, stream, &[], &[], plugins, diagnostics)?;
    let output = &function.signature.output;
    if output.len() != 1 || output.fields()[0].ty.kind != Kind::Boolean {
        let message = format!(
            "a filter takes a map that returns one boolean, and `{}` returns {}",
            function.signature.name,
            fields::shown_fields(output)
        );
        diagnostics.push(Diagnostic::error(call.span, message));
        return None;
    }
    if function.signature.whole_partition {
        let message = format!(
            "a filter takes a map that answers row by row, and `{}` answers for a whole partition",
            function.signature.name
        );
        diagnostics.push(Diagnostic::error(call.span, message));
        return None;
    }
    Some(Node { function: Some(function), ..node(Condition::Function, stream?) })
}
