//! Files as they stand on the disk.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod owners;

use tidemill_model::{
    ports::{PortErrorKind, SinkBatch},
    schema::Schema,
};

use super::*;
use crate::json;
use crate::queue::JsonText;

const TIME: Timestamp = Timestamp(1_767_225_600_000_000);

/// A sink that has not begun.
fn open(folder: &Path, output: &str, run: &str, format: FileFormat) -> Result<FileSink, PortError> {
    FileSink::open(output, &FilesSink { folder: folder.to_owned(), format }, folder, run, Disk::default())
}

/// One of the first host of a checkpoint.
fn sink(folder: &Path, format: FileFormat) -> FileSink {
    let mut sink = open(folder, "out", "one", format).unwrap();
    crate::testing::begin(&mut sink);
    sink
}

fn prepare(sink: &mut FileSink, schema: &str, time: Timestamp, partitions: &[&[&str]]) {
    try_stage(sink, schema, time, partitions).unwrap();
}

fn try_stage(sink: &mut FileSink, schema: &str, time: Timestamp, partitions: &[&[&str]]) -> Result<(), PortError> {
    let schema: Schema = schema.parse().unwrap();
    let read = |rows: &&[&str]| {
        let rows: Vec<_> = rows.iter().map(|row| json::parse(&schema, &JsonText((*row).to_owned())).unwrap()).collect();
        vec![json::rows(&schema, &rows).unwrap()]
    };
    let partitions: Vec<_> = partitions.iter().map(read).collect();
    SinkBatch { time, schema: &schema, parts: &partitions }.prepare(sink)
}

/// Every file below `folder`, as `path: content`, but its mark.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == MARK {
            continue;
        }
        if path.is_dir() {
            all.push(format!("{name}/"));
            all.extend(files(&path).into_iter().map(|file| format!("{name}/{file}")));
        } else {
            all.push(format!("{name}: {}", fs::read_to_string(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_batch_is_prepared_then_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let mut sink = sink(&path, FileFormat::Jsonl);
    let rows: &[&[&str]] =
        &[&[r#"{"word": "a\nb", "n": 1}"#], &[], &[r#"{"word": "c", "n": null}"#, r#"{"word": "d"}"#]];
    prepare(&mut sink, "word: text, n: integer?", TIME, &[&[r#"{"word": "x"}"#]]);
    prepare(&mut sink, "word: text, n: integer?", TIME, rows);
    assert!(files(&path).iter().all(|file| file.starts_with(".staged-1767225600000-one/")));
    sink.deliver(TIME).unwrap();
    let expect = [
        "batch-1767225600000/",
        "batch-1767225600000/part-00000.jsonl: {\"word\":\"a\\nb\",\"n\":1}\n",
        "batch-1767225600000/part-00002.jsonl: {\"word\":\"c\",\"n\":null}\n{\"word\":\"d\",\"n\":null}\n",
    ];
    assert_eq!(files(&path), expect);
    // The same batch again, by this process or by the next one.
    sink.deliver(TIME).unwrap();
    let mut next = open(&path, "out", "two", FileFormat::Jsonl).unwrap();
    crate::testing::begin(&mut next);
    next.deliver(TIME).unwrap();
    prepare(&mut next, "word: text, n: integer?", TIME, rows);
    next.deliver(TIME).unwrap();
    assert_eq!(files(&path), expect);
}

/// Writes a row to each of these parts.
fn write(sink: &mut FileSink, batch: Timestamp, parts: impl IntoIterator<Item = u32>) {
    let schema: Schema = "a: text".parse().unwrap();
    for part in parts {
        let rows = json::rows(&schema, &[json::parse(&schema, &JsonText(format!("\"{part}\""))).unwrap()]).unwrap();
        sink.write(&SinkRows { batch, part, schema: &schema, rows: &rows }).unwrap();
    }
}

/// Nothing is left of rows that were written and are not wanted, whatever comes then.
#[test]
fn rows_that_are_not_staged_leave_nothing() {
    const NEXT: Timestamp = Timestamp(TIME.0 + 1_000_000);
    let schema: Schema = "a: text".parse().unwrap();
    let prepared =
        |sink: &mut FileSink, time| sink.prepare(&SinkParts { time, schema: &schema, parts: &[0, 1] }).unwrap();
    for what in ["discarded", "another batch", "the batch anew", "another run"] {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path(), FileFormat::Text);
        write(&mut sink, TIME, [0, 1]);
        assert_eq!(files(folder.path()).len(), 3, "{what}");
        let (time, part) = match what {
            "discarded" => {
                sink.discard(NEXT).unwrap();
                assert_eq!(files(folder.path()).len(), 3, "it is not that batch");
                sink.discard(TIME).unwrap();
                assert_eq!(files(folder.path()), [""; 0], "{what}");
                (TIME, 1)
            }
            "another batch" => (NEXT, 1),
            "the batch anew" => {
                prepared(&mut sink, TIME);
                (TIME, 1)
            }
            _ => {
                sink = open(folder.path(), "out", "two", FileFormat::Text).unwrap();
                crate::testing::begin(&mut sink);
                assert_eq!(files(folder.path()), [""; 0], "{what}");
                (TIME, 1)
            }
        };
        write(&mut sink, time, [part]);
        prepared(&mut sink, time);
        sink.deliver(time).unwrap();
        let batch = format!("batch-{}", time.millis());
        assert_eq!(files(folder.path()), [format!("{batch}/"), format!("{batch}/part-00001.txt: 1\n")], "{what}");
    }
}

/// A source may have many partitions of its own, and all of them go on at once.
#[test]
fn a_batch_may_have_more_parts_than_files_can_be_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), FileFormat::Text);
    let parts: Vec<u32> = (0..3 * writing::OPEN_MAX as u32).rev().collect();
    for _ in 0..2 {
        write(&mut sink, TIME, parts.iter().copied());
        assert!(sink.writing.as_ref().is_some_and(|writing| writing.open_files() <= writing::OPEN_MAX));
    }
    sink.prepare(&SinkParts { time: TIME, schema: &"a: text".parse().unwrap(), parts: &parts }).unwrap();
    sink.deliver(TIME).unwrap();
    let written = files(&folder.path().join("batch-1767225600000"));
    let expect = (0..).zip(&parts).map(|(place, part)| format!("part-{place:05}.txt: {part}\n{part}\n"));
    assert_eq!(written, expect.collect::<Vec<_>>());
}

#[test]
fn an_empty_batch_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), FileFormat::Text);
    prepare(&mut sink, "a: text", TIME, &[&[], &[]]);
    sink.deliver(TIME).unwrap();
    assert_eq!(files(folder.path()), [""; 0]);
    assert!(sink.deliver(Timestamp(0)).is_err());
}

#[test]
fn text_has_tabs_between_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), FileFormat::Text);
    let schema = "a: text?, b: bytes, c: float, d: timestamp, e: list<text>, f: boolean";
    let row = r#"{"b": "/w==", "c": 1, "d": 0, "e": ["x"], "f": true}"#;
    prepare(&mut sink, schema, Timestamp(5_000), &[&[row]]);
    prepare(&mut sink, "line: text", Timestamp(6_000), &[&["\"just this\""]]);
    sink.deliver(Timestamp(5_000)).unwrap();
    sink.deliver(Timestamp(6_000)).unwrap();
    let of = |batch: &str| fs::read(folder.path().join(batch).join("part-00000.txt")).unwrap();
    assert_eq!(of("batch-0000000000005"), b"\t\xff\t1.0\t1970-01-01T00:00:00Z\t[\"x\"]\ttrue\n");
    assert_eq!(of("batch-0000000000006"), b"just this\n");
}

#[test]
fn a_folder_that_cannot_be_is_known_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let error = open(&path, "out", "one", FileFormat::Text).unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Environment);
    assert!(error.to_string().contains("is a file, or in one: choose a folder"), "{error}");
}

/// Whatever is done first to a folder that is not there any more says whether it has gone or a file stands there.
#[test]
fn a_file_in_the_place_of_the_folder_is_said() {
    const DELIVERED: [&str; 3] = ["prepare", "deliver", "newest"];
    for (moment, covered) in DELIVERED.iter().flat_map(|moment| [(moment, false), (moment, true)]) {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("above/out");
        let mut sink = sink(&folder, FileFormat::Text);
        prepare(&mut sink, "a: text", TIME, &[&["\"a\""]]);
        fs::remove_dir_all(above.path().join("above")).unwrap();
        if covered {
            fs::write(above.path().join("above"), "").unwrap();
        }
        let schema: Schema = "a: text".parse().unwrap();
        let rows = json::rows(&schema, &[json::parse(&schema, &JsonText("\"a\"".to_owned())).unwrap()]).unwrap();
        let failed = match *moment {
            "prepare" => {
                SinkBatch { time: TIME, schema: &schema, parts: &[vec![rows]] }.prepare(&mut sink).unwrap_err()
            }
            "deliver" => sink.deliver(TIME).unwrap_err(),
            _ => sink.newest().unwrap_err(),
        };
        let says = if covered { "; a file stands in its place: " } else { "; it has vanished: " };
        assert!(failed.to_string().contains(says), "{moment}: {failed}");
    }
}
