//! Batches that sinks are given: without rows, of one row, of all types, of many parts.

use arrow_array::RecordBatch;
use tidemill_model::{
    schema::Schema,
    testing::{Value, buffer_of},
    time::Timestamp,
};

/// A batch for a sink.
pub(super) struct Batch {
    pub(super) time: Timestamp,
    pub(super) schema: Schema,
    /// The number of each part, in the order in which they make the batch, and its rows as they are written.
    pub(super) parts: Vec<(u32, Vec<RecordBatch>)>,
}

const SCHEMA: &str = "flag: boolean?, n: integer, f: float?, t: text, b: bytes?, at: timestamp, l: list<integer>, \
                      r: record<x: text, y: integer?>?";

fn row(number: i64) -> Vec<Value> {
    let or = |value: Value| if number % 3 == 0 { Value::Missing } else { value };
    vec![
        or(Value::Boolean(number % 2 == 0)),
        Value::Integer(number - 2),
        or(Value::float(number as f64 / 4.0 - 1.0)),
        Value::text(["", "a b", "tab\tand \"quote\"", "\u{e4}\u{1f600}"][number.unsigned_abs() as usize % 4]),
        or(Value::Bytes(vec![0, 255, number as u8])),
        Value::Integer(number * 1_700_000_000_000_001),
        Value::List((0..number % 3).map(Value::Integer).collect()),
        or(Value::Record(vec![Value::text("x"), or(Value::Integer(number))])),
    ]
}

/// Rows with these numbers.
fn rows(schema: &Schema, numbers: std::ops::Range<i64>) -> RecordBatch {
    let rows: Vec<_> = numbers.map(row).collect();
    buffer_of(schema, &rows).to_batch(&schema.to_arrow()).expect("rows of the schema")
}

/// The batches of a walk, one a second; no more than `rows_max` rows of each.
pub(super) fn batches(rows_max: Option<usize>) -> Vec<Batch> {
    let schema: Schema = SCHEMA.parse().expect("a schema");
    let of = |parts: &[(u32, &[i64])]| -> Vec<(u32, Vec<RecordBatch>)> {
        let mut left = rows_max.unwrap_or(usize::MAX);
        let mut first = 0;
        let mut part = |(number, sizes): &(u32, &[i64])| {
            let mut written = Vec::new();
            for size in *sizes {
                let size = (*size).min(i64::try_from(left).unwrap_or(i64::MAX));
                left -= usize::try_from(size).unwrap_or(0);
                if size > 0 {
                    written.push(rows(&schema, first..first + size));
                }
                first += size;
            }
            (*number, written)
        };
        parts.iter().map(&mut part).collect()
    };
    let many: Vec<(u32, &[i64])> = (0..70).map(|part| (part, [&[2, 1][..], &[], &[1]][part as usize % 3])).collect();
    let all = [
        of(&[(0, &[1])]),
        of(&[]),
        of(&[(0, &[]), (1, &[])]),
        of(&[(0, &[3, 2]), (1, &[]), (2, &[4])]),
        of(&many),
        // Parts have their numbers as rows come, and their order in the end.
        of(&[(3, &[2]), (0, &[1, 1]), (2, &[3])]),
        of(&[(0, &[2_000])]),
    ];
    let batch = |(second, parts)| Batch { time: Timestamp(second * 1_000_000), schema: schema.clone(), parts };
    (1_i64..).zip(all).map(batch).collect()
}
