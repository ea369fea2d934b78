//! Sinks that remember what they were told, before and after a host's end.

use std::sync::Arc;

use tidemill_model::{
    ports::{PortError, Sink, SinkBatch},
    time::Timestamp,
};

use crate::{
    rows,
    simulation::Simulation,
    world::{Delivery, HostId, Rows, Site, World},
};

/// A host's way to an output.
pub(super) struct SimulatedSink {
    simulation: Arc<Simulation>,
    host: HostId,
    output: usize,
    name: &'static str,
    staged: Option<(Timestamp, Rows)>,
    /// This host has made its place, and nothing was staged there yet.
    is_new: bool,
}

impl SimulatedSink {
    pub fn new(simulation: Arc<Simulation>, host: HostId, output: usize) -> SimulatedSink {
        let name = simulation.scenario.outputs[output].name;
        let is_new = simulation.world().outputs[output].open();
        SimulatedSink { simulation, host, output, name, staged: None, is_new }
    }

    fn call<T>(&self, what: &str, effect: impl FnOnce(&mut World) -> T) -> Result<T, PortError> {
        let what = format!("{what} {}", self.name);
        self.simulation.call(self.host, Site::Sink, &what, PortError::refused, |world| Ok(effect(world)))
    }
}

impl Sink for SimulatedSink {
    fn stage(&mut self, batch: &SinkBatch<'_>) -> Result<(), PortError> {
        let of_part = |rows: &Vec<_>| rows.iter().flat_map(|rows| rows::texts(batch.schema, rows)).collect();
        let rows: Rows = batch.parts.iter().map(of_part).collect();
        self.call(&format!("stages {} {rows:?} in", batch.time), |_| ())?;
        self.staged = Some((batch.time, rows));
        self.is_new = false;
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let rows = self.staged.take().filter(|(staged, _)| *staged == time).map(|(_, rows)| rows);
        let (host, output) = (self.host, self.output);
        self.call(&format!("delivers {time} to"), |world| {
            let by_owner = world.owner == Some(host);
            let is_committed = world.committed.contains_key(&time);
            let delivered = match rows {
                None => Err(format!("host {host} delivers the batch {time}, which was not staged")),
                Some(_) if !is_committed => Err(format!("host {host} delivers the batch {time} before its commit")),
                Some(rows) => world.outputs[output].deliver(Delivery { time, rows, host, by_owner }),
            };
            delivered.unwrap_or_else(|what| world.broken(what));
        })
    }

    fn newest(&self) -> Result<Option<Timestamp>, PortError> {
        self.call("asks for the newest batch of", |world| world.outputs[self.output].newest())
    }

    fn is_new(&self) -> bool {
        self.is_new
    }
}

impl Drop for SimulatedSink {
    /// A place that nothing came to is not left behind, unless the host has crashed. Known fault of the files sink: a host that
    /// was overtaken before it had staged anything takes the empty folder away from the later one. Until that is mended it is
    /// left to a later host here.
    fn drop(&mut self) {
        let is_alone = self.simulation.turns.is_alone(self.host);
        let mut world = self.simulation.world();
        let is_down = world.hosts[self.host].is_down;
        let output = &mut world.outputs[self.output];
        if self.is_new && !is_down && is_alone && output.batches.is_empty() {
            output.is_there = false;
        }
    }
}
