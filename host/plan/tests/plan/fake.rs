//! Plugins that are only descriptions.

use std::collections::BTreeMap;

use tidemill_model::{
    function::{Binding, Description, FunctionKind, Signature},
    schema::{Field, Kind, Schema, Type},
};
use tidemill_plan::Functions;

/// Plugins by their name in the pipeline.
pub struct Fake(BTreeMap<&'static str, Result<Description, String>>);

impl Fake {
    pub fn new() -> Fake {
        let mut words = [
            function("split", FunctionKind::Map, "line: text", "word: text, count: integer", ""),
            function("is-long", FunctionKind::Map, "word: text", "value: boolean", ""),
            function("upper", FunctionKind::Map, "text: text", "value: text", ""),
            function("distance", FunctionKind::Map, "a: float, b: float", "distance: float", ""),
            function("nothing", FunctionKind::Map, "line: text", "", ""),
            function("sum", FunctionKind::Reduce, "value: integer", "value: integer", "value: integer"),
            function("last", FunctionKind::Reduce, "value: any", "value: any", "value: any"),
            function("range", FunctionKind::Reduce, "value: integer", "low: integer, high: integer", "value: integer"),
            function("running-total", FunctionKind::UpdateState, "value: integer", "", "value: integer"),
            function("alerts", FunctionKind::UpdateState, "value: integer", "alert: text", "seen: integer"),
            function("stateless", FunctionKind::UpdateState, "value: integer", "", ""),
            function("score", FunctionKind::Map, "word: text", "value: integer", ""),
            function("to-line", FunctionKind::Output, "word: text, count: integer", "line: text", ""),
        ];
        words[11].shared = vec![("scores".to_owned(), schema("key: text, value: integer"))];
        let mut odd = vec![
            function("refuses", FunctionKind::Map, "line: text", "line: text", ""),
            function("joins", FunctionKind::Map, "line: text", "line: text", ""),
            function("is-whole", FunctionKind::Map, "line: text", "value: boolean", ""),
            function("wide", FunctionKind::Map, "line: text", "value: boolean", ""),
            function("echo", FunctionKind::Map, "line: text", "line: text", ""),
            function("is-both", FunctionKind::Map, "line: text", "one: boolean, other: boolean", ""),
            function("silent", FunctionKind::Output, "line: text", "", ""),
            function("maybe", FunctionKind::Map, "row: record<line: text>?", "value: boolean", ""),
            function("is-what", FunctionKind::Map, "line: text", "value: integer", ""),
        ];
        odd[1].shared = vec![("limits".to_owned(), schema("limit: integer"))];
        odd[2].whole_partition = true;
        let broken = Err("words.wasm is not a component:\n  it begins with `#!/bin/sh`".to_owned());
        Fake(BTreeMap::from([("words", plugin(&words)), ("odd", plugin(&odd)), ("broken", broken)]))
    }
}

impl Functions for Fake {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        match self.0.get(plugin) {
            Some(found) => found.as_ref().map_err(Clone::clone),
            None => Err("no such file".to_owned()),
        }
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let mut signature = self.description(plugin)?.functions[binding.function].clone();
        match signature.name.as_str() {
            "refuses" => {
                let says = binding.parameters.iter().find(|(name, _)| name == "says").map(|(_, reason)| reason.clone());
                return Err(says.unwrap_or_else(|| format!("I do not like {:?}", binding.parameters)));
            }
            "wide" => signature.output = integers(4_096),
            "last" => {
                let given = binding.input.fields()[0].ty.clone();
                signature.input = settled(&signature.input, &given);
                signature.output = settled(&signature.output, &given);
                signature.state = settled(&signature.state, &given);
            }
            _ => {}
        }
        Ok(signature)
    }
}

fn settled(open: &Schema, ty: &Type) -> Schema {
    let settle = |field: &Field| if field.ty.kind == Kind::Any { ty.clone() } else { field.ty.clone() };
    Schema::try_new(open.fields().iter().map(|field| Field::new(&field.name, settle(field))).collect()).unwrap()
}

fn integers(fields: usize) -> Schema {
    let field = |number: usize| Field::new(format!("f{number}"), Type::required(Kind::Integer));
    Schema::try_new((0..fields).map(field).collect()).unwrap()
}

fn schema(text: &str) -> Schema {
    text.parse().unwrap()
}

fn plugin(functions: &[Signature]) -> Result<Description, String> {
    Ok(Description { name: "test".to_owned(), version: "1".to_owned(), functions: functions.to_vec() })
}

fn function(name: &str, kind: FunctionKind, input: &str, output: &str, state: &str) -> Signature {
    Signature {
        name: name.to_owned(),
        kind,
        doc: String::new(),
        input: schema(input),
        output: schema(output),
        state: schema(state),
        state_version: 0,
        whole_partition: false,
        finishes: false,
        invertible: false,
        shared: Vec::new(),
    }
}
