//! Every setting of a source and a sink does something, through the way by which a pipeline opens them. What each does in
//! detail is tested beside it. A new setting does not compile here before it has a place in its list.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fmt, fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use arrow_array::cast::AsArray;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tidemill_model::{
    connector::{SinkSettings, SourceSettings, World},
    ports::{SinkBatch, Source},
    schema::Schema,
    testing::until,
    time::Timestamp,
};

use crate::{
    Address,
    files::{FilesSource, tests::Watching},
    files_sink::{FileFormat, FilesSink},
    generate::{GenerateKind, GenerateSource},
    lock,
    print::{PrintSink, PrintStyle},
    queue::{JsonText, QueueSource},
    socket::{ReceivedLines, SocketMode, SocketSource},
    system::{ManualClock, SystemClock, Threads, utc_offset},
    testing::{PATIENCE, accept, begin, begin_source, connect, is_connected_to},
    text::{InvalidUtf8, TextOptions},
};

struct Place {
    folder: TempDir,
    stdout: Arc<Mutex<Vec<u8>>>,
    world: World,
}

impl Place {
    fn new(change: impl FnOnce(&mut World)) -> Place {
        let (folder, stdout) = (tempfile::tempdir().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let mut world = World::new(clock, Arc::new(Threads), folder.path().to_owned(), stdout.clone());
        change(&mut world);
        Place { folder, stdout, world }
    }

    fn open(&self, source: impl SourceSettings) -> Box<dyn Source> {
        let mut source = source.open("lines", &self.world).unwrap();
        begin_source(&mut *source);
        source
    }
}

/// No batch of these tests needs more.
const TAKES_MAX: usize = 1_000;

/// The first column of the next batch by chunk, and the partitions that they belong to.
fn batch(source: &mut dyn Source, second: i64) -> (Vec<String>, Vec<Option<u32>>) {
    source.seal(Timestamp(second * 1_000_000)).unwrap();
    let (mut lines, mut partitions) = (Vec::new(), Vec::new());
    for _ in 0..TAKES_MAX {
        let taken = source.take(usize::MAX).unwrap();
        for chunk in taken.chunks {
            lines.extend(chunk.rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
            partitions.push(chunk.partition);
        }
        if taken.end {
            return (lines, partitions);
        }
    }
    unreachable!("the batch has no end: {lines:?}")
}

fn lines(source: &mut dyn Source) -> Vec<String> {
    batch(source, 1).0
}

/// What two values of a setting lead to is not the same.
#[track_caller]
fn differ<T, O: PartialEq + fmt::Debug>(setting: &str, values: [T; 2], of: impl Fn(T) -> O) {
    let [one, other] = values.map(of);
    assert_ne!(one, other, "{setting} does nothing");
}

#[test]
fn of_text_files() {
    let whole = FilesSource { path: "in".into(), existing: true, settled_after: None, text: TextOptions::default() };
    let FilesSource {
        path: _,
        existing: _,
        settled_after: _,
        text: TextOptions { line_bytes_max: _, invalid_utf8: _ },
    } = whole.clone();
    let read = |spec: FilesSource, until_done: bool| {
        let place = Place::new(|settings| settings.until_done = until_done);
        for (folder, text) in [("in", &b"a\nlonger\n\xff\n"[..]), ("other", b"b\n")] {
            fs::create_dir(place.folder.path().join(folder)).unwrap();
            fs::write(place.folder.path().join(folder).join("1.txt"), text).unwrap();
        }
        lines(place.open(spec).as_mut())
    };
    let of = |spec: FilesSource| read(spec, true);
    assert_eq!(of(whole.clone()), ["a", "longer", "\u{fffd}"]);
    differ("path", ["in", "other"], |path| of(FilesSource { path: path.into(), ..whole.clone() }));
    let text = |text| of(FilesSource { text, ..whole.clone() });
    differ("line-bytes-max", [5, 6], |line_bytes_max| text(TextOptions { line_bytes_max, ..TextOptions::default() }));
    differ("invalid-utf8", [InvalidUtf8::Replace, InvalidUtf8::Reject], |invalid_utf8| {
        text(TextOptions { invalid_utf8, ..TextOptions::default() })
    });
    // On a clock that stands in 1970 files are younger than any tick, unless the run ends with what is there.
    differ("until-done", [false, true], |until_done| read(whole.clone(), until_done));
    // Seen on a clock that watches, two hours after it began.
    let after = |settled_after: Option<Duration>, interval: Duration| {
        let clock = Watching::at(Timestamp(0));
        let place = Place::new(|settings| (settings.clock, settings.interval) = (clock.clone(), interval));
        fs::create_dir(place.folder.path().join("in")).unwrap();
        fs::write(place.folder.path().join("in/1.txt"), "a\n").unwrap();
        let mut source = place.open(FilesSource { settled_after, ..whole.clone() });
        clock.advance_to(Timestamp(7_200_000_000));
        batch(source.as_mut(), 100_000_000_000).0
    };
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    differ("settled-after", [hours(1), hours(3)], |settled_after| after(Some(settled_after), hours(2)));
    differ("interval", [hours(1), hours(3)], |interval| after(None, interval));
    // Seen on a clock that is ahead of the files.
    differ("existing", [false, true], |existing| {
        let place = Place::new(|_| {});
        fs::create_dir(place.folder.path().join("in")).unwrap();
        fs::write(place.folder.path().join("in/1.txt"), "a\n").unwrap();
        let mut source = place.open(FilesSource { existing, ..whole.clone() });
        let far = 100_000_000_000;
        [batch(source.as_mut(), far).0, batch(source.as_mut(), far + 1).0].concat()
    });
}

#[test]
fn of_queues() {
    let of = |spec: QueueSource| {
        let mut source = Place::new(|_| {}).open(spec);
        (source.schema().to_string(), batch(source.as_mut(), 1), batch(source.as_mut(), 2))
    };
    let rows = |words: &[&str]| Some(words.iter().map(|word| JsonText(format!("\"{word}\""))).collect::<Vec<_>>());
    let whole = QueueSource { schema: "a: text".parse().unwrap(), batches: vec![rows(&["x", "y"])], partitions: None };
    let QueueSource { schema: _, batches: _, partitions: _ } = whole.clone();
    differ("schema", ["a: text", "b: text"], |schema| {
        of(QueueSource { schema: schema.parse().unwrap(), ..whole.clone() })
    });
    differ("batches", [1, 2], |count| of(QueueSource { batches: vec![rows(&["x", "y"]); count], ..whole.clone() }));
    differ("partitions", [Some(1), Some(2)], |partitions| of(QueueSource { partitions, ..whole.clone() }));
}

#[test]
fn of_generated_rows() {
    let of = |spec: GenerateSource, until_done| {
        let place = Place::new(|settings| settings.until_done = until_done);
        let mut source = place.open(spec);
        (lines(source.as_mut()), batch(source.as_mut(), 3).0)
    };
    let whole = GenerateSource { kind: GenerateKind::Points, rate: Some(2), count: Some(5), seed: 1 };
    let GenerateSource { kind: _, rate: _, count: _, seed: _ } = whole;
    differ("kind", [GenerateKind::Points, GenerateKind::Words], |kind| {
        of(GenerateSource { kind, ..whole.clone() }, false)
    });
    differ("rate", [Some(1), Some(2)], |rate| of(GenerateSource { rate, ..whole.clone() }, false));
    differ("count", [Some(2), Some(3)], |count| of(GenerateSource { count, ..whole.clone() }, false));
    differ("seed", [1, 2], |seed| of(GenerateSource { seed, ..whole.clone() }, false));
    // As fast as they are taken: a batch has a little, or, where the run ends with them, all.
    let fast = GenerateSource { rate: None, count: Some(100_000), ..whole.clone() };
    differ("until-done", [false, true], |until_done| of(fast.clone(), until_done).0.len());
}

/// What comes to a socket is tested beside it; here, that its settings get there.
#[test]
fn of_sockets() {
    let mode = SocketMode::Listen(Address { host: "127.0.0.1".to_owned(), port: 0 });
    let whole = SocketSource {
        mode,
        text: TextOptions::default(),
        buffer_bytes_max: 1 << 20,
        idle_max: None,
        acknowledge: false,
    };
    let SocketSource { mode: _, text: _, buffer_bytes_max: _, idle_max: _, acknowledge: _ } = whole.clone();
    let refused = |spec: SocketSource| {
        let opened = spec.open("lines", &Place::new(|_| {}).world);
        opened.err().map(|error| error.to_string())
    };
    assert_eq!(refused(whole.clone()), None);
    differ("buffer", [1 << 20, 0], |buffer_bytes_max| refused(SocketSource { buffer_bytes_max, ..whole.clone() }));
    differ("line-bytes-max", [1, 0], |line_bytes_max| {
        let text = TextOptions { line_bytes_max, ..TextOptions::default() };
        refused(SocketSource { text, ..whole.clone() })
    });
    differ("acknowledge", [false, true], |acknowledge| {
        let mut source = Place::new(|_| {}).open(SocketSource { acknowledge, ..whole.clone() });
        source.acknowledging().is_some()
    });
    differ("idle-timeout", [None, Some(Duration::from_millis(1))], |idle_max| {
        let place = Place::new(|world| world.clock = Arc::new(SystemClock));
        let spec = SocketSource { idle_max, ..whole.clone() };
        let mut source = ReceivedLines::open("lines", &spec, &place.world).unwrap();
        begin_source(&mut source);
        let mut producer = connect(source.local_address().unwrap()).unwrap();
        // Without one this much time, or any other, changes nothing.
        producer.set_read_timeout(Some(if idle_max.is_some() { PATIENCE } else { Duration::from_millis(50) })).unwrap();
        producer.read(&mut [0]).ok()
    });
    let place = Place::new(|_| {});
    let text = TextOptions { line_bytes_max: 3, invalid_utf8: InvalidUtf8::Reject };
    let mut source = ReceivedLines::open("lines", &SocketSource { text, ..whole }, &place.world).unwrap();
    begin_source(&mut source);
    let mut producer = connect(source.local_address().unwrap()).unwrap();
    producer.write_all(b"four\n\xff\nabc\n").unwrap();
    drop(producer);
    let seen = until("the lines come", |_| {
        // A chunk that is not full does not ring: it is there when the batch is sealed.
        let seen = lines(&mut source);
        if seen.is_empty() {
            place.world.wake.wait(Some(Duration::from_millis(5)));
        }
        Some(seen).filter(|seen| !seen.is_empty())
    });
    assert_eq!(seen, ["abc"]);
    let told: Vec<String> = source.irregularities().into_iter().map(|told| told.what).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

/// A peer that ends every connection is connected to again after the delay that is set, and not before.
#[test]
fn of_connections_that_end() {
    let connected = |reconnect_delay| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
        let text = TextOptions::default();
        let mode = SocketMode::Connect(address);
        let spec = SocketSource { mode, text, buffer_bytes_max: 1 << 20, idle_max: None, acknowledge: false };
        let place = Place::new(|settings| settings.reconnect_delay = reconnect_delay);
        let source = place.open(spec);
        drop(accept(&listener));
        (listener, place, source)
    };
    let (patient, _patient_place, _patient_source) = connected(Duration::from_secs(24 * 3_600));
    let (eager, _eager_place, _eager_source) = connected(Duration::from_millis(1));
    // With the delay that both have if nothing is set, the other one comes back meanwhile.
    for _ in 0..4 {
        drop(accept(&eager));
    }
    assert!(!is_connected_to(&patient));
}

#[test]
fn of_sinks() {
    let PrintSink { rows: _, style: _ } = PrintSink { rows: 1, style: PrintStyle::Json };
    let FilesSink { folder: _, format: _ } = FilesSink { folder: "one".into(), format: FileFormat::Text };
    let schema: Schema = "a: text, b: integer".parse().unwrap();
    let row = |text: &str| crate::json::parse(&schema, &JsonText(text.to_owned())).unwrap();
    let rows = crate::json::rows(&schema, &[row(r#"{"a": "x", "b": 1}"#), row(r#"{"a": "y", "b": 2}"#)]).unwrap();
    let of = |settings: &dyn SinkSettings, time_zone: TimeZone| {
        let place = Place::new(|world| world.utc_offset = utc_offset(time_zone));
        let mut sink = settings.open("out", &place.world).unwrap();
        assert_eq!(sink.rows_max(), settings.rows_max());
        begin(&mut *sink);
        let partitions = [vec![rows.clone()]];
        SinkBatch { time: Timestamp(1_000_000), schema: &schema, parts: &partitions }.prepare(&mut *sink).unwrap();
        sink.deliver(Timestamp(1_000_000)).unwrap();
        let printed = String::from_utf8(lock(&place.stdout).clone()).unwrap();
        let written = ["one", "two"].map(|folder| {
            let batch = place.folder.path().join(folder).join("batch-0000000001000");
            ["txt", "jsonl"].map(|extension| fs::read_to_string(batch.join(format!("part-00000.{extension}"))).ok())
        });
        (printed, written, sink.rows_max())
    };
    let print = |rows, style| of(&PrintSink { rows, style }, TimeZone::UTC);
    differ("rows", [1, 2], |rows| print(rows, PrintStyle::Json));
    differ("style", [PrintStyle::Python, PrintStyle::Scala], |style| print(2, style));
    differ("style", [PrintStyle::Python, PrintStyle::Json], |style| print(2, style));
    differ("the time zone", [0, 1], |hours| {
        let print = PrintSink { rows: 1, style: PrintStyle::Python };
        of(&print, TimeZone::fixed(jiff::tz::offset(hours)))
    });
    differ("the run", [1, 2], |run| {
        let place = Place::new(|settings| settings.run = run);
        let files = FilesSink { folder: "one".into(), format: FileFormat::Text };
        let mut sink = files.open("out", &place.world).unwrap();
        begin(&mut *sink);
        let batch = SinkBatch { time: Timestamp(1_000_000), schema: &schema, parts: &[vec![rows.clone()]] };
        batch.prepare(&mut *sink).unwrap();
        let entries = fs::read_dir(place.folder.path().join("one")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    });
    let files = |folder: &str, format| of(&FilesSink { folder: folder.into(), format }, TimeZone::UTC);
    differ("folder", ["one", "two"], |folder| files(folder, FileFormat::Text));
    differ("format", [FileFormat::Text, FileFormat::Jsonl], |format| files("one", format));
}
