//! Runs programs with a limit of time, each with a temporary folder of its own; nothing that they have started or written
//! there outlives them.

mod family;

use std::{
    collections::VecDeque,
    fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio, id},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether a program has ended whose output is still open.
const LOOK: Duration = Duration::from_millis(200);
/// How long an ended program's output may say nothing before it is taken for read to its end.
const SILENCE: Duration = Duration::from_secs(5);
/// How many lines are kept of what a program has printed: the last, where failures are told, and all results of tests.
const LINES_MAX: usize = 4000;
/// The argument that makes this program one that watches over it.
const WATCH: &str = "watch";

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

/// Runs programs.
pub struct Runner {
    /// Where their temporary folders are.
    folder: PathBuf,
    /// How many there were.
    pub runs: AtomicUsize,
    silence: Duration,
    watcher: Option<Child>,
}

impl Runner {
    /// With temporary folders below this one. When this process ends, in whatever way, so does all that was started.
    pub fn start(top: &Path) -> io::Result<Runner> {
        let folders = top.join("tmp");
        // Left there when even the one that watches was killed.
        if folders.exists() {
            fs::remove_dir_all(&folders)?;
        }
        let mut runner = Runner::new(&folders);
        let mut watcher = Command::new(std::env::current_exe()?);
        watcher.arg(WATCH).arg(&runner.folder).stdin(Stdio::piped());
        // What a terminal sends to end this process does not end it.
        std::os::unix::process::CommandExt::process_group(&mut watcher, 0);
        runner.watcher = Some(watcher.spawn()?);
        Ok(runner)
    }

    /// With nothing that looks to what is left when this process is killed.
    pub fn new(folders: &Path) -> Runner {
        let folder = folders.join(id().to_string());
        Runner { folder, runs: AtomicUsize::new(0), silence: SILENCE, watcher: None }
    }

    /// Runs a program to its end, or until its time is up, or a line says enough.
    pub fn run(
        &self,
        command: &mut Command,
        limit: Duration,
        mut is_enough: impl FnMut(&str) -> bool,
    ) -> io::Result<Ended> {
        let folder = self.folder.join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir_all(&folder)?;
        let mark = family::mark_of(&folder);
        let start = Instant::now();
        command.env(family::MARK, &mark).env("TMPDIR", &folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut lines = VecDeque::new();
        let how = self.follow(&mut child, &mark, start + limit, |line| {
            let enough = is_enough(&line);
            keep(&mut lines, line);
            enough
        })?;
        family::end(&mark)?;
        child.wait()?;
        let seconds = start.elapsed().as_secs_f64();
        // What cannot be removed now is when the next run of this tool begins.
        let _ = fs::remove_dir_all(&folder);
        Ok(Ended { how, seconds, lines: lines.into() })
    }

    /// Reads what a child prints until it has ended and all is read, until its time is up, or a line says enough.
    fn follow(
        &self,
        child: &mut Child,
        mark: &str,
        end: Instant,
        mut take: impl FnMut(String) -> bool,
    ) -> io::Result<How> {
        let printed = printed_by(child);
        let (mut silent, mut looked) = (Duration::ZERO, Instant::now());
        loop {
            match printed.recv_timeout(LOOK) {
                Ok(line) => {
                    silent = Duration::ZERO;
                    if take(line) {
                        return Ok(How::Stopped);
                    }
                }
                Err(RecvTimeoutError::Disconnected) if wait_until(child, end)? => return how_of(child),
                Err(RecvTimeoutError::Disconnected) => return Ok(How::Late),
                Err(RecvTimeoutError::Timeout) => silent += LOOK,
            }
            if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            match child.try_wait()? {
                None if looked > end => return Ok(How::Late),
                None => {}
                Some(_) if silent > self.silence => return how_of(child),
                // What it has left may have its output, and is not waited for; what it has printed itself is read.
                Some(_) => family::end(mark)?,
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            // It ends by itself.
            let _ = watcher.wait();
        }
    }
}

/// Waits for the end of what `Runner::start` was called in, and ends what that has left.
pub fn watch(folder: &Path) -> ExitCode {
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    clear(folder);
    ExitCode::SUCCESS
}

/// Nobody is there to be told what does not work.
fn clear(folder: &Path) {
    let _ = family::end(&family::mark_of(folder));
    let _ = fs::remove_dir_all(folder);
}

fn keep(lines: &mut VecDeque<String>, line: String) {
    if lines.len() >= LINES_MAX {
        let is_result = |line: &String| line.starts_with("test ") && line.contains(" ... ");
        let at = lines.iter().position(|line| !is_result(line)).unwrap_or_default();
        lines.remove(at);
    }
    lines.push_back(line);
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
mod tests;
