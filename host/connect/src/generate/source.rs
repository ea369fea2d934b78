//! Made-up lines as a source.

use arrow_schema::SchemaRef;
use tidemill_model::{
    connector::{GenerateSource, TextOptions},
    ports::{Chunk, Irregularity, PortError, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use super::Generator;
use crate::text::{self, CHUNK_BYTES, LineBuffer, LineCutter};

/// Rows that a batch has at least, where no rate says how many: a run that seals without taking gets on too.
const BATCH_ROWS_MIN: u64 = 10_000;

/// Rows that are taken of such a batch before it is sealed: on a clock that stands still while rows come, it has an end.
const BATCH_ROWS_MAX: u64 = 10_000_000;

/// Bytes that are made before any are taken.
const AHEAD_BYTES_MAX: usize = 4 << 20;

/// Lines by the clock, or as fast as they are taken.
#[derive(Debug)]
pub(crate) struct GeneratedSource {
    spec: GenerateSource,
    until_done: bool,
    schema: Schema,
    arrow: SchemaRef,
    opened: Timestamp,
    generator: Generator,
    cutter: LineCutter,
    lines: LineBuffer,
    block: Vec<u8>,
    /// Rows up to the sealed batch's end, while it is not taken.
    sealed: Option<u64>,
    /// Rows up to the end of the last batch that was sealed.
    batch_begin: u64,
}

impl GeneratedSource {
    pub fn new(spec: &GenerateSource, opened: Timestamp, until_done: bool) -> GeneratedSource {
        let schema = text::schema();
        GeneratedSource {
            spec: spec.clone(),
            until_done,
            arrow: schema.to_arrow(),
            schema,
            opened,
            generator: Generator::new(spec.kind, spec.seed),
            cutter: LineCutter::new(TextOptions::default()),
            lines: LineBuffer::new(CHUNK_BYTES),
            block: Vec::new(),
            sealed: None,
            batch_begin: 0,
        }
    }

    fn count(&self) -> u64 {
        self.spec.count.unwrap_or(u64::MAX)
    }

    /// Where the batch ends that is sealed at `at`.
    fn batch_end(&self, at: Timestamp) -> u64 {
        let made = self.lines.received();
        let end = match self.spec.rate {
            Some(rate) => {
                let due = u128::from(rate) * at.since(self.opened).as_micros() / 1_000_000;
                u64::try_from(due).unwrap_or(u64::MAX)
            }
            None if self.until_done && self.spec.count.is_some() => u64::MAX,
            None => made.max(self.batch_begin.saturating_add(BATCH_ROWS_MIN)),
        };
        end.clamp(made, self.count())
    }

    /// Makes lines until there are enough, or all of the batch.
    fn make(&mut self, bytes: usize) {
        let open_end = match self.spec.rate {
            Some(_) => 0,
            None => self.batch_begin.saturating_add(BATCH_ROWS_MAX).min(self.count()),
        };
        let end = self.sealed.unwrap_or(open_end);
        while self.lines.received() < end && self.lines.line_bytes() < bytes {
            self.block.clear();
            let rows = (end - self.lines.received()).min(64);
            (0..rows).for_each(|_| self.generator.append_line(&mut self.block));
            self.cutter.cut(&self.block, &mut self.lines);
        }
        if self.sealed == Some(self.lines.received()) {
            self.sealed = None;
            self.lines.seal(u64::MAX);
        }
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
        let end = self.batch_end(at);
        self.sealed = Some(end);
        self.batch_begin = end;
        Ok(Sealed { present: true, last: end == self.count() })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use tidemill_model::connector::GenerateKind;

    use super::*;

    fn source(rate: Option<u64>, count: Option<u64>, until_done: bool) -> GeneratedSource {
        let spec = GenerateSource { kind: GenerateKind::Orders, rate, count, seed: 1 };
        GeneratedSource::new(&spec, Timestamp(5_000_000), until_done)
    }

    /// Rows of the batch sealed at so many seconds after the beginning, and whether it is the last one.
    fn batch(source: &mut GeneratedSource, seconds: i64) -> (usize, bool) {
        let sealed = source.seal(Timestamp(5_000_000 + seconds * 1_000_000)).unwrap();
        let mut rows = 0;
        loop {
            let taken = source.take(1 << 18).unwrap();
            assert!(taken.bytes < 3 << 18);
            rows += taken.chunks.iter().map(|chunk| chunk.rows.num_rows()).sum::<usize>();
            if taken.end {
                return (rows, sealed.last);
            }
        }
    }

    #[test]
    fn a_rate_follows_the_clock() {
        let mut source = source(Some(10), Some(45), false);
        assert!(source.take(1).unwrap().chunks.is_empty());
        assert_eq!(batch(&mut source, 1), (10, false));
        assert_eq!(batch(&mut source, 1), (0, false));
        assert_eq!(batch(&mut source, 4), (30, false));
        assert_eq!(batch(&mut source, 9), (5, true));
        assert_eq!(batch(&mut source, 10), (0, true));
    }

    #[test]
    fn without_a_rate_a_batch_has_what_was_taken_or_a_little() {
        let mut endless = source(None, None, false);
        assert_eq!(batch(&mut endless, 1), (10_000, false));
        let mut rows = 0;
        while rows < 50_000 {
            rows += endless.take(1).unwrap().chunks[0].rows.num_rows();
        }
        let more = batch(&mut endless, 2).0;
        assert!(more < 10_000, "{more}");
    }

    #[test]
    fn a_run_that_ends_gets_all_in_one_batch() {
        assert_eq!(batch(&mut source(None, Some(25_000), true), 1), (25_000, true));
        assert_eq!(batch(&mut source(None, Some(5_000), false), 1), (5_000, true));
    }
}
