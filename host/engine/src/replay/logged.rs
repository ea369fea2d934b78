//! What stands where a run has sources and sinks of its own.

use tidemill_model::{
    ports::{Irregularity, PortError, Sealed, Sink, SinkParts, SinkRows, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

/// A source whose rows are all in the input log.
pub(super) struct LoggedSource {
    schema: Schema,
    sealed: bool,
}

/// A sink that takes nothing.
pub(super) struct NoSink {
    pub(super) rows_max: Option<usize>,
}

impl LoggedSource {
    pub(super) fn new(schema: &Schema) -> LoggedSource {
        LoggedSource { schema: schema.clone(), sealed: false }
    }
}

impl Source for LoggedSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _: usize) -> Result<Taken, PortError> {
        let end = std::mem::take(&mut self.sealed);
        Ok(Taken { end, ..Taken::default() })
    }

    fn seal(&mut self, _: Timestamp) -> Result<Sealed, PortError> {
        self.sealed = true;
        Ok(Sealed { present: true, last: true })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

impl Sink for NoSink {
    fn write(&mut self, _: &SinkRows<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn rows_max(&self) -> Option<usize> {
        self.rows_max
    }
}
