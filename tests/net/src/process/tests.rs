//! Programs of the shell, and what they leave.

#![allow(clippy::unwrap_used, reason = "a test")]

use tempfile::TempDir;

use super::*;

/// Longer than any machine stands still.
const LONG: Duration = Duration::from_secs(1200);
/// Shorter than any of these programs.
const SHORT: Duration = Duration::from_millis(50);

/// A runner with a folder of its own.
struct Here {
    runner: Runner,
    _folder: TempDir,
}

impl Here {
    fn new() -> Here {
        let folder = tempfile::tempdir().unwrap();
        Here { runner: Runner::new(folder.path()), _folder: folder }
    }

    fn run(&self, script: &str, limit: Duration) -> Ended {
        self.runner.run(Command::new("sh").args(["-c", script]), limit, |line| line == "enough").unwrap()
    }
}

#[track_caller]
fn check(script: &str, limit: Duration, expect: How, lines: &[&str]) {
    let ended = Here::new().run(script, limit);
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!((ended.how, ended.lines), (expect, lines), "{script}");
}

/// Checks that a process is no more, or soon: one that was killed may still have to be given a processor for its end.
#[track_caller]
fn check_ended(id: &str) {
    assert!(id.parse::<u32>().is_ok(), "{id}");
    let late = Instant::now() + LONG;
    while is_there(id) {
        assert!(Instant::now() < late, "{id} has not ended");
        thread::park_timeout(SHORT);
    }
}

/// Whether a process is neither ended nor ending.
fn is_there(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = status.rsplit_once(") ").and_then(|(_, behind)| behind.chars().next());
    ![None, Some('Z'), Some('X')].contains(&state)
}

#[test]
fn it_is_told_how_a_program_ended() {
    check("echo a; echo b", LONG, How::Well, &["a", "b"]);
    check("echo a >&2; exit 3", LONG, How::Badly, &["a"]);
    check("kill -KILL $$", LONG, How::Badly, &[]);
    check("tail -f /dev/null", SHORT, How::Late, &[]);
    check("exec >/dev/null 2>&1; tail -f /dev/null", SHORT, How::Late, &[]);
    check("echo enough; tail -f /dev/null", LONG, How::Stopped, &["enough"]);
}

#[test]
fn a_child_that_is_left_is_not_waited_for() {
    check("tail -f /dev/null & echo a", LONG, How::Well, &["a"]);
    // One that is never silent is no more waited for.
    assert_eq!(Here::new().run("while :; do echo a; done & exit 0", LONG).how, How::Well);
}

#[test]
fn what_is_printed_is_read_to_its_end() {
    let mut here = Here::new();
    here.runner.silence = LONG;
    // A child that cannot be found, when its parent has ended, stands for a pipe that is read slowly.
    let child = "env -i sh -c 'echo > $0; sleep 1; echo last' $TMPDIR/pipe";
    let ended = here.run(&format!("mkfifo $TMPDIR/pipe; {child} & read line < $TMPDIR/pipe; echo first"), LONG);
    assert_eq!((ended.how, ended.lines), (How::Well, vec!["first".to_owned(), "last".to_owned()]));
}

#[test]
fn a_child_in_another_group_is_ended() {
    for (script, how) in [
        ("setsid tail -f /dev/null >/dev/null 2>&1 & echo $!; echo enough; tail -f /dev/null", How::Stopped),
        ("setsid tail -f /dev/null >/dev/null 2>&1 & echo $!", How::Well),
        // It has no mark when it says enough.
        (
            "env -i setsid sh -c 'echo $$; echo enough; exec tail -f /dev/null >/dev/null 2>&1' & tail -f /dev/null",
            How::Stopped,
        ),
    ] {
        let ended = Here::new().run(script, LONG);
        assert_eq!(ended.how, how, "{script}");
        check_ended(&ended.lines[0]);
    }
}

#[test]
fn what_is_left_when_the_tool_ends_is_ended_and_removed() {
    let here = Here::new();
    let folder = here.runner.folder.join("5");
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("tail");
    command.args(["-f", "/dev/null"]).env(family::MARK, family::mark_of(&folder));
    let mut child = command.spawn().unwrap();
    clear(&here.runner.folder);
    assert!(child.try_wait().unwrap().is_some());
    assert!(!folder.exists());
}

#[test]
fn each_run_has_a_temporary_folder_that_goes_with_it() {
    let here = Here::new();
    let folders: Vec<String> =
        (0..2).map(|_| here.run("touch $TMPDIR/file; echo $TMPDIR", LONG).lines.remove(0)).collect();
    assert_ne!(folders[0], folders[1]);
    for folder in folders {
        assert!(Path::new(&folder).starts_with(&here.runner.folder), "{folder}");
        assert!(!Path::new(&folder).exists(), "{folder}");
    }
}

#[test]
fn the_last_lines_and_all_results_are_kept() {
    let mut lines = VecDeque::new();
    keep(&mut lines, "test a ... ok".to_owned());
    (0..LINES_MAX + 10).for_each(|number| keep(&mut lines, number.to_string()));
    assert_eq!(lines.len(), LINES_MAX);
    assert_eq!(lines[0], "test a ... ok");
    assert_eq!(lines[1], "11");
    assert_eq!(lines.back(), Some(&(LINES_MAX + 9).to_string()));
}
