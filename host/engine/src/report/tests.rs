//! What is said of batches, and what of them is added up.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use tidemill_model::ports::PortError;

use super::*;
use crate::testing::{plan, said};

const SECOND: i64 = 1_000_000;

/// A reporter of a pipeline of a batch a second, whose stream `taken` has dead letters.
fn reporter() -> Reporter {
    let plan = plan(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[streams.in]\nqueue = { schema = \"n: integer\", batches = [] }\n\
         [outputs.out]\nfrom = \"in\"\nprint = true\n",
    );
    Reporter { letters: BTreeMap::from([("taken".to_owned(), "aside".to_owned())]), ..Reporter::new(&plan) }
}

/// A batch whose tick was served at its time, and that was done with so many microseconds later.
fn batch(second: i64, worked: i64, intake: Intake) -> BatchReport {
    let time = Timestamp(second * SECOND);
    BatchReport {
        time,
        began: time,
        left: Timestamp(time.0 + worked),
        intake,
        rejections: Rejections::default(),
        irregularities: Vec::new(),
        skipped: None,
        is_replayed: false,
    }
}

fn rejections(of: &[(&str, u64, &str)]) -> Rejections {
    let stream = |&(stream, count, reason): &(&str, u64, &str)| StreamRejections {
        stream: stream.to_owned(),
        count,
        first_reason: reason.to_owned(),
    };
    Rejections { by_stream: of.iter().map(stream).collect() }
}

fn irregularity(stream: &str, count: u64, is_rejected: bool) -> (String, Irregularity) {
    (stream.to_owned(), Irregularity { what: "odd lines".to_owned(), count, is_rejected })
}

#[test]
fn a_batch_is_told_with_its_times_and_rows() {
    let mut reporter = reporter();
    reporter.add_rows(3);
    reporter.add_rows(4);
    reporter.add_ahead(Duration::from_millis(20));
    reporter.add_ahead(Duration::from_millis(30));
    let intake = reporter.leave();
    let began = Timestamp(2_250_000);
    let report = BatchReport { began, left: Timestamp(2_300_000), ..batch(2, 0, intake) };
    let lines = said(|| reporter.batch(report, Timestamp(2_750_500)));
    let expect = "INFO Total delay: 0.750 s for time 2000 ms (execution: 0.500 s) time=1970-01-01T00:00:02Z rows=7 \
                  ahead_ms=50 said.batch=2000 said.total_delay_ms=750.5 said.execution_ms=500.5";
    assert_eq!(lines, [expect]);
    // The next one has its own rows and time.
    let intake = reporter.leave();
    assert_eq!((intake.rows, intake.ahead, reporter.batches()), (0, Duration::ZERO, 2));
    let summary = reporter.summary(vec![("a/b".to_owned(), 5)]);
    assert_eq!(summary, Summary { batches: 1, rows: 7, counters: vec![("a/b".to_owned(), 5)], ..Summary::default() });
}

/// Of two batches, the second of which is skipped.
#[test]
fn what_was_not_taken_is_told_and_added_up() {
    let mut reporter = reporter();
    let error =
        RunError::Sink { output: "out".to_owned(), batch: Timestamp(0), error: PortError::configuration("it is full") };
    let first = BatchReport {
        rejections: rejections(&[("taken", 2, "too long"), ("other", 1, "too short")]),
        irregularities: vec![irregularity("in", 8, true), irregularity("in", 16, false)],
        ..batch(1, 0, Intake::default())
    };
    let second = BatchReport {
        rejections: rejections(&[("taken", 32, "too long")]),
        irregularities: vec![irregularity("in", 64, true), irregularity("in", 128, false)],
        skipped: Some(error),
        ..batch(2, 0, Intake { rows: 9, ahead: Duration::ZERO })
    };
    let said_error = second.skipped.as_ref().unwrap().to_string();
    let lines = said(|| {
        reporter.batch(first, Timestamp(SECOND));
        reporter.batch(second, Timestamp(2 * SECOND));
    });
    let is_delay = |line: &String| line.starts_with("INFO Total delay: ");
    let expect = [
        "WARN 2 rows rejected in batch 1000 ms (1970-01-01T00:00:01Z), set aside in the output `aside`; the \
        first: too long stream=taken \
         said.count=2 said.batch=1000 said.first_reason=\"too long\""
            .to_owned(),
        "WARN 1 row rejected in batch 1000 ms (1970-01-01T00:00:01Z); the first: too short stream=other \
        said.count=1 said.batch=1000 \
         said.first_reason=\"too short\""
            .to_owned(),
        "WARN 8 odd lines in batch 1000 ms (1970-01-01T00:00:01Z) stream=in said.count=8 said.batch=1000".to_owned(),
        "WARN 16 odd lines in batch 1000 ms (1970-01-01T00:00:01Z) stream=in said.count=16 said.batch=1000".to_owned(),
        format!("WARN batch 2000 ms (1970-01-01T00:00:02Z) is skipped: {said_error} said.batch=2000 rows=9"),
        "WARN 32 rows rejected in batch 2000 ms (1970-01-01T00:00:02Z), set aside in the output `aside`; the \
        first: too long stream=taken \
         said.count=32 said.batch=2000 said.first_reason=\"too long\""
            .to_owned(),
        "WARN 64 odd lines in batch 2000 ms (1970-01-01T00:00:02Z) stream=in said.count=64 said.batch=2000".to_owned(),
        "WARN 128 odd lines in batch 2000 ms (1970-01-01T00:00:02Z) stream=in said.count=128 said.batch=2000"
            .to_owned(),
    ];
    assert_eq!(lines.iter().filter(|line| is_delay(line)).count(), 2);
    assert_eq!(lines.into_iter().filter(|line| !is_delay(line)).collect::<Vec<_>>(), expect);
    let expect = Summary {
        batches: 2,
        rows: 9,
        rejected: 2 + 1 + 8 + 32 + 64,
        irregular: 16 + 128,
        skipped: 1,
        ..Summary::default()
    };
    assert_eq!(reporter.summary(Vec::new()), expect);
}

/// How long it takes to look at a past batch says nothing, and nothing of it is written.
#[test]
fn of_a_batch_that_is_replayed_no_times_are_told() {
    let mut reporter = reporter();
    let rejections = rejections(&[("taken", 2, "too long")]);
    let report = BatchReport { rejections, is_replayed: true, ..batch(1, 0, Intake::default()) };
    let lines = said(|| reporter.batch(report, Timestamp(9 * SECOND)));
    let expect = "WARN 2 rows rejected in batch 1000 ms (1970-01-01T00:00:01Z), which a run sets aside in the \
                  output `aside`; the first: too long \
                  stream=taken said.count=2 said.batch=1000 said.first_reason=\"too long\"";
    assert_eq!(lines, [expect]);
}

/// What was done ahead of the tick is part of the work, and what the sinks take is not.
#[test]
fn batches_are_late_that_work_longer_than_the_interval() {
    let intake = || Intake { rows: 0, ahead: Duration::from_millis(600) };
    let mut reporter = reporter();
    let mut told = |report: BatchReport| {
        let ended = Timestamp(report.time.0 + 5 * SECOND);
        let mut lines = said(|| reporter.batch(report, ended));
        lines.retain(|line| !line.starts_with("INFO Total delay: "));
        lines
    };
    assert_eq!(told(batch(1, 400_000, intake())), [""; 0]);
    let expect = "WARN batches take longer than the interval of 1000 ms: 1100 ms for this one. Input is held \
                  back; use a longer \
                  interval, more workers or a faster plugin said.batch=2000 said.interval_ms=1000.0 said.worked_ms=1100.5";
    let expect = expect.replace("1100 ms", "1101 ms");
    assert_eq!(told(batch(2, 500_500, intake())), [expect]);
    assert_eq!(told(batch(3, 900_000, intake())), [""; 0]);
    let expect = "WARN 3 of 3 batches took longer than the interval of 1000 ms since this was first said; the \
                  longest: 1500 ms \
                  said.batch=62000 said.interval_ms=1000.0 said.late=3 said.batches=3 said.longest_ms=1500.0";
    assert_eq!(told(batch(62, 400_001, intake())), [expect]);
    (63..72).for_each(|second| assert_eq!(told(batch(second, 0, intake())), [""; 0]));
    let expect = "INFO batches are faster than the interval of 1000 ms again; 3 of 13 were not, the longest: 1500 ms \
                  said.batch=72000 said.interval_ms=1000.0 said.late=3 said.batches=13 said.longest_ms=1500.0";
    assert_eq!(told(batch(72, 0, intake())), [expect]);
}

/// Not for every time that it is looked, and not where it waits for something else.
#[test]
fn that_a_batch_is_full_is_said_once_of_each() {
    let mut reporter = reporter();
    let mut lines = |second: i64, looks: &[bool]| {
        let lines = said(|| looks.iter().for_each(|&is_full| reporter.held_back(is_full, Timestamp(second * SECOND))));
        reporter.leave();
        lines
    };
    let expect = "WARN batch 1000 ms (1970-01-01T00:00:01Z) is full: input waits for its end. Reduce rows \
                  before they are sorted or kept by key, or use \
                  a shorter interval said.batch=1000";
    assert_eq!(lines(1, &[false, true, false, true, true]), [expect]);
    assert_eq!(lines(2, &[false, false]), [""; 0]);
    assert_eq!(lines(3, &[true]), [expect.replace("1000", "3000").replace("01Z", "03Z")]);
}
