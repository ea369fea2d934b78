//! Runs a program with a limit of time; nothing that it has started outlives it.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether a program has ended whose output is still open.
const LOOK: Duration = Duration::from_millis(200);
/// How many lines are kept of what a program has printed.
const LINES_MAX: usize = 4000;

/// How a program has ended.
#[derive(Debug)]
pub struct Ended {
    pub how: How,
    pub seconds: f64,
    /// What it has printed, both streams.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Well,
    Badly,
    /// Its time was up.
    Late,
    /// It was seen enough of it.
    Stopped,
}

/// Runs a program to its end, or until its time is up, or a line says enough.
pub fn run(command: &mut Command, limit: Duration, mut is_enough: impl FnMut(&str) -> bool) -> io::Result<Ended> {
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let printed = printed_by(&mut child);
    let mut lines = Vec::new();
    let how = loop {
        match printed.recv_timeout(LOOK) {
            Ok(line) => {
                let enough = is_enough(&line);
                if lines.len() < LINES_MAX {
                    lines.push(line);
                }
                if enough {
                    break How::Stopped;
                }
            }
            // A child of it may still have its output, and must not be waited for.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_none() => {}
            Err(RecvTimeoutError::Timeout) => break how_of(&mut child)?,
            Err(RecvTimeoutError::Disconnected) if wait_until(&mut child, start + limit)? => break how_of(&mut child)?,
            Err(RecvTimeoutError::Disconnected) => break How::Late,
        }
        if start.elapsed() > limit {
            break How::Late;
        }
    };
    kill_group(&mut child)?;
    Ok(Ended { how, seconds: start.elapsed().as_secs_f64(), lines })
}

fn how_of(child: &mut Child) -> io::Result<How> {
    Ok(if child.wait()?.success() { How::Well } else { How::Badly })
}

/// Whether the child has ended by then.
fn wait_until(child: &mut Child, end: Instant) -> io::Result<bool> {
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            return Ok(false);
        }
        thread::park_timeout(LOOK / 10);
    }
    Ok(true)
}

/// Ends a child and all that it has started.
pub fn kill_group(child: &mut Child) -> io::Result<()> {
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
    child.wait().map(|_| ())
}

/// The lines that a child prints, until its output is closed.
fn printed_by(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    if let Some(stdout) = child.stdout.take() {
        send_lines(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        send_lines(stderr, sender);
    }
    lines
}

fn send_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
            if to.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// Longer than any machine stands still.
    const LONG: Duration = Duration::from_secs(3600);

    #[track_caller]
    fn check(script: &str, limit: Duration, expect: How, lines: &[&str]) {
        let ended = run(Command::new("sh").args(["-c", script]), limit, |line| line == "enough").unwrap();
        assert_eq!(
            (ended.how, ended.lines.as_slice()),
            (expect, &lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()[..])
        );
    }

    #[test]
    fn it_is_told_how_a_program_ended() {
        check("echo a; echo b", LONG, How::Well, &["a", "b"]);
        check("echo a >&2; exit 3", LONG, How::Badly, &["a"]);
        check("kill -KILL $$", LONG, How::Badly, &[]);
        check("tail -f /dev/null", Duration::from_millis(50), How::Late, &[]);
        check("exec >/dev/null 2>&1; tail -f /dev/null", Duration::from_millis(50), How::Late, &[]);
        check("echo enough; tail -f /dev/null", LONG, How::Stopped, &["enough"]);
    }

    #[test]
    fn a_child_that_is_left_is_not_waited_for() {
        check("tail -f /dev/null & echo a", LONG, How::Well, &["a"]);
    }
}
