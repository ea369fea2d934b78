//! Worker threads. Work is handed over whole and comes back whole, so that nothing is shared.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tidemill_model::{ports::Spawn, time::Timestamp};
use tidemill_plan::graph::NodeId;

use crate::{
    arrival::Arrived,
    failure::Cause,
    operators::SharedRows,
    pieces::Slice,
    task::{Left, Task, TaskFailure},
};

/// Fewer rows than this are not worth waking another thread for.
pub(crate) const ROWS_ALONE_MAX: usize = 4_096;

/// A task and what it is to do.
pub(crate) struct Job {
    pub(crate) task: Box<Task>,
    pub(crate) time: Timestamp,
    /// A source's chunks to push.
    pub(crate) chunks: Vec<Arrived>,
    /// Rows that other stages left, to push.
    pub(crate) rows: Vec<Slice>,
    /// The side inputs of the task's function, if it reads any.
    pub(crate) shared: Option<Arc<[SharedRows]>>,
    /// The batch ends: the sources that have none at this tick. `None`: it goes on.
    pub(crate) end: Option<Arc<[NodeId]>>,
    /// What was left until now.
    pub(crate) left: Vec<Left>,
    pub(crate) failure: Option<TaskFailure>,
}

impl Job {
    pub(crate) fn new(task: Box<Task>, time: Timestamp, end: Option<Arc<[NodeId]>>) -> Job {
        let (chunks, rows, left) = (Vec::new(), Vec::new(), Vec::new());
        Job { task, time, chunks, rows, shared: None, end, left, failure: None }
    }

    /// How much there is to do, as rows.
    fn work(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(Arrived::rows).sum();
        let at_end = if self.end.is_some() { self.task.work_at_end(self.time) } else { 0 };
        chunks + self.rows.iter().map(Slice::len).sum::<usize>() + at_end
    }

    fn run(&mut self) {
        let done = catch_unwind(AssertUnwindSafe(|| self.try_run()));
        self.failure = match done {
            Ok(result) => result.err(),
            Err(_) => {
                let cause = Box::new(Cause::Defect("a worker thread panicked".to_owned()));
                Some(TaskFailure { stream: self.task.name().to_owned(), cause, skips: false })
            }
        };
    }

    fn try_run(&mut self) -> Result<(), TaskFailure> {
        self.task.begin(self.time);
        self.shared.iter().for_each(|shared| self.task.share(shared));
        for arrived in self.chunks.drain(..) {
            self.task.push_chunk(&arrived)?;
        }
        for slice in self.rows.drain(..) {
            self.task.push_slice(&slice)?;
        }
        if let Some(absent) = &self.end {
            self.task.finish(absent)?;
        }
        self.left = self.task.leave();
        Ok(())
    }
}

/// The calling thread and so many others.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    /// Threads besides the calling one.
    others: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a job, or the end.
    work: Condvar,
    /// A job is done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Job)>,
    done: Vec<(usize, Job)>,
    ended: bool,
}

impl Pool {
    /// `workers` threads in all, the calling one among them; at least one.
    pub(crate) fn new(workers: usize, spawn: &dyn Spawn) -> Pool {
        let shared = Arc::new(Shared::default());
        let others = workers.saturating_sub(1);
        for number in 0..others {
            let shared = shared.clone();
            spawn.spawn(format!("worker-{}", number + 1), Box::new(move || shared.serve()));
        }
        Pool { shared, others }
    }

    /// Runs all jobs, and gives them back in their order.
    pub(crate) fn run(&self, mut jobs: Vec<Job>) -> Vec<Job> {
        let rows: usize = jobs.iter().map(Job::work).sum();
        if self.others == 0 || jobs.len() < 2 || rows < ROWS_ALONE_MAX {
            jobs.iter_mut().for_each(Job::run);
            return jobs;
        }
        let count = jobs.len();
        let mut state = self.shared.lock();
        state.waiting.extend(jobs.into_iter().enumerate());
        self.shared.work.notify_all();
        while let Some((place, mut job)) = state.waiting.pop_front() {
            drop(state);
            job.run();
            state = self.shared.lock();
            state.done.push((place, job));
        }
        while state.done.len() < count {
            state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut done = std::mem::take(&mut state.done);
        drop(state);
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, job)| job).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    fn serve(&self) {
        let mut state = self.lock();
        while !state.ended {
            match state.waiting.pop_front() {
                Some((place, mut job)) => {
                    drop(state);
                    job.run();
                    state = self.lock();
                    state.done.push((place, job));
                    self.done.notify_all();
                }
                None => state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// No job is lost when a thread panics while it holds the lock: it holds it only to move jobs.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
