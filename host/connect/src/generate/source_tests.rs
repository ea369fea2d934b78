//! By the clock or as fast as they are taken, and again where a checkpoint says.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use tidemill_model::{ports::Source, time::Timestamp};

use super::{GenerateKind, GenerateSource, position::Schedule, source::GeneratedSource};
use crate::pin::checking::{Given, Still, check_refusals, check_repeats, pin, refusal, repeatable};

fn source(rate: Option<u64>, count: Option<u64>, until_done: bool) -> GeneratedSource {
    let spec = GenerateSource { kind: GenerateKind::Orders, rate, count, seed: 1 };
    GeneratedSource::new("lines", &spec, Timestamp(5_000_000), until_done)
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

/// When the batches of these tests are sealed: not evenly.
const TICKS: [i64; 6] = [5_500_000, 6_100_000, 6_100_000, 7_000_001, 9_999_999, 20_000_000];

/// The rows of the batches at [`TICKS`], each of which was resumed and repeated.
fn check(rate: Option<u64>, count: Option<u64>, until_done: bool, expect: [usize; 6]) {
    for kind in [GenerateKind::Orders, GenerateKind::Points, GenerateKind::Activity] {
        let spec = GenerateSource { kind, rate, count, seed: 7 };
        let open = |now| -> Box<dyn Source> { Box::new(GeneratedSource::new("lines", &spec, now, until_done)) };
        let given = check_repeats(|| Still(open), Timestamp(5_000_000), &TICKS.map(Timestamp));
        assert_eq!(given.iter().map(Given::rows).collect::<Vec<_>>(), expect);
    }
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    check(Some(3), None, false, [1, 2, 0, 3, 8, 31]);
    check(Some(7_001), Some(30_000), false, [3_500, 4_201, 0, 6_301, 15_998, 0]);
    check(None, Some(25_000), true, [25_000, 0, 0, 0, 0, 0]);
    check(None, Some(0), false, [0; 6]);
}

#[test]
fn words_go_on_with_the_same_vocabulary() {
    let spec = GenerateSource { kind: GenerateKind::Words, rate: Some(1_000), count: None, seed: 7 };
    let open = |now| -> Box<dyn Source> { Box::new(GeneratedSource::new("lines", &spec, now, false)) };
    let given = check_repeats(|| Still(open), Timestamp(0), &[1_000_000, 4_000_000].map(Timestamp));
    assert_eq!(given.iter().map(Given::rows).collect::<Vec<_>>(), [1_000, 3_000]);
}

#[test]
fn the_time_while_it_was_down_is_left_out() {
    let ten = |opened| {
        let spec = GenerateSource { kind: GenerateKind::Orders, rate: Some(10), count: None, seed: 1 };
        GeneratedSource::new("lines", &spec, Timestamp(opened), false)
    };
    let mut first = ten(5_000_000);
    assert_eq!(batch(&mut first, 1).0, 10);
    let given = pin(&mut first);
    // An hour later; and on a manual clock, which begins in 1970 again.
    for (opened, seconds) in [(3_605_000_000, 3_601), (0, 2)] {
        let mut second = ten(opened);
        repeatable(&mut second).resume_after(&given).unwrap();
        assert_eq!(batch(&mut second, seconds).0, 10);
        let mut second = ten(opened);
        repeatable(&mut second).repeat(&given).unwrap();
        assert_eq!(batch(&mut second, 1).0, 10);
        let again = pin(&mut second);
        assert_eq!(again.pin, given.pin, "a batch that is repeated once more is the same");
        assert_eq!(batch(&mut second, seconds).0, 10);
    }
}

#[test]
fn the_rate_and_the_count_may_change_between_runs() {
    let open = |rate, count| {
        let spec = GenerateSource { kind: GenerateKind::Orders, rate: Some(rate), count, seed: 1 };
        GeneratedSource::new("lines", &spec, Timestamp(5_000_000), false)
    };
    let mut first = open(10, None);
    assert_eq!(batch(&mut first, 2), (20, false));
    let given = pin(&mut first);
    let mut faster = open(100, None);
    repeatable(&mut faster).resume_after(&given).unwrap();
    assert_eq!(batch(&mut faster, 3), (100, false));
    let mut used_up = open(10, Some(15));
    repeatable(&mut used_up).resume_after(&given).unwrap();
    assert_eq!(batch(&mut used_up, 3), (0, true));
}

#[test]
fn other_pins_are_refused() {
    let open = || -> Box<dyn Source> { Box::new(source(Some(10), None, false)) };
    let mut taken = source(Some(10), None, false);
    taken.seal(Timestamp(6_000_000)).unwrap();
    let early = repeatable(&mut taken).pin().unwrap_err().to_string();
    assert!(early.starts_with("stream `lines`: its batch is not taken to the end"), "{early}");
    while !taken.take(1).unwrap().end {}
    batch(&mut taken, 1);
    let given = pin(&mut taken);
    let expect = [
        r#"{"source":"generate","kind":"orders","seed":1,"first_row":10,"rows":0,"#,
        r#""random_before":9980051252924025463,"random_after":9980051252924025463,"#,
        r#""sealed_micros":6000000,"due_millionths":0}"#,
    ];
    assert_eq!(given.pin, expect.concat());
    let damaged = [
        (r#""rows":0"#, r#""rows":18446744073709551606"#),
        (r#""rows":0"#, r#""rows":-1"#),
        (r#""rows":0"#, r#""rows":1.5"#),
        (r#""due_millionths":0"#, r#""due_millionths":1000000"#),
        (r#""seed":1"#, r#""seed":2"#),
        (r#""kind":"orders""#, r#""kind":"words""#),
        (r#""source":"generate""#, r#""source":"queue""#),
    ];
    let damaged = damaged.map(|(from, to)| given.replace(from, to));
    assert!(damaged.iter().all(|text| *text != given.pin));
    check_refusals(open, &given, &damaged.each_ref().map(String::as_str));
    let expect = "stream `lines` had rows of the kind `orders` made with the seed 2 when the checkpoint was written, and \
                  the pipeline has `orders` with 1 now: other rows; set them back, or begin with a new checkpoint";
    assert_eq!(refusal(open(), &given.replace(r#""seed":1"#, r#""seed":2"#)), expect);
}

#[test]
fn a_schedule_loses_no_part_of_a_row() {
    let mut schedule = Schedule { begin: Timestamp(0), row: 0, due_millionths: 0 };
    let whole = schedule;
    for at in [1, 333_333, 333_334, 999_999, 5_000_000, i64::MAX].map(Timestamp) {
        let (row, due_millionths) = schedule.due(7, at);
        assert_eq!((row, due_millionths), whole.due(7, at));
        schedule = Schedule { begin: at, row, due_millionths };
    }
    assert_eq!(schedule.due(u64::MAX, Timestamp(i64::MIN)).0, schedule.row, "time that went back is no time");
    assert_eq!(whole.due(u64::MAX, Timestamp(i64::MAX)).0, u64::MAX);
}
