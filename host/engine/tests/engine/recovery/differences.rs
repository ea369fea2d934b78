//! A batch that is replayed with other functions: everything that a commit holds is compared, and what differs is named.
//! Where nothing is different, nothing is.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_checkpoint::Keep;
use tidemill_engine::{
    checkpoint::{SnapshotAfter, TableId, TableRows},
    replay::{BatchRows, OutputRows, Replayed, difference},
};

use super::{
    at,
    world::{Ended, World},
};
use crate::show;

/// Three batches of rows with lines, keys and values.
const SOURCE: &str = r#"
[streams.in]
queue = { schema = "line: text, k: text, value: integer", batches = [
    [{ line = "a", k = "x", value = 7 }, { line = "b", k = "y", value = 2 }],
    [{ line = "c", k = "x", value = 4 }, { line = "reject", k = "z", value = 7 }, { line = "d", k = "y", value = 0 }],
    [{ line = "e", k = "z", value = 1 }],
] }
"#;

/// Streams and outputs beside what is replaced: they do not change.
const BESIDE: &str = r#"
[streams.counted]
from = "in"
map = "hostile/counts"
keep = ["k", "value"]

[streams.totals]
from = "counted"
by = "k"
update-state = "hostile/alarm"
fields = { value = "value" }

[outputs.counted]
from = "counted"
print = true

[outputs.totals]
from = "totals"
print = true
"#;

/// What differs in the second batch if functions are replaced by others: each difference by what it is of.
const CASES: [(&str, &str, &str, &[&str]); 12] = [
    (
        "[streams.out]\nfrom = \"in\"\nmap = \"hostile/identity\"",
        "hostile/identity",
        "hostile/counts",
        &["counter out/hostile/calls: 0 was, 1 is", "counter out/hostile/rows: 0 was, 3 is"],
    ),
    (
        "[streams.out]\nfrom = \"in\"\nmap = \"hostile/counts\"",
        "hostile/counts",
        "hostile/identity",
        &["counter out/hostile/calls: 2 was, 1 is", "counter out/hostile/rows: 5 was, 2 is"],
    ),
    (STATE, "hostile/total", "hostile/touchy-total", &["key out z: 7 was, 7 wakes at 3000000 is"]),
    (STATE, "hostile/touchy-total", "hostile/total", &["key out z: 7 wakes at 3000000 was, 7 is"]),
    (STATE, "hostile/total", "hostile/total-until-zero", &["key out y: 2 was, gone is"]),
    (STATE, "hostile/total-until-zero", "hostile/total", &["key out y: gone was, 2 is"]),
    (
        STATE,
        "hostile/total",
        "hostile/age",
        &["key out x: 11 was, 8 is", "key out y: 2 was, 3 is", "key out z: 7 was, 0 is"],
    ),
    ("[streams.out]\nfrom = \"in\"\nsort = \"value\"", "\"value\"", "\"-value\"", &["order of output out"]),
    (
        "[streams.out]\nfrom = \"in\"\nby = \"k\"\nreduce = \"sum\"",
        "\"sum\"",
        "\"count\"",
        &["rows of output out: x 4, y 0, z 7 were, x 1, y 1, z 1 are"],
    ),
    (
        LETTERS,
        "hostile/touchy",
        "hostile/identity",
        &["no output dead letters of out is", "rejected 1 less", "rows of output out:  were, reject are"],
    ),
    (
        LETTERS,
        "hostile/identity",
        "hostile/touchy",
        &["no output dead letters of out was", "rejected 1 more", "rows of output out: reject were,  are"],
    ),
    (
        "[streams.out]\nfrom = \"in\"\nmap = \"hostile/identity\"\non-error = \"skip-batch\"",
        "hostile/identity",
        "hostile/fails",
        &[
            "counter counted/hostile/calls: 2 was, 1 is",
            "counter counted/hostile/rows: 5 was, 2 is",
            "key totals x: 4 wakes at 6000000 was, not is",
            "key totals z: 7 wakes at 9000000 was, not is",
            "no output counted is",
            "no output out is",
            "no output totals is",
            "skipped",
        ],
    ),
];

const STATE: &str = "[streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/total\"";

const LETTERS: &str = "[streams.out]\nfrom = \"in\"\nmap = \"hostile/touchy\"\non-error = \"dead-letter\"";

/// What became of keys, by stream and key.
fn keys(rows: &BatchRows) -> BTreeMap<String, String> {
    let of_stream = |(stream, blocks): (&TableId, &Vec<TableRows>)| {
        let changes = blocks.iter().flat_map(crate::lab::changes);
        changes.map(|change| format!("{stream} {change}")).collect::<Vec<_>>()
    };
    let told = rows.states.iter().flat_map(of_stream);
    told.map(|told| told.split_once(": ").map(|(key, what)| (key.to_owned(), what.to_owned())).unwrap()).collect()
}

/// An output's rows in order.
fn lines(rows: &OutputRows) -> Vec<String> {
    let rows = rows.partitions.values().flatten().flat_map(|(schema, batch)| show::values(schema, batch));
    rows.map(|row| show::row(&row)).collect()
}

/// Everything that differs, each by its name, sorted.
fn differences(replayed: &Replayed, rejected: u64) -> BTreeSet<String> {
    let (then, now) = (replayed.then.as_ref().unwrap(), &replayed.now);
    let mut found = BTreeSet::new();
    if replayed.is_skipped {
        found.insert("skipped".to_owned());
    }
    match (rejected, replayed.rejected) {
        (then, now) if then < now => found.insert(format!("rejected {} more", now - then)),
        (then, now) if then > now => found.insert(format!("rejected {} less", then - now)),
        _ => false,
    };
    for output in then.outputs.keys().chain(now.outputs.keys()) {
        let (Some(then), Some(now)) = (then.outputs.get(output), now.outputs.get(output)) else {
            let when = if then.outputs.contains_key(output) { "is" } else { "was" };
            found.insert(format!("no output {output} {when}"));
            continue;
        };
        let (then, now) = (lines(then), lines(now));
        let difference = difference(&then, &now);
        let sorted = |mut rows: Vec<String>| {
            rows.sort();
            rows.join(", ")
        };
        if difference.is_reordered {
            found.insert(format!("order of output {output}"));
        } else if !difference.is_none() {
            let (were, are) = (sorted(difference.only_then), sorted(difference.only_now));
            found.insert(format!("rows of output {output}: {were} were, {are} are"));
        }
    }
    both(&keys(then), &keys(now), "not").for_each(|(key, was, is)| {
        found.insert(format!("key {key}: {was} was, {is} is"));
    });
    let counters = |rows: &BatchRows| -> BTreeMap<String, String> {
        rows.counters.iter().map(|(name, count)| (name.clone(), count.to_string())).collect()
    };
    both(&counters(then), &counters(now), "0").for_each(|(name, was, is)| {
        found.insert(format!("counter {name}: {was} was, {is} is"));
    });
    found
}

/// What is not the same on both sides.
fn both<'a>(
    then: &'a BTreeMap<String, String>,
    now: &'a BTreeMap<String, String>,
    none: &'static str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let of = move |side: &'a BTreeMap<String, String>, name: &String| side.get(name).map_or(none, String::as_str);
    names.into_iter().map(move |name| (name.as_str(), of(then, name), of(now, name))).filter(|(_, was, is)| was != is)
}

/// A world in which the pipeline has run.
fn world(text: &str) -> World {
    let output = if text.contains("update-state") { "" } else { "[outputs.out]\nfrom = \"out\"\nprint = true\n" };
    let text = format!("{SOURCE}{text}\n{BESIDE}{output}");
    let keep = Keep { batches: 100, bytes: 1 << 30 };
    let snapshot_after = SnapshotAfter { bytes_min: 1 << 30, commits_max: 1_000 };
    World { keep, snapshot_after, ..World::new(&text, "", &[]) }
}

#[test]
fn what_differs_is_named_and_nothing_else() {
    for (text, old, new, expect) in CASES {
        let text =
            text.replace("hostile/total\"", &format!("{old}\"")).replace("hostile/touchy\"", &format!("{old}\""));
        let world = world(&text);
        assert_eq!(world.run(None), Ended::Done);
        let history = world.history();
        // As it was, every batch is the same, counters too.
        for batch in 1..=3 {
            let replayed = world.replay(&history, &history.past(at(batch)).unwrap()).unwrap();
            let found = differences(&replayed, replayed.rejected);
            assert!(found.is_empty(), "{old}, batch {batch}: {found:?}");
        }
        let past = history.past(at(2)).unwrap();
        let rejected = world.replay(&history, &past).unwrap().rejected;
        let (streams, beside) = world.text.split_once(BESIDE).unwrap();
        let other = World { text: format!("{}{BESIDE}{beside}", streams.replacen(old, new, 1)), ..world };
        let found = differences(&other.replay(&history, &past).unwrap(), rejected);
        let expect: BTreeSet<String> = expect.iter().map(|&told| told.to_owned()).collect();
        assert_eq!(found, expect, "{old} to {new}");
    }
}
