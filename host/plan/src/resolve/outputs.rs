//! Outputs over streams whose fields are known.

use std::{
    collections::HashMap,
    path::{Component, Path, PathBuf},
};

use tidemill_model::function::FunctionKind;

use super::{Stream, calls, plugins::Plugins};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    graph::{NodeId, Output},
    manifest::{CheckpointEntry, CheckpointPlace, OutputEntry},
};

/// The output, or `None` if there was an error in it or in the stream.
pub(super) fn resolve(
    entry: &OutputEntry,
    stream: Option<(NodeId, Stream<'_>)>,
    plugins: &Plugins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Output> {
    let rows = stream.map(|(_, stream)| stream);
    let function = match &entry.function {
        Some(call) => Some(calls::resolve(call, FunctionKind::Output, rows, &[], &[], plugins, diagnostics)?),
        None => None,
    };
    let (from, stream) = stream?;
    let schema = function.as_ref().map_or(stream.schema, |function| &function.signature.output).clone();
    if schema.is_empty() {
        diagnostics.push(Diagnostic::error(entry.name.span, format!("output `{}` has no fields", entry.name.text)));
        return None;
    }
    let (name, sink) = (entry.name.text.clone(), entry.sink.clone()?);
    Some(Output { name, from, function, schema, sink, dead_letters: None })
}

/// Two outputs in one folder would write over each other's files.
pub(super) fn check_folders(outputs: &[OutputEntry], diagnostics: &mut Diagnostics) {
    let mut taken: HashMap<PathBuf, &OutputEntry> = HashMap::new();
    for output in outputs {
        let Some(folder) = output.sink.as_ref().and_then(|sink| sink.folder()) else { continue };
        if let Some(other) = taken.insert(plain(folder), output) {
            let (first, second) = (&other.name.text, &output.name.text);
            let message = format!("outputs `{first}` and `{second}` write to the same folder, `{}`", folder.display());
            diagnostics.push(Diagnostic::error(output.name.span, message).help("give each its own folder"));
        }
    }
}

/// A checkpoint's folder with anything else in it is refused by the next run.
pub(super) fn check_checkpoint(
    checkpoint: Option<&CheckpointEntry>,
    outputs: &[Output],
    diagnostics: &mut Diagnostics,
) {
    let Some(CheckpointPlace::Folder(checkpoint)) = checkpoint.map(|checkpoint| &checkpoint.place) else { return };
    let taken = plain(checkpoint);
    for output in outputs {
        let Some(folder) = output.sink.folder() else { continue };
        if plain(folder).starts_with(&taken) {
            let name = &output.name;
            let message =
                format!("output `{name}` writes into the folder of the checkpoint, `{}`", checkpoint.display());
            diagnostics.push(Diagnostic::whole(message).help("give each its own folder"));
        }
    }
}

/// Without the `.` that a path may have anywhere.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}
