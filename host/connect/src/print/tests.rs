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
    let text = printed_to(false, style, limit, schema, partitions, time, zone);
    if style == PrintStyle::Json {
        return text;
    }
    let body = text.strip_prefix(&format!("{RULE}\n")).unwrap();
    body.replacen(&format!("\n{RULE}"), " |", 1)
}

fn printed_to(
    is_terminal: bool,
    style: PrintStyle,
    limit: usize,
    schema: &str,
    partitions: &[&[&str]],
    time: i64,
    zone: TimeZone,
) -> String {
    let schema: Schema = schema.parse().unwrap();
    let stdout = Arc::new(Mutex::new(Vec::new()));
    let world = World { is_terminal, utc_offset: utc_offset(zone), ..world(stdout.clone()) };
    let mut sink = PrintedSink::try_new("out", &PrintSink { rows: limit, style }, &world).unwrap();
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
    String::from_utf8(lock(&stdout).clone()).unwrap()
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
    assert_eq!(print(PrintStyle::Json), "{\"line\":\"it's\"}\n");
}

#[test]
fn scala_and_json_print_rows() {
    let row = r#"{"word": "a", "count": null}"#;
    let print = |style| printed(style, 10, "word: text, count: integer?", &[&[row]], 0, TimeZone::UTC);
    assert_eq!(print(PrintStyle::Scala), "Time: 0 ms |\n(a,None)\n\n");
    assert_eq!(print(PrintStyle::Json), "{\"word\":\"a\",\"count\":null}\n");
}

#[test]
fn json_is_rows_and_nothing_else() {
    let rows: &[&[&str]] = &[&["\"a\"", "\"b\""], &["\"c\""]];
    let print = |limit, rows| printed(PrintStyle::Json, limit, "line: text", rows, 0, TimeZone::UTC);
    assert_eq!(print(10, rows), "{\"line\":\"a\"}\n{\"line\":\"b\"}\n{\"line\":\"c\"}\n");
    assert_eq!(print(1, rows), "{\"line\":\"a\"}\n");
    assert_eq!(print(10, &[]), "");
}

#[test]
fn outputs_name_themselves_where_several_print() {
    let stdout = Arc::new(Mutex::new(Vec::new()));
    let world = world(stdout.clone());
    let spec = PrintSink { rows: 1, style: PrintStyle::Scala };
    let mut sinks = ["one", "two"].map(|output| PrintedSink::try_new(output, &spec, &world).unwrap());
    for sink in &mut sinks {
        SinkBatch { time: Timestamp(0), schema: &Schema::default(), parts: &[] }.prepare(sink).unwrap();
        sink.deliver(Timestamp(0)).unwrap();
    }
    let printed = String::from_utf8(lock(&stdout).clone()).unwrap();
    let heads: Vec<&str> = printed.lines().filter(|line| line.starts_with("Time")).collect();
    assert_eq!(heads, ["Time: 0 ms, output one", "Time: 0 ms, output two"]);
}

/// A program gets what was in a row; whoever reads it on a terminal sees each character, and a row is a line.
#[test]
fn hostile_text_reaches_programs_and_no_terminal() {
    for &hostile in tidemill_model::testing::HOSTILE {
        let json = serde_json::Value::from(format!("a{hostile}b")).to_string();
        for style in [PrintStyle::Python, PrintStyle::Scala, PrintStyle::Json] {
            for (schema, row) in
                [("a: text", json.clone()), ("a: text, b: list<text>", format!("{{\"a\":{json},\"b\":[{json}]}}"))]
            {
                let print = |is_terminal| printed_to(is_terminal, style, 9, schema, &[&[&row]], 0, TimeZone::UTC);
                let (seen, piped) = (print(true), print(false));
                assert!(seen.chars().all(|c| c == '\n' || tidemill_model::text::is_visible(c)), "{style:?}: {seen:?}");
                let head = if style == PrintStyle::Json { 0 } else { 4 };
                assert_eq!(seen.lines().count(), head + 1, "{style:?}: {seen:?}");
                // As Python writes texts in tuples, they are escaped already.
                if style == PrintStyle::Scala || style == PrintStyle::Python && schema == "a: text" {
                    assert!(piped.contains(&format!("a{hostile}b")), "{style:?}: {piped:?}");
                }
                if style == PrintStyle::Json {
                    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                    assert_eq!(read(&seen), read(&piped));
                }
            }
        }
    }
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
    let spec = PrintSink { rows: 1, style: PrintStyle::Scala };
    let mut sink = PrintedSink::try_new("out", &spec, &world(Arc::new(Mutex::new(Closed)))).unwrap();
    SinkBatch { time: Timestamp(0), schema: &Schema::default(), parts: &[] }.prepare(&mut sink).unwrap();
    let error = sink.deliver(Timestamp(0)).unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Environment);
    assert_eq!(error.source.unwrap().kind(), std::io::ErrorKind::BrokenPipe);
}

#[test]
fn rows_that_are_not_of_the_schema_are_refused() {
    let world = world(Arc::new(Mutex::new(Vec::new())));
    let mut sink = PrintedSink::try_new("out", &PrintSink { rows: 1, style: PrintStyle::Json }, &world).unwrap();
    let (ours, theirs): (Schema, Schema) = ("a: text".parse().unwrap(), "a: integer".parse().unwrap());
    let rows = json::rows(&theirs, &[json::parse(&theirs, &JsonText("1".to_owned())).unwrap()]).unwrap();
    let batch = SinkBatch { time: Timestamp(0), schema: &ours, parts: &[vec![rows]] };
    assert_eq!(batch.prepare(&mut sink).unwrap_err().kind, PortErrorKind::Configuration);
}
