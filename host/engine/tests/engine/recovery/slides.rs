//! Reduces over windows of any length and slide, wherever a run stops: what they give is that of the rows of the window, and to the
//! bit that of a run which nobody stopped.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use tidemill_engine::checkpoint::Point;
use tidemill_model::testing::cases;

use super::{
    at,
    windows::world,
    world::{Ended, Stop, World},
};

/// A row: its key and a number.
type Row = (u8, i64);

/// A window and what it is over.
#[derive(Clone, Debug)]
struct Case {
    batches: Vec<Vec<Row>>,
    length: usize,
    slide: usize,
    /// The runs but for the last one: up to which batch and how, and with how many partitions.
    stops: Vec<(usize, Point, bool, u32)>,
    partitions: u32,
}

fn key((key, _): &Row) -> String {
    char::from(b'a' + key).to_string()
}

fn case() -> impl Strategy<Value = Case> {
    let batches = vec(vec((0..6_u8, -40..40_i64), 0..6), 6..18);
    let points = prop::sample::select(Point::ALL.to_vec());
    let stops = vec((1..18_usize, points, any::<bool>(), 1..5_u32), 0..4);
    (batches, 1..9_usize, 1..6_usize, stops, 1..5_u32).prop_map(|(batches, length, slide, mut stops, partitions)| {
        stops.sort_by_key(|stop| stop.0);
        Case { batches, length, slide, stops, partitions }
    })
}

fn text(case: &Case) -> String {
    let row = |row: &Row| format!("{{ k = \"{}\", n = {}, x = {}.1 }}", key(row), row.1, row.1);
    let batch = |rows: &Vec<Row>| format!("[{}]", rows.iter().map(row).collect::<Vec<_>>().join(", "));
    let batches = case.batches.iter().map(batch).collect::<Vec<_>>().join(", ");
    let window = format!("window = \"{}s\"\nslide = \"{}s\"", case.length, case.slide);
    let streams = [
        ("sums", "by = \"k\"\nreduce = \"sum\"\nfields = { value = \"n\" }"),
        ("guests", "by = \"k\"\nreduce = \"hostile/sum\"\nfields = { value = \"n\" }"),
        ("floats", "by = \"k\"\nreduce = \"sum\"\nfields = { value = \"x\" }"),
        ("means", "by = \"k\"\nreduce = \"mean\"\nfields = { value = \"x\" }"),
        ("keys", "by = \"k\"\nreduce = \"count\""),
        ("counts", "count = true"),
        ("joined", "by = \"k\"\nreduce = \"hostile/joined\"\nfields = { value = \"n\" }"),
    ];
    let streams = streams.map(|(name, operator)| {
        format!(
            "[streams.{name}]\nfrom = \"in\"\n{operator}\n{window}\n[outputs.{name}]\nfrom = \"{name}\"\nprint = true\n"
        )
    });
    format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = {}\n\
         [streams.in]\nqueue = {{ schema = \"k: text, n: integer, x: float\", batches = [{batches}] }}\n{}",
        case.partitions,
        streams.concat()
    )
}

/// The rows of an output at each slide, sorted.
type Given = BTreeMap<(String, i64), Vec<String>>;

/// What comes of the rows of each window, of the outputs that say whole numbers.
fn model(case: &Case) -> Given {
    let mut given = Given::new();
    for end in (case.slide..=case.batches.len()).step_by(case.slide) {
        let rows: Vec<Row> = case.batches[end.saturating_sub(case.length)..end].concat();
        let of_keys = |of: &dyn Fn(&[&Row]) -> i64| {
            let keys: BTreeSet<String> = rows.iter().map(key).collect();
            let of_key = |wanted: &String| of(&rows.iter().filter(|row| key(row) == *wanted).collect::<Vec<_>>());
            keys.iter().map(|wanted| format!("{wanted} {}", of_key(wanted))).collect::<Vec<_>>()
        };
        let sum = |rows: &[&Row]| rows.iter().map(|row| row.1).sum();
        let outputs = [
            ("sums", of_keys(&sum)),
            ("guests", of_keys(&sum)),
            ("keys", of_keys(&|rows| rows.len() as i64)),
            ("counts", vec![rows.len().to_string()]),
        ];
        given.extend(outputs.map(|(name, rows)| ((name.to_owned(), end as i64), rows)));
    }
    given.retain(|_, rows| !rows.is_empty());
    given
}

/// What a world was given in so many batches; a run that goes on may have one more, of nothing.
fn given(world: &World, batches: usize) -> Given {
    let rows = world.rows_until(at(batches as i64));
    rows.into_iter().map(|((name, time), rows)| ((name, time.0 / 1_000_000), rows)).collect()
}

/// Runs to each of the stops in turn, and then to the end.
fn run_on(case: &Case, partitions: Option<u32>) -> World {
    let mut world = World { partitions: case.partitions, ..world(&text(case)) };
    for &(batch, point, after, of_run) in &case.stops {
        world.partitions = partitions.unwrap_or(of_run);
        world.run(Some(Stop { point, after, batch: at(batch as i64) }));
    }
    world.partitions = case.partitions;
    world.run(None);
    world
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn windows_give_what_their_rows_come_to(case in case()) {
        let last = at(case.batches.len() as i64);
        let straight = World { partitions: case.partitions, ..world(&text(&case)) };
        prop_assert_eq!(straight.run(None), Ended::Done);
        let stopped = run_on(&case, Some(case.partitions));
        prop_assert_eq!(stopped.delivered_until(last), straight.delivered_until(last));
        let expect = model(&case);
        for world in [&straight, &run_on(&case, None)] {
            let mut found = given(world, case.batches.len());
            found.retain(|(name, _), _| expect.keys().any(|(known, _)| known == name));
            prop_assert_eq!(&found, &expect);
        }
    }
}

/// A key of which the accumulators cannot be merged is set aside at each slide whose window has them, and is back when it has not.
#[test]
fn a_key_that_cannot_be_merged_is_set_aside_at_each_slide() {
    const POISON: &str = "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 2\n\
        [streams.in]\nqueue = { schema = \"k: text, n: integer\", batches = [[{ k = \"b\", n = 1 }], [], [], \
        [{ k = \"a\", n = 600 }, { k = \"b\", n = 2 }], [{ k = \"a\", n = 66 }], [{ k = \"a\", n = 1 }, { k = \"b\", n = 3 }], \
        [{ k = \"a\", n = 1 }], [{ k = \"c\", n = 5 }], [], [], []] }\n\
        [streams.sums]\nfrom = \"in\"\nby = \"k\"\nreduce = \"hostile/touchy-sum\"\nfields = { value = \"n\" }\nwindow = \"4s\"\n\
        on-error = \"dead-letter\"\n[outputs.sums]\nfrom = \"sums\"\nprint = true\n";
    // Of 4 and 5 the sum is 666, which the function will not merge with anything.
    let expect =
        ["b 1", "b 1", "b 1", "a 600|b 3", "a 666|b 2", "b 5", "b 5", "a 68|b 3|c 5", "a 2|b 3|c 5", "a 1|c 5", "c 5"];
    for partitions in [1, 2, 5] {
        for stop in 0..=10 {
            let world = World { partitions, ..world(POISON) };
            if stop > 0 {
                world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(stop) }));
            }
            assert_eq!(world.run(None), Ended::Done);
            let found: Vec<String> = given(&world, 11)
                .into_iter()
                .filter(|((name, _), _)| name == "sums")
                .map(|(_, rows)| rows.join("|"))
                .collect();
            assert_eq!(found, expect, "{partitions} partitions, stopped at {stop}");
            let letters: Vec<i64> = given(&world, 11)
                .into_keys()
                .filter(|(name, _)| name.starts_with("dead"))
                .map(|(_, time)| time)
                .collect();
            assert_eq!(letters, [6, 7], "{partitions} partitions, stopped at {stop}");
        }
    }
}

/// In which order keys are set aside hangs on the panes that there are, and not on when each of them became one that cannot be merged.
#[test]
fn dead_letters_of_a_slide_come_in_the_order_of_keys() {
    const POISON: &str = "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = 1\n\
        [streams.in]\nqueue = { schema = \"k: text, n: integer\", batches = [[{ k = \"a\", n = 1 }], \
        [{ k = \"a\", n = 666 }, { k = \"b\", n = 666 }], [{ k = \"b\", n = 1 }], [{ k = \"a\", n = 1 }], []] }\n\
        [streams.sums]\nfrom = \"in\"\nby = \"k\"\nreduce = \"hostile/touchy-sum\"\nfields = { value = \"n\" }\nwindow = \"4s\"\n\
        on-error = \"dead-letter\"\n[outputs.sums]\nfrom = \"sums\"\nprint = true\n";
    let letters = |stop: i64| {
        let world = World { partitions: 1, ..world(POISON) };
        if stop > 0 {
            world.run(Some(Stop { point: Point::Deliver, after: true, batch: at(stop) }));
        }
        assert_eq!(world.run(None), Ended::Done);
        let all = world.delivered_until(at(5)).into_iter().filter(|((name, _), _)| name.starts_with("dead"));
        all.map(|((_, time), rows)| (time, rows.concat())).collect::<Vec<_>>()
    };
    let straight = letters(0);
    let last: Vec<bool> = straight[straight.len() - 1].1.iter().map(|letter| letter.contains("{a}")).collect();
    assert_eq!(last, [true, false], "{straight:?}");
    for stop in 1..=5 {
        assert_eq!(letters(stop), straight, "stopped at {stop}");
    }
}
