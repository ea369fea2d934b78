//! Sinks that remember what they were told, before and after a host's end.

use std::sync::Arc;

use tidemill_model::{
    ports::{Owner, PortError, Sink, SinkParts, SinkRows, WrittenRows},
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
    written: WrittenRows,
    prepared: Option<(Timestamp, Rows)>,
    has_begun: bool,
}

impl SimulatedSink {
    pub fn new(simulation: Arc<Simulation>, host: HostId, output: usize) -> SimulatedSink {
        let name = simulation.scenario.outputs[output].name;
        SimulatedSink {
            simulation,
            host,
            output,
            name,
            written: WrittenRows::default(),
            prepared: None,
            has_begun: false,
        }
    }

    fn call<T>(&self, what: &str, effect: impl FnOnce(&mut World) -> T) -> Result<T, PortError> {
        let what = format!("{what} {}", self.name);
        self.simulation.call(self.host, Site::Sink, &what, PortError::refused, |world| Ok(effect(world)))
    }
}

impl Sink for SimulatedSink {
    fn begin(&mut self, _owner: &Owner<'_>) -> Result<(), PortError> {
        let (host, output) = (self.host, self.output);
        self.call("begins to own", |world| {
            world.outputs[output].open();
            if world.hosts[host].is_opening {
                world.broken(format!("host {host} begins to own an output before the checkpoint"));
            }
        })?;
        self.has_begun = true;
        Ok(())
    }

    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        let has_begun = self.has_begun;
        self.call(&format!("writes rows of {} to", rows.batch), |world| {
            if !has_begun {
                world.broken(format!("rows of the batch {} are written to an output that nobody owns", rows.batch));
            }
        })?;
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let of_part = |rows: &Vec<_>| rows.iter().flat_map(|rows| rows::texts(batch.schema, rows)).collect();
        let rows: Rows = self.written.take(batch).iter().map(of_part).collect();
        self.call(&format!("prepares {} {rows:?} in", batch.time), |_| ())?;
        self.prepared = Some((batch.time, rows));
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.call(&format!("discards {batch} in"), |_| ())?;
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let rows = self.prepared.take().filter(|(prepared, _)| *prepared == time).map(|(_, rows)| rows);
        let (host, output) = (self.host, self.output);
        self.call(&format!("delivers {time} to"), |world| {
            let by_owner = world.owner == Some(host);
            let is_committed = world.committed.contains_key(&time);
            let delivered = match rows {
                None => Err(format!("host {host} delivers the batch {time}, which was not prepared")),
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
        !self.has_begun && self.simulation.world().outputs[self.output].is_new()
    }
}
