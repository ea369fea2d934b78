//! Whose the folder is: of which output, and of several runs that are up at once.

use std::cell::RefCell;

use super::*;

const FIRST: Timestamp = Timestamp(1_000_000);
const SECOND: Timestamp = Timestamp(2_000_000);

/// A sink that has not begun.
fn opened(folder: &Path, run: &str) -> FileSink {
    open(folder, "out", run, FileFormat::Text).unwrap()
}

fn begin(sink: &mut FileSink, pipeline: &str, generation: Option<u64>) -> Result<(), PortError> {
    sink.begin(&Owner { pipeline, generation, is_held: &|| true })
}

/// One that has begun; `generation`: of its checkpoint, if it has one.
fn begun(folder: &Path, run: &str, generation: Option<u64>) -> FileSink {
    let mut sink = opened(folder, run);
    begin(&mut sink, "p", generation).unwrap();
    sink
}

fn put(sink: &mut FileSink, time: Timestamp, word: &str) {
    prepare(sink, "a: text", time, &[&[&format!("\"{word}\"")]]);
}

fn mark(folder: &Path) -> String {
    fs::read_to_string(folder.join(MARK)).unwrap_or_default()
}

/// What a batch's folder has if it is visible.
fn batch(time: Timestamp, word: &str) -> [String; 2] {
    let folder = format!("batch-{:013}", time.millis());
    [format!("{folder}/"), format!("{folder}/part-00000.txt: {word}\n")]
}

#[test]
fn nothing_is_changed_before_a_run_begins_and_nothing_is_removed_behind_one_that_lost() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("deep/out");
    let sink = opened(&folder, "one");
    sink.look("p", true).unwrap();
    assert_eq!((sink.newest().unwrap(), sink.is_new()), (None, true));
    drop(sink);
    assert_eq!(files(root.path()), [""; 0]);
    let mut lost = opened(&folder, "lost");
    let mut lives = begun(&folder, "lives", Some(2));
    assert!(!lost.is_new() && !lives.is_new());
    put(&mut lives, FIRST, "a");
    let before = (files(&folder), mark(&folder));
    let error = lost.begin(&Owner { pipeline: "p", generation: Some(1), is_held: &|| false }).unwrap_err();
    assert!(error.to_string().contains("is not this run's"), "{error}");
    drop(lost);
    assert_eq!((files(&folder), mark(&folder)), before);
    lives.deliver(FIRST).unwrap();
    assert_eq!(files(&folder), batch(FIRST, "a"));
    // Nor where nothing came.
    for generation in [None, Some(1)] {
        let empty = root.path().join(format!("{generation:?}"));
        drop(begun(&empty, "one", generation));
        assert!(empty.join(MARK).is_file());
    }
}

#[test]
fn a_place_is_that_of_one_output_of_one_pipeline_with_a_checkpoint_or_without() {
    /// Who comes to a folder that is that of the output `out` of `p`, which has delivered a batch or none.
    #[track_caller]
    fn check(has_batch: bool, was: Option<u64>, (pipeline, output, is): (&str, &str, Option<u64>), says: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let mut first = begun(folder.path(), "one", was);
        if has_batch {
            put(&mut first, FIRST, "a");
            first.deliver(FIRST).unwrap();
        }
        let before = (files(folder.path()), mark(folder.path()));
        let mut next = open(folder.path(), output, "two", FileFormat::Text).unwrap();
        let looked = next.look(pipeline, is.is_some());
        assert_eq!((files(folder.path()), mark(folder.path())), before, "to look changes nothing");
        let both = [looked, begin(&mut next, pipeline, is)];
        for result in both {
            let Err(error) = result else {
                assert!(says.is_empty(), "nothing is said, and {says:?} is expected");
                continue;
            };
            assert_eq!(error.kind, PortErrorKind::Configuration);
            assert!(!says.is_empty() && says.iter().all(|text| error.to_string().contains(text)), "{error}");
            assert_eq!((files(folder.path()), mark(folder.path())), before);
        }
    }
    let others = ["output `out` of the pipeline `q`", "the output `out` of the pipeline `p`", "its own folder", MARK];
    for has_batch in [false, true] {
        for kept in [None, Some(1)] {
            check(has_batch, kept, ("q", "out", kept), &others);
            check(has_batch, kept, ("p", "dead letters of x", kept), &["output `dead letters of x`", "output `out`"]);
            check(has_batch, kept, ("p", "out", kept), &[]);
        }
    }
    check(false, None, ("p", "out", Some(1)), &[]);
    check(false, Some(1), ("p", "out", None), &[]);
    check(true, None, ("p", "out", Some(1)), &["runs without a checkpoint", "another folder", MARK]);
    check(true, Some(1), ("p", "out", None), &["runs with a checkpoint", "another folder", MARK]);
}

#[test]
fn a_mark_that_is_none_is_said() {
    for text in ["", "{}", "{\"version\": 1, \"pipeline\": 1}", "\u{0}\u{0}", "VERSION"] {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path(), "one", Some(1));
        let text =
            if text == "VERSION" { mark(folder.path()).replace("\"version\":1", "\"version\":2") } else { text.into() };
        fs::write(folder.path().join(MARK), &text).unwrap();
        let mut next = opened(folder.path(), "two");
        for result in [next.look("p", true), next.newest().map(drop), begin(&mut next, "p", Some(2))] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(MARK) && error.contains("remove that file"), "{error}");
            let is_lost = text.bytes().all(|byte| byte == 0);
            assert_eq!(error.contains("as where a write was lost"), is_lost, "{error}");
        }
        assert_eq!(mark(folder.path()), text);
    }
}

#[test]
fn what_a_reader_has_taken_away_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = begun(folder.path(), "one", Some(1));
    put(&mut first, FIRST, "a");
    first.deliver(FIRST).unwrap();
    let take = |time| fs::remove_dir_all(first.final_folder(time)).unwrap();
    take(FIRST);
    // The process is killed before the checkpoint knows, so the next one has it to deliver.
    for (run, generation, newest) in [("two", 2, FIRST), ("three", 3, SECOND)] {
        let mut next = opened(folder.path(), run);
        assert_eq!(next.newest().unwrap(), Some(newest));
        begin(&mut next, "p", Some(generation)).unwrap();
        put(&mut next, FIRST, "a");
        next.deliver(FIRST).unwrap();
        assert_eq!(files(folder.path()), [""; 0]);
        put(&mut next, SECOND, "b");
        next.deliver(SECOND).unwrap();
        assert_eq!(next.newest().unwrap(), Some(SECOND));
        if newest == FIRST {
            assert_eq!(files(folder.path()), batch(SECOND, "b"));
            take(SECOND);
        }
        next.deliver(SECOND).unwrap();
        assert_eq!(files(folder.path()), [""; 0]);
    }
}

#[test]
fn without_a_checkpoint_no_batch_of_another_run_is_taken_for_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = begun(folder.path(), "one", None);
    put(&mut first, FIRST, "a");
    first.deliver(FIRST).unwrap();
    first.deliver(FIRST).unwrap();
    let before = files(folder.path());
    let mut next = begun(folder.path(), "two", None);
    let error = try_stage(&mut next, "a: text", FIRST, &[&["\"b\""]]).unwrap_err().to_string();
    assert!(error.contains("output `out`") && error.contains("batch-0000000001000 is there already"), "{error}");
    assert!(next.deliver(FIRST).is_err());
    assert_eq!(files(folder.path()), before);
    put(&mut next, SECOND, "b");
    // Meanwhile another one, of the same times.
    fs::create_dir(folder.path().join("batch-0000000002000")).unwrap();
    fs::write(folder.path().join("batch-0000000002000/part-00000.txt"), "x\n").unwrap();
    assert!(next.deliver(SECOND).unwrap_err().to_string().contains("is there already"));
    assert_eq!(fs::read(folder.path().join("batch-0000000002000/part-00000.txt")).unwrap(), b"x\n");
}

/// What is in a batch's place and has other rows is not what was to come.
#[test]
fn a_batch_that_is_there_must_be_the_same() {
    let others: [(&str, &str); 4] =
        [("part-00000.txt", "x\n"), ("part-00000.txt", ""), ("part-00001.txt", "a\n"), ("part-00000.txt", "a\na\n")];
    for (name, text) in others.into_iter().chain([("part-00000.txt", "a\n")]) {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = begun(folder.path(), "one", Some(1));
        put(&mut sink, FIRST, "a");
        let place = sink.final_folder(FIRST);
        fs::create_dir(&place).unwrap();
        fs::write(place.join(name), text).unwrap();
        let delivered = sink.deliver(FIRST);
        if (name, text) == ("part-00000.txt", "a\n") {
            delivered.unwrap();
            assert_eq!(files(folder.path()), batch(FIRST, "a"));
            continue;
        }
        let error = delivered.unwrap_err().to_string();
        assert!(error.contains("batch-0000000001000 is there already"), "{error}");
        assert_eq!(fs::read_to_string(place.join(name)).unwrap(), text);
        // It has not come, whatever is there: the next host brings it when the place is free.
        fs::remove_dir_all(&place).unwrap();
        drop(sink);
        let mut next = begun(folder.path(), "two", Some(2));
        put(&mut next, FIRST, "a");
        next.deliver(FIRST).unwrap();
        assert_eq!(files(folder.path()), batch(FIRST, "a"), "{name} {text}");
    }
}

/// What is there and the mark does not know may be another run's: it must not be ahead of a checkpoint either.
#[test]
fn the_newest_batch_is_that_of_the_mark_or_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("batch-0000000001000")).unwrap();
    let mut sink = opened(folder.path(), "one");
    assert_eq!(sink.newest().unwrap(), Some(FIRST));
    // Version 0.1.0 has delivered it.
    begin(&mut sink, "p", Some(1)).unwrap();
    put(&mut sink, FIRST, "a");
    sink.deliver(FIRST).unwrap();
    assert_eq!(files(folder.path()), ["batch-0000000001000/"]);
    fs::remove_dir(folder.path().join("batch-0000000001000")).unwrap();
    assert_eq!(sink.newest().unwrap(), Some(FIRST));
    fs::create_dir(folder.path().join("batch-0000000002000")).unwrap();
    assert_eq!(sink.newest().unwrap(), Some(SECOND));
}

#[test]
fn what_a_crash_has_left_goes_when_the_next_run_begins() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = begun(folder.path(), "one", Some(1));
    let _ = [FIRST, SECOND].map(|time| put(&mut first, time, "a"));
    fs::write(folder.path().join(".staged-mark-zero"), "").unwrap();
    drop(first);
    assert_eq!(files(folder.path()).len(), 5);
    begun(folder.path(), "two", Some(2));
    assert_eq!(files(folder.path()), [""; 0]);
}

/// A host that was overtaken looks what is there, and sleeps; what the later one prepares then is not left over.
#[test]
fn what_comes_after_it_was_looked_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let later = RefCell::new(opened(folder.path(), "later"));
    let overtaken = || {
        begin(&mut later.borrow_mut(), "p", Some(2)).unwrap();
        put(&mut later.borrow_mut(), FIRST, "a");
        true
    };
    let mut earlier = opened(folder.path(), "earlier");
    earlier.begin(&Owner { pipeline: "p", generation: Some(1), is_held: &overtaken }).unwrap();
    // It touches nothing more, and the later one does not mind its mark.
    later.borrow_mut().deliver(FIRST).unwrap();
    put(&mut earlier, SECOND, "b");
    assert!(earlier.deliver(SECOND).unwrap_err().to_string().contains("was taken over by a later run"));
    drop(earlier);
    put(&mut later.borrow_mut(), SECOND, "a");
    later.borrow_mut().deliver(SECOND).unwrap();
    let visible: Vec<String> = [batch(FIRST, "a"), batch(SECOND, "a")].concat();
    assert_eq!(files(folder.path()).into_iter().filter(|file| !file.starts_with('.')).collect::<Vec<_>>(), visible);
}

#[test]
fn of_two_runs_without_a_checkpoint_the_later_one_has_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier = begun(folder.path(), "earlier", None);
    let mut later = begun(folder.path(), "later", None);
    put(&mut earlier, FIRST, "a");
    assert!(earlier.deliver(FIRST).unwrap_err().to_string().contains("was taken over by a later run"));
    put(&mut later, FIRST, "b");
    later.deliver(FIRST).unwrap();
    drop(earlier);
    let visible = files(folder.path()).into_iter().filter(|file| !file.starts_with('.')).collect::<Vec<_>>();
    assert_eq!(visible, batch(FIRST, "b"));
}

/// A host that slept between its last look at the checkpoint and its delivery, and wakes up at any moment of the next one.
#[test]
fn a_host_that_wakes_up_late_harms_nothing() {
    for moment in ["before", "while it begins", "after"] {
        let folder = tempfile::tempdir().unwrap();
        let slept = RefCell::new(begun(folder.path(), "one", Some(1)));
        put(&mut slept.borrow_mut(), FIRST, "a");
        let wakes = |is: &str| match is == moment {
            true => Some(slept.borrow_mut().deliver(FIRST)),
            false => None,
        };
        assert!(wakes("before").is_none_or(|result| result.is_ok()));
        let mut next = opened(folder.path(), "two");
        let is_held = || wakes("while it begins").is_none_or(|result| result.is_ok());
        next.begin(&Owner { pipeline: "p", generation: Some(2), is_held: &is_held }).unwrap();
        put(&mut next, FIRST, "a");
        assert!(wakes("after").is_none_or(|result| result.is_err()));
        next.deliver(FIRST).unwrap();
        assert_eq!(files(folder.path()), batch(FIRST, "a"), "{moment}");
        assert_eq!(next.newest().unwrap(), Some(FIRST));
    }
}
