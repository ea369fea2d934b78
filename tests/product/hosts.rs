//! Two hosts on one checkpoint: the later one has it, and the earlier one stops, awake or asleep.
#![cfg(unix)]

use std::time::Duration;

use crate::{
    limit::wait_until,
    producer,
    records::{self, Delivered},
    running::Running,
    tool::Folder,
};

const RUN: [&str; 2] = ["run", "pipeline.toml"];

/// Lines that come at a time.
const FEW: u64 = 50;

/// Hosts that are put to sleep, each at another moment of its batch.
const SLEEPERS: u64 = 8;

fn start(folder: &Folder) -> Running {
    Running::start_ready(&mut folder.command(&RUN))
}

/// Adds lines, and waits until they have come out.
#[track_caller]
fn feed(folder: &Folder, lines: &mut u64) {
    *lines += records::add(folder.path(), *lines, FEW);
    wait_until("all lines have come out", || Delivered::read(folder.path()).lines.len() as u64 >= *lines);
}

#[track_caller]
fn is_fenced_off(run: Running) {
    let ended = run.end();
    assert_eq!(ended.code, 1, "{ended:#?}");
    let says =
        ["error: checkpoint: the host `process ", "` has taken this checkpoint over (generation ", "; this run stops"];
    assert!(says.iter().all(|text| ended.stderr.contains(text)), "{ended:#?}");
}

#[test]
fn the_later_host_takes_over_and_the_earlier_one_stops() {
    let folder = records::folder();
    let mut lines = 0;
    let first = start(&folder);
    feed(&folder, &mut lines);
    let second = start(&folder);
    is_fenced_off(first);
    feed(&folder, &mut lines);
    let third = start(&folder);
    is_fenced_off(second);
    feed(&folder, &mut lines);
    third.stop();
    Delivered::read(folder.path()).check(lines);
}

#[test]
fn a_host_that_wakes_up_after_a_take_over_writes_nothing() {
    let folder = records::folder();
    let mut lines = 0;
    let mut run = start(&folder);
    feed(&folder, &mut lines);
    let (_never, nothing) = std::sync::mpsc::channel::<()>();
    for sleeper in 0..SLEEPERS {
        lines += records::add(folder.path(), lines, FEW);
        // A batch takes some milliseconds, every 50 ms.
        let _ = nothing.recv_timeout(Duration::from_millis(20 + sleeper * 9));
        run.signal("STOP");
        let next = start(&folder);
        feed(&folder, &mut lines);
        run.signal("CONT");
        is_fenced_off(run);
        feed(&folder, &mut lines);
        run = next;
    }
    run.stop();
    Delivered::read(folder.path()).check(lines);
}

/// Writes the pipeline with another name of a stream to `renamed.toml`, and gives it.
fn rename(folder: &Folder, old: &str, new: &str) -> String {
    let renamed = folder
        .read("pipeline.toml")
        .replace(&format!("[streams.{old}]"), &format!("[streams.{new}]"))
        .replace(&format!("from = \"{old}\""), &format!("from = \"{new}\""));
    std::fs::write(folder.path().join("renamed.toml"), &renamed).unwrap();
    renamed
}

#[test]
fn a_run_that_is_refused_takes_nothing_over() {
    let folder = records::folder();
    let mut lines = 0;
    let first = start(&folder);
    feed(&folder, &mut lines);
    rename(&folder, "totals", "sums");
    folder.fails(&["run", "renamed.toml"], 1, &["the checkpoint has state of the stream `totals`"]);
    feed(&folder, &mut lines);
    first.stop();
    Delivered::read(folder.path()).check(lines);
}

#[test]
pub fn a_source_under_another_name_is_not_read_again_unseen() {
    let folder = records::folder();
    let mut lines = 0;
    let first = start(&folder);
    feed(&folder, &mut lines);
    let renamed = rename(&folder, "lines", "input");
    let says = ["the checkpoint has the source `lines`", "`input` is new", "previously = \"lines\""];
    folder.fails(&["run", "renamed.toml"], 1, &says);
    feed(&folder, &mut lines);
    first.stop();
    let said = renamed.replace("[streams.input]", "[streams.input]\npreviously = \"lines\"");
    std::fs::write(folder.path().join("pipeline.toml"), said).unwrap();
    let second = start(&folder);
    feed(&folder, &mut lines);
    second.stop();
    Delivered::read(folder.path()).check(lines);
}

/// Of a run that has no claim nothing is seen; one that takes over waits until the host before lets go of the port.
#[test]
fn a_port_is_taken_by_the_run_that_has_the_checkpoint() {
    let address = producer::address();
    let text = |name: &str| {
        format!(
            "[pipeline]\nname = \"{name}\"\ninterval = \"50ms\"\ncheckpoint = \"kept\"\n\
             [streams.lines]\nsocket = {{ listen = \"{address}\" }}\n\
             [outputs.lines]\nfrom = \"lines\"\nfiles = \"out-{name}\"\n"
        )
    };
    let folder = Folder::new().with("pipeline.toml", text("one")).with("other.toml", text("other"));
    let listening = || {
        let mut run = Running::start(&mut folder.command(&RUN));
        run.wait_for("waiting for producers");
        run
    };
    let first = listening();
    folder.fails(&["run", "other.toml"], 1, &["error: checkpoint", "the pipeline `one`"]);
    let second = listening();
    is_fenced_off(first);
    second.stop();
}
