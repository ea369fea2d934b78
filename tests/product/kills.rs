//! The real program, killed at random instants: what it has written in the end is checked by a reader of its own.
//!
//! `TIDEMILL_KILLS=1000` kills it so often; `make soak` does. The seed of the instants is printed.

use std::{
    io::Write,
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, SystemTime},
};

use crate::{
    limit, producer,
    records::{self, Delivered},
    running::Running,
    tool::Folder,
};

/// Kills unless it is said otherwise.
const KILLS: u64 = 30;

/// Lines of a file of the feed.
const LINES: u64 = 50;

/// Between two files of the feed.
const PAUSE: Duration = Duration::from_millis(15);

/// A run lives for less than this.
const LIFE_MS_MAX: u64 = 500;

#[test]
fn nothing_is_lost_or_doubled_however_often_it_is_killed() {
    let folder = records::folder();
    let fed = folder.path().to_owned();
    kill_often(&folder, &[], move |stopped| feed(&fed, &stopped));
}

#[test]
pub fn a_producer_that_is_told_what_is_durable_loses_nothing() {
    let folder = records::folder();
    let address = producer::address();
    let socket = format!("streams.lines={{socket={{listen=\"{address}\", acknowledge=true}}}}");
    kill_often(&folder, &["--set", &socket], move |stopped| producer::feed(address, &stopped));
}

/// Kills the program again and again while it is fed, lets it come to an end, and looks at what it has written. `feed` is
/// to stop when it is told to, and gives the number of lines.
fn kill_often(folder: &Folder, set: &[&str], feed: impl FnOnce(Receiver<()>) -> u64 + Send + 'static) {
    let kills = kills();
    let arguments = [&["run", "pipeline.toml"], set].concat();
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let _ = writeln!(std::io::stderr(), "seed {seed}");
    let mut random = u64::from(seed) | 1;
    let (stop, stopped) = channel();
    let feed = limit::begin("all that it is fed with is durable", move || feed(stopped));
    let (_never, nothing) = channel::<()>();
    for _ in 0..kills {
        // xorshift64: instants need be no better.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let run = Running::start(&mut folder.command(&arguments));
        let _ = nothing.recv_timeout(Duration::from_millis(random % LIFE_MS_MAX));
        run.kill();
    }
    let mut run = Running::start_ready(&mut folder.command(&arguments));
    drop(stop);
    run.wait_until("all that it is fed with is taken", |_| feed.has_ended());
    let lines = feed.end();
    run.wait_until("all lines have come out", |_| Delivered::read(folder.path()).lines.len() >= lines as usize);
    run.stop();
    let _ = writeln!(std::io::stderr(), "{kills} kills, {}", Delivered::read(folder.path()).check(lines));
}

#[allow(clippy::disallowed_methods, reason = "how long a soak is, whoever starts it says")]
fn kills() -> u64 {
    std::env::var("TIDEMILL_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

/// Moves files into the folder until it is told to stop; gives the number of lines.
fn feed(folder: &Path, stopped: &Receiver<()>) -> u64 {
    let mut lines = 0;
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PAUSE) {
        lines += records::add(folder, lines, LINES);
    }
    lines
}
