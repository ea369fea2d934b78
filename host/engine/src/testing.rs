//! What is said in the log, and pipelines without plugins, for tests.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use tidemill_model::function::{Binding, Description, Signature};
use tidemill_plan::{Functions, Manifest, graph::Plan};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

/// An event's level and message, and its fields behind it.
struct Line {
    said: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.said, "{value:?}").unwrap(),
            name => write!(self.fields, " {name}={value:?}").unwrap(),
        }
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line { said: format!("{} ", event.metadata().level()), fields: String::new() };
        event.record(&mut line);
        self.0.lock().unwrap().push(line.said + &line.fields);
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What is said on this thread meanwhile, a line each.
pub(crate) fn said(work: impl FnOnce()) -> Vec<String> {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), work);
    heard.0.lock().unwrap().clone()
}

/// A pipeline has none.
struct NoPlugins;

impl Functions for NoPlugins {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        Err(plugin.to_owned())
    }

    fn open(&self, plugin: &str, _: &Binding) -> Result<Signature, String> {
        Err(plugin.to_owned())
    }
}

/// The plan of a pipeline's text.
pub(crate) fn plan(text: &str) -> Plan {
    let (manifest, mut diagnostics) = Manifest::read("p.toml", text, &[], tidemill_connect::CONNECTORS);
    manifest.resolve(&NoPlugins, &mut diagnostics).unwrap()
}
