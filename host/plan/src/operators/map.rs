//! `map`: what a plugin's function makes of rows.

use tidemill_model::function::FunctionKind;

use super::{
    Call, Entry, Inputs, OperatorKind, Page, call,
    page::{Form, Reads},
};
use crate::{
    diagnostics::Diagnostics,
    document::{Name, Value},
    graph::{self, Letters, Node, Operator, Placement, Role, Way},
    reader::{Reader, values},
    resolve::{
        Plugins, calls,
        fields::{self, Groups, Naming},
    },
};

pub(super) struct Map;

#[derive(Debug)]
struct MapEntry {
    call: Call,
    keep: Vec<Name>,
}

impl OperatorKind for Map {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["map = \"plugin/function\""],
            beside: &["fields", "keep", "parameters", "shared", "as", "on-error"],
            rows: "what the function returns, then the kept fields",
            holds: "nothing; what the function of a whole partition keeps is in its `memory`",
        };
        &Page { key: "map", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        let call = call(value, reader);
        let keep = reader.read("keep", values::different_texts).unwrap_or_default();
        Some(Box::new(MapEntry { call: call?, keep }))
    }
}

impl Entry for MapEntry {
    fn call(&self) -> Option<&Call> {
        Some(&self.call)
    }

    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let MapEntry { call, keep } = self;
        let stream = inputs.first();
        let kept = stream.and_then(|stream| fields::find_all(keep, stream, diagnostics));
        let places = kept.as_deref().unwrap_or_default();
        let function = calls::resolve(call, FunctionKind::Map, stream, &[], places, plugins, diagnostics)?;
        let (stream, keep) = (stream?, kept?);
        let naming = Naming { rename: call.rename.as_ref(), value: None };
        let returned = fields::named(&function.signature.name, &function.signature.output, &naming, diagnostics)?;
        let groups =
            Groups { function: &function.signature.name, span: call.span, other: "keep", single: returned.len() == 1 };
        let schema = fields::join(&returned, &stream.schema.project(&keep), &groups, diagnostics)?;
        Some(Node {
            function: Some(function),
            placement: Placement::AsInputBy(stream.schema.names_of(&keep)),
            letters: Letters { key: None, values: stream.schema.clone() },
            ..Node::new(Operator::Map(graph::Map { keep }), schema, Role::Map, Way::Here)
        })
    }
}
