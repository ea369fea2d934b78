//! Sources of tests: batches as given, and batches that come in small chunks and partly before their tick.

use std::collections::VecDeque;

use tidemill_model::{
    ports::{Chunk, Irregularity, Owner, PortError, Sealed, Source, Taken},
    schema::Schema,
    testing::{Value, buffer_of},
    time::Timestamp,
};

/// Batches of rows, a chunk each; `None` where there is none.
pub struct Given {
    schema: Schema,
    batches: VecDeque<Option<Vec<Vec<Value>>>>,
    sealed: Option<Vec<Chunk>>,
}

impl Given {
    pub fn new(schema: &Schema, batches: Vec<Option<Vec<Vec<Value>>>>) -> Given {
        Given { schema: schema.clone(), batches: batches.into(), sealed: None }
    }
}

/// Rows as a chunk of any partition.
pub fn chunk_of(schema: &Schema, rows: &[Vec<Value>]) -> Chunk {
    Chunk { partition: None, rows: buffer_of(schema, rows).to_batch(&schema.to_arrow()).unwrap() }
}

impl Source for Given {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let taken = self.sealed.take();
        Ok(Taken { end: taken.is_some(), chunks: taken.unwrap_or_default(), bytes: 1 })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        let batch = self.batches.pop_front().unwrap_or(Some(Vec::new()));
        let sealed = Sealed { present: batch.is_some(), last: self.batches.is_empty() };
        let rows = batch.filter(|rows| !rows.is_empty());
        self.sealed = Some(rows.iter().map(|rows| chunk_of(&self.schema, rows)).collect());
        Ok(sealed)
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

/// Another source's batches, its chunks cut into smaller ones.
pub struct Chopped {
    inner: Box<dyn Source>,
    chunk_rows: usize,
    ahead: bool,
    /// The open or sealed batch, as far as it was not taken.
    chunks: VecDeque<Chunk>,
    /// What the inner source said when the open batch was taken from it ahead of time.
    early: Option<Sealed>,
    is_sealed: bool,
}

impl Chopped {
    pub fn new(inner: Box<dyn Source>, chunk_rows: usize, ahead: bool) -> Chopped {
        Chopped { inner, chunk_rows, ahead, chunks: VecDeque::new(), early: None, is_sealed: false }
    }

    fn fill(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let sealed = self.inner.seal(at)?;
        loop {
            let taken = self.inner.take(usize::MAX)?;
            self.chunks.extend(taken.chunks.iter().flat_map(|chunk| cut(chunk, self.chunk_rows)));
            if taken.end {
                return Ok(sealed);
            }
        }
    }
}

fn cut(chunk: &Chunk, chunk_rows: usize) -> Vec<Chunk> {
    let len = chunk.rows.num_rows();
    let step = chunk_rows.min(len.max(1));
    let part = |first| Chunk { partition: chunk.partition, rows: chunk.rows.slice(first, step.min(len - first)) };
    (0..len).step_by(step).map(part).collect()
}

impl Source for Chopped {
    fn schema(&self) -> &Schema {
        self.inner.schema()
    }

    fn begin(&mut self, owner: &Owner<'_>) -> Result<(), PortError> {
        self.inner.begin(owner)
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        if self.is_sealed {
            let chunk = self.chunks.pop_front();
            let end = self.chunks.is_empty();
            self.is_sealed = !end;
            return Ok(Taken { chunks: chunk.into_iter().collect(), bytes: 1, end });
        }
        if !self.ahead || self.early.is_some() {
            return Ok(Taken::default());
        }
        self.early = Some(self.fill(Timestamp(0))?);
        let some = self.chunks.len().div_ceil(2);
        Ok(Taken { chunks: self.chunks.drain(..some).collect(), bytes: 1, end: false })
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        let early = self.early.take();
        let sealed = early.map_or_else(|| self.fill(at), Ok)?;
        self.is_sealed = true;
        Ok(sealed)
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        self.inner.irregularities()
    }

    fn stop(&mut self) {
        self.inner.stop();
    }
}

/// One batch, its chunks in partitions that the test chooses.
pub struct Placed {
    schema: Schema,
    chunks: Vec<Chunk>,
    /// All of it is there before the tick.
    ahead: bool,
    sealed: bool,
}

impl Placed {
    pub fn new(schema: &Schema, chunks: Vec<Chunk>, ahead: bool) -> Placed {
        Placed { schema: schema.clone(), chunks, ahead, sealed: false }
    }
}

impl Source for Placed {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _: usize) -> Result<Taken, PortError> {
        let chunks = if self.sealed || self.ahead { std::mem::take(&mut self.chunks) } else { Vec::new() };
        Ok(Taken { chunks, bytes: 1, end: std::mem::take(&mut self.sealed) })
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
