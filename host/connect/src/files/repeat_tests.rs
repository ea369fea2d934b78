//! Files that are gone on with, or read again, where a checkpoint says.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tidemill_model::time::Timestamp;

use super::tests::{NOW, Watching, batch, batch_on, open, open_on, write};
use super::*;
use crate::pin::checking::{Given, Still, World, check_refusals, check_repeats, pin, refusal, repeatable};

/// A folder `in` with some files, to which things happen.
struct Folder {
    root: tempfile::TempDir,
    clock: Arc<Watching>,
    existing: bool,
    until_done: bool,
}

impl Folder {
    fn new(existing: bool, until_done: bool) -> Folder {
        let (root, clock) = (tempfile::tempdir().unwrap(), Watching::new());
        let folder = Folder { root, clock, existing, until_done };
        fs::create_dir(folder.path("")).unwrap();
        write(&folder.path("old"), b"old 1\nold 2", -50);
        write(&folder.path("older"), b"older\n", -60);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("in").join(name)
    }
}

impl World for Folder {
    fn pass(&mut self, batch: usize) {
        self.clock.advance_to(ticks()[batch]);
        let many: String = (0..40_000).map(|number| format!("line {number}\n")).collect();
        match batch {
            0 => {
                write(&self.path("b"), many.as_bytes(), -5);
                write(&self.path("a"), b"a", -3);
            }
            1 => {
                write(&self.path("growing"), b"1\n", 18);
                write(&self.path("../moved"), b"moved\n\xff\n", -70);
                fs::rename(self.path("../moved"), self.path("moved")).unwrap();
            }
            2 => {
                // A run that ends with what is there would wait for it.
                if !self.until_done {
                    write(&self.path("growing"), b"1\n2\n", 25);
                }
                fs::remove_file(self.path("a")).unwrap();
            }
            4 => {
                write(&self.path("a"), b"another a\n", 31);
                #[cfg(unix)]
                {
                    let name = std::os::unix::ffi::OsStrExt::from_bytes(b"no text \xff");
                    write(&self.path("").join::<&std::ffi::OsStr>(name), b"x", 32);
                }
            }
            _ => {}
        }
    }

    fn open(&self, now: Timestamp) -> Box<dyn Source> {
        self.clock.advance_to(now);
        open_on(self.clock.clone(), &self.path(""), self.existing, self.until_done).unwrap()
    }

    /// It is another folder, and its files have other numbers, and came to be at other times.
    fn comparable(&self, pin: &str) -> String {
        let mut pin: serde_json::Value = serde_json::from_str(pin).unwrap();
        let seen = pin["seen"].as_object_mut().unwrap();
        seen.retain(|key, _| !["folder", "folder_before"].contains(&key.as_str()));
        for file in pin["files"].as_array_mut().unwrap() {
            file.as_object_mut().unwrap().remove("mark");
        }
        pin.to_string()
    }
}

fn ticks() -> Vec<Timestamp> {
    (1..=6).map(|tick| Timestamp(NOW + tick * 10_000_000)).collect()
}

#[test]
fn a_run_over_a_folder_goes_on_where_it_stopped() {
    let check = |existing, until_done, expect: [usize; 6]| {
        let given = check_repeats(|| Folder::new(existing, until_done), Timestamp(NOW), &ticks());
        assert_eq!(given.iter().map(Given::rows).collect::<Vec<_>>(), expect);
    };
    let other = usize::from(cfg!(unix));
    check(true, false, [3, 40_001, 2, 2, 0, 1 + other]);
    check(false, false, [0, 40_001, 2, 2, 0, 1 + other]);
    check(true, true, [3, 40_001, 3, 0, 0, 1 + other]);
}

#[test]
fn a_run_over_a_file_goes_on_where_it_stopped() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file.txt");
    let lines: String = (0..40_000).map(|number| format!("line {number}\r\n")).collect();
    for text in [lines.as_bytes(), b"no end", b""] {
        write(&path, text, -5);
        let open = |_| open(&path, false, false).unwrap();
        let given = check_repeats(|| Still(open), Timestamp(NOW), &ticks());
        let expect = String::from_utf8_lossy(text).lines().count();
        assert_eq!(given.iter().map(Given::rows).collect::<Vec<_>>(), [expect, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn what_appears_while_it_is_down_is_read_and_nothing_twice() {
    let folder = Folder::new(true, false);
    let mut first = folder.open(Timestamp(NOW));
    repeatable(first.as_mut());
    assert_eq!(batch_on(&folder.clock, first.as_mut(), 10).0, "older,old 1,old 2");
    let given = pin(first.as_mut());
    drop(first);
    write(&folder.path("../moved"), b"moved", -1_000);
    fs::rename(folder.path("../moved"), folder.path("moved")).unwrap();
    write(&folder.path("saved"), b"saved", 90);
    write(&folder.path("old"), b"changed after it was read", 90);
    // Whether what is there at the start is read does not matter any more.
    folder.clock.go_to(95);
    let mut second = open_on(folder.clock.clone(), &folder.path(""), false, false).unwrap();
    given.resume(second.as_mut());
    // Nobody knows what happened to them while it was down.
    assert_eq!(batch_on(&folder.clock, second.as_mut(), 96).0, "");
    write(&folder.path("saved"), b"saved again", 97);
    assert_eq!(batch_on(&folder.clock, second.as_mut(), 100).0, "moved");
    assert_eq!(batch_on(&folder.clock, second.as_mut(), 105).0, "saved again");
    assert_eq!(batch_on(&folder.clock, second.as_mut(), 115).0, "");
}

/// What an earlier version wrote: files are known by their names alone, until they are seen again.
#[test]
fn a_pin_of_an_earlier_version_is_gone_on_with() {
    let folder = Folder::new(true, false);
    write(&folder.path("new"), b"new", -20);
    let given = r#"{"source":"folder","path":"in","begun":true,"files":[],"seen":{"done":["gone","old","older"],
        "unsettled":[{"name":"new","size":3,"modified_micros":1699999980000000}],"listed_micros":1700000000000000}}"#;
    let mut source = folder.open(Timestamp(NOW));
    repeatable(source.as_mut()).resume_after(given).unwrap();
    // It was seen by nobody who is still there.
    assert_eq!(batch_on(&folder.clock, source.as_mut(), 1).0, "");
    fs::rename(folder.path("old"), folder.path("old.1")).unwrap();
    write(&folder.path("old"), b"another old", 2);
    assert_eq!(batch_on(&folder.clock, source.as_mut(), 6).0, "new");
    assert_eq!(batch_on(&folder.clock, source.as_mut(), 11).0, "another old");
    assert_eq!(batch_on(&folder.clock, source.as_mut(), 16).0, "");
    repeatable(folder.open(Timestamp(NOW)).as_mut()).repeat(given).unwrap();
}

/// A run that ended with what was there, and did not wait for more, ends with it when it is run again; one that waited, or
/// that did not end so, has more to look for.
#[test]
fn a_batch_that_is_run_again_says_whether_it_was_all() {
    let last = |first_until_done: bool, rests: bool| {
        let folder = Folder::new(true, true);
        let mut first = open_on(folder.clock.clone(), &folder.path(""), true, first_until_done).unwrap();
        repeatable(first.as_mut());
        if !rests {
            write(&folder.path("old"), b"grown", 3);
        }
        batch_on(&folder.clock, first.as_mut(), 5);
        let mut again = folder.open(Timestamp(NOW + 6_000_000));
        repeatable(again.as_mut()).repeat(&pin(first.as_mut())).unwrap();
        batch(again.as_mut(), 5).1
    };
    assert!(last(true, true));
    assert!(!last(true, false) && !last(false, true));
}

/// What happens to the file `path` that was read, and what is said then.
#[track_caller]
fn check_change(path: &Path, open: &dyn Fn() -> Box<dyn Source>, pin: &str) {
    let shown = path.display();
    let once_more = format!("stream `lines` has to read {shown} once more, and it");
    let or = "put it back as it was, or begin with a new checkpoint";
    let was = fs::read(path).unwrap();
    let len = was.len();
    let changes = [
        (was[1..].to_vec(), format!("it had {len} bytes and has {} now", len - 1)),
        ([&was[..], b"x"].concat(), format!("it had {len} bytes and has {} now", len + 1)),
        (was.iter().map(|byte| byte ^ 1).collect(), format!("it has {len} bytes as before, but not the same ones")),
    ];
    for (bytes, how) in changes {
        write(path, &bytes, -50);
        assert_eq!(refusal(open(), pin), format!("{once_more} has changed since: {how}; {or}"));
    }
    // Its time alone does not matter.
    write(path, &was, 7);
    repeatable(open().as_mut()).repeat(pin).unwrap();
    // It changes, or goes, after it was looked at.
    let read = |change: &dyn Fn()| {
        let mut source = open();
        repeatable(source.as_mut()).repeat(pin).unwrap();
        change();
        source.seal(Timestamp(NOW)).unwrap();
        source.take(usize::MAX).unwrap_err().to_string()
    };
    let changed = read(&|| write(path, &vec![b'\n'; len], -50));
    assert_eq!(changed, format!("{once_more} has changed since: somebody writes to it; {or}"));
    write(path, &was, -50);
    let gone = read(&|| fs::remove_file(path).unwrap());
    assert_eq!(gone, format!("{once_more} is gone; {or}"));
}

#[test]
fn a_file_that_is_not_as_it_was_is_refused_by_name() {
    let folder = Folder::new(true, false);
    let open_folder = || folder.open(Timestamp(NOW));
    let mut source = open_folder();
    repeatable(source.as_mut());
    batch_on(&folder.clock, source.as_mut(), 10);
    let given = pin(source.as_mut());
    check_change(&folder.path("old"), &open_folder, &given);
    let gone = format!("stream `lines` has to read {} once more, and it is gone;", folder.path("old").display());
    assert!(refusal(open_folder(), &given).starts_with(&gone));
    // A run that goes on does not need it.
    repeatable(open_folder().as_mut()).resume_after(&given).unwrap();

    let file = folder.path("older");
    let open_file = || open(&file, true, false).unwrap();
    let mut source = open_file();
    repeatable(source.as_mut());
    batch(source.as_mut(), 10);
    let given = pin(source.as_mut());
    write(&file, b"changed", 10);
    repeatable(open_file().as_mut()).resume_after(&given).unwrap();
    write(&file, b"older\n", 10);
    check_change(&file, &open_file, &given);
}

#[test]
fn other_pins_of_a_folder_are_refused() {
    let folder = Folder::new(true, false);
    let mut source = folder.open(Timestamp(NOW));
    repeatable(source.as_mut());
    write(&folder.path("new"), b"", 9);
    folder.clock.go_to(5);
    source.seal(Timestamp(NOW + 5_000_000)).unwrap();
    assert!(repeatable(source.as_mut()).pin().is_err());
    while !source.take(1).unwrap().end {}
    let given = pin(source.as_mut());
    let changes = [
        (r#""path":"in""#, r#""path":"out""#),
        (r#""path":"in""#, r#""path":1"#),
        (r#""name":"older""#, r#""name":"../older""#),
        (r#""name":"older""#, r#""name":"..""#),
        (r#""name":"older""#, r#""name":"/older""#),
        (r#""name":"older""#, r#""name":"""#),
        (r#""name":"older""#, r#""name":"older/""#),
        (r#""name":"older""#, r#""name":[256]"#),
        (r#""name":"old""#, r#""name":[46,46]"#),
        (r#""listed_micros""#, r#""done":["a/b"],"listed_micros""#),
        (r#""size":6"#, r#""size":-6"#),
        (r#""hash":""#, r#""hash":"0"#),
        (r#""source":"folder""#, r#""source":"file""#),
        (r#""listed_micros""#, r#""listed""#),
        (r#""mark":""#, r#""mark":"0"#),
        (r#""mark":""#, r#""mark":"000000000000000000000000"#),
        (r#""mark":""#, r#""mark":"00000000000000000000000g"#),
        (r#""mark":""#, r#""mark":"+00000000000000000000000"#),
        (r#""mark":""#, r#""mark":"é""#),
        (r#""listed_micros""#, r#""done":[],"marks":"000000000000000000000000","listed_micros""#),
        (
            r#""listed_micros""#,
            r#""done":[],"gone":{"names":["../x"],"marks":"000000000000000000000000"},"listed_micros""#,
        ),
        (r#""listed_micros""#, r#""done":[],"gone":{"names":["x"],"marks":""},"listed_micros""#),
        (
            r#""listed_micros""#,
            r#""done":[],"away":{"folder":7,"names":[],"marks":"000000000000000000000000"},"listed_micros""#,
        ),
    ];
    let damaged = changes.map(|(from, to)| given.replacen(from, to, 1));
    assert!(damaged.iter().all(|text| *text != given.pin), "{}", given.pin);
    check_refusals(|| folder.open(Timestamp(NOW)), &given, &damaged.each_ref().map(String::as_str));
    let expect = "stream `lines` was read from out when the checkpoint was written, and the pipeline says in now; set it \
                  back, or begin with a new checkpoint";
    assert_eq!(refusal(folder.open(Timestamp(NOW)), &damaged[0]), expect);
}

#[test]
fn other_pins_of_a_file_are_refused() {
    let folder = Folder::new(true, false);
    let file = folder.path("older");
    let open = || open(&file, true, false).unwrap();
    let mut source = open();
    // Who does not say before that pins are wanted gets none.
    batch(source.as_mut(), 10);
    assert!(repeatable(source.as_mut()).pin().is_err());
    let mut source = open();
    repeatable(source.as_mut());
    batch(source.as_mut(), 10);
    let given = pin(source.as_mut());
    let changes = [
        (r#""path":"older""#, r#""path":"old""#),
        (r#""begun":true"#, r#""begun":1"#),
        (r#""size":6"#, r#""size":6.5"#),
        (r#""hash":""#, r#""hash":"g"#),
        (r#""source":"file""#, r#""source":"folder""#),
    ];
    let damaged = changes.map(|(from, to)| given.replacen(from, to, 1));
    assert!(damaged.iter().all(|text| *text != given.pin), "{}", given.pin);
    check_refusals(open, &given, &damaged.each_ref().map(String::as_str));
}
