//! The plugins of a pipeline, and the functions that it names.

use std::collections::{HashMap, HashSet};

use tidemill_model::function::{Description, FunctionKind, Signature};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    functions::Functions,
    graph::OnError,
    manifest::{Body, Manifest},
    operators::Call,
    suggest,
};

pub(crate) struct Plugins<'a> {
    pub(super) functions: &'a dyn Functions,
    /// What happens when one fails whose use does not say it.
    pub(crate) on_error: OnError,
    /// In the order of the file.
    names: Vec<&'a str>,
    /// `None`: it could not be read or loaded, which has been reported.
    descriptions: HashMap<&'a str, Option<&'a Description>>,
}

impl<'a> Plugins<'a> {
    /// Asks for every plugin's description; those that cannot be loaded are reported.
    pub(super) fn load(
        manifest: &'a Manifest,
        functions: &'a dyn Functions,
        diagnostics: &mut Diagnostics,
    ) -> Plugins<'a> {
        let names: Vec<&str> = manifest.plugin_names.iter().map(|name| name.text.as_str()).collect();
        let mut descriptions: HashMap<&str, Option<&Description>> = names.iter().map(|name| (*name, None)).collect();
        for entry in &manifest.plugins {
            match functions.description(&entry.name) {
                Ok(description) => {
                    descriptions.insert(&entry.name, Some(description));
                }
                Err(reason) => {
                    let message = format!("plugin `{}` cannot be used: {}", entry.name, one_line(&reason));
                    diagnostics.push(Diagnostic::error(entry.span, message));
                }
            }
        }
        Plugins { functions, on_error: manifest.pipeline.on_error, names, descriptions }
    }

    /// The function that `call` names and its place in the plugin, if it is of the kind that is needed.
    pub(super) fn find(
        &self,
        call: &Call,
        kind: FunctionKind,
        diagnostics: &mut Diagnostics,
    ) -> Option<(usize, &'a Signature)> {
        let (plugin, function) = (call.plugin.text.as_str(), call.function.text.as_str());
        let Some(description) = self.descriptions.get(plugin) else {
            let error = Diagnostic::error(call.span, format!("there is no plugin `{plugin}`")).label("unknown");
            diagnostics.push(error.help(suggest::help(plugin, "plugins", self.names.iter().copied())));
            return None;
        };
        let description = (*description)?;
        let of_kind =
            || description.functions.iter().filter(|other| other.kind == kind).map(|other| other.name.as_str());
        let Some(place) = description.index_of(function) else {
            let error = Diagnostic::error(call.span, format!("plugin `{plugin}` has no function `{function}`"));
            let all = description.functions.iter().map(|other| other.name.as_str());
            diagnostics.push(error.label("unknown").help(suggest::help(function, "its functions", all)));
            return None;
        };
        let signature = &description.functions[place];
        if signature.kind != kind {
            let message = format!("`{function}` is {}, not {}", article(signature.kind), article(kind));
            let fitting = suggest::list(of_kind());
            let help = match fitting.as_str() {
                "" => format!("plugin `{plugin}` has no function of kind {}", kind.name()),
                fitting => format!("functions of kind {} in `{plugin}`: {fitting}", kind.name()),
            };
            diagnostics.push(Diagnostic::error(call.span, message).help(help));
            return None;
        }
        Some((place, signature))
    }
}

/// A map, an update-state.
fn article(kind: FunctionKind) -> String {
    match kind {
        FunctionKind::UpdateState | FunctionKind::Output => format!("an {}", kind.name()),
        FunctionKind::Map | FunctionKind::Reduce => format!("a {}", kind.name()),
    }
}

/// What comes from plugins may have many lines.
pub(super) fn one_line(reason: &str) -> String {
    const CHARS_MAX: usize = 500;
    let words: Vec<&str> = reason.split_whitespace().collect();
    words.join(" ").chars().take(CHARS_MAX).collect()
}

/// Warns of plugins that nothing calls.
pub(super) fn warn_of_unused(manifest: &Manifest, diagnostics: &mut Diagnostics) {
    let streams = manifest.streams.iter().filter_map(|stream| match &stream.body {
        Some(Body::Operator(operator)) => operator.call(),
        _ => None,
    });
    let outputs = manifest.outputs.iter().filter_map(|output| output.function.as_ref());
    let used: HashSet<&str> = streams.chain(outputs).map(|call| call.plugin.text.as_str()).collect();
    for name in manifest.plugin_names.iter().filter(|name| !used.contains(name.text.as_str())) {
        let warning = Diagnostic::warning(name.span, format!("nothing calls plugin `{}`", name.text));
        diagnostics.push(warning.help("remove it, or call one of its functions"));
    }
}
