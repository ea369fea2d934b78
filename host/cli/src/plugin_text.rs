//! A plugin as text and as JSON: for `build` and `inspect`.

use std::fmt::Write;

use serde_json::{Value, json};
use tidemill_guest::Plugin;
use tidemill_model::{
    function::{FunctionKind, Signature},
    schema::Schema,
    text::counted,
};

/// A line a function.
pub fn short(plugin: &Plugin, bytes: usize) -> String {
    let mut text = headline(plugin, bytes);
    let functions = &plugin.description().functions;
    let width = functions.iter().map(|function| function.name.len()).max().unwrap_or(0);
    for function in functions {
        let (kind, name) = (function.kind.name(), &function.name);
        let _ = writeln!(text, "  {kind:<12}  {name:width$}  {}", types(function));
    }
    text
}

/// Everything that is known. `sha256` is the component's, as a pipeline names it.
pub fn long(plugin: &Plugin, bytes: usize, sha256: &str) -> String {
    let mut text = headline(plugin, bytes);
    let imports = if plugin.imports().is_empty() { "nothing".to_owned() } else { plugin.imports().join(", ") };
    let _ = writeln!(text, "sha256 {sha256}\nblake3 {}\nimports {imports}", plugin.digest());
    for function in &plugin.description().functions {
        let _ = writeln!(text, "\n{} {}\n  {}", function.kind.name(), function.name, types(function));
        for line in function.doc.lines() {
            let _ = writeln!(text, "{}", format!("  {line}").trim_end());
        }
        for property in properties(function) {
            let _ = writeln!(text, "  - {property}");
        }
        for (name, schema) in &function.shared {
            let _ = writeln!(text, "  - reads the side input {name}: {schema}");
        }
    }
    text
}

/// Everything that is known, as one JSON object.
pub fn json(plugin: &Plugin, bytes: usize, sha256: &str) -> String {
    let description = plugin.description();
    let functions: Vec<Value> = description.functions.iter().map(function_json).collect();
    let value = json!({
        "name": description.name,
        "version": description.version,
        "bytes": bytes,
        "sha256": sha256,
        "blake3": plugin.digest(),
        "imports": plugin.imports(),
        "functions": functions,
    });
    format!("{value:#}\n")
}

fn headline(plugin: &Plugin, bytes: usize) -> String {
    let description = plugin.description();
    format!("{} {}, {}\n", description.name, description.version, counted(bytes, "byte"))
}

fn function_json(function: &Signature) -> Value {
    let shared = function.shared.iter().map(|(name, schema)| (name.clone(), schema_json(schema)));
    json!({
        "name": function.name,
        "kind": function.kind.name(),
        "doc": function.doc,
        "input": schema_json(&function.input),
        "output": schema_json(&function.output),
        "state": schema_json(&function.state),
        "state_version": function.state_version,
        "whole_partition": function.whole_partition,
        "finishes": function.finishes,
        "invertible": function.invertible,
        "shared": shared.collect::<serde_json::Map<_, _>>(),
    })
}

fn schema_json(schema: &Schema) -> Value {
    schema.fields().iter().map(|field| json!({ "name": field.name, "type": field.ty.to_string() })).collect()
}

/// What goes in and what comes out.
fn types(function: &Signature) -> String {
    let Signature { input, output, state, .. } = function;
    match function.kind {
        FunctionKind::Map | FunctionKind::Output => format!("({input}) -> ({output})"),
        FunctionKind::Reduce if function.finishes => format!("({input}) -> ({output}), by way of ({state})"),
        FunctionKind::Reduce => format!("({input}) -> ({output})"),
        FunctionKind::UpdateState if function.output.is_empty() => format!("({input}), keeps ({state})"),
        FunctionKind::UpdateState => format!("({input}) -> ({output}), keeps ({state})"),
    }
}

fn properties(function: &Signature) -> Vec<String> {
    let mut properties = Vec::new();
    if function.kind == FunctionKind::UpdateState {
        properties.push(format!("state version {}", function.state_version));
    }
    if function.whole_partition {
        properties.push("sees the whole partition".to_owned());
    }
    if function.invertible {
        properties.push("can take values out again: sliding windows are incremental".to_owned());
    }
    properties
}
