//! Made-up lines as a source.

use arrow_schema::SchemaRef;
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::{
    GenerateSource, Generator,
    position::{self, Position, Schedule},
};
use crate::{
    pin,
    text::{self, CHUNK_BYTES, LineBuffer, LineCutter, TextOptions},
};

/// Rows that a batch has at least, where no rate says how many: a run that seals without taking gets on too.
const BATCH_ROWS_MIN: u64 = 10_000;

/// Rows that are taken of such a batch before it is sealed: on a clock that stands still while rows come, it has an end.
const BATCH_ROWS_MAX: u64 = 10_000_000;

/// Bytes that are made before any are taken.
const AHEAD_BYTES_MAX: usize = 4 << 20;

/// Lines by the clock, or as fast as they are taken.
#[derive(Debug)]
pub(crate) struct GeneratedSource {
    stream: String,
    spec: GenerateSource,
    until_done: bool,
    schema: Schema,
    arrow: SchemaRef,
    opened: Timestamp,
    schedule: Schedule,
    generator: Generator,
    cutter: LineCutter,
    lines: LineBuffer,
    block: Vec<u8>,
    /// Rows that came before those in `lines`, in an earlier run.
    given_before: u64,
    /// Rows up to the sealed batch's end, while it is not made.
    sealed: Option<u64>,
    /// The last batch that was sealed.
    position: Position,
    /// The batch to be given again: the next one.
    repeated: Option<Position>,
}

impl GeneratedSource {
    pub fn new(stream: &str, spec: &GenerateSource, opened: Timestamp, until_done: bool) -> GeneratedSource {
        let schema = text::schema();
        let generator = Generator::new(spec.kind, spec.seed);
        let position = Position::start(spec.kind, spec.seed, generator.random_state());
        GeneratedSource {
            stream: stream.to_owned(),
            spec: spec.clone(),
            until_done,
            arrow: schema.to_arrow(),
            schema,
            opened,
            schedule: Schedule::after(&position, opened),
            generator,
            cutter: LineCutter::new(TextOptions::default()),
            lines: LineBuffer::new(CHUNK_BYTES),
            block: Vec::new(),
            given_before: 0,
            sealed: None,
            position,
            repeated: None,
        }
    }

    fn count(&self) -> u64 {
        self.spec.count.unwrap_or(u64::MAX)
    }

    /// Rows that were made, in earlier runs too.
    fn made(&self) -> u64 {
        self.given_before.saturating_add(self.lines.received())
    }

    /// The batch that is sealed at `at`.
    fn batch(&self, at: Timestamp) -> Position {
        let (first_row, made) = (self.position.end(), self.made());
        let (end, due_millionths) = match self.spec.rate {
            Some(rate) => self.schedule.due(rate, at),
            None if self.until_done && self.spec.count.is_some() => (u64::MAX, 0),
            None => (made.max(first_row.saturating_add(BATCH_ROWS_MIN)), 0),
        };
        Position {
            first_row,
            rows: end.clamp(made, self.count().max(made)) - first_row,
            random_before: self.position.random_after,
            sealed_micros: Some(at.0),
            due_millionths,
            ..self.position.clone()
        }
    }

    /// Makes lines until there are enough, or all of the batch.
    fn make(&mut self, bytes: usize) {
        let open_end = match (&self.repeated, self.spec.rate) {
            (Some(batch), _) => batch.end(),
            (None, Some(_)) => 0,
            (None, None) => self.position.end().saturating_add(BATCH_ROWS_MAX).min(self.count()),
        };
        let end = self.sealed.unwrap_or(open_end);
        while self.made() < end && self.lines.line_bytes() < bytes {
            self.block.clear();
            let rows = (end - self.made()).min(64);
            (0..rows).for_each(|_| self.generator.append_line(&mut self.block));
            self.cutter.cut(&self.block, &mut self.lines);
        }
        if self.sealed == Some(self.made()) {
            self.sealed = None;
            self.position.random_after = self.generator.random_state();
            self.lines.seal(u64::MAX);
        }
    }

    /// The pin of a source of the same rows.
    fn read_pin(&self, pin: &str) -> Result<Position, PortError> {
        let batch: Position = pin::read(&self.stream, pin)?;
        let (kind, seed) = (position::name(self.spec.kind), self.spec.seed);
        if batch.kind == kind && batch.seed == seed {
            return Ok(batch);
        }
        Err(PortError::configuration(format!(
            "stream `{}` had rows of the kind `{}` made with the seed {} when the checkpoint was written, and the \
             pipeline has `{kind}` with {seed} now: other rows; set them back, or begin with a new checkpoint",
            self.stream, batch.kind, batch.seed
        )))
    }
}

impl Source for GeneratedSource {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, bytes_max: usize) -> Result<Taken, PortError> {
        self.make(bytes_max.min(AHEAD_BYTES_MAX).saturating_add(CHUNK_BYTES));
        let taken = self.lines.take(bytes_max);
        let rows = |lines| Chunk { partition: None, rows: text::rows(&self.arrow, lines) };
        Ok(Taken { chunks: taken.chunks.into_iter().map(rows).collect(), bytes: taken.bytes, end: taken.end })
    }

    fn seal(&mut self, at: Timestamp) -> Result<Sealed, PortError> {
        self.position = self.repeated.take().unwrap_or_else(|| self.batch(at));
        let end = self.position.end();
        self.sealed = Some(end);
        Ok(Sealed { present: true, last: end >= self.count() })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

impl Repeatable for GeneratedSource {
    fn pin(&mut self) -> Result<String, PortError> {
        if self.sealed.is_some() {
            return Err(pin::not_taken(&self.stream));
        }
        pin::write(&self.stream, &self.position)
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        self.read_pin(pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let batch = self.read_pin(pin)?;
        self.schedule = Schedule::after(&batch, self.opened);
        self.generator.set_random_state(batch.random_after);
        self.given_before = batch.end();
        self.position = batch;
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let batch = self.read_pin(pin)?;
        if batch.sealed_micros.is_none() {
            return Err(pin::no_batch(&self.stream));
        }
        self.schedule = Schedule::after(&batch, self.opened);
        self.generator.set_random_state(batch.random_before);
        self.given_before = batch.first_row;
        self.repeated = Some(batch);
        Ok(())
    }
}
