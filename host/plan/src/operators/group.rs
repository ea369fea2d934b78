//! `group`: the rows of a key in lists, one for each stream that is read.

use tidemill_model::{
    schema::{Field, Kind, Schema, Type},
    text::counted,
};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    side_by_side::By,
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value},
    graph::{Keys, Node, Operator, Placement, Role, Way},
    reader::{Reader, values},
    resolve::{Plugins, Stream},
};

pub(super) struct Group;

#[derive(Debug)]
struct GroupEntry {
    span: Span,
    by: By,
    /// What the lists are called.
    names: Vec<Name>,
}

impl OperatorKind for Group {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["group = \"visits\"", "group = [\"visits\", \"orders\"]"],
            beside: &["by"],
            rows: "one row a key: the key's fields, then for each stream of `from` a list of its rows, see \
                   [below](#rows-of-several-streams-by-key)",
            holds: "all rows",
        };
        &Page { key: "group", reads: Reads::Any, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let by = match reader.get("by") {
            Some(_) => reader.read("by", By::read),
            None => Some(By::nothing(value.span)),
        };
        let errors = reader.diagnostics.error_count();
        let names = values::different_texts(value, reader.diagnostics)?;
        for name in &names {
            values::check_name(name, "a list", reader.diagnostics);
        }
        if reader.diagnostics.error_count() > errors {
            return None;
        }
        Some(Box::new(GroupEntry { span: value.span, by: by?, names }))
    }
}

impl Entry for GroupEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let keys = self.by.resolve(inputs, diagnostics)?;
        let streams = inputs.streams?;
        if self.names.len() != streams.len() {
            let (lists, reads) = (counted(self.names.len(), "list"), counted(streams.len(), "stream"));
            let message = format!("`group` names {lists} and reads {reads}");
            let help = "it makes a list for each stream that is read: group = [\"visits\", \"orders\"]";
            diagnostics.push(Diagnostic::error(self.span, message).label("a name for each stream").help(help));
            return None;
        }
        let mut fields = keys.schema.fields().to_vec();
        for (input, (name, stream)) in self.names.iter().zip(streams).enumerate() {
            let list = Kind::List(Box::new(item(&keys, input, *stream, name, diagnostics)?));
            if keys.schema.index_of(&name.text).is_some() {
                let error = Diagnostic::error(name.span, format!("`{}` is a field of the key", name.text));
                diagnostics.push(error.help("give the list another name"));
                return None;
            }
            fields.push(Field::new(name.text.clone(), Type::required(list)));
        }
        let placement = Placement::By(keys.schema.fields().iter().map(|field| field.name.clone()).collect());
        let schema = Schema::try_new(fields).ok()?;
        Some(Node {
            holds: Some(plugins.on_error.then),
            placement,
            ..Node::new(Operator::Group, schema, Role::Group, Way::ByKey(keys))
        })
    }
}

/// What a list of rows of an input has.
fn item(keys: &Keys, input: usize, stream: Stream<'_>, name: &Name, diagnostics: &mut Diagnostics) -> Option<Type> {
    let others = stream.schema.project(&keys.others(input, stream.schema));
    match others.fields() {
        [] => {
            let message = format!("`{}` has no field besides its key to make a list of", stream.name);
            let help = "reduce = \"count\" says how many rows each key has";
            diagnostics.push(Diagnostic::error(name.span, message).help(help));
            None
        }
        [only] => Some(only.ty.clone()),
        _ => Some(Type::required(Kind::Record(others))),
    }
}
