//! From what stands in a pipeline to settings, on the way that a program takes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use tidemill_model::{
    columns::{Rows, columns_of, compact},
    connector::{SinkSettings, SourceSettings, World},
    function::{Binding, Description, Signature},
    ports::{PortError, Sink, Source},
    schema::{Kind, Schema},
    testing::{Value, values_of},
};
use tidemill_plan::{
    Functions, Manifest,
    connector::{Connector, Connectors, Form, Page, Short},
    graph::Plan,
};

/// What stands at the other end.
static ELSEWHERE: Connector = Connector {
    key: "elsewhere",
    source: Some(Form { page: PAGE, read: |_| Some(Arc::new(Elsewhere)) }),
    sink: Some(Form { page: PAGE, read: |_| Some(Arc::new(Elsewhere)) }),
    letters: None,
};

const PAGE: Page = Page { says: "", short: Short::True { key: "" }, keys: &[] };

#[derive(Debug)]
struct Elsewhere;

impl SourceSettings for Elsewhere {
    fn schema(&self) -> Schema {
        Schema::single("line", Kind::Text)
    }

    fn open(&self, _stream: &str, _world: &World) -> Result<Box<dyn Source>, PortError> {
        Err(PortError::configuration("it is never opened"))
    }
}

impl SinkSettings for Elsewhere {
    fn open(&self, _output: &str, _world: &World) -> Result<Box<dyn Sink>, PortError> {
        Err(PortError::configuration("it is never opened"))
    }
}

struct NoPlugins;

impl Functions for NoPlugins {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        Err(format!("there is no {plugin}"))
    }

    fn open(&self, plugin: &str, _: &Binding) -> Result<Signature, String> {
        Err(format!("there is no {plugin}"))
    }
}

fn plan(connectors: Connectors, source: &str, sink: &str) -> Plan {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\ncheckpoint = \"kept\"\n\
         [streams.lines]\n{source}\n[outputs.out]\nfrom = \"lines\"\n{sink}\n"
    );
    let all: Vec<&'static Connector> = connectors.iter().copied().chain([&ELSEWHERE]).collect();
    // A test reads few pipelines, and a table lives as long as its program.
    let (manifest, mut diagnostics) = Manifest::read("sample.toml", &text, &[], all.leak());
    let plan = manifest.resolve(&NoPlugins, &mut diagnostics);
    plan.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

/// The settings of the source that is written `KEY = WRITTEN`.
///
/// # Panics
/// There is something wrong with it.
pub fn source_settings(connectors: Connectors, key: &str, written: &str) -> Arc<dyn SourceSettings> {
    let plan = plan(connectors, &format!("{key} = {written}"), "elsewhere = true");
    let tidemill_plan::graph::Operator::Source(settings) = &plan.nodes[0].operator else {
        panic!("`{key}` is no source")
    };
    Arc::clone(settings)
}

/// The settings of the sink that is written `KEY = WRITTEN`.
///
/// # Panics
/// There is something wrong with it.
pub fn sink_settings(connectors: Connectors, key: &str, written: &str) -> Arc<dyn SinkSettings> {
    let plan = plan(connectors, "elsewhere = true", &format!("{key} = {written}"));
    Arc::clone(&plan.outputs[0].sink)
}

/// Rows as values.
pub fn rows_of(schema: &Schema, rows: &RecordBatch) -> Vec<Vec<Value>> {
    let rows = compact(rows);
    values_of(&Rows { schema, len: rows.num_rows(), columns: &columns_of(&rows) })
}
