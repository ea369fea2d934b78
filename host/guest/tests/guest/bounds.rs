//! Limits of calls to the last byte, row and instruction.

use tidemill_guest::{Place, Usage, Verdict};
use tidemill_model::limits::Limits;

use crate::support::{Data, chunk, only, open, plugin_with, quick_limits, unplaced};

/// Calls a map with these lines.
fn mapped(function: &str, limits: &Limits, lines: &[&str]) -> Result<(), Verdict> {
    let mut instance = open(&plugin_with(limits), function).unwrap();
    unplaced(Data::lines(lines).with(|rows| instance.map_rows(&only(), &rows, &mut |_| {})))
}

#[test]
fn fuel_is_given_for_each_row() {
    // Much less for the call than it takes; what it lacks comes with the rows.
    let lines = vec!["a line"; 20_000];
    let limits = |fuel_per_row| Limits { fuel_per_call: 300_000, fuel_per_row, ..quick_limits() };
    assert_eq!(mapped("odd-rows", &limits(5_000), &lines[..900]), Ok(()));
    let (per_call, per_row) = (300_000, 1);
    let expect = Verdict::OutOfFuel { per_call, per_row, rows: 20_000, at: Place::default() };
    assert_eq!(mapped("identity", &limits(per_row), &lines[..1]), Ok(()));
    assert_eq!(mapped("odd-rows", &limits(per_row), &lines), Err(expect));
}

/// The last call of a function that sees a whole partition has fuel for the rows of all calls, and for none of another batch.
#[test]
fn fuel_is_given_again_for_the_rows_of_earlier_chunks() {
    for chunks in [&[2_usize][..], &[2, 3], &[1, 0, 4]] {
        let plugin = plugin_with(&Limits { fuel_per_call: 1_000_000, fuel_per_row: 500, ..quick_limits() });
        let mut instance = open(&plugin, "loops-at-last").unwrap();
        let mut call = |number: usize, rows: usize, last| {
            let context = chunk(u32::try_from(number).unwrap(), last);
            unplaced(Data::lines(&vec!["a line"; rows]).with(|rows| instance.map_rows(&context, &rows, &mut |_| {})))
        };
        // A batch that is given up before its last chunk.
        assert_eq!((call(0, 7, false), call(1, 9, false)), (Ok(()), Ok(())));
        for (number, &rows) in chunks.iter().enumerate() {
            let last = number + 1 == chunks.len();
            let sum = chunks.iter().sum::<usize>() as u64;
            let expect = Verdict::OutOfFuel { per_call: 1_000_000, per_row: 500, rows: sum, at: Place::default() };
            assert_eq!(call(number, rows, last), if last { Err(expect) } else { Ok(()) }, "{chunks:?}");
        }
    }
}

#[test]
fn a_call_of_the_host_costs_its_price_and_its_bytes() {
    let fuel = |fuel_per_call| Limits { fuel_per_call, fuel_per_row: 0, counters: 1_000, ..quick_limits() };
    // A thousand names of some ten bytes: the calls alone cost a million.
    assert!(matches!(mapped("many-counters", &fuel(1_000_000), &["a"]), Err(Verdict::OutOfFuel { .. })));
    assert_eq!(mapped("many-counters", &fuel(4_000_000), &["a"]), Ok(()));
    // A thousand lines of five thousand bytes: those cost five millions, and the calls one.
    assert!(matches!(mapped("log-flood", &fuel(5_900_000), &["a"]), Err(Verdict::OutOfFuel { .. })));
    assert_eq!(mapped("log-flood", &fuel(7_000_000), &["a"]), Ok(()));
}

#[test]
fn rows_are_counted_to_the_last() {
    let rows = |result_rows| Limits { result_rows, ..quick_limits() };
    assert_eq!(mapped("identity", &rows(3), &["a", "b", "c"]), Ok(()));
    let expect = Verdict::TooManyRows { limit: 2, got: 3 };
    assert_eq!(mapped("identity", &rows(2), &["a", "b", "c"]), Err(expect));
}

/// A boolean is a bit in an answer and a record nothing; each counts as a byte, and so do the offsets of the two lists.
#[test]
fn each_value_of_an_answer_counts_as_a_byte_at_least() {
    let bytes = |result_bytes| Limits { result_bytes, ..quick_limits() };
    for (items, expect) in [(1_000, 12 + 2 * 1_010), (1_000_000, 12 + 2 * 1_000_010)] {
        let lines = [items.to_string(), "10".to_owned()];
        let lines = [lines[0].as_str(), lines[1].as_str()];
        assert_eq!(mapped("bits", &bytes(expect), &lines), Ok(()));
        let limit = expect - 1;
        assert_eq!(mapped("bits", &bytes(limit), &lines), Err(Verdict::ResultTooLarge { limit }));
    }
}

/// Reasons may all lie at one place, and each is copied: so much of it as is ever shown.
#[test]
fn reasons_count_with_what_is_shown_of_them() {
    let bytes = |result_bytes| Limits { result_bytes, ..quick_limits() };
    // One of four thousand bytes, of which a kilobyte is shown, and one of three.
    assert_eq!(mapped("odd-reasons", &bytes(1_400), &["a", "b"]), Ok(()));
    assert_eq!(mapped("odd-reasons", &bytes(1_026), &["a", "b"]), Err(Verdict::ResultTooLarge { limit: 1_026 }));
}

/// What the calls of an instance have used: the same for the same rows, and nothing of what was taken before.
#[test]
fn what_calls_use_is_told_once() {
    let mut instance = open(&plugin_with(&quick_limits()), "tenfold").unwrap();
    assert_eq!(instance.take_usage(), Usage::default(), "opening is none of it");
    let mut used = |lines: &[&str]| {
        Data::lines(lines).with(|rows| instance.map_rows(&only(), &rows, &mut |_| {})).unwrap();
        instance.take_usage()
    };
    used(&["a", "b"]);
    let two = used(&["a", "b"]);
    // Of twenty lines an offset and a byte each, and an offset before them.
    assert_eq!((two.rows, two.bytes), (20, 20 * 5 + 4));
    assert_eq!(used(&["c", "d"]), two);
    assert!(used(&["a", "b", "c"]).fuel > two.fuel && two.fuel > 0);
    let mut failing = open(&plugin_with(&quick_limits()), "panics").unwrap();
    assert!(Data::lines(&["a"]).with(|rows| failing.map_rows(&only(), &rows, &mut |_| {})).is_err());
    let failed = failing.take_usage();
    assert!(failed.fuel > 0 && failed.rows == 0, "{failed:?}");
}
