//! The baseline of a program in a file.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

use super::Chunk;

pub fn write(file: &Path, key: &str, chunks: &[Chunk]) -> anyhow::Result<()> {
    let chunk = |chunk: &Chunk| {
        let Chunk { names, passed, seconds, reached } = chunk;
        json!({ "names": names, "passed": passed, "seconds": seconds, "reached": ranges_of(reached) })
    };
    let value = json!({ "key": key, "chunks": chunks.iter().map(chunk).collect::<Vec<_>>() });
    fs::write(file, serde_json::to_vec(&value)?).with_context(|| file.display().to_string())
}

/// What was written with the same key.
pub fn read(file: &Path, key: &str) -> Option<Vec<Chunk>> {
    let value: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let same = value["key"].as_str() == Some(key);
    value["chunks"].as_array().filter(|_| same)?.iter().map(chunk_of).collect()
}

fn chunk_of(value: &Value) -> Option<Chunk> {
    let names = value["names"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
    Some(Chunk {
        names: names.collect::<Option<_>>()?,
        passed: value["passed"].as_bool()?,
        seconds: value["seconds"].as_f64()?,
        reached: set_of(value["reached"].as_str()?)?,
    })
}

/// Numbers as text: `1-3,7`.
fn ranges_of(numbers: &BTreeSet<u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn set_of(ranges: &str) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for range in ranges.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        numbers.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(numbers)
}

#[test]
fn numbers_are_written_as_ranges() {
    let check = |numbers: &[u32], expect: &str| {
        let set: BTreeSet<u32> = numbers.iter().copied().collect();
        assert_eq!(ranges_of(&set), expect);
        assert_eq!(set_of(expect), Some(set));
    };
    check(&[], "");
    check(&[5], "5");
    check(&[1, 2, 3, 7, 9, 10], "1-3,7,9-10");
}
