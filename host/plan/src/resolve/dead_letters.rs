//! Outputs for the rows that functions could not take, one for each function whose pipeline wants them.

use std::path::{Path, PathBuf};

use tidemill_model::schema::{Field, Kind, Schema, Type};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    graph::{Caller, Node, NodeId, OnError, Output, Then},
    manifest::Manifest,
};

/// Where they go if the pipeline does not say it: a folder of the pipeline's name in this one.
const FOLDER_DEFAULT: &str = "dead-letters";

/// Adds the outputs behind the others.
pub(super) fn add(manifest: &Manifest, nodes: &[Node], outputs: &mut Vec<Output>, diagnostics: &mut Diagnostics) {
    let pipeline = &manifest.pipeline;
    let folder = match (&pipeline.dead_letters, &pipeline.name) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(name)) => Path::new(FOLDER_DEFAULT).join(name),
        (None, None) => return, // That has been reported.
    };
    let of_streams = nodes.iter().enumerate().filter_map(|(index, node)| {
        node.may_fail().filter(|(_, on_error)| has_letters(*on_error))?;
        let schema = schema(node.letters.key.as_ref(), &node.letters.values);
        Some((node.name.clone(), NodeId(index), Caller::Stream(NodeId(index)), schema))
    });
    let of_outputs = outputs.iter().enumerate().filter_map(|(index, output)| {
        output.function.as_ref().filter(|function| has_letters(function.on_error))?;
        // No stream's name has a dot.
        let name = format!("{}.output", output.name);
        Some((name, output.from, Caller::Output(index), schema(None, &nodes[output.from.0].schema)))
    });
    let wanted: Vec<_> = of_streams.chain(of_outputs).collect();
    let Some(sink) = manifest.letters else {
        if !wanted.is_empty() {
            diagnostics.push(Diagnostic::whole("there is no connector here that takes dead letters"));
        }
        return;
    };
    let added: Vec<Output> = wanted
        .into_iter()
        .map(|(name, from, caller, schema)| Output {
            sink: sink(&folder.join(&name)),
            // No output's name has a space.
            name: format!("dead letters of {name}"),
            from,
            function: None,
            schema,
            dead_letters: Some(caller),
        })
        .collect();
    for other in outputs.iter().filter(|output| writes_below(output, &folder)) {
        if !added.is_empty() {
            let message =
                format!("output `{}` writes below the folder of the dead letters, `{}`", other.name, folder.display());
            diagnostics.push(
                Diagnostic::whole(message)
                    .help("give each its own folder; that of the dead letters: `dead-letters` in [pipeline]"),
            );
        }
    }
    outputs.extend(added);
}

fn has_letters(on_error: OnError) -> bool {
    on_error.then == Then::DeadLetter
}

fn writes_below(output: &Output, folder: &Path) -> bool {
    output.sink.folder().is_some_and(|written| written.starts_with(folder))
}

/// A dead letter: where it comes from, why, and what it was. `key`: the fields of the key, of an operator that has one.
/// `values`: a row of the operator's input, of one whose keys do not always fail as a whole; missing where one has.
pub(super) fn schema(key: Option<&Schema>, values: &Schema) -> Schema {
    let required = |name: &str, kind| Field::new(name, Type::required(kind));
    let record = |name: &str, schema: &Schema| Field::new(name, Type::optional(Kind::Record(schema.clone())));
    let mut fields = vec![
        required("batch", Kind::Timestamp),
        required("stream", Kind::Text),
        required("function", Kind::Text),
        required("partition", Kind::Integer),
        Field::new("row", Type::optional(Kind::Integer)),
        required("reason", Kind::Text),
    ];
    fields.extend(key.filter(|key| !key.is_empty()).map(|key| record("key", key)));
    fields.extend(Some(values).filter(|values| !values.is_empty()).map(|values| record("values", values)));
    Schema::try_new(fields).expect("the names are different")
}
