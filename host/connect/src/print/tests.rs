//! Whole batches, byte for byte.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use tidemill_model::{
    ports::{PortErrorKind, SinkBatch},
    schema::Schema,
};

use super::*;
use crate::{
    queue::JsonText,
    system::{ManualClock, Threads, utc_offset},
};

fn world(stdout: Arc<Mutex<dyn Write + Send>>) -> World {
    World::new(Arc::new(ManualClock::new(Timestamp(0))), Arc::new(Threads), ".".into(), stdout)
}

/// What `write` makes of a row that is given as JSON.
#[track_caller]
pub(super) fn check_row(
    schema: &str,
    row: &str,
    expect: &str,
    write: impl FnOnce(&Record<'_>, &mut Vec<u8>) -> io::Result<()>,
) {
    let schema: Schema = schema.parse().unwrap();
    let rows = json::rows(&schema, &[json::parse(&schema, &JsonText(row.to_owned())).unwrap()]).unwrap();
    let mut out = Vec::new();
    write(&value::row(&schema, &rows, 0), &mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

/// One batch of one partition a list of rows.
fn printed(style: PrintStyle, limit: usize, schema: &str, partitions: &[&[&str]], time: i64, zone: TimeZone) -> String {
    let schema: Schema = schema.parse().unwrap();
    let stdout = Arc::new(Mutex::new(Vec::new()));
    let world = World { utc_offset: utc_offset(zone), ..world(stdout.clone()) };
    let mut sink = PrintedSink::new("out", &PrintSink { rows: limit, style }, &world);
    assert_eq!(sink.rows_max(), Some(limit + 1));
    let read = |rows: &&[&str]| {
        let rows: Vec<_> = rows.iter().map(|row| json::parse(&schema, &JsonText((*row).to_owned())).unwrap()).collect();
        vec![json::rows(&schema, &rows).unwrap()]
    };
    let partitions: Vec<_> = partitions.iter().map(read).collect();
    let batch = SinkBatch { time: Timestamp(time), schema: &schema, parts: &partitions };
    batch.prepare(&mut sink).unwrap();
    batch.prepare(&mut sink).unwrap();
    assert!(lock(&stdout).is_empty());
    sink.deliver(Timestamp(time)).unwrap();
    let text = String::from_utf8(lock(&stdout).clone()).unwrap();
    let body = text.strip_prefix(&format!("{RULE}\n")).unwrap();
    body.replacen(&format!("\n{RULE}"), " |", 1)
}

#[test]
fn python_prints_as_pprint_does() {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let words = "word: text, count: integer";
    let rows: &[&[&str]] = &[&[r#"{"word": "a", "count": 2}"#, r#"{"word": "it's", "count": 1}"#], &[]];
    let print = |limit, rows: &[&[&str]], micros| printed(PrintStyle::Python, limit, words, rows, micros, zone.clone());
    let time = 1_458_757_157_000_000;
    assert_eq!(print(10, rows, time), "Time: 2016-03-23 19:19:17 |\n('a', 2)\n(\"it's\", 1)\n\n");
    assert_eq!(print(2, rows, time), "Time: 2016-03-23 19:19:17 |\n('a', 2)\n(\"it's\", 1)\n\n");
    assert_eq!(print(1, rows, time), "Time: 2016-03-23 19:19:17 |\n('a', 2)\n...\n\n");
    assert_eq!(print(0, rows, time), "Time: 2016-03-23 19:19:17 |\n...\n\n");
    assert_eq!(print(10, &[], time + 500_000), "Time: 2016-03-23 19:19:17.500000 |\n\n");
    assert_eq!(print(1, &[&[rows[0][0]], &[rows[0][1]]], time), "Time: 2016-03-23 19:19:17 |\n('a', 2)\n...\n\n");
}

#[test]
fn a_single_text_is_printed_bare() {
    let print = |style| printed(style, 10, "line: text", &[&["\"it's\""]], 1_000_000, TimeZone::UTC);
    assert_eq!(print(PrintStyle::Python), "Time: 1970-01-01 00:00:01 |\nit's\n\n");
    assert_eq!(print(PrintStyle::Scala), "Time: 1000 ms |\nit's\n\n");
    assert_eq!(print(PrintStyle::Json), "Time: 1000 ms |\n{\"line\":\"it's\"}\n\n");
}

#[test]
fn scala_and_json_print_rows() {
    let row = r#"{"word": "a", "count": null}"#;
    let print = |style| printed(style, 10, "word: text, count: integer?", &[&[row]], 0, TimeZone::UTC);
    assert_eq!(print(PrintStyle::Scala), "Time: 0 ms |\n(a,None)\n\n");
    assert_eq!(print(PrintStyle::Json), "Time: 0 ms |\n{\"word\":\"a\",\"count\":null}\n\n");
}

#[test]
fn time_zones_follow_the_summer() {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    assert_eq!(civil(1_767_225_600_000_000, &zone, ' ').unwrap(), "2026-01-01 01:00:00");
    assert_eq!(civil(1_782_864_000_000_000, &zone, ' ').unwrap(), "2026-07-01 02:00:00");
    assert_eq!(civil(i64::MAX, &zone, ' '), None);
}

#[test]
fn a_closed_pipe_is_an_error_of_the_world() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let spec = PrintSink { rows: 1, style: PrintStyle::Json };
    let mut sink = PrintedSink::new("out", &spec, &world(Arc::new(Mutex::new(Closed))));
    SinkBatch { time: Timestamp(0), schema: &Schema::default(), parts: &[] }.prepare(&mut sink).unwrap();
    let error = sink.deliver(Timestamp(0)).unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Environment);
    assert_eq!(error.source.unwrap().kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn rows_that_are_not_of_the_schema_are_refused() {
    let world = world(Arc::new(Mutex::new(Vec::new())));
    let mut sink = PrintedSink::new("out", &PrintSink { rows: 1, style: PrintStyle::Json }, &world);
    let (ours, theirs): (Schema, Schema) = ("a: text".parse().unwrap(), "a: integer".parse().unwrap());
    let rows = json::rows(&theirs, &[json::parse(&theirs, &JsonText("1".to_owned())).unwrap()]).unwrap();
    let batch = SinkBatch { time: Timestamp(0), schema: &ours, parts: &[vec![rows]] };
    assert_eq!(batch.prepare(&mut sink).unwrap_err().kind, PortErrorKind::Configuration);
}
