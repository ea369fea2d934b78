//! Who does the work: other threads where there is much of it, the calling one alone where there is little.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

use std::{
    collections::HashSet,
    thread::{self, ThreadId},
    time::Duration,
};

use tidemill_model::{
    columns::Rows,
    testing::{Value, buffer_of, within},
    time::Interval,
};
use tidemill_plan::{
    graph::Then,
    stages::{self, Input, Order, Stage, StepKind},
};

use super::*;
use crate::{
    arrival::Arrival,
    operators::{Batch, Operator, Out},
    pieces::{Cut, Pieces},
    task::StepFacts,
};

/// How often it is looked whether all have come, and how long between two looks: two minutes, in which a busy machine begins
/// a thread.
const LOOKS: u32 = 1_200;
const PAUSE: Duration = Duration::from_millis(100);

struct Threads;

impl Spawn for Threads {
    fn spawn(&self, name: String, work: Box<dyn FnOnce() + Send>) {
        thread::Builder::new().name(name).spawn(work).unwrap();
    }
}

/// Who came, and how many must have come before anybody goes on.
struct Meeting {
    came: Mutex<Vec<ThreadId>>,
    changed: Condvar,
    count: usize,
}

/// Waits for the others of the meeting: with rows, or when the batch ends if there is work then.
struct Meets {
    meeting: Arc<Meeting>,
    work_at_end: usize,
}

impl Meets {
    fn meet(&self) -> Result<(), Cause> {
        let mut came = self.meeting.came.lock().unwrap();
        came.push(thread::current().id());
        self.meeting.changed.notify_all();
        for _ in 0..LOOKS {
            if came.len() >= self.meeting.count {
                return Ok(());
            }
            came = self.meeting.changed.wait_timeout(came, PAUSE).unwrap().0;
        }
        Err(Cause::Defect("nobody else comes".to_owned()))
    }
}

impl Operator for Meets {
    fn push(&mut self, _: &mut Batch, _: &Rows<'_>, _: &mut dyn Out) -> Result<(), Cause> {
        self.meet()
    }

    fn finish(&mut self, _: &mut Batch, _: &mut dyn Out) -> Result<(), Cause> {
        if self.work_at_end > 0 { self.meet() } else { Ok(()) }
    }

    fn work_at_end(&self, _: Timestamp) -> usize {
        self.work_at_end
    }
}

/// What a job has to do: rows to push, and work when its batch ends.
type Work = (usize, usize);

fn job(partition: u32, (rows, work_at_end): Work, meeting: &Arc<Meeting>) -> Job {
    let schema = "n: integer".parse().unwrap();
    let shape = Stage {
        input: Input::Source(NodeId(0)),
        partitions: 1,
        shared: Vec::new(),
        order: Order::Partition,
        steps: vec![stages::Step {
            kind: StepKind::Part(NodeId(0), 0),
            leaves: None,
            children: Vec::new(),
            beside: Vec::new(),
        }],
    };
    let batch = Batch::new(Interval::try_new(1_000).unwrap(), partition, 2);
    let place = StepFacts { name: format!("job-{partition}"), then: Then::Stop, letters: None, needs: Vec::new() };
    let operators = vec![(place, Box::new(Meets { meeting: meeting.clone(), work_at_end }) as Box<dyn Operator>)];
    let mut job = Job::new(Box::new(Task::new(&shape, &schema, batch, operators)), Timestamp(0), Some(Arc::new([])));
    let mut pieces = Pieces::new(&schema, Cut::Apart);
    let buffer = buffer_of(&schema, &vec![vec![Value::Integer(1)]; rows]);
    pieces.extend(Arrival::default(), &buffer.with_columns(&buffer.columns()), rows).unwrap();
    job.rows = Slice::whole(pieces.take().map(|piece| (0, piece)));
    job
}

/// Runs jobs with so many rows each, of which `count` must be at work at once; gives the threads that were, and whether the
/// calling one alone was.
#[track_caller]
fn run(workers: usize, work: &[Work], count: usize) -> (usize, bool) {
    let work = work.to_vec();
    within("jobs meet", move || {
        let meeting = Arc::new(Meeting { came: Mutex::default(), changed: Condvar::new(), count });
        let jobs = work.iter().zip(0..).map(|(&work, partition)| job(partition, work, &meeting)).collect();
        let done = Pool::new(workers, &Threads).run(jobs);
        let names: Vec<&str> = done.iter().map(|job| job.task.name()).collect();
        let expect: Vec<String> = (0..work.len()).map(|partition| format!("job-{partition}")).collect();
        assert_eq!(names, expect, "jobs come back in their order");
        assert!(done.iter().all(|job| job.failure.is_none()), "jobs that are to meet do");
        let came: HashSet<ThreadId> = meeting.came.lock().unwrap().iter().copied().collect();
        (came.len(), came.contains(&thread::current().id()) && came.len() == 1)
    })
}

#[test]
fn much_work_is_done_by_all() {
    assert_eq!(run(2, &[(ROWS_ALONE_MAX - 1, 0), (1, 0)], 2), (2, false));
    assert_eq!(run(2, &[(ROWS_ALONE_MAX / 2, 0), (ROWS_ALONE_MAX / 2, 0)], 2), (2, false));
    assert_eq!(run(3, &[(ROWS_ALONE_MAX, 0); 3], 3), (3, false));
    // Nothing is pushed any more, and much was before.
    assert_eq!(run(2, &[(0, ROWS_ALONE_MAX - 1), (0, 1)], 2), (2, false));
}

#[test]
fn little_work_and_one_job_are_done_by_the_calling_thread() {
    assert_eq!(run(2, &[(ROWS_ALONE_MAX - 2, 0), (1, 0)], 1), (1, true));
    assert_eq!(run(2, &[(0, ROWS_ALONE_MAX - 2), (0, 1)], 1), (1, true));
    assert_eq!(run(2, &[(ROWS_ALONE_MAX, 0)], 1), (1, true));
    assert_eq!(run(1, &[(ROWS_ALONE_MAX, 0), (ROWS_ALONE_MAX, 0)], 1), (1, true));
}
