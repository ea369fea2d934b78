//! Disks, folders and files that fail the real program: it says what to do, and when that is done nothing is lost.
#![cfg(unix)]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    records::{self, Delivered},
    running::Running,
    tool::{Ended, Folder},
};

/// Lines that are there at first, and that come later.
const FEW: u64 = 50;

/// Lines whose records have more bytes than the limit of [`limited`].
const MANY: u64 = 20_000;

/// Nobody, to whom permissions apply.
const NOBODY: u32 = 65_534;

const RUN: [&str; 2] = ["run", "pipeline.toml"];

#[track_caller]
fn wait_for_lines(run: &mut Running, folder: &Folder, lines: u64) {
    run.wait_until("all lines have come out", |_| Delivered::read(folder.path()).lines.len() as u64 >= lines);
}

/// Runs the pipeline until so many lines have come out, tells it to stop, and looks at all that is there.
fn finish(folder: &Folder, lines: u64) {
    let mut run = Running::start_ready(&mut folder.command(&RUN));
    wait_for_lines(&mut run, folder, lines);
    run.stop();
    Delivered::read(folder.path()).check(lines);
}

/// Waits for the end of a run, which must come by itself.
#[track_caller]
fn failed(run: Running, says: &[&str]) {
    check_failed(&run.end(), says);
}

#[track_caller]
fn check_failed(ended: &Ended, says: &[&str]) {
    assert_eq!(ended.code, 1, "{ended:#?}");
    assert!(says.iter().all(|text| ended.stderr.contains(text)), "{says:?}: {ended:#?}");
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{ended:#?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
}

/// The command in a shell that lets it write no file of more than 32 KiB: the end of a disk, for who writes more.
fn limited(folder: &Folder) -> Command {
    let inner = folder.command(&RUN);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(folder.path());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Lines that have come out when a run [is at work](at_work).
const BEFORE: u64 = 3 * FEW;

/// A folder in which a run has delivered a few lines, and another one is at work. It has delivered a batch of its own to the
/// end, and at most that of the last lines is not done: what it does once, behind its first batch, is behind it.
#[track_caller]
fn at_work(change: impl FnOnce(&Folder, &mut Command)) -> (Folder, Running) {
    let folder = records::folder();
    records::add(folder.path(), 0, FEW);
    finish(&folder, FEW);
    let mut command = folder.command(&RUN);
    change(&folder, &mut command);
    let mut run = Running::start(&mut command);
    for lines in [2 * FEW, BEFORE] {
        records::add(folder.path(), lines - FEW, FEW);
        wait_for_lines(&mut run, &folder, lines);
    }
    (folder, run)
}

/// A run is at work; `spoil` happens, in one moment for the run, then new lines come; it must end and say so. After `mend`
/// the next one goes on.
#[track_caller]
fn check(spoil: impl FnOnce(&Path), says: &[&str], mend: impl FnOnce(&Path)) {
    let (folder, mut run) = at_work(|_, _| {});
    run.put_to_sleep();
    spoil(folder.path());
    records::add(folder.path(), BEFORE, FEW);
    run.signal("CONT");
    failed(run, says);
    mend(folder.path());
    finish(&folder, BEFORE + FEW);
}

fn moved(from: &'static str, to: &'static str) -> impl FnOnce(&Path) {
    move |folder| fs::rename(folder.join(from), folder.join(to)).unwrap()
}

#[test]
fn a_disk_without_room_for_a_batch_stops_the_run_before_it_counts() {
    let folder = records::folder();
    records::add(folder.path(), 0, FEW);
    finish(&folder, FEW);
    records::add(folder.path(), FEW, MANY);
    let says = ["checkpoint: cannot write checkpoint/log/", "(ulimit -f); raise that and run again, nothing committed"];
    for _ in 0..2 {
        failed(Running::start(&mut limited(&folder)), &says);
        assert_eq!(Delivered::read(folder.path()).lines.len() as u64, FEW);
    }
    finish(&folder, FEW + MANY);
}

#[test]
fn a_batch_that_had_begun_is_run_with_the_same_input_or_not_at_all() {
    let folder = records::folder();
    records::add(folder.path(), 0, FEW);
    finish(&folder, FEW);
    records::add(folder.path(), FEW, MANY);
    failed(Running::start(&mut limited(&folder)), &[]);
    let file = folder.path().join(format!("in/{FEW:012}"));
    let (kept, text) = (folder.path().join("kept"), fs::read_to_string(&file).unwrap());
    fs::rename(&file, &kept).unwrap();
    check_failed(&folder.run(&RUN), &["stream `lines` has to read in/", "put it back as it was"]);
    fs::write(&file, text.replace("n60 ", "n61 ")).unwrap();
    check_failed(&folder.run(&RUN), &["stream `lines` has to read in/", "put it back as it was"]);
    assert_eq!(Delivered::read(folder.path()).lines.len() as u64, FEW);
    fs::rename(&kept, &file).unwrap();
    finish(&folder, FEW + MANY);
}

#[test]
fn a_checkpoint_that_is_moved_away_is_gone_on_with_when_it_is_back() {
    let says = ["error: checkpoint: ", "it has vanished; bring it back (is its disk mounted?) and run again"];
    check(moved("checkpoint", "elsewhere"), &says, moved("elsewhere", "checkpoint"));
}

#[test]
fn a_file_in_the_place_of_a_folder_is_told_from_it() {
    let replace = |what: &'static str| {
        move |folder: &Path| {
            fs::rename(folder.join(what), folder.join("kept")).unwrap();
            fs::write(folder.join(what), "").unwrap();
        }
    };
    let back = |what: &'static str| {
        move |folder: &Path| {
            fs::remove_file(folder.join(what)).unwrap();
            fs::rename(folder.join("kept"), folder.join(what)).unwrap();
        }
    };
    check(replace("checkpoint/log"), &["a file stands where a folder must be"], back("checkpoint/log"));
    let says =
        ["output `lines`: folder lines does not take the ", "a file stands in its place", "bring the folder back"];
    check(replace("lines"), &says, back("lines"));
}

#[test]
fn an_output_that_is_moved_away_gets_the_batch_when_it_is_back() {
    let says = ["output `totals`: folder totals does not take the ", "it has vanished: bring it back"];
    check(moved("totals", "elsewhere"), &says, moved("elsewhere", "totals"));
}

#[test]
fn an_output_that_is_gone_between_two_runs_is_not_begun_anew_unseen() {
    let folder = records::folder();
    records::add(folder.path(), 0, FEW);
    finish(&folder, FEW);
    moved("totals", "elsewhere")(folder.path());
    for _ in 0..2 {
        let says = ["output `totals` has got its rows of the batch ", "bring it back (is its disk mounted?)"];
        failed(Running::start(&mut folder.command(&RUN)), &says);
    }
    moved("elsewhere", "totals")(folder.path());
    records::add(folder.path(), FEW, FEW);
    finish(&folder, 2 * FEW);
}

#[test]
fn folders_that_cannot_be_written_are_gone_on_with_when_they_can() {
    let set = |what: &'static str, mode| {
        move |folder: &Path| fs::set_permissions(folder.join(what), fs::Permissions::from_mode(mode)).unwrap()
    };
    let output = "see its permissions and its mount and run again";
    for (what, says) in [("checkpoint/log", "it may not be written or read; correct"), ("lines", output)] {
        let (folder, run) = at_work(as_nobody);
        set(what, 0o500)(folder.path());
        records::add(folder.path(), BEFORE, FEW);
        failed(run, &[says]);
        let mut command = folder.command(&RUN);
        as_nobody(&folder, &mut command);
        failed(Running::start(&mut command), &["run again"]);
        set(what, 0o700)(folder.path());
        finish(&folder, BEFORE + FEW);
    }
}

/// Lets the command be run by somebody whom permissions bind, and have the folder.
fn as_nobody(folder: &Folder, command: &mut Command) {
    let program = folder.path().join("tidemill");
    if !program.exists() {
        if fs::metadata(folder.path()).unwrap().uid() != 0 {
            return;
        }
        // Where it was built may be closed to others.
        fs::copy(command.get_program(), &program).unwrap();
    }
    give_to_nobody(folder.path());
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    *command = Command::new(program);
    command.args(arguments).current_dir(folder.path()).env("TZ", "UTC").env_remove("TIDEMILL_LOG");
    command.env("XDG_CACHE_HOME", folder.path().join("caches"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).uid(NOBODY).gid(NOBODY);
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give_to_nobody(&entry.unwrap().path()));
    }
}

#[test]
pub fn without_room_no_input_is_taken_until_there_is_some() {
    let folder = records::folder();
    records::add(folder.path(), 0, FEW);
    let mut run = Running::start(&mut folder.command(&[
        "run",
        "pipeline.toml",
        "--set",
        "pipeline.checkpoint.free-space=1000000GiB",
    ]));
    let said = run.wait_for("no new input is taken until there is room");
    assert!(said.contains("lower the checkpoint's `free-space`"), "{said}");
    assert!(Delivered::read(folder.path()).lines.is_empty());
    // What was received before it was told to stop is still run.
    run.stop();
    records::add(folder.path(), FEW, FEW);
    finish(&folder, 2 * FEW);
}
