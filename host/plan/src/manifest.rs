//! A pipeline as it is written: every value read and checked by itself, nothing yet that needs a plugin.

pub(crate) mod on_error;
mod outputs;
mod pipeline;
mod plugins;
mod streams;

use std::sync::Arc;
use tidemill_model::text::counted;

use tidemill_model::{connector::SinkSettings, time::Interval};

pub use pipeline::{CheckpointEntry, CheckpointPlace};
pub use plugins::PluginEntry;
pub(crate) use streams::{Body, StreamEntry};

use crate::{
    connector::{Connectors, Letters},
    diagnostics::{Diagnostic, Diagnostics},
    document::{
        self, Name, Parsed, Table, Value, ValueKind,
        overrides::{self, Override},
    },
    keys,
    operators::Call,
    reader::{self, values},
    suggest,
};

/// A larger text is not a pipeline.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// What could be read of a pipeline. The places of its parts are kept, for what is found out later.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub(crate) pipeline: pipeline::Pipeline,
    pub(crate) plugins: Vec<PluginEntry>,
    /// All of `[plugins]`, those that could not be read too.
    pub(crate) plugin_names: Vec<Name>,
    pub(crate) streams: Vec<StreamEntry>,
    pub(crate) outputs: Vec<OutputEntry>,
    /// The sink of the rows that a function could not take, in a folder.
    pub(crate) letters: Option<Letters>,
    /// Parts of the file could not be read, so that what is missing here may be there.
    pub(crate) incomplete: bool,
}

/// An output as it is written.
#[derive(Clone, Debug)]
pub(crate) struct OutputEntry {
    pub(crate) name: Name,
    pub(crate) from: Option<Name>,
    pub(crate) function: Option<Call>,
    pub(crate) sink: Option<Arc<dyn SinkSettings>>,
}

impl Manifest {
    /// Reads a pipeline's text, with `overrides` in the place of its values. It always gives an answer: what cannot be
    /// read is left out and stands in the diagnostics, all of it at once. `file_name` is only shown; `connectors` are those
    /// that there are.
    pub fn read(
        file_name: &str,
        text: &str,
        overrides: &[Override],
        connectors: Connectors,
    ) -> (Manifest, Diagnostics) {
        let mut diagnostics = Diagnostics::new(file_name, text);
        let mut manifest = Manifest::empty(connectors);
        if text.len() > TEXT_BYTES_MAX {
            let message =
                format!("the file has {}; a pipeline has at most {TEXT_BYTES_MAX}", counted(text.len(), "byte"));
            diagnostics.push(Diagnostic::whole(message));
            manifest.incomplete = true;
            return (manifest, diagnostics);
        }
        let Parsed { mut table, incomplete, .. } = document::parse(text, &mut diagnostics);
        manifest.incomplete = incomplete;
        overrides::apply(&mut table, overrides, connectors, &mut diagnostics);
        if incomplete {
            // What is left of the file is read for its plugins, but what is missing is only a consequence.
            manifest.fill(&table, connectors, &mut diagnostics.clone());
        } else {
            manifest.fill(&table, connectors, &mut diagnostics);
        }
        diagnostics.sort();
        (manifest, diagnostics)
    }

    fn empty(connectors: Connectors) -> Manifest {
        Manifest {
            pipeline: pipeline::Pipeline::default(),
            plugins: Vec::new(),
            plugin_names: Vec::new(),
            streams: Vec::new(),
            outputs: Vec::new(),
            letters: connectors.iter().find_map(|connector| connector.letters),
            incomplete: false,
        }
    }

    fn fill(&mut self, table: &Table, connectors: Connectors, diagnostics: &mut Diagnostics) {
        let mut filled = Vec::new();
        for (key, value) in &table.entries {
            let Some(section) = section(key, table, diagnostics) else { continue };
            let ValueKind::Table(entries) = &value.kind else {
                self.incomplete = true;
                filled.push(section);
                not_a_section(section, value, diagnostics);
                continue;
            };
            if section == "pipeline" || !entries.entries.is_empty() {
                filled.push(section);
            }
            match section {
                "pipeline" => self.pipeline = pipeline::read(value, diagnostics),
                "plugins" => (self.plugin_names, self.plugins) = plugins::read(value, diagnostics),
                "streams" => self.streams = streams::read(value, connectors, diagnostics),
                _ => self.outputs = outputs::read(value, connectors, diagnostics),
            }
        }
        for (_, message, help) in NEEDED.iter().filter(|(section, ..)| !filled.contains(section)) {
            diagnostics.push(Diagnostic::whole(*message).help(*help));
        }
    }

    /// The plugins, in the order of the file; those that could not be read are left out.
    pub fn plugins(&self) -> &[PluginEntry] {
        &self.plugins
    }

    /// The pipeline's name, if it could be read.
    pub fn name(&self) -> Option<&str> {
        self.pipeline.name.as_deref()
    }

    /// The time between two batches, if it could be read.
    pub fn interval(&self) -> Option<Interval> {
        self.pipeline.interval
    }

    /// Where it keeps what survives, and how much; `None`: nothing survives.
    pub fn checkpoint(&self) -> Option<&CheckpointEntry> {
        self.pipeline.checkpoint.as_ref()
    }
}

/// Sections without which nothing can run: what to say if they are not there, or empty.
const NEEDED: &[(&str, &str, &str)] = &[
    (
        "pipeline",
        "the pipeline has no section [pipeline]",
        "begin with a name and an interval:\n[pipeline]\nname = \"words\"\ninterval = \"1s\"",
    ),
    (
        "streams",
        "the pipeline has no streams",
        "a stream says where rows come from:\n[streams.lines]\nsocket = \"127.0.0.1:9999\"",
    ),
    (
        "outputs",
        "the pipeline has no outputs, so nothing would come out of it",
        "an output says where rows go:\n[outputs.words]\nfrom = \"lines\"\nprint = true",
    ),
];

/// The section that `key` begins. One that is misspelt is reported, and read as what it was meant to be.
fn section(key: &Name, table: &Table, diagnostics: &mut Diagnostics) -> Option<&'static str> {
    let known = || keys::SECTIONS.iter().copied();
    if let Some(section) = known().find(|section| *section == key.text) {
        return Some(section);
    }
    diagnostics.push_error_with(|| {
        let error = Diagnostic::error(key.span, format!("unknown section `{}`", key.text)).label("unknown");
        error.help(suggest::help(&key.text, "sections", known()))
    });
    suggest::nearest(&key.text, known()).filter(|section| table.get(section).is_none())
}

fn not_a_section(section: &str, value: &Value, diagnostics: &mut Diagnostics) {
    if reader::is_broken(value) {
        return;
    }
    let header = if section == "pipeline" { "[pipeline]".to_owned() } else { format!("[{section}.NAME]") };
    let message = format!("`{section}` is a section, not {}", value.type_name());
    let help = format!("write {header} in a line of its own, and its keys below it");
    diagnostics.push(Diagnostic::error(value.span, message).help(help));
}
