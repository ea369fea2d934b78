//! Opens what a plan reads from and writes to.

use tidemill_model::{
    connector::World,
    ports::{PortError, Sink, Source},
};
use tidemill_plan::graph::{NodeId, Plan};

/// Sources by their nodes.
pub type OpenSources = Vec<(NodeId, Box<dyn Source>)>;

/// The sources of a plan, none of which has begun.
///
/// # Errors
/// What is wrong with one of them, so far as it can be seen without an effect.
pub fn open_sources(plan: &Plan, world: &World) -> Result<OpenSources, PortError> {
    let nodes = plan.nodes.iter().enumerate();
    let sources = nodes.filter_map(|(index, node)| Some((NodeId(index), node.name.as_str(), node.source()?)));
    sources.map(|(id, stream, source)| Ok((id, source.open(stream, world)?))).collect()
}

/// The sinks of a plan, none of which has begun.
///
/// # Errors
/// As for [`open_sources`].
pub fn open_sinks(plan: &Plan, world: &World) -> Result<Vec<Box<dyn Sink>>, PortError> {
    plan.outputs.iter().map(|output| output.sink.open(&output.name, world)).collect()
}
