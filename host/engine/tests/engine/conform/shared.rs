//! Samples of side inputs: of the same batch, through exchanges, empty, and of streams that slide otherwise.

use std::collections::BTreeMap;

use tidemill_model::testing::Value;

use super::{
    feed::{Feed, Row},
    models::{each, groups, int, text, whole, windows},
    sample::Sample,
};

/// A list that was reduced, so that its rows come from all partitions.
pub const SCORED: Sample = Sample {
    operator: "map",
    name: "scores from a list that was reduced",
    text: "[streams.side]\nfrom = \"more\"\nby = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }\nas = \"n\"\n\
           [streams.out]\nfrom = \"in\"\nmap = \"hostile/scored\"\nfields = { line = \"k\" }\nkeep = [\"n\"]\n\
           shared = { scores = { stream = \"side\", fields = { key = \"k\", score = \"n\" } } }",
    model: |feed| scored(&feed.0[0], &feed.0[1]),
    is_ordered: true,
};

/// Between two slides the side input has no rows.
pub const SLID: Sample = Sample {
    operator: "map",
    name: "scores from a window at every second tick",
    text: "[streams.side]\nfrom = \"in\"\nby = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }\nas = \"n\"\nwindow = \"3s\"\n\
           slide = \"2s\"\n[streams.out]\nfrom = \"in\"\nmap = \"hostile/scored\"\nfields = { line = \"k\" }\nkeep = [\"n\"]\n\
           shared = { scores = { stream = \"side\", fields = { key = \"k\", score = \"n\" } } }",
    model: |feed| scored(&feed.0[0], &windows(&feed.0[0], 3, 2)),
    is_ordered: true,
};

/// A threshold of the same batch, or none.
pub const ABOVE: Sample = Sample {
    operator: "filter",
    name: "rows above the least of the other stream",
    text: "[streams.least]\nfrom = \"more\"\nreduce = \"min\"\nfields = { value = \"n\" }\n\
           [streams.out]\nfrom = \"in\"\nfilter = \"hostile/is-above\"\nfields = { value = \"n\" }\n\
           shared = { limits = \"least\" }",
    model: |feed| {
        pairs(&feed.0[0], &feed.0[1], |rows, more| {
            let least = more.iter().map(|row| row.n).min();
            rows.iter().filter(|row| least.is_none_or(|least| row.n > least)).map(whole).collect()
        })
    },
    is_ordered: true,
};

/// Of equal keys the last row counts, whatever partition it came from.
pub const WEIGHED: Sample = Sample {
    operator: "update-state",
    name: "states weighed by the last rows of another stream",
    text: "[streams.side]\nfrom = \"more\"\nfilter = \"f\"\n\
           [streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/weighed\"\nfields = { value = \"n\" }\n\
           shared = { scores = { stream = \"side\", fields = { key = \"k\", score = \"n\" } } }",
    model: weighed,
    is_ordered: false,
};

type Batches = Vec<Vec<Vec<Value>>>;

fn pairs(rows: &[Vec<Row>], side: &[Vec<Row>], batch: impl FnMut(&[Row], &[Row]) -> Vec<Vec<Value>>) -> Batches {
    let mut batch = batch;
    rows.iter().zip(side).map(|(rows, side)| batch(rows, side)).collect()
}

/// Each row with the sum that the other stream has of its key, or -1.
fn scored(rows: &[Vec<Row>], side: &[Vec<Row>]) -> Batches {
    pairs(rows, side, |rows, side| {
        let totals = groups(side);
        let score = |k: &str| totals.get(k).map_or(-1, |rows| rows.iter().map(|row| row.n).sum());
        rows.iter().map(|row| vec![int(score(row.k)), int(row.n)]).collect()
    })
}

fn weighed(feed: &Feed) -> Batches {
    let mut states = BTreeMap::<&str, i64>::new();
    pairs(&feed.0[0], &feed.0[1], |rows, more| {
        let update = |(k, rows): (&'static str, Vec<&Row>)| {
            let last = more.iter().rev().find(|row| row.k == k && row.f == Some(true));
            let state = states.entry(k).or_default();
            *state += last.map_or(1, |row| row.n) * rows.iter().map(|row| row.n).sum::<i64>();
            vec![text(k), int(*state)]
        };
        groups(rows).into_iter().map(update).collect()
    })
}

/// Rows that stay until there are others. Those of a batch without any are looked up in the next sample.
pub const TABLE: Sample = Sample {
    operator: "table",
    name: "a table that is another one in every batch",
    text: "[streams.out]\nfrom = \"in\"\ntable = true",
    model: |feed| each(feed, |rows| rows.iter().map(whole).collect()),
    is_ordered: true,
};

/// A table in which the rows of each batch are looked up.
pub const LOOKED_UP: Sample = Sample {
    operator: "map",
    name: "scores from a table that stays",
    text: "[streams.some]\nfrom = \"more\"\nfilter = \"f\"\n[streams.table]\nfrom = \"some\"\ntable = true\n\
           [streams.side]\nfrom = \"table\"\nby = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }\nas = \"n\"\n\
           [streams.out]\nfrom = \"in\"\nmap = \"hostile/scored\"\nfields = { line = \"k\" }\nkeep = [\"n\"]\n\
           shared = { scores = { stream = \"side\", fields = { key = \"k\", score = \"n\" } } }",
    model: |feed| scored(&feed.0[0], &table(feed)),
    is_ordered: true,
};

/// The true rows of the last batch that has any, in each batch.
fn table(feed: &Feed) -> Vec<Vec<Row>> {
    let mut stays = Vec::new();
    let batch = |rows: &Vec<Row>| {
        let new: Vec<Row> = rows.iter().filter(|row| row.f == Some(true)).cloned().collect();
        if !new.is_empty() {
            stays = new;
        }
        stays.clone()
    };
    feed.0[1].iter().map(batch).collect()
}
