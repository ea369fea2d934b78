//! Files that change, and change names, while a run reads them: what comes out is whole, once, or an error with its name.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::cast::AsArray;
use tidemill_model::time::Timestamp;

use super::{
    tests::{NOW, Watching, batch_on, open, open_on, write},
    *,
};
use crate::pin::checking::{pin, repeatable};

/// A folder `in` that is watched.
struct Place {
    root: tempfile::TempDir,
    clock: Arc<Watching>,
}

impl Place {
    fn new() -> Place {
        let place = Place { root: tempfile::tempdir().unwrap(), clock: Watching::new() };
        fs::create_dir(place.path("")).unwrap();
        place
    }

    /// With a long file that is read first, and one behind it.
    fn with_two() -> Place {
        let place = Place::new();
        write(&place.path("1"), &text("first", LONG), -10);
        write(&place.path("2"), &text("old", 20), -5);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("in").join(name)
    }

    fn open(&self, until_done: bool) -> Box<dyn Source> {
        let mut source = open_on(self.clock.clone(), &self.path(""), true, until_done).unwrap();
        repeatable(source.as_mut());
        source
    }
}

/// A text of lines that are longer than what is read at a time, and say which text and which line they are.
fn text(of: &str, lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|line| format!("{of} {line:06} of {lines} {}\n", "x".repeat(50)).into_bytes()).collect()
}

/// More than is read ahead.
const LONG: usize = 20_000;

/// What comes of a batch that is sealed already, or why it fails.
fn rest(source: &mut dyn Source, then: impl FnOnce()) -> Result<Vec<String>, String> {
    let (mut lines, mut then) = (Vec::new(), Some(then));
    loop {
        let taken = source.take(1).map_err(|error| error.to_string())?;
        for chunk in taken.chunks {
            lines.extend(chunk.rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        then.take().into_iter().for_each(|then| then());
        if taken.end {
            return Ok(lines);
        }
    }
}

/// The texts that lines are of, each of which must be there whole, once and in order.
#[track_caller]
fn whole(lines: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut lines = lines.iter();
    while let Some(line) = lines.next() {
        let of = line.split(' ').next().unwrap();
        let count: usize = line.split(' ').nth(3).unwrap().parse().unwrap();
        let expect = String::from_utf8(text(of, count)).unwrap();
        let mut expect = expect.lines();
        assert_eq!(Some(line.as_str()), expect.next());
        assert!(expect.all(|expect| lines.next().is_some_and(|line| line == expect)), "{of} is not whole");
        texts.push(of.to_owned());
    }
    texts
}

/// What somebody does to the file, and what later batches have of it.
type Change = (&'static str, fn(&Path), &'static [&'static str]);

const CHANGES: &[Change] = &[
    ("it is replaced", replace, &["new"]),
    ("it is replaced by a shorter one", |path| renamed(path, &text("new", 2)), &["new"]),
    ("it is replaced by one of its size", |path| renamed(path, &text("new", 20)), &["new"]),
    ("it is replaced by one of its size and time", same_time, &["new"]),
    ("it is cut", |path| write(path, &text("old", 20)[..90], 7), &[]),
    ("it is emptied", |path| write(path, b"", 7), &[]),
    ("it is written anew, shorter", |path| write(path, &text("new", 2), 7), &["new"]),
    ("it is written anew, longer", |path| write(path, &text("new", 300), 7), &["new"]),
    ("it is written anew, as long", |path| write(path, &text("new", 20), 7), &["new"]),
    ("it is appended to", |path| write(path, &[text("old", 20), text("more", 7)].concat(), 7), &["old", "more"]),
    ("it is touched", |path| write(path, &text("old", 20), 7), &["old"]),
    ("it is removed", |path| fs::remove_file(path).unwrap(), &[]),
    ("it gets another name", |path| fs::rename(path, path.with_file_name("3")).unwrap(), &["old"]),
    ("it is rotated", rotate, &["old", "new"]),
    (
        "a folder comes in its place",
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        &[],
    ),
];

fn replace(path: &Path) {
    renamed(path, &text("new", 300));
}

fn rotate(path: &Path) {
    fs::rename(path, path.with_file_name("3")).unwrap();
    write(path, &text("new", 2), 7);
}

fn same_time(path: &Path) {
    let draft = path.with_file_name(".draft");
    write(&draft, &text("new", 20), -5);
    fs::rename(draft, path).unwrap();
}

/// Writes it under another name first.
fn renamed(path: &Path, bytes: &[u8]) {
    let draft = path.with_file_name(".draft");
    write(&draft, bytes, 7);
    fs::rename(draft, path).unwrap();
}

#[test]
fn a_file_that_changes_before_its_turn_is_left_for_a_later_batch() {
    for (what, change, later) in CHANGES {
        let place = Place::with_two();
        let mut source = place.open(false);
        place.clock.go_to(5);
        source.seal(Timestamp(NOW + 5_000_000)).unwrap();
        let lines = rest(source.as_mut(), || change(&place.path("2"))).unwrap();
        assert_eq!(whole(&lines), ["first"], "{what}");
        // The pin of that batch has nothing of it, so a run that goes on from there has it too.
        let given = pin(source.as_mut());
        let mut resumed = place.open(false);
        given.resume(resumed.as_mut());
        place.clock.go_to(10);
        source.seal(Timestamp(NOW + 10_000_000)).unwrap();
        assert_eq!(rest(source.as_mut(), || {}).unwrap(), <[&str; 0]>::default(), "{what}: it has not rested");
        for source in [&mut source, &mut resumed] {
            let mut lines = Vec::new();
            for seconds in [20, 30] {
                place.clock.go_to(seconds);
                source.seal(Timestamp(NOW + seconds * 1_000_000)).unwrap();
                lines.extend(rest(source.as_mut(), || {}).unwrap());
            }
            if *what == "it is cut" {
                assert_eq!(lines.len(), 2, "{what}");
                lines.clear();
            }
            let (mut texts, mut later) = (whole(&lines), later.to_vec());
            texts.sort();
            later.sort_unstable();
            assert_eq!(texts, later, "{what}");
        }
    }
}

/// There is no later batch.
#[test]
fn a_file_that_changes_before_its_turn_ends_a_run_that_ends_with_what_is_there() {
    for (what, change, _) in CHANGES {
        let place = Place::with_two();
        let mut source = place.open(true);
        place.clock.go_to(5);
        assert!(source.seal(Timestamp(NOW + 5_000_000)).unwrap().last);
        let given = rest(source.as_mut(), || change(&place.path("2")));
        if ["it is removed", "it gets another name"].contains(what) {
            assert_eq!(source.irregularities()[0].count, 1, "{what}");
            continue;
        }
        let says = given.expect_err(what);
        let expect = format!("stream `lines`: {} has changed between the look", place.path("2").display());
        assert!(says.starts_with(&expect), "{what}: {says}");
    }
}

/// While it waits for another file, there is a later batch, and the run waits for this one too.
#[test]
fn a_run_that_ends_with_what_is_there_waits_for_a_file_that_changed_before_its_turn() {
    let place = Place::with_two();
    write(&place.path("3"), b"", -5);
    let mut source = place.open(true);
    write(&place.path("3"), &text("grown", 2), 4);
    place.clock.go_to(5);
    assert!(!source.seal(Timestamp(NOW + 5_000_000)).unwrap().last);
    let lines = rest(source.as_mut(), || replace(&place.path("2"))).unwrap();
    assert_eq!(whole(&lines), ["first"]);
    place.clock.go_to(10);
    assert!(!source.seal(Timestamp(NOW + 10_000_000)).unwrap().last);
    assert_eq!(whole(&rest(source.as_mut(), || {}).unwrap()), ["grown"]);
    place.clock.go_to(15);
    assert!(source.seal(Timestamp(NOW + 15_000_000)).unwrap().last);
    assert_eq!(whole(&rest(source.as_mut(), || {}).unwrap()), ["new"]);
}

/// A file that is open is the old one, whatever comes under its name; and one that is written to is told by name.
#[test]
fn a_file_that_changes_while_it_is_read_is_read_as_it_was_or_told_by_name() {
    let keeps = ["it is replaced", "it is replaced by a shorter one", "it is replaced by one of its size"];
    let keeps = [
        &keeps[..],
        &[
            "it is replaced by one of its size and time",
            "it is removed",
            "it gets another name",
            "a folder comes in its place",
        ],
    ]
    .concat();
    for is_folder in [true, false] {
        for (what, change, _) in CHANGES {
            let place = Place::new();
            let path = place.path("2");
            write(&path, &text("long", LONG), -5);
            let mut source = if is_folder { place.open(false) } else { open(&path, false, false).unwrap() };
            repeatable(source.as_mut());
            place.clock.go_to(5);
            source.seal(Timestamp(NOW + 5_000_000)).unwrap();
            let given = rest(source.as_mut(), || change(&path));
            // A file that is rotated is still the one that is open.
            if keeps.contains(what) || *what == "it is rotated" {
                assert_eq!(whole(&given.unwrap()), ["long"], "{what}");
                continue;
            }
            let says = given.expect_err(what);
            let expect = format!("stream `lines`: {} has changed while it was read: it ", path.display());
            assert!(says.starts_with(&expect), "{what}: {says}");
        }
    }
}

/// The same bytes with another time are the same.
#[test]
fn a_file_that_is_touched_while_it_is_read_is_read() {
    for is_folder in [true, false] {
        for (other, expect) in [("long", true), ("anew", false)] {
            let place = Place::new();
            let path = place.path("2");
            write(&path, &text("long", LONG), -5);
            let mut source = if is_folder { place.open(false) } else { open(&path, false, false).unwrap() };
            repeatable(source.as_mut());
            place.clock.go_to(5);
            source.seal(Timestamp(NOW + 5_000_000)).unwrap();
            let given = rest(source.as_mut(), || write_over(&path, &text(other, LONG)));
            assert_eq!(given.is_ok(), expect, "{other}: {:?}", given.err());
        }
    }
}

/// Without making it empty first.
fn write_over(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    fs::File::options().write(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What is appended to a single file is not read; what only looks like it is told.
#[test]
fn a_single_file_that_grows_while_it_is_read_is_read_as_it_was() {
    let grown = |bytes: &[u8]| {
        let place = Place::new();
        write(&place.path("2"), &text("long", LONG), -5);
        let mut source = open(&place.path("2"), false, false).unwrap();
        repeatable(source.as_mut());
        source.seal(Timestamp(NOW)).unwrap();
        rest(source.as_mut(), || write(&place.path("2"), bytes, 7))
    };
    let appended = [text("long", LONG), text("more", 7)].concat();
    assert_eq!(whole(&grown(&appended).unwrap()), ["long"]);
    let says = grown(&text("anew", 2 * LONG)).unwrap_err();
    assert!(says.contains("has changed while it was read: it had "), "{says}");
}

/// A file that was empty when it was begun, and then was not, has nothing for this batch.
#[test]
fn an_empty_file_that_is_written_to_is_empty_or_left() {
    for is_folder in [true, false] {
        let place = Place::new();
        let path = place.path("2");
        write(&path, b"", -5);
        if is_folder {
            write(&place.path("1"), &text("first", LONG), -10);
        }
        let mut source = if is_folder { place.open(false) } else { open(&path, false, false).unwrap() };
        repeatable(source.as_mut());
        place.clock.go_to(5);
        let grow = || write(&path, &text("new", 2), 7);
        if !is_folder {
            grow();
        }
        source.seal(Timestamp(NOW + 5_000_000)).unwrap();
        let lines = rest(source.as_mut(), || {
            if is_folder {
                grow()
            }
        })
        .unwrap();
        assert_eq!(whole(&lines), if is_folder { &["first"][..] } else { &[] });
        if is_folder {
            place.clock.go_to(10);
            source.seal(Timestamp(NOW + 10_000_000)).unwrap();
            rest(source.as_mut(), || {}).unwrap();
            place.clock.go_to(20);
            source.seal(Timestamp(NOW + 20_000_000)).unwrap();
            assert_eq!(whole(&rest(source.as_mut(), || {}).unwrap()), ["new"]);
        }
    }
}

/// Some files are made up when they are read, and have a size of 0 until then.
#[cfg(target_os = "linux")]
#[test]
fn a_size_of_nothing_is_not_believed() {
    let made_up = Path::new("/proc/sys/kernel/ostype");
    let expect = fs::read_to_string(made_up).unwrap();
    assert_eq!(fs::metadata(made_up).unwrap().len(), 0);
    let place = Place::new();
    std::os::unix::fs::symlink(made_up, place.path("ostype")).unwrap();
    let sources: [&dyn Fn() -> Box<dyn Source>; 2] =
        [&|| open(made_up, false, false).unwrap(), &|| open(&place.path(""), true, true).unwrap()];
    for open in sources {
        let mut source = open();
        repeatable(source.as_mut());
        source.seal(Timestamp(NOW)).unwrap();
        assert_eq!(rest(source.as_mut(), || {}).unwrap(), [expect.trim_end()]);
        let given = pin(source.as_mut());
        let mut again = open();
        given.repeat(again.as_mut());
        again.seal(Timestamp(NOW)).unwrap();
        assert_eq!(rest(again.as_mut(), || {}).unwrap(), [expect.trim_end()]);
        assert_eq!(pin(again.as_mut()).pin, given.pin);
    }
}

/// What happens to a folder with files `l1` and `l2` that were read, and what is read then.
type Happening = (&'static str, fn(&Place), &'static str);

const HAPPENINGS: &[Happening] = &[
    ("it is rotated", |place| rotated(place, true), "new"),
    ("it is rotated, and nothing new is made", |place| rotated(place, false), ""),
    ("one is replaced", |place| renamed(&place.path("l1"), b"new"), "new"),
    ("one is written to", |place| write(&place.path("l1"), b"l1 and more", 7), ""),
    ("one gets a second name", |place| fs::hard_link(place.path("l1"), place.path("l0")).unwrap(), ""),
    ("one is copied over itself", |place| copied(&place.path("l1")), ""),
    (
        "one is removed, and another made",
        |place| {
            fs::remove_file(place.path("l1")).unwrap();
            write(&place.path("l0"), b"new", 7);
        },
        "new",
    ),
    (
        "another folder comes in its place",
        |place| {
            fs::rename(place.path(""), place.path("../before")).unwrap();
            fs::create_dir(place.path("")).unwrap();
            write(&place.path("l1"), b"new", 7);
        },
        "new",
    ),
];

fn rotated(place: &Place, make_new: bool) {
    fs::rename(place.path("l2"), place.path("l3")).unwrap();
    fs::rename(place.path("l1"), place.path("l2")).unwrap();
    if make_new {
        write(&place.path("l1"), b"new", 7);
    }
}

/// As a backup that is played back: the same text, time and name, and another file.
fn copied(path: &Path) {
    let draft = path.with_file_name(".draft");
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::copy(path, &draft).unwrap();
    fs::File::options().write(true).open(&draft).unwrap().set_modified(time).unwrap();
    fs::rename(draft, path).unwrap();
}

#[test]
fn a_file_is_known_again_whatever_it_is_called() {
    for (what, happens, expect) in HAPPENINGS {
        for stops in [false, true] {
            let place = Place::new();
            write(&place.path("l1"), b"l1", -5);
            write(&place.path("l2"), b"l2", -10);
            let mut source = place.open(false);
            assert_eq!(batch_on(&place.clock, source.as_mut(), 5).0, "l2,l1");
            let given = pin(source.as_mut());
            if stops {
                drop(source);
                happens(&place);
                source = place.open(false);
                given.resume(source.as_mut());
            } else {
                happens(&place);
            }
            let batches = [10, 20, 30].map(|seconds| batch_on(&place.clock, source.as_mut(), seconds).0);
            assert_eq!(batches.concat(), *expect, "{what}, {stops}");
        }
    }
}

#[test]
fn a_folder_that_is_not_mounted_for_a_while_is_not_read_again() {
    for lies_below in [false, true] {
        let place = Place::new();
        write(&place.path("l1"), b"l1", -5);
        let mut source = place.open(false);
        assert_eq!(batch_on(&place.clock, source.as_mut(), 5).0, "l1");
        let turn = |from: &str, to: &str| fs::rename(place.root.path().join(from), place.root.path().join(to)).unwrap();
        turn("in", "mounted");
        fs::create_dir(place.path("")).unwrap();
        if lies_below {
            write(&place.path("not mounted"), b"below", 1);
        }
        let below = [10, 15, 20].map(|seconds| batch_on(&place.clock, source.as_mut(), seconds).0);
        assert_eq!(below.concat(), if lies_below { "below" } else { "" });
        turn("in", "below");
        turn("mounted", "in");
        write(&place.path("l2"), b"l2", 21);
        let again = [25, 30, 35].map(|seconds| batch_on(&place.clock, source.as_mut(), seconds).0);
        assert_eq!(again.concat(), "l2");
    }
}

/// Between a batch and its repetition logs may be rotated as at any other time.
#[test]
fn a_batch_is_repeated_from_files_that_have_other_names_now() {
    for changes in [false, true] {
        let place = Place::new();
        write(&place.path("l1"), b"l1", -5);
        write(&place.path("l2"), b"l2", -10);
        let mut source = place.open(false);
        assert_eq!(batch_on(&place.clock, source.as_mut(), 5).0, "l2,l1");
        let given = pin(source.as_mut());
        rotated(&place, true);
        if changes {
            write(&place.path("l2"), b"l1 and more", -5);
        }
        let mut source = place.open(false);
        repeatable(source.as_mut()).restore(&given.changes).unwrap();
        match repeatable(source.as_mut()).repeat(&given) {
            Ok(()) => assert!(!changes),
            Err(error) => {
                let expect =
                    format!("stream `lines` has to read {} once more, and it has changed", place.path("l1").display());
                assert!(changes && error.to_string().starts_with(&expect), "{error}");
                continue;
            }
        }
        assert_eq!(batch_on(&place.clock, source.as_mut(), 5).0, "l2,l1");
        assert_eq!(pin(source.as_mut()).pin, given.pin);
        assert_eq!([10, 20].map(|seconds| batch_on(&place.clock, source.as_mut(), seconds).0).concat(), "new");
    }
}
