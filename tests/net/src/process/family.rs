//! All that a program has started, in whatever group of processes, found in /proc: by a mark in the environment, which
//! stays when those have ended that started it, and by whose child it is.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The environment variable with the mark.
pub const MARK: &str = "TIDEMILL_NET_RUN";

/// How long it may take until a killed process is no more; one that waits for a disk may take for ever.
const END_MAX: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// The mark of a folder; those of folders in it begin with it.
pub fn mark_of(folder: &Path) -> String {
    format!("{}/", folder.display())
}

/// Ends all processes whose mark begins so, and their children and theirs.
pub fn end(mark: &str) -> io::Result<()> {
    let mut found = BTreeSet::new();
    loop {
        let new: Vec<u32> = members(&processes()?, mark).into_iter().filter(|id| found.insert(*id)).collect();
        if new.is_empty() {
            break;
        }
        // What is stopped starts nothing more: when nothing new is found, there is nothing else.
        signal("STOP", new)?;
    }
    if found.is_empty() {
        return Ok(());
    }
    signal("KILL", found.iter().copied())?;
    let until = Instant::now() + END_MAX;
    while processes()?.iter().any(|process| found.contains(&process.id)) && Instant::now() < until {
        thread::park_timeout(LOOK);
    }
    Ok(())
}

/// By the shell, which has the command in it. One that has ended meanwhile is ended.
fn signal(name: &str, ids: impl IntoIterator<Item = u32>) -> io::Result<()> {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    let command = format!("kill -s {name} {}", ids.join(" "));
    Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status().map(|_| ())
}

/// A process that lives.
#[derive(Debug)]
struct Process {
    id: u32,
    parent: u32,
    mark: Option<String>,
}

/// The marked ones and all below them.
fn members(processes: &[Process], mark: &str) -> BTreeSet<u32> {
    let is_marked = |process: &&Process| process.mark.as_ref().is_some_and(|own| own.starts_with(mark));
    let mut members: BTreeSet<u32> = processes.iter().filter(is_marked).map(|process| process.id).collect();
    loop {
        let below = processes.iter().filter(|process| members.contains(&process.parent)).map(|process| process.id);
        let new: Vec<u32> = below.filter(|id| !members.contains(id)).collect();
        if new.is_empty() {
            return members;
        }
        members.extend(new);
    }
}

fn processes() -> io::Result<Vec<Process>> {
    let ids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Ok(ids.filter_map(process).collect())
}

/// What /proc says of a process, unless it has ended.
fn process(id: u32) -> Option<Process> {
    let until = Instant::now() + END_MAX;
    loop {
        // The environment of another user's process cannot be read, and it is not one of those that are looked for.
        let environment = fs::read(format!("/proc/{id}/environ"));
        let status = Status::read_in(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
        if environment.as_ref().is_ok_and(Vec::is_empty) && status.has_environment() && Instant::now() < until {
            thread::park_timeout(LOOK / 10);
            continue;
        }
        let mark = mark_in(&environment.unwrap_or_default());
        return Some(Process { id, parent: status.parent, mark });
    }
}

fn mark_in(environment: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(environment);
    let mark = text.split('\0').find_map(|variable| variable.strip_prefix(MARK)?.strip_prefix('='));
    mark.map(str::to_owned)
}

/// What is asked of a line of /proc/ID/stat (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Status {
    parent: u32,
    /// Of its memory, in bytes. A process of the kernel has none.
    size: u64,
    /// Where its environment begins and ends. Both are 0 while a program is made ready to run in its process: it has none
    /// to be read yet, but will have.
    environment: (u64, u64),
}

impl Status {
    /// Of a process that has not ended. Its name, in brackets, may have anything in it.
    fn read_in(line: &str) -> Option<Status> {
        let (_, behind) = line.rsplit_once(')')?;
        // From the third on.
        let words: Vec<&str> = behind.split_whitespace().collect();
        let number = |nth: usize| words.get(nth - 3).and_then(|word| word.parse::<u64>().ok());
        words.first().filter(|state| !["Z", "X"].contains(*state))?;
        let environment = (number(50).unwrap_or_default(), number(51).unwrap_or_default());
        Some(Status { parent: words.get(1)?.parse().ok()?, size: number(23).unwrap_or_default(), environment })
    }

    /// Whether there is something in it, or will be.
    fn has_environment(&self) -> bool {
        let (begin, end) = self.environment;
        self.size > 0 && (end == 0 || begin < end)
    }
}

#[test]
fn the_marked_and_those_below_them_are_found() {
    let process = |id, parent, mark: Option<&str>| Process { id, parent, mark: mark.map(str::to_owned) };
    let processes = [
        process(9, 7, None),
        process(1, 0, None),
        process(5, 1, Some("/a/1/")),
        process(7, 5, None),
        process(8, 1, Some("/a/1/")),
        process(10, 1, Some("/a/10/")),
        process(11, 1, None),
    ];
    assert_eq!(members(&processes, "/a/1/").into_iter().collect::<Vec<_>>(), [5, 7, 8, 9]);
    assert_eq!(members(&processes, "/a/").into_iter().collect::<Vec<_>>(), [5, 7, 8, 9, 10]);
    assert!(members(&processes, "/b/").is_empty());
}

#[test]
fn a_status_is_read() {
    let parent = |line: &str| Status::read_in(line).map(|status| status.parent);
    assert_eq!(parent("12 (a name) of) S 7 12 12 0 -1"), Some(7));
    assert_eq!(parent("12 (sh) Z 7 12 12 0 -1"), None);
    assert_eq!(parent(""), None);
    let line = |size: u64, begin: u64, end: u64| {
        format!("12 (sh) R 7{} {size}{} {begin} {end} 0", " 1".repeat(18), " 2".repeat(26))
    };
    let status = |size, begin, end| Status::read_in(&line(size, begin, end)).expect("a status");
    assert_eq!(status(3, 4, 5), Status { parent: 7, size: 3, environment: (4, 5) });
    assert!(status(3, 4, 5).has_environment());
    // Nothing is in it; it is not made yet; a process of the kernel.
    assert!(!status(3, 4, 4).has_environment());
    assert!(status(3, 0, 0).has_environment());
    assert!(!status(0, 0, 0).has_environment());
}
