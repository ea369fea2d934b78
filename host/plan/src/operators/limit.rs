//! `limit`: the first rows, of all or of each key.

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
    sort::Order,
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value},
    graph::{Keys, Node, Operator, Placement, Role, Top, Way},
    reader::{Reader, values},
    resolve::{Plugins, Stream, fields},
};

pub(super) struct Limit;

#[derive(Debug)]
struct LimitEntry {
    rows_max: usize,
    by: Vec<Name>,
    sort: Option<Order>,
}

impl OperatorKind for Limit {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["limit = 10"],
            beside: &[],
            rows: "the first rows of the batch",
            holds: "the first rows",
        };
        const OF_EACH: Form = Form {
            written: &["limit = 10"],
            beside: &["by", "sort"],
            rows: "the first rows of each key, or without `by` of the batch; with `sort` in that order, in which rows that compare \
                   equal keep theirs",
            holds: "the first rows, and as many again",
        };
        &Page { key: "limit", reads: Reads::One, forms: &[FORM, OF_EACH] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let rows = values::integer(value, "`limit`", 1..=u64::MAX, reader.diagnostics);
        let by = reader.get("by").map(|value| {
            let by = values::different_texts(value, reader.diagnostics);
            if by.as_ref().is_some_and(Vec::is_empty) {
                let error = Diagnostic::error(value.span, "`by` names no field");
                reader.diagnostics.push(error.help("for example: by = \"word\"; without `by` all rows are one group"));
                return None;
            }
            by
        });
        let sort = reader.get("sort").map(|value| Order::read(value, reader.diagnostics));
        if matches!(by, Some(None)) || matches!(sort, Some(None)) {
            return None;
        }
        let rows_max = usize::try_from(rows?).unwrap_or(usize::MAX);
        Some(Box::new(LimitEntry { rows_max, by: by.flatten().unwrap_or_default(), sort: sort.flatten() }))
    }
}

impl Entry for LimitEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let (rows_max, stream) = (self.rows_max, inputs.first()?);
        if self.by.is_empty() && self.sort.is_none() {
            let way = Way::One { rows_max: Some(rows_max) };
            return Some(Node::new(Operator::Limit(rows_max), stream.schema.clone(), Role::Limit, way));
        }
        let by = fields::find_all(&self.by, stream, diagnostics);
        let sort = self.sort.as_ref().map(|sort| sort.resolve(stream, diagnostics)).unwrap_or_default();
        let top = Top { rows_max, by: by?, sort };
        let (way, placement) = way(&top.by, stream);
        let node = Node::new(Operator::Top(top), stream.schema.clone(), Role::Top, way);
        Some(Node { holds: Some(plugins.on_error.then), placement, ..node })
    }
}

/// How rows come to where those of a key are together, and where they are then.
fn way(by: &[usize], stream: Stream<'_>) -> (Way, Placement) {
    if by.is_empty() {
        return (Way::One { rows_max: None }, Placement::Unknown);
    }
    (Way::ByKey(Keys::of(by.to_vec(), stream.schema)), Placement::By(stream.schema.names_of(by)))
}
