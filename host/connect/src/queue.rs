//! Rows given in the pipeline, a batch a tick: for tests.

mod settings;

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Chunk, Irregularity, PortError, Repeatable, Sealed, Source, Taken},
    schema::Schema,
    time::Timestamp,
};

use crate::{
    json,
    pin::{self, Pin},
};
pub use settings::{JsonText, QUEUE, QueueSource};

/// A queue of batches. When it is used up, batches are empty.
#[derive(Debug)]
pub(crate) struct RowQueue {
    stream: String,
    schema: Schema,
    /// The chunks of each batch; `None` where there is none.
    batches: VecDeque<Option<Vec<Chunk>>>,
    /// What is left of the sealed batch.
    sealed: Option<Vec<Chunk>>,
    /// How many batches were sealed, empty ones behind the queue's end counted in.
    sealed_count: u64,
}

/// How many batches were sealed, the pinned one with them.
#[derive(Serialize, Deserialize)]
struct QueuePin {
    batches: u64,
}

impl RowQueue {
    /// Reads all rows. An error says which row of which batch does not fit the schema.
    pub fn try_new(stream: &str, spec: &QueueSource) -> Result<RowQueue, PortError> {
        let mut batches = VecDeque::with_capacity(spec.batches.len());
        for (i, batch) in spec.batches.iter().enumerate() {
            let read = |rows: &Vec<JsonText>| read_batch(&spec.schema, rows, spec.partitions);
            let chunks = batch.as_ref().map(read).transpose().map_err(|error| {
                PortError::configuration(format!("stream `{stream}`: queue batch {}, {error}", i + 1))
            })?;
            batches.push_back(chunks);
        }
        Ok(RowQueue { stream: stream.to_owned(), schema: spec.schema.clone(), batches, sealed: None, sealed_count: 0 })
    }

    /// Leaves out so many batches.
    fn skip(&mut self, batches: u64) {
        let there = usize::try_from(batches).map_or(self.batches.len(), |batches| batches.min(self.batches.len()));
        self.batches.drain(..there);
        self.sealed_count = batches;
    }
}

fn read_batch(schema: &Schema, rows: &[JsonText], partitions: Option<u32>) -> Result<Vec<Chunk>, String> {
    let parse = |(i, row)| json::parse(schema, row).map_err(|error| format!("row {}: {error}", i + 1));
    let rows = rows.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(cut(&json::rows(schema, &rows)?, partitions))
}

/// Row i of n goes to the last partition p with p·n/partitions <= i. Empty partitions have no chunk.
fn cut(rows: &RecordBatch, partitions: Option<u32>) -> Vec<Chunk> {
    let len = rows.num_rows();
    let begin = |partition: u32, partitions: u32| {
        (u128::from(partition) * len as u128).div_ceil(u128::from(partitions)) as usize
    };
    let chunk = |(partition, from, to): (Option<u32>, usize, usize)| {
        (from < to).then(|| Chunk { partition, rows: rows.slice(from, to - from) })
    };
    match partitions {
        None | Some(0) => chunk((None, 0, len)).into_iter().collect(),
        Some(of) => (0..of).filter_map(|p| chunk((Some(p), begin(p, of), begin(p + 1, of)))).collect(),
    }
}

impl Source for RowQueue {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn take(&mut self, _bytes_max: usize) -> Result<Taken, PortError> {
        let Some(chunks) = self.sealed.take() else { return Ok(Taken::default()) };
        let bytes = chunks.iter().map(|chunk| chunk.rows.get_array_memory_size()).sum();
        Ok(Taken { chunks, bytes, end: true })
    }

    fn seal(&mut self, _at: Timestamp) -> Result<Sealed, PortError> {
        let batch = self.batches.pop_front().unwrap_or_else(|| Some(Vec::new()));
        let sealed = Sealed { present: batch.is_some(), last: self.batches.is_empty() };
        self.sealed = Some(batch.unwrap_or_default());
        self.sealed_count = self.sealed_count.saturating_add(1);
        Ok(sealed)
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        Some(self)
    }
}

impl Repeatable for RowQueue {
    fn pin(&mut self) -> Result<String, PortError> {
        pin::write(&self.stream, &QueuePin { batches: self.sealed_count })
    }

    fn check(&self, pin: &str) -> Result<(), PortError> {
        pin::read::<QueuePin>(&self.stream, pin).map(drop)
    }

    fn resume_after(&mut self, pin: &str) -> Result<(), PortError> {
        let pin: QueuePin = pin::read(&self.stream, pin)?;
        self.skip(pin.batches);
        Ok(())
    }

    fn repeat(&mut self, pin: &str) -> Result<(), PortError> {
        let pin: QueuePin = pin::read(&self.stream, pin)?;
        let before = pin.batches.checked_sub(1).ok_or_else(|| pin::no_batch(&self.stream))?;
        self.skip(before);
        Ok(())
    }
}

impl Pin for QueuePin {
    const SOURCE: &'static str = "queue";

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::pin::checking::{check_refusals, refusal, repeatable};

    fn queue(schema: &str, batches: &[Option<&[&str]>], partitions: Option<u32>) -> Result<RowQueue, PortError> {
        let rows = |rows: &[&str]| rows.iter().map(|&row| JsonText(row.to_owned())).collect();
        let batches = batches.iter().map(|batch| batch.map(rows)).collect();
        RowQueue::try_new("q", &QueueSource { schema: schema.parse().unwrap(), batches, partitions })
    }

    /// What the ticks give: partitions with their rows as JSON.
    fn run(mut queue: RowQueue, ticks: usize) -> Vec<(bool, bool, String)> {
        let mut all = Vec::new();
        for _ in 0..ticks {
            assert!(!queue.take(1).unwrap().end);
            let sealed = queue.seal(Timestamp(0)).unwrap();
            let taken = queue.take(1).unwrap();
            assert!(taken.end);
            let mut text = String::new();
            for chunk in &taken.chunks {
                let mut out = Vec::new();
                for row in 0..chunk.rows.num_rows() {
                    json::write_row(&crate::value::row(queue.schema(), &chunk.rows, row), &mut out).unwrap();
                }
                let partition = chunk.partition.map_or("-".to_owned(), |partition| partition.to_string());
                text += &format!("{partition}:{} ", String::from_utf8_lossy(&out));
            }
            all.push((sealed.present, sealed.last, text.trim_end().to_owned()));
        }
        all
    }

    #[test]
    fn a_batch_a_tick() {
        let queue = queue("n: integer", &[Some(&["1", r#"{"n": 2}"#]), None, Some(&[])], None).unwrap();
        let expect = [(true, false, r#"-:{"n":1}{"n":2}"#), (false, false, ""), (true, true, ""), (true, true, "")];
        assert_eq!(run(queue, 4), expect.map(|(present, last, text)| (present, last, text.to_owned())));
    }

    #[test]
    fn rows_are_cut_into_partitions() {
        let rows: &[&str] = &["0", "1", "2", "3", "4"];
        let of = |partitions| run(queue("n: integer", &[Some(rows)], Some(partitions)).unwrap(), 1).remove(0).2;
        assert_eq!(of(2), r#"0:{"n":0}{"n":1}{"n":2} 1:{"n":3}{"n":4}"#);
        assert_eq!(of(3), r#"0:{"n":0}{"n":1} 1:{"n":2}{"n":3} 2:{"n":4}"#);
        assert_eq!(of(10), r#"0:{"n":0} 2:{"n":1} 4:{"n":2} 6:{"n":3} 8:{"n":4}"#);
    }

    #[test]
    fn other_pins_are_refused() {
        let open = || -> Box<dyn Source> {
            let batches = vec![Some(Vec::new())];
            let spec = QueueSource { schema: "n: integer".parse().unwrap(), batches, partitions: None };
            Box::new(RowQueue::try_new("lines", &spec).unwrap())
        };
        let damaged = [
            "[]",
            "null",
            r#"{"batches":1}"#,
            r#"{"source":"queue"}"#,
            r#"{"source":"queue","batches":-1}"#,
            r#"{"source":"queue","batches":"1"}"#,
            r#"{"source":"generate","batches":1}"#,
        ];
        check_refusals(open, r#"{"source":"queue","batches":1}"#, &damaged);
        let expect = "stream `lines` was read from a source of kind `generate` when the checkpoint was written, and the \
                      pipeline has one of kind `queue` now; set it back, or begin with a new checkpoint";
        assert_eq!(refusal(open(), r#"{"source":"generate"}"#), expect);
        // No number of batches is too large, and none costs more than the queue has.
        let many = format!(r#"{{"source":"queue","batches":{}}}"#, u64::MAX);
        repeatable(open().as_mut()).resume_after(&many).unwrap();
    }

    #[test]
    fn all_types_are_read() {
        let schema = "a: boolean, b: float, c: text, d: bytes, e: timestamp, f: list<integer?>, g: record<x: text?>?, \
                      h: list<record<y: list<float>>>";
        let row = r#"{"a": true, "b": 1, "c": "ä", "d": "AP8=", "e": "2026-01-01T01:00:00.5+01:00", "f": [1, null],
                      "h": [{"y": [0.1]}, {"y": []}]}"#;
        let other = r#"{"a": false, "b": 2.5, "c": "", "d": "", "e": 1, "f": [], "g": {}, "h": []}"#;
        let got = run(queue(schema, &[Some(&[row, other])], None).unwrap(), 1).remove(0).2;
        let expect = r#"-:{"a":true,"b":1.0,"c":"ä","d":"AP8=","e":"2026-01-01T00:00:00.500000Z","f":[1,null],"g":null,"h":[{"y":[0.1]},{"y":[]}]}{"a":false,"b":2.5,"c":"","d":"","e":"1970-01-01T00:00:00.000001Z","f":[],"g":{"x":null},"h":[]}"#;
        assert_eq!(got, expect);
    }

    #[test]
    fn a_record_that_is_the_only_field_may_stand_alone() {
        let of =
            |row: &str| run(queue("r: record<x: text?, y: integer?>?", &[Some(&[row])], None).unwrap(), 1).remove(0).2;
        let expect = r#"-:{"r":{"x":"a","y":1}}"#;
        assert_eq!(
            (of(r#"{"x": "a", "y": 1}"#).as_str(), of(r#"{"r": {"x": "a", "y": 1}}"#).as_str()),
            (expect, expect)
        );
        assert_eq!(of(r#"{"x": "a"}"#), r#"-:{"r":{"x":"a","y":null}}"#);
        assert_eq!(of("{}"), r#"-:{"r":{"x":null,"y":null}}"#);
        assert_eq!((of("null").as_str(), of(r#"{"r": null}"#).as_str()), (r#"-:{"r":null}"#, r#"-:{"r":null}"#));
    }

    #[test]
    fn moments_are_read_to_the_ends_of_the_calendar() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("9999-12-30T00:00:00Z", 253_402_128_000_000_000_i64),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
            ("9999-12-31T23:59:59z", 253_402_300_799_000_000),
            ("-009999-01-01T00:00:00Z", -377_705_116_800_000_000),
        ] {
            let given = run(queue("t: timestamp", &[Some(&[&format!("\"{text}\"")])], None).unwrap(), 1).remove(0).2;
            let of_micros = run(queue("t: timestamp", &[Some(&[&micros.to_string()])], None).unwrap(), 1).remove(0).2;
            assert_eq!(given, of_micros, "{text}");
        }
    }

    #[test]
    fn mistakes_say_where() {
        let check = |schema: &str, row: &str, expect: &str| {
            let error = queue(schema, &[None, Some(&[row])], None).unwrap_err();
            assert_eq!(error.to_string(), format!("stream `q`: queue batch 2, row 1: {expect}"));
        };
        check("n: integer", "\"1\"", "field `n`: `\"1\"` is no integer");
        check("n: integer", "1.0", "field `n`: `1.0` is no integer");
        check("n: integer", "9223372036854775808", "field `n`: `9223372036854775808` is no integer");
        check("n: integer", "null", "field `n`: a value of type integer is missing");
        check("a: text, n: integer", "1", "`1` is no object with the fields `a: text, n: integer`");
        check("a: text, n: integer", r#"{"a": "x"}"#, "field `n`: a value of type integer is missing");
        check("a: text?, n: integer?", r#"{"b": 1}"#, "`b` is no field of `a: text?, n: integer?`");
        check("d: bytes", "\"?\"", "field `d`: `\"?\"` is no bytes (text in base64)");
        check("l: list<text>", "[\"a\", 1]", "field `l`: `1` is no text");
        check("l: list<any>", "[]", "field `l`: its type is not settled");
        check("a: any", "1", "field `a`: its type is not settled");
        check("l: list<text>", "\"a\"", "field `l`: `\"a\"` is no list<text>");
        check("r: record<x: text, y: text>", "1", "field `r`: `1` is no record<x: text, y: text>");
        check(
            "t: timestamp",
            "\"now\"",
            "field `t`: `\"now\"` is no timestamp (microseconds since 1970, or a text like \"2026-01-01T00:00:00Z\")",
        );
        check("r: record<x: text>", r#"{"r": {"x": 1}}"#, "field `r`: field `x`: `1` is no text");
        check("r: record<x: text>", r#"{"r": {"y": 1}}"#, "field `r`: `y` is no field of `x: text`");
        check("n: integer", "{", "`{` is not JSON: EOF while parsing an object at line 1 column 1");
    }
}
