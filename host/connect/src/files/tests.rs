//! Real files and folders; what depends on times alone is tested with the listings.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use arrow_array::cast::AsArray;
use tidemill_model::{
    connector::World,
    ports::{Clock, PortErrorKind, Wake},
    time::Timestamp,
};

use super::*;
use crate::{
    system::{ManualClock, Threads},
    testing::Heard,
    text::{InvalidUtf8, TextOptions},
};

pub(super) const NOW: i64 = 1_700_000_000_000_000;

/// The time between two batches.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// A clock that a test moves on, and that watches files.
pub(crate) struct Watching(ManualClock);

impl Watching {
    pub fn new() -> Arc<Watching> {
        Watching::at(Timestamp(NOW))
    }

    pub fn at(now: Timestamp) -> Arc<Watching> {
        Arc::new(Watching(ManualClock::new(now)))
    }

    /// So many seconds after [`NOW`].
    pub fn go_to(&self, seconds: i64) {
        self.0.advance_to(Timestamp(NOW + seconds * 1_000_000));
    }

    pub fn advance_to(&self, time: Timestamp) {
        self.0.advance_to(time);
    }
}

impl Clock for Watching {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn wait(&self, deadline: Timestamp, wake: &Wake) {
        self.0.wait(deadline, wake);
    }

    fn steady(&self) -> Option<Duration> {
        Some(self.now().since(Timestamp(0)))
    }
}

/// On a clock by which nothing can be watched.
pub(super) fn open(path: &Path, existing: bool, until_done: bool) -> Result<Box<dyn Source>, PortError> {
    open_on(Arc::new(ManualClock::new(Timestamp(NOW))), path, existing, until_done)
}

pub(super) fn open_on(
    clock: Arc<dyn Clock>,
    path: &Path,
    existing: bool,
    until_done: bool,
) -> Result<Box<dyn Source>, PortError> {
    let text = TextOptions { line_bytes_max: 100, invalid_utf8: InvalidUtf8::Replace };
    let spec = FilesSource { path: path.file_name().unwrap().into(), existing, settled_after: None, text };
    let folder = path.parent().unwrap().to_owned();
    let mut world = World::new(clock, Arc::new(Threads), folder, Arc::new(Mutex::new(Vec::<u8>::new())));
    world.until_done = until_done;
    world.interval = INTERVAL;
    open_files("lines", &spec, &world)
}

/// The same for a clock that is moved on to the seal.
pub(super) fn batch_on(clock: &Watching, source: &mut dyn Source, seconds: i64) -> (String, bool) {
    clock.go_to(seconds);
    batch(source, seconds)
}

/// The lines of the batch sealed so many seconds after [`NOW`], with commas between, and whether it is the last one.
pub(super) fn batch(source: &mut dyn Source, seconds: i64) -> (String, bool) {
    let sealed = source.seal(Timestamp(NOW + seconds * 1_000_000)).unwrap();
    assert!(sealed.present);
    let mut lines = Vec::new();
    loop {
        let taken = source.take(1).unwrap();
        for chunk in taken.chunks {
            lines.extend(chunk.rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        if taken.end {
            return (lines.join(","), sealed.last);
        }
    }
}

pub(super) fn write(path: &Path, text: &[u8], seconds: i64) {
    fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(NOW as u64) + Duration::from_secs(100);
    let time = time - Duration::from_secs((100 - seconds) as u64);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_file_is_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.txt");
    write(&path, b"a\r\n\xff\n\nlast", 0);
    let mut source = open(&path, false, false).unwrap();
    // What is appended after the beginning is not read.
    write(&path, b"a\r\n\xff\n\nlast\nmore\n", 0);
    assert!(!source.take(usize::MAX).unwrap().end);
    assert_eq!(batch(source.as_mut(), 0), ("a,\u{fffd},,last".to_owned(), true));
    assert_eq!(source.irregularities().len(), 1);
    assert_eq!(batch(source.as_mut(), 1), (String::new(), true));
}

#[test]
fn a_large_file_is_read_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.txt");
    let line = "x".repeat(99);
    write(&path, format!("{line}\n").repeat(100_000).as_bytes(), 0);
    let mut source = open(&path, false, false).unwrap();
    let ahead = source.take(1_000_000).unwrap();
    assert!((1_000_000..1_200_000).contains(&ahead.bytes), "{}", ahead.bytes);
    assert!(ahead.chunks.iter().all(|chunk| chunk.rows.num_rows() == 1_311));
    source.seal(Timestamp(0)).unwrap();
    let (mut rows, mut takes) = (ahead.chunks.len() * 1_311, 0);
    loop {
        let taken = source.take(usize::MAX).unwrap();
        assert!(taken.bytes <= 5 << 20);
        rows += taken.chunks.iter().map(|chunk| chunk.rows.num_rows()).sum::<usize>();
        takes += 1;
        if taken.end {
            break;
        }
    }
    assert_eq!(rows, 100_000);
    assert!(takes >= 2);
}

#[test]
fn a_folder_gives_each_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir_all(path.join("deep")).unwrap();
    write(&path.join("old"), b"old", -50);
    write(&path.join("deep/file"), b"never", -50);
    let clock = Watching::new();
    let mut all = open_on(clock.clone(), &path, true, false).unwrap();
    let mut new = open_on(clock.clone(), &path, false, false).unwrap();
    write(&path.join("b"), b"b1\nb2", -20);
    write(&path.join("a"), b"a", -10);
    write(&path.join(".hidden"), b"never", -10);
    assert!(all.take(usize::MAX).unwrap().chunks.is_empty());
    // What was there at the start has rested; what came after that has not.
    assert_eq!(batch_on(&clock, all.as_mut(), 5), ("old".to_owned(), false));
    assert_eq!(batch_on(&clock, new.as_mut(), 5), (String::new(), false));
    // Moved in with an old time: it has not rested before somebody has seen it rest.
    write(&folder.path().join("moved"), b"moved", -70);
    fs::rename(folder.path().join("moved"), path.join("moved")).unwrap();
    write(&path.join("growing"), b"1\n", 8);
    assert_eq!(batch_on(&clock, all.as_mut(), 10).0, "b1,b2,a");
    assert_eq!(batch_on(&clock, new.as_mut(), 10).0, "b1,b2,a");
    write(&path.join("growing"), b"1\n2\n", 12);
    assert_eq!(batch_on(&clock, all.as_mut(), 15).0, "moved");
    assert_eq!(batch_on(&clock, all.as_mut(), 20).0, "1,2");
    assert_eq!(batch_on(&clock, all.as_mut(), 25).0, "");
    // Late ticks are no time.
    write(&path.join("late"), b"late", 20);
    for tick in [30, 35, 40] {
        assert_eq!(batch(all.as_mut(), tick).0, "");
    }
    assert_eq!(batch_on(&clock, all.as_mut(), 45).0, "late");
}

#[test]
fn a_folder_that_goes_away_gives_empty_batches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    let mut source = open(&path, true, false).unwrap();
    fs::remove_dir(&path).unwrap();
    assert_eq!(batch(source.as_mut(), 0).0, "");
    fs::create_dir(&path).unwrap();
    write(&path.join("a"), b"a", -10);
    assert_eq!(batch(source.as_mut(), 5).0, "a");
}

#[test]
fn that_a_folder_has_gone_is_told_once_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    let mut source = open(&path, true, false).unwrap();
    let (teller, told) = std::sync::mpsc::channel();
    Heard(teller).over(|| {
        for seconds in [0, 100] {
            fs::remove_dir(&path).unwrap();
            (0..3).for_each(|batch| _ = self::batch(source.as_mut(), seconds + batch));
            fs::create_dir(&path).unwrap();
            (0..2).for_each(|batch| _ = self::batch(source.as_mut(), seconds + 10 + batch));
        }
    });
    drop(source);
    assert_eq!(told.try_iter().filter(|said| said.contains("the folder cannot be listed")).count(), 2);
}

#[test]
fn a_run_that_ends_reads_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    write(&path.join("z"), b"z", -10);
    let mut source = open(&path, false, true).unwrap();
    write(&path.join("future"), b"f", 50);
    assert_eq!(batch(source.as_mut(), -1_000), ("z,f".to_owned(), true));
    assert_eq!(batch(source.as_mut(), 0), (String::new(), true));
}

#[test]
fn a_run_that_ends_waits_for_what_is_being_written_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    let clock = Watching::new();
    write(&path.join("growing"), b"1\n", 0);
    write(&path.join("rests"), b"r\n", -1);
    let mut source = open_on(clock.clone(), &path, false, true).unwrap();
    // A tick that comes soon does not see much.
    assert_eq!(batch_on(&clock, source.as_mut(), 1), (String::new(), false));
    write(&path.join("growing"), b"1\n2\n", 4);
    // What came after the start is not waited for.
    write(&path.join("later"), b"l\n", 4);
    assert_eq!(batch_on(&clock, source.as_mut(), 6), ("r".to_owned(), false));
    write(&path.join("growing"), b"1\n2\n3\n", 9);
    write(&path.join("later still"), b"l\n", 4);
    assert_eq!(batch_on(&clock, source.as_mut(), 11), ("l".to_owned(), false));
    assert_eq!(batch_on(&clock, source.as_mut(), 12), (String::new(), false));
    write(&path.join("last"), b"l\n", 4);
    assert_eq!(batch_on(&clock, source.as_mut(), 16), ("l,1,2,3".to_owned(), true));
}

#[test]
fn a_run_that_ends_does_not_wait_for_a_file_that_went_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    let clock = Watching::new();
    write(&path.join("a"), b"a\n", 0);
    write(&path.join("b"), b"b\n", 0);
    let mut source = open_on(clock.clone(), &path, false, true).unwrap();
    assert_eq!(batch_on(&clock, source.as_mut(), 1), (String::new(), false));
    fs::remove_file(path.join("a")).unwrap();
    assert_eq!(batch_on(&clock, source.as_mut(), 5), ("b".to_owned(), true));
}

#[test]
fn a_file_that_cannot_be_opened_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    write(&path.join("a"), b"a", -10);
    write(&path.join("b"), b"b", -9);
    let mut source = open(&path, true, false).unwrap();
    source.seal(Timestamp(NOW)).unwrap();
    fs::remove_file(path.join("a")).unwrap();
    let taken = source.take(usize::MAX).unwrap();
    assert!(taken.end);
    assert_eq!(taken.chunks[0].rows.num_rows(), 1);
    let what = "file that could not be opened, passed over".to_owned();
    assert_eq!(source.irregularities(), [Irregularity { what, count: 1, is_rejected: false }]);
    assert_eq!(source.irregularities(), []);
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_are_passed_over_and_counted_once() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::create_dir(&path).unwrap();
    symlink("circle", path.join("circle")).unwrap();
    write(&path.join("a"), b"a", -10);
    let counted = |source: &mut Box<dyn Source>| source.irregularities().first().map_or(0, |found| found.count);
    let mut source = open(&path, true, false).unwrap();
    assert_eq!((batch(source.as_mut(), 0).0, counted(&mut source)), ("a".to_owned(), 1));
    symlink(folder.path().join("target"), path.join("dangling")).unwrap();
    symlink("a/file-in-a-file", path.join("through-a-file")).unwrap();
    assert_eq!((batch(source.as_mut(), 5).0, counted(&mut source)), (String::new(), 2));
    assert_eq!((batch(source.as_mut(), 10).0, counted(&mut source)), (String::new(), 0));
    // It leads somewhere now, and then nowhere again.
    write(&folder.path().join("target"), b"t", 0);
    assert_eq!((batch(source.as_mut(), 15).0, counted(&mut source)), ("t".to_owned(), 0));
    fs::remove_file(folder.path().join("target")).unwrap();
    assert_eq!((batch(source.as_mut(), 20).0, counted(&mut source)), (String::new(), 1));
}

#[test]
fn what_is_not_there_is_known_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("none"), true, false).err().unwrap();
    assert_eq!(error.kind, PortErrorKind::Environment);
    let expect = format!("stream `lines` reads {}/none: there is no such file or folder", folder.path().display());
    assert_eq!((error.to_string(), error.source.is_none()), (expect, true));
}
