//! Samples of every operator: a pipeline from `in` and `more` to `out`, and what `out` has, in plain Rust.

use std::collections::BTreeMap;

use tidemill_model::testing::Value;

use super::{
    feed::{Feed, Row},
    models::{
        both, by_key, digits, each, emitted_totals, farewells, groups, int, is_drawn, joined, text, whole, windows,
    },
    shared,
};

pub use super::sample::{BESIDE, OF_BESIDE, Sample};

pub const SAMPLES: &[Sample] = &[
    Sample {
        operator: "map",
        name: "a map that keeps a field",
        text: "[streams.out]\nfrom = \"in\"\nmap = \"hostile/anything\"\nfields = { value = \"n\" }\nkeep = [\"k\"]",
        model: |feed| each(feed, |rows| rows.iter().map(|row| vec![int(row.n), text(row.k)]).collect()),
        is_ordered: true,
    },
    Sample {
        operator: "map",
        name: "a map that takes not all rows",
        text: "[streams.out]\nfrom = \"in\"\nmap = \"hostile/touchy\"\nkeep = [\"n\"]\non-error = \"dead-letter\"",
        model: |feed| each(feed, |rows| rows.iter().map(|row| vec![text(row.line), int(row.n)]).collect()),
        is_ordered: true,
    },
    Sample {
        operator: "filter",
        name: "a filter by a field",
        text: "[streams.out]\nfrom = \"in\"\nfilter = \"f\"",
        model: |feed| each(feed, |rows| rows.iter().filter(|row| row.f == Some(true)).map(whole).collect()),
        is_ordered: true,
    },
    Sample {
        operator: "filter",
        name: "a filter by a function",
        text: "[streams.out]\nfrom = \"in\"\nfilter = \"hostile/is-panic\"\nfields = { line = \"k\" }",
        model: |feed| each(feed, |rows| rows.iter().filter(|row| row.k == "panic").map(whole).collect()),
        is_ordered: true,
    },
    Sample {
        operator: "reduce",
        name: "a reduce by a guest",
        text: "[streams.out]\nfrom = \"in\"\nby = \"k\"\nreduce = \"hostile/sum\"\nfields = { value = \"n\" }",
        model: |feed| each(feed, |rows| by_key(rows, |rows| int(rows.iter().map(|row| row.n).sum()))),
        is_ordered: false,
    },
    Sample {
        operator: "reduce",
        name: "a reduce of all rows",
        text: "[streams.out]\nfrom = \"in\"\nreduce = \"max\"\nfields = { value = \"k\" }",
        model: |feed| {
            each(feed, |rows| rows.iter().map(|row| row.k).max().map(|k| vec![text(k)]).into_iter().collect())
        },
        is_ordered: true,
    },
    Sample {
        operator: "reduce",
        name: "a sum that may be a dead letter",
        text: "[streams.out]\nfrom = \"in\"\nby = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }\non-error = \"dead-letter\"",
        model: |feed| each(feed, |rows| by_key(rows, |rows| int(rows.iter().map(|row| row.n).sum()))),
        is_ordered: false,
    },
    Sample {
        operator: "reduce",
        name: "a mean",
        text: "[streams.out]\nfrom = \"in\"\nby = \"k\"\nreduce = \"mean\"\nfields = { value = \"n\" }",
        model: |feed| {
            let mean =
                |rows: &[&Row]| Value::float(rows.iter().map(|row| row.n).sum::<i64>() as f64 / rows.len() as f64);
            each(feed, |rows| by_key(rows, mean))
        },
        is_ordered: false,
    },
    Sample {
        operator: "update-state",
        name: "states in which the order of rows shows",
        text: "[streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"n\" }",
        model: |feed| digits(&feed.0[0], false),
        is_ordered: false,
    },
    Sample {
        operator: "update-state",
        name: "all states, behind a union and a filter",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.some]\nfrom = \"both\"\nfilter = \"f\"\n\
               [streams.out]\nfrom = \"some\"\nby = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"n\" }\n\
               run = \"all\"\nemit = \"all\"",
        model: |feed| {
            let of = |batch: Vec<Row>| batch.into_iter().filter(|row| row.f == Some(true)).collect();
            digits(&both(feed).into_iter().map(of).collect::<Vec<_>>(), true)
        },
        is_ordered: false,
    },
    Sample {
        operator: "update-state",
        name: "states behind states",
        text: "[streams.totals]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/total-emitted\"\nfields = { value = \"n\" }\n\
               [streams.out]\nfrom = \"totals\"\nby = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"total\" }",
        model: |feed| digits(&emitted_totals(&feed.0[0]), false),
        is_ordered: false,
    },
    Sample {
        operator: "count",
        name: "a count",
        text: "[streams.out]\nfrom = \"more\"\ncount = true",
        model: |feed| feed.0[1].iter().map(|rows| vec![vec![int(rows.len() as i64)]]).collect(),
        is_ordered: true,
    },
    Sample {
        operator: "union",
        name: "a union of a union",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.out]\nfrom = [\"both\", \"more\"]\nunion = true",
        model: |feed| {
            let twice = both(feed).into_iter().zip(&feed.0[1]).map(|(both, more)| [both, more.clone()].concat());
            twice.map(|rows| rows.iter().map(whole).collect()).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "group",
        name: "a list of a field, behind a filter",
        text: "[streams.some]\nfrom = \"in\"\nfilter = \"f\"\n[streams.kept]\nfrom = \"some\"\nmap = \"hostile/anything\"\n\
               fields = { value = \"n\" }\nkeep = [\"k\"]\n[streams.out]\nfrom = \"kept\"\nby = \"k\"\ngroup = \"ns\"",
        model: |feed| {
            each(feed, |rows| {
                let some: Vec<Row> = rows.iter().filter(|row| row.f == Some(true)).cloned().collect();
                by_key(&some, |rows| Value::List(rows.iter().map(|row| int(row.n)).collect()))
            })
        },
        is_ordered: false,
    },
    Sample {
        operator: "group",
        name: "lists of two streams, behind a union",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n\
               [streams.out]\nfrom = [\"in\", \"both\"]\nby = \"k\"\ngroup = [\"ins\", \"boths\"]",
        model: |feed| {
            let records = |rows: Option<&Vec<&Row>>| {
                let of = |row: &&Row| Value::Record(whole(row).split_off(1));
                Value::List(rows.into_iter().flatten().map(of).collect())
            };
            let batch = |(ins, both): (&Vec<Row>, &Vec<Row>)| {
                let (ins, both) = (groups(ins), groups(both));
                let row = |k: &&str| vec![text(k), records(ins.get(k)), records(both.get(k))];
                both.keys().map(row).collect()
            };
            feed.0[0].iter().zip(&both(feed)).map(batch).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "join",
        name: "pairs",
        text: "[streams.out]\nfrom = [\"in\", \"more\"]\nby = [\"k\", \"f\"]\njoin = \"inner\"\nprefix = [\"\", \"m-\"]",
        model: |feed| joined(feed, [false, false]),
        is_ordered: false,
    },
    Sample {
        operator: "join",
        name: "rows of the first stream stay",
        text: "[streams.out]\nfrom = [\"in\", \"more\"]\nby = [\"k\", \"f\"]\njoin = \"left\"\nprefix = [\"i-\", \"m-\"]",
        model: |feed| joined(feed, [true, false]),
        is_ordered: false,
    },
    Sample {
        operator: "join",
        name: "rows of the second stream stay, and their order shows behind it",
        text: "[streams.joined]\nfrom = [\"in\", \"more\"]\nby = [[\"k\"], [\"k\"]]\njoin = \"right\"\nprefix = [\"i-\", \"\"]\n\
               [streams.out]\nfrom = \"joined\"\nby = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"n\" }",
        model: |feed| {
            let of = |(left, right): (&Vec<Row>, &Vec<Row>)| {
                let (left, right) = (groups(left), groups(right));
                let pairs = |(k, rows): (&&str, &Vec<&Row>)| {
                    let times = left.get(k).map_or(1, Vec::len);
                    (0..times).flat_map(|_| rows.iter().map(|row| (*row).clone())).collect::<Vec<_>>()
                };
                right.iter().flat_map(pairs).collect::<Vec<Row>>()
            };
            digits(&feed.0[0].iter().zip(&feed.0[1]).map(of).collect::<Vec<_>>(), false)
        },
        is_ordered: false,
    },
    Sample {
        operator: "join",
        name: "rows of both streams stay",
        text: "[streams.out]\nfrom = [\"in\", \"more\"]\nby = [\"k\", \"f\"]\njoin = \"full\"\nprefix = [\"i-\", \"m-\"]",
        model: |feed| joined(feed, [true, true]),
        is_ordered: false,
    },
    Sample {
        operator: "reduce",
        name: "a guest's sum over a window, at every second tick",
        text: "[streams.out]\nfrom = \"in\"\nby = \"k\"\nreduce = \"hostile/sum\"\nfields = { value = \"n\" }\nwindow = \"3s\"\nslide = \"2s\"",
        model: |feed| {
            let sum = |rows: &[&Row]| int(rows.iter().map(|row| row.n).sum());
            windows(&feed.0[0], 3, 2).into_iter().map(|rows| by_key(&rows, sum)).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "reduce",
        name: "the largest of a window, and states behind it",
        text: "[streams.largest]\nfrom = \"in\"\nby = \"k\"\nreduce = \"max\"\nfields = { value = \"n\" }\nas = \"n\"\nwindow = \"3s\"\n\
               [streams.out]\nfrom = \"largest\"\nby = \"k\"\ngroup = \"ns\"",
        model: |feed| {
            let largest = |rows: &[&Row]| Value::List(rows.iter().map(|row| int(row.n)).max().into_iter().collect());
            windows(&feed.0[0], 3, 1).into_iter().map(|rows| by_key(&rows, largest)).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "count",
        name: "a count over a window",
        text: "[streams.out]\nfrom = \"more\"\ncount = true\nwindow = \"2s\"",
        model: |feed| windows(&feed.0[1], 2, 1).iter().map(|rows| vec![vec![int(rows.len() as i64)]]).collect(),
        is_ordered: true,
    },
    Sample {
        operator: "window",
        name: "the first rows of two batches of a union",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.recent]\nfrom = \"both\"\nwindow = \"2s\"\n\
               [streams.out]\nfrom = \"recent\"\nlimit = 13",
        model: |feed| {
            let first = |rows: Vec<Row>| rows.iter().take(13).map(whole).collect();
            windows(&both(feed), 2, 1).into_iter().map(first).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "window",
        name: "keys' values in order, at every second tick",
        text: "[streams.recent]\nfrom = \"in\"\nwindow = \"3s\"\nslide = \"2s\"\n\
               [streams.kept]\nfrom = \"recent\"\nmap = \"hostile/anything\"\nfields = { value = \"n\" }\nkeep = [\"k\"]\n\
               [streams.out]\nfrom = \"kept\"\nby = \"k\"\ngroup = \"ns\"",
        model: |feed| {
            let of = |rows: Vec<Row>| by_key(&rows, |rows| Value::List(rows.iter().map(|row| int(row.n)).collect()));
            windows(&feed.0[0], 3, 2).into_iter().map(of).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "window",
        name: "windows over sums, which are placed by key",
        text: "[streams.sums]\nfrom = \"in\"\nby = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }\n\
               [streams.recent]\nfrom = \"sums\"\nwindow = \"2s\"\n\
               [streams.out]\nfrom = \"recent\"\nby = \"k\"\ngroup = \"sums\"",
        model: |feed| {
            let sum = |(k, rows): (&'static str, Vec<&Row>)| Row {
                k,
                n: rows.iter().map(|row| row.n).sum(),
                f: None,
                line: "",
            };
            let sums: Vec<Vec<Row>> =
                feed.0[0].iter().map(|rows| groups(rows).into_iter().map(sum).collect()).collect();
            let of = |rows: Vec<Row>| by_key(&rows, |rows| Value::List(rows.iter().map(|row| int(row.n)).collect()));
            windows(&sums, 2, 1).into_iter().map(of).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "window",
        name: "a join of windows with gaps",
        text: "[streams.ins]\nfrom = \"in\"\nwindow = \"1s\"\nslide = \"2s\"\n[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n\
               [streams.boths]\nfrom = \"both\"\nwindow = \"2s\"\nslide = \"2s\"\n\
               [streams.out]\nfrom = [\"ins\", \"boths\"]\nby = [\"k\", \"f\"]\njoin = \"full\"\nprefix = [\"i-\", \"m-\"]",
        model: |feed| joined(&Feed([windows(&feed.0[0], 1, 2), windows(&both(feed), 2, 2)]), [true, true]),
        is_ordered: false,
    },
    Sample {
        operator: "sort",
        name: "a sort with ties",
        text: "[streams.both]\nfrom = [\"in\", \"more\"]\nunion = true\n[streams.out]\nfrom = \"both\"\nsort = [\"-k\"]",
        model: |feed| {
            let sorted = |(left, right): (&Vec<Row>, &Vec<Row>)| {
                let mut rows = [left.clone(), right.clone()].concat();
                rows.sort_by(|left, right| right.k.cmp(left.k));
                rows.iter().map(whole).collect()
            };
            feed.0[0].iter().zip(&feed.0[1]).map(sorted).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "limit",
        name: "a limit",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.out]\nfrom = \"both\"\nlimit = 5",
        model: |feed| both(feed).iter().map(|rows| rows.iter().take(5).map(whole).collect()).collect(),
        is_ordered: true,
    },
    Sample {
        operator: "distinct",
        name: "different keys",
        text: "[streams.keys]\nfrom = \"in\"\nmap = \"hostile/anything\"\nfields = { value = \"k\" }\n\
               [streams.out]\nfrom = \"keys\"\ndistinct = true",
        model: |feed| {
            let different = |rows: &[Row]| -> Vec<Vec<Value>> {
                let keys: BTreeMap<&str, ()> = rows.iter().map(|row| (row.k, ())).collect();
                keys.into_keys().map(|k| vec![text(k)]).collect()
            };
            each(feed, different)
        },
        is_ordered: false,
    },
    Sample {
        operator: "update-state",
        name: "all states, beside what is emitted",
        text: "[streams.totals]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/total-emitted\"\nfields = { value = \"n\" }\n\
               [streams.out]\nfrom = \"totals.state\"\nsort = \"k\"",
        model: |feed| {
            let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
            let batch = |rows: &Vec<Row>| {
                rows.iter().for_each(|row| *totals.entry(row.k).or_default() += row.n);
                totals.iter().map(|(k, total)| vec![text(k), int(*total)]).collect()
            };
            feed.0[0].iter().map(batch).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "update-state",
        name: "first states from another stream, of which a key's first counts",
        text: "[streams.pairs]\nfrom = \"more\"\nmap = \"hostile/anything\"\nfields = { value = \"n\" }\nkeep = [\"k\"]\n\
               [streams.out]\nfrom = \"in\"\nby = \"k\"\nupdate-state = \"hostile/digits\"\nfields = { value = \"n\" }\n\
               initial = \"pairs\"",
        model: |feed| {
            let mut states: BTreeMap<&str, i64> = BTreeMap::new();
            let batch = |(rows, more): (&Vec<Row>, &Vec<Row>)| {
                let before: Vec<&str> = states.keys().copied().collect();
                more.iter().for_each(|row| {
                    states.entry(row.k).or_insert(row.n);
                });
                let news = groups(rows);
                for (k, rows) in &news {
                    let state = states.entry(k).or_default();
                    *state = rows.iter().fold(*state, |state, row| state.wrapping_mul(10).wrapping_add(row.n));
                }
                let shown = states.iter().filter(|(k, _)| news.contains_key(*k) || !before.contains(k));
                shown.map(|(k, state)| vec![text(k), int(*state)]).collect()
            };
            feed.0[0].iter().zip(&feed.0[1]).map(batch).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "update-state",
        name: "keys that have been idle go, and say so",
        text: "[streams.some]\nfrom = \"in\"\nfilter = \"f\"\n[streams.out]\nfrom = \"some\"\nby = \"k\"\n\
               update-state = \"hostile/farewell\"\nfields = { value = \"n\" }\nidle-timeout = \"1s\"",
        model: |feed| farewells(&feed.0[0], 1),
        is_ordered: false,
    },
    Sample {
        operator: "join",
        name: "keys with too many pairs are rows beside it",
        text: "[streams.joined]\nfrom = [\"in\", \"more\"]\nby = [\"k\", \"f\"]\njoin = \"inner\"\nprefix = [\"\", \"m-\"]\n\
               pairs-max = 2\non-error = \"dead-letter\"\n[streams.out]\nfrom = \"joined.rejected\"\ncount = true",
        model: |feed| {
            let key = |row: &Row| (row.k, row.f);
            let of = |(left, right): (&Vec<Row>, &Vec<Row>)| {
                let keys: std::collections::BTreeSet<_> = left.iter().map(key).collect();
                let of_key = |rows: &[Row], k| rows.iter().filter(|row| key(row) == k).count();
                let too_many = keys.into_iter().filter(|&k| of_key(left, k) * of_key(right, k) > 2);
                vec![vec![int(too_many.count() as i64)]]
            };
            feed.0[0].iter().zip(&feed.0[1]).map(of).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "limit",
        name: "the largest of each key, of which the first counts where they are equal",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.top]\nfrom = \"both\"\nby = \"k\"\nsort = \"-n\"\nlimit = 2\n\
               [streams.out]\nfrom = \"top\"\nby = \"k\"\ngroup = \"rows\"",
        model: |feed| {
            let of = |rows: &Vec<Row>| {
                by_key(rows, |rows| {
                    let mut rows = rows.to_vec();
                    rows.sort_by_key(|row| std::cmp::Reverse(row.n));
                    Value::List(rows.iter().take(2).map(|row| Value::Record(whole(row).split_off(1))).collect())
                })
            };
            both(feed).iter().map(of).collect()
        },
        is_ordered: false,
    },
    Sample {
        operator: "limit",
        name: "the first of all in an order",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.out]\nfrom = \"both\"\nsort = [\"n\"]\nlimit = 11",
        model: |feed| {
            let of = |mut rows: Vec<Row>| {
                rows.sort_by_key(|row| row.n);
                rows.iter().take(11).map(whole).collect()
            };
            both(feed).into_iter().map(of).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "limit",
        name: "the first rows of each key, as they came",
        text: "[streams.top]\nfrom = \"in\"\nby = [\"k\"]\nlimit = 1\n[streams.out]\nfrom = \"top\"\nby = \"k\"\ngroup = \"rows\"",
        model: |feed| {
            each(feed, |rows| by_key(rows, |rows| Value::List(vec![Value::Record(whole(rows[0]).split_off(1))])))
        },
        is_ordered: false,
    },
    Sample {
        operator: "sample",
        name: "a sample of all rows, and one of none",
        text: "[streams.all]\nfrom = \"in\"\nsample = 1\n[streams.none]\nfrom = \"more\"\nsample = 0.0\n\
               [streams.out]\nfrom = [\"all\", \"none\"]\nunion = true",
        model: |feed| each(feed, |rows| rows.iter().map(whole).collect()),
        is_ordered: true,
    },
    Sample {
        operator: "sample",
        name: "some rows",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.out]\nfrom = \"both\"\nsample = 0.4\nseed = 7",
        model: |feed| {
            let of = |(rows, batch): (Vec<Row>, i64)| {
                let taken = rows.iter().zip(0..).filter(|(_, number)| is_drawn(7, batch * 1_000_000, *number, 0.4));
                taken.map(|(row, _)| whole(row)).collect()
            };
            both(feed).into_iter().zip(1..).map(of).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "repartition",
        name: "more partitions, and the order of rows behind them",
        text: "[streams.both]\nfrom = [\"more\", \"in\"]\nunion = true\n[streams.more-of-them]\nfrom = \"both\"\nrepartition = 5\n\
               [streams.out]\nfrom = \"more-of-them\"\nfilter = \"f\"",
        model: |feed| {
            let of = |rows: Vec<Row>| rows.iter().filter(|row| row.f == Some(true)).map(whole).collect();
            both(feed).into_iter().map(of).collect()
        },
        is_ordered: true,
    },
    Sample {
        operator: "sort",
        name: "what is sorted stays so, twice spread",
        text: "[streams.sorted]\nfrom = \"in\"\nsort = [\"n\", \"k\"]\n[streams.spread]\nfrom = \"sorted\"\nrepartition = 6\n\
               [streams.some]\nfrom = \"spread\"\nfilter = \"f\"\n[streams.out]\nfrom = \"some\"\nrepartition = 3",
        model: |feed| {
            each(feed, |rows| {
                let mut rows: Vec<&Row> = rows.iter().filter(|row| row.f == Some(true)).collect();
                rows.sort_by_key(|row| (row.n, row.k));
                rows.into_iter().map(whole).collect()
            })
        },
        is_ordered: true,
    },
    shared::SCORED,
    shared::ABOVE,
    shared::WEIGHED,
    shared::SLID,
    shared::TABLE,
    shared::LOOKED_UP,
];
