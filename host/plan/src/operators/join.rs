//! `join`: rows of two streams with the same key, side by side.

use tidemill_model::schema::{Field, Schema, Type};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    side_by_side::By,
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value},
    graph::{self, Keys, Letters, Node, OnError, Operator, OwnFunction, Placement, Role, Way},
    manifest::on_error,
    reader::{Reader, values},
    resolve::{Plugins, Stream},
};

/// Of which of the two streams rows stay that have no other with their key.
const KINDS: &[(&str, [bool; 2])] =
    &[("inner", [false, false]), ("left", [true, false]), ("right", [false, true]), ("full", [true, true])];

/// So many pairs of a key by default.
const PAIRS_MAX: u64 = 10_000_000;

pub(super) struct Join;

#[derive(Debug)]
struct JoinEntry {
    span: Span,
    by: By,
    keeps: [bool; 2],
    /// What is put before the names of fields.
    prefix: Option<[Name; 2]>,
    pairs_max: u64,
    on_error: Option<OnError>,
}

impl OperatorKind for Join {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["join = \"inner\"", "join = \"left\"", "join = \"right\"", "join = \"full\""],
            beside: &["by", "prefix", "pairs-max", "on-error"],
            rows: "the rows of two streams with the same key side by side, see [below](#rows-of-several-streams-by-key)",
            holds: "all rows of both, not the pairs",
        };
        &Page { key: "join", reads: Reads::Two, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let keeps = values::choice(value, "kind of join", KINDS, reader.diagnostics);
        let by = reader.need("by", "by = [\"user\"]").and_then(|value| By::read(value, reader.diagnostics));
        if by.as_ref().is_some_and(By::is_nothing) {
            let error = Diagnostic::error(value.span, "rows are joined by key, and `by` is empty");
            reader.diagnostics.push(error.help("name at least one field: by = [\"user\"]"));
            return None;
        }
        let has_prefix = reader.get("prefix").is_some();
        let prefix = reader.read("prefix", prefix);
        let pairs = |value: &Value, diagnostics: &mut Diagnostics| {
            values::integer(value, "`pairs-max`", 1..=i64::MAX as u64, diagnostics)
        };
        let pairs_max = reader.read("pairs-max", pairs).unwrap_or(PAIRS_MAX);
        let on_error = reader.read("on-error", on_error::read);
        if has_prefix && prefix.is_none() {
            return None;
        }
        Some(Box::new(JoinEntry { span: value.span, by: by?, keeps: keeps?, prefix, pairs_max, on_error }))
    }
}

fn prefix(value: &Value, diagnostics: &mut Diagnostics) -> Option<[Name; 2]> {
    let texts = values::texts(value, diagnostics)?;
    let are_names = texts.iter().all(|text| text.text.is_empty() || values::check_name(text, "a field", diagnostics));
    let Ok(two) = <[Name; 2]>::try_from(texts) else {
        let error = Diagnostic::error(value.span, "`prefix` is for the fields of both streams");
        diagnostics.push(error.help("write one for each, which may be empty: prefix = [\"\", \"order-\"]"));
        return None;
    };
    are_names.then_some(two)
}

impl Entry for JoinEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let keys = self.by.resolve(inputs, diagnostics)?;
        let [left, right] = inputs.streams? else { return None }; // That there are two was looked at.
        let schema = self.schema(&keys, [*left, *right], diagnostics)?;
        let on_error = self.on_error.unwrap_or(plugins.on_error);
        let join = graph::Join { keeps: self.keeps, pairs_max: self.pairs_max };
        Some(Node {
            own: Some(OwnFunction { name: "join".to_owned(), on_error }),
            holds: Some(on_error.then),
            letters: Letters { key: Some(keys.schema.clone()), values: Schema::default() },
            placement: Placement::By(keys.schema.fields().iter().map(|field| field.name.clone()).collect()),
            ..Node::new(Operator::Join(join), schema, Role::Join, Way::ByKey(keys))
        })
    }
}

impl JoinEntry {
    fn schema(&self, keys: &Keys, streams: [Stream<'_>; 2], diagnostics: &mut Diagnostics) -> Option<Schema> {
        let mut fields: Vec<Field> = keys.schema.fields().to_vec();
        for (input, stream) in streams.into_iter().enumerate() {
            let before = self.prefix.as_ref().map_or("", |prefix| prefix[input].text.as_str());
            let is_optional = self.keeps[1 - input];
            for place in keys.others(input, stream.schema) {
                let field = &stream.schema.fields()[place];
                let name = Name { text: format!("{before}{}", field.name), span: self.span };
                if fields.iter().any(|other| other.name == name.text) {
                    diagnostics.push(self.twice(&name.text, streams));
                    return None;
                }
                if !before.is_empty() && !values::check_name(&name, "a field", diagnostics) {
                    return None;
                }
                let ty = Type { optional: field.ty.optional || is_optional, ..field.ty.clone() };
                fields.push(Field::new(name.text, ty));
            }
        }
        Schema::try_new(fields).ok()
    }

    fn twice(&self, name: &str, [left, right]: [Stream<'_>; 2]) -> Diagnostic {
        let message = format!("the stream would have two fields `{name}`, of `{}` and `{}`", left.name, right.name);
        let help = format!(
            "say what is put before the names of each that are not of the key: prefix = [\"\", \"{}-\"]",
            if left.name == right.name { "other" } else { right.name }
        );
        Diagnostic::error(self.span, message).label("joins them").help(help)
    }
}
