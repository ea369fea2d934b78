//! How often calls are made, how long is waited between them, and where a search ends: to the call.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
#![allow(clippy::single_range_in_vec_init, reason = "a call is for a range of rows")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tidemill_guest::Place;
use tidemill_model::{
    ports::{Clock, Wake},
    testing::{Value, values_of},
    time::{Interval, Timestamp},
};

use super::*;

/// Goes on when it is waited for, and notes how long that was.
#[derive(Default)]
struct Waits {
    now: Mutex<i64>,
    millis: Mutex<Vec<u64>>,
}

impl Clock for Waits {
    fn now(&self) -> Timestamp {
        Timestamp(*self.now.lock().unwrap())
    }

    fn wait(&self, deadline: Timestamp, _: &Wake) {
        let waited = deadline.since(self.now());
        self.millis.lock().unwrap().push(waited.as_millis() as u64);
        *self.now.lock().unwrap() = deadline.0;
    }
}

fn stopper(clock: &Arc<Waits>) -> Stopper {
    Stopper::new(Wake::default(), clock.clone(), Duration::from_secs(30))
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    /// As long as the row is there.
    Panics,
    UsesItsFuel,
    SaysForGood,
    SaysPerhaps,
    AnswersNonsense,
    /// Not for the rows.
    CannotBeOpened,
    CannotBeOpenedNow,
    Defect,
}

use Fails::*;

impl Fails {
    const ALL: [Fails; 8] =
        [Panics, UsesItsFuel, SaysForGood, SaysPerhaps, AnswersNonsense, CannotBeOpened, CannotBeOpenedNow, Defect];

    fn cause(self) -> Cause {
        let guest =
            |opened, verdict| Cause::Guest { plugin: "p".to_owned(), function: "f".to_owned(), opened, verdict };
        let reason = || "told".to_owned();
        match self {
            Panics => guest(true, Verdict::Panicked { message: reason(), at: Place::default() }),
            UsesItsFuel => guest(true, Verdict::OutOfFuel { per_call: 1, per_row: 1, rows: 1, at: Place::default() }),
            SaysForGood => guest(true, Verdict::Failure { reason: reason(), retryable: false }),
            SaysPerhaps => guest(true, Verdict::Failure { reason: reason(), retryable: true }),
            AnswersNonsense => Cause::Rows(reason()),
            CannotBeOpened => guest(false, Verdict::OpenFailed { reason: reason(), retryable: false }),
            CannotBeOpenedNow => guest(false, Verdict::OpenFailed { reason: reason(), retryable: true }),
            Defect => Cause::Defect(reason()),
        }
    }
}

/// Rows, some of which make every call fail that they are in.
#[derive(Default)]
struct Given {
    rows: Vec<Option<Fails>>,
    /// So many calls fail whatever they are given.
    tired: usize,
    /// Where somebody else fails, behind the function.
    behind: bool,
    calls: Vec<Range<usize>>,
    aside: Vec<usize>,
}

impl Calls for Given {
    fn attempt(&mut self, _: &mut Policy, range: Range<usize>) -> Attempt {
        self.calls.push(range.clone());
        if self.behind {
            return Err(Panics.cause());
        }
        if self.tired > 0 {
            self.tired -= 1;
            return Ok(Err(Panics.cause()));
        }
        Ok(self.rows[range].iter().flatten().next().map_or(Ok(()), |fails| Err(fails.cause())))
    }

    fn set_aside(&mut self, _: &mut Policy, at: usize, _: &str) -> Result<(), Cause> {
        self.aside.push(at);
        Ok(())
    }

    fn guest(&mut self) -> Option<&mut GuestSlot> {
        None
    }
}

/// A policy over rows, and what came of it.
struct Bench {
    clock: Arc<Waits>,
    policy: Policy,
}

/// What one run of a policy did.
#[derive(Debug, PartialEq)]
struct Did {
    calls: Vec<Range<usize>>,
    waits: Vec<u64>,
    aside: Vec<usize>,
    failed: Option<String>,
}

impl Bench {
    fn new(retries: u32, delay_millis: u64, then: Then) -> Bench {
        let on_error = OnError { retries, delay: Duration::from_millis(delay_millis), then };
        let clock = Arc::new(Waits::default());
        Bench { policy: Policy::new("stream", ("p/f", on_error), None, stopper(&clock)), clock }
    }

    fn run(&mut self, mut rows: Given) -> Did {
        let ran = self.policy.run(rows.rows.len(), &mut rows);
        let waits = std::mem::take(&mut *self.clock.millis.lock().unwrap());
        Did { calls: rows.calls, waits, aside: rows.aside, failed: ran.err().map(|cause| cause.to_string()) }
    }

    fn run_rows(&mut self, rows: &[Option<Fails>]) -> Did {
        self.run(Given { rows: rows.to_vec(), ..Given::default() })
    }
}

#[test]
fn as_many_calls_are_made_as_the_policy_says() {
    for then in [Then::Stop, Then::SkipBatch, Then::DeadLetter] {
        for retries in 0..4 {
            let waits = [[100, 200, 400][..retries as usize].to_vec(), Vec::new()];
            // One more where the row is to be set aside: by an instance that has served nobody.
            let more = usize::from(then == Then::DeadLetter);
            for (fails, is_tried) in Fails::ALL
                .map(|fails| (fails, !matches!(fails, SaysForGood | CannotBeOpened | AnswersNonsense | Defect)))
            {
                let did = Bench::new(retries, 100, then).run_rows(&[Some(fails)]);
                let retried = if is_tried { retries as usize } else { 0 };
                assert_eq!(did.calls.len(), 1 + retried + more, "{then:?} {retries} {fails:?}");
                assert_eq!(did.waits, waits[usize::from(!is_tried)], "{then:?} {retries} {fails:?}");
                let is_set_aside = more == 1 && !matches!(fails, CannotBeOpened | CannotBeOpenedNow | Defect);
                assert_eq!(did.aside.len(), usize::from(is_set_aside), "{then:?} {fails:?}");
                let failed = (!is_set_aside).then(|| fails.cause().to_string());
                assert_eq!(did.failed, failed, "{then:?} {fails:?}");
            }
            let did = Bench::new(retries, 100, then).run_rows(&[None, None]);
            assert_eq!((did.calls, did.waits, did.failed), (vec![0..2], vec![], None));
        }
    }
}

#[test]
fn waits_double_up_to_the_longest() {
    let did = Bench::new(6, 1_700, Then::Stop).run_rows(&[Some(Panics)]);
    assert_eq!(did.waits, [1_700, 3_400, 6_800, 10_000, 10_000, 10_000]);
}

#[test]
fn nobody_is_called_again_once_a_call_has_succeeded() {
    for tired in 0..=3 {
        let mut bench = Bench::new(3, 100, Then::Stop);
        // In the same batch again: a retry that helped does not use up those of later calls.
        for _ in 0..3 {
            let did = bench.run(Given { rows: vec![None; 2], tired, ..Given::default() });
            assert_eq!(did.calls, vec![0..2; tired + 1]);
            assert_eq!(did.waits, [100, 200, 400][..tired]);
            assert_eq!(did.failed, None);
        }
    }
}

#[test]
fn retries_that_were_in_vain_are_not_made_again_before_the_next_batch() {
    for then in [Then::Stop, Then::SkipBatch, Then::DeadLetter] {
        let mut bench = Bench::new(2, 100, then);
        for batch in 0..3 {
            bench.policy.begin();
            let waits: Vec<Vec<u64>> = (0..3).map(|_| bench.run_rows(&[Some(Panics)]).waits).collect();
            assert_eq!(waits, [vec![100, 200], vec![], vec![]], "{then:?}, batch {batch}");
        }
    }
}

#[test]
fn rows_that_fail_are_found_in_order_by_halving() {
    let mut bench = Bench::new(0, 0, Then::DeadLetter);
    let did = bench.run_rows(&[None, Some(Panics), None, None, Some(AnswersNonsense), None]);
    assert_eq!(did.aside, [1, 4]);
    assert_eq!(did.failed, None);
    let expect = [0..6, 0..6, 0..3, 0..1, 1..3, 1..2, 2..3, 3..6, 3..4, 4..6, 4..5, 5..6];
    assert_eq!(did.calls, expect);
    // Each row that was not set aside was in a call that succeeded, once.
    assert_eq!(bench.run_rows(&[Some(Panics); 4]).aside, [0, 1, 2, 3]);
}

#[test]
fn what_fails_behind_the_function_is_not_the_function() {
    for then in [Then::Stop, Then::SkipBatch, Then::DeadLetter] {
        let mut bench = Bench::new(3, 100, then);
        let did = bench.run(Given { rows: vec![None; 4], behind: true, ..Given::default() });
        assert_eq!((did.calls, did.waits, did.aside), (vec![0..4], vec![], vec![]), "{then:?}");
        assert_eq!(did.failed, Some(Panics.cause().to_string()));
    }
}

/// Runs a row alone that fails, again and again; says after how many times that was too much.
fn too_many(bench: &mut Bench, fails: Fails) -> usize {
    for count in 1..=SEARCH_MAX as usize + 1 {
        let did = bench.run_rows(&[Some(fails)]);
        if let Some(failed) = did.failed {
            assert!(failed.starts_with("too many rows make the function fail"), "{failed}");
            assert!(did.aside.is_empty());
            return count;
        }
        assert_eq!(did.aside, [0]);
    }
    panic!("it never is");
}

#[test]
fn so_much_may_be_spent_on_a_search_in_each_batch_and_no_more() {
    let mut bench = Bench::new(0, 0, Then::DeadLetter);
    for batch in 0..3 {
        bench.policy.begin();
        assert_eq!(too_many(&mut bench, Panics), 10_001, "batch {batch}");
        bench.policy.begin();
        assert_eq!(too_many(&mut bench, UsesItsFuel), 501, "batch {batch}");
        // A search in one call: each part that fails counts, 2n - 1 for n rows.
        bench.policy.begin();
        assert_eq!(bench.run_rows(&[Some(Panics); 5_000]).failed, None, "9,999 in batch {batch}");
        assert_eq!(bench.run_rows(&[None; 5]).failed, None, "what succeeds costs nothing");
        assert_eq!(bench.run_rows(&[Some(Panics)]).failed, None, "10,000 in batch {batch}");
        assert!(bench.run_rows(&[Some(Panics)]).failed.is_some(), "10,001 in batch {batch}");
        bench.policy.begin();
        assert!(bench.run_rows(&[Some(Panics); 5_001]).failed.is_some(), "batch {batch}");
    }
}

/// They wait for the end of the batch, whatever a function says of a row.
#[test]
fn letters_are_held_to_the_bound_of_an_operator() {
    let schema = "batch: timestamp, stream: text, function: text, partition: integer, row: integer?, reason: text, \
                  values: record<n: integer>?";
    let on_error = OnError { then: Then::DeadLetter, ..OnError::default() };
    let mut policy = Policy::new("stream", ("p/f", on_error), Some(&schema.parse().unwrap()), stopper(&Arc::default()));
    policy.begin();
    let mut batch = Batch::new(Interval::try_new(1_000).unwrap(), 0, 1);
    let letter = |reason| Letter { row: None, reason, key: None, values: None };
    policy.set_aside(&mut batch, &letter("short")).unwrap();
    batch.held_bytes_max = policy.held_bytes() + 500;
    policy.set_aside(&mut batch, &letter("short")).unwrap();
    let cause = policy.set_aside(&mut batch, &letter(&"long ".repeat(100))).unwrap_err();
    assert!(matches!(cause, Cause::TooMuch { .. }), "{cause}");
}

#[test]
fn letters_and_rejections_are_of_their_batch() {
    let schema: Schema = "batch: timestamp, stream: text, function: text, partition: integer, row: integer?, reason: \
                          text, values: record<n: integer>?"
        .parse()
        .unwrap();
    let on_error = OnError { then: Then::DeadLetter, ..OnError::default() };
    let mut policy = Policy::new("stream", ("p/f", on_error), Some(&schema), stopper(&Arc::default()));
    let values = tidemill_model::testing::buffer_of(&"n: integer".parse().unwrap(), &[vec![Value::Integer(7)]]);
    let columns = values.columns();
    let rows = values.with_columns(&columns);
    for time in 1..=3 {
        let mut batch = Batch { time: Timestamp(time), ..Batch::new(Interval::try_new(1_000).unwrap(), 5, 9) };
        policy.begin();
        assert!(policy.letters().unwrap().take().next().is_none(), "letters of another batch are in the batch {time}");
        let empty = policy.held_bytes();
        policy.set_aside(&mut batch, &Letter::of_row(&rows, 0, 40, "found")).unwrap();
        let held = policy.held_bytes();
        policy.letter(&batch, &Letter { row: None, reason: "told", key: None, values: None }).unwrap();
        assert!(held > empty && policy.held_bytes() > held);
        // The first was found by a search and counts; the second was told by the function, and is counted with its call.
        let rejected: Vec<_> = batch.rejections.by_stream.iter().map(|of| (of.stream.as_str(), of.count)).collect();
        assert_eq!((rejected, &*batch.rejections.by_stream[0].first_reason), (vec![("stream", 1)], "found"));
        // Those of the second batch are left behind, as if it was skipped.
        if time != 2 {
            let letters = policy.letters().unwrap().take().next().unwrap().rows;
            let letter = |row, reason, values| {
                let head = [Value::Integer(time), Value::text("stream"), Value::text("p/f"), Value::Integer(5)];
                [&head[..], &[row, Value::text(reason), values]].concat()
            };
            let expect = [
                letter(Value::Integer(40), "found", Value::Record(vec![Value::Integer(7)])),
                letter(Value::Missing, "told", Value::Missing),
            ];
            assert_eq!(values_of(&letters.with_columns(&letters.columns())), expect);
        }
    }
}

/// A policy that has no use for another call leaves its operator to make one call of all rows, which is the faster way.
#[test]
fn only_a_policy_that_can_use_another_call_makes_calls_of_its_own() {
    for (retries, then, expect) in [
        (0, Then::Stop, false),
        (0, Then::SkipBatch, false),
        (0, Then::DeadLetter, true),
        (1, Then::Stop, true),
        (1, Then::SkipBatch, true),
    ] {
        let on_error = OnError { retries, delay: Duration::ZERO, then };
        let policy = Policy::new("stream", ("p/f", on_error), None, stopper(&Arc::default()));
        assert_eq!(policy.is_asked(), expect, "{on_error:?}");
    }
}
