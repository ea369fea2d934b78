//! What simulated pipelines read from and write to: names only, since the simulation brings its own sources and sinks.

use std::{path::Path, sync::Arc};

use tidemill_model::{
    connector::{SinkSettings, SourceSettings, World},
    ports::{PortError, Sink, Source},
    schema::Schema,
};
use tidemill_plan::{
    connector::{Connector, Connectors, Form, Key, Page, Short},
    reader::Reader,
};

use crate::scenario::SCHEMA;

/// The connectors of the simulation.
pub(crate) static CONNECTORS: Connectors = &[&SIMULATED];

static SIMULATED: Connector = Connector {
    key: "simulated",
    source: Some(Form { page: PAGE, read: |_: &mut Reader<'_, '_>| Some(Arc::new(Simulated)) }),
    sink: Some(Form { page: PAGE, read: |_: &mut Reader<'_, '_>| Some(Arc::new(Simulated)) }),
    letters: Some(|_: &Path| Arc::new(Simulated)),
};

const PAGE: Page = Page { says: "", short: Short::True { key: "" }, keys: NONE };
const NONE: &[Key] = &[];

#[derive(Debug)]
struct Simulated;

impl SourceSettings for Simulated {
    fn schema(&self) -> Schema {
        SCHEMA.parse().expect("the simulation's rows have a schema")
    }

    fn open(&self, _stream: &str, _world: &World) -> Result<Box<dyn Source>, PortError> {
        Err(PortError::configuration("sources are given to a simulated run"))
    }
}

impl SinkSettings for Simulated {
    fn open(&self, _output: &str, _world: &World) -> Result<Box<dyn Sink>, PortError> {
        Err(PortError::configuration("sinks are given to a simulated run"))
    }
}
