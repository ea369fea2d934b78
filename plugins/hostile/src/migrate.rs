//! States of older versions to newer ones, honestly and not.

use crate::{
    bindings::{
        data::Column,
        operators::{Batch, Failure, Field},
    },
    columns::{batch, cut, integers, read_integers, read_numbers, read_texts, text},
    table::opened,
    trouble,
};

/// Whatever the fields are called: the old state's first one is a sum. `was` says which versions a state had before.
pub(crate) fn call(from_version: u32, fields: &[Field], states: Batch) -> Result<Batch, Failure> {
    let rows = states.rows;
    let many = |columns: Vec<Column>| Ok(batch(rows, columns));
    match opened() {
        "sum-migrated" | "sum-migrated-again" => {
            let was: Vec<String> = match fields.iter().position(|field| field.name == "was") {
                Some(at) => read_texts(&states.columns[at]).iter().map(|was| format!("{was} {from_version}")).collect(),
                None => vec![from_version.to_string(); rows as usize],
            };
            let sum = states.columns.into_iter().next();
            many(sum.into_iter().chain([text(&was.iter().map(String::as_str).collect::<Vec<_>>())]).collect())
        }
        "alarm-migrated" => Ok(states),
        "migrate-few" => Ok(batch(rows - 1, vec![integers(&vec![0; rows as usize - 1])])),
        "migrate-more-columns" => many(vec![integers(&vec![0; rows as usize]), integers(&vec![0; rows as usize])]),
        "migrate-bad-text" => {
            let ends: Vec<u32> = (0..=rows).collect();
            many(vec![integers(&vec![0; rows as usize]), cut(&ends, &vec![0xff; rows as usize])])
        }
        "sum-thousandfold" => {
            let sums: Vec<i64> = read_integers(&states.columns[0]).iter().map(|sum| sum * 1_000).collect();
            many(vec![integers(&sums)])
        }
        "migrate-fails" | "migrate-sum-fails" => {
            Err(Failure { reason: format!("no way from version {from_version} of {}", list(fields)), retryable: false })
        }
        "migrate-panics" => trouble::panic_aloud("what was that"),
        "migrate-loops" => trouble::loop_forever(),
        "migrate-huge-result" => many(vec![Column { values: vec![0; 40 << 20], ..integers(&[]) }]),
        name => trouble::panic_aloud(&format!("{name} has no older version")),
    }
}

/// Adds to the sums; the states of new keys have no older version.
pub(crate) fn add_to_sums(rows: &Batch, ends: &[u8], states: &Batch, present: &[u8]) -> Batch {
    let news = read_integers(&rows.columns[0]);
    let (sums, was) = (read_integers(&states.columns[0]), read_texts(&states.columns[1]));
    let mut begin = 0;
    let (mut new_sums, mut new_was) = (Vec::new(), Vec::new());
    for (group, &end) in read_numbers(ends).iter().enumerate() {
        let new: i64 = news[begin..end as usize].iter().sum();
        let is_there = present[group] == 1;
        new_sums.push(new + if is_there { sums[group] } else { 0 });
        new_was.push(if is_there { was[group] } else { "new" });
        begin = end as usize;
    }
    batch(present.len() as u32, vec![integers(&new_sums), text(&new_was)])
}

fn list(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect::<Vec<_>>().join(", ")
}
