//! How far something is, on stderr; and work on all cores.

use std::{
    collections::VecDeque,
    io::{IsTerminal, Write, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How often a line is written where none can be rewritten.
const PAUSE: Duration = Duration::from_secs(30);

/// A line that says how far something is.
pub struct Progress {
    what: &'static str,
    all: usize,
    done: usize,
    well: usize,
    start: Instant,
    told: Instant,
}

impl Progress {
    pub fn new(what: &'static str, all: usize) -> Progress {
        let now = Instant::now();
        Progress { what, all, done: 0, well: 0, start: now, told: now }
    }

    /// One more is done. A note has a line of its own, that stays.
    pub fn step(&mut self, note: &str, well: bool) {
        self.done += 1;
        self.well += usize::from(well);
        let seconds = self.start.elapsed().as_secs();
        let Progress { what, all, done, well, .. } = self;
        let line = format!("{what}: {done} of {all} done, {well} well, {} left, {seconds} s", *all - *done);
        let mut stderr = stderr().lock();
        // What cannot be written is not worth an end.
        let _ = if stderr.is_terminal() {
            let note = if note.is_empty() { String::new() } else { format!("{note}\n") };
            write!(stderr, "\r\x1b[K{note}{line}{}", if done == all { "\n" } else { "" })
        } else if !note.is_empty() || done == all || self.told.elapsed() > PAUSE {
            self.told = Instant::now();
            let note = if note.is_empty() { String::new() } else { format!("; {note}") };
            writeln!(stderr, "{line}{note}")
        } else {
            Ok(())
        };
    }
}

/// How many things are done at a time.
pub fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Does jobs on all cores; the function is told which worker it is. What comes of them is in the order of the jobs.
pub fn in_parallel<J: Send, R: Send>(
    jobs: Vec<J>,
    work: impl Fn(usize, J) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let queue: Mutex<VecDeque<(usize, J)>> = Mutex::new(jobs.into_iter().enumerate().collect());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..workers() {
            let (queue, results, work) = (&queue, &results, &work);
            scope.spawn(move || {
                while let Some((at, job)) = next(queue) {
                    let result = work(worker, job);
                    if result.is_err() {
                        lock(queue).clear();
                    }
                    lock(results).push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn next<J>(queue: &Mutex<VecDeque<J>>) -> Option<J> {
    lock(queue).pop_front()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn results_come_in_the_order_of_the_jobs() {
    let results = in_parallel((0..100).collect(), |_, job: u32| Ok(job * 2)).ok();
    assert_eq!(results, Some((0..100).map(|job| job * 2).collect()));
    assert!(in_parallel(vec![1, 2, 3], |_, job: u32| if job == 2 { anyhow::bail!("two") } else { Ok(job) }).is_err());
}
