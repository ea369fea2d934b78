//! What a task makes of steps that fail, and of batches that do not count. The steps are scripted.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Mutex;

use tidemill_model::{
    table::TableKind,
    testing::{Value, buffer_of},
    time::Interval,
};
use tidemill_plan::stages::{self, Input, StepKind};

use super::*;
use crate::pieces::{Cut, Pieces};

/// What steps were told, in order: the step's number and what.
type Told = Arc<Mutex<Vec<(usize, &'static str)>>>;

/// Hands rows on, and fails where the script says so.
struct Scripted {
    number: usize,
    told: Told,
    fails: Fails,
    /// Rejects a row whenever it is pushed to.
    rejects: bool,
    held: usize,
    tables: Vec<Table>,
}

impl Scripted {
    fn tell(&mut self, what: &'static str) -> Result<(), Cause> {
        self.told.lock().unwrap().push((self.number, what));
        self.fails.filter(|(when, _)| *when == what).map_or(Ok(()), |(_, cause)| Err(cause()))
    }
}

impl Operator for Scripted {
    fn begin(&mut self, _: &Batch) {
        self.held = 0;
        let _ = self.tell("begin");
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        self.tell("push")?;
        self.held += 10;
        if self.rejects {
            batch.rejections.add("stream", 1, "a reason");
        }
        out.push(batch, rows)
    }

    fn finish(&mut self, _: &mut Batch, _: &mut dyn Out) -> Result<(), Cause> {
        self.tell("finish")
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn lend(&mut self, tables: Vec<Table>) {
        self.tables = tables;
    }

    fn give_back(&mut self) -> Vec<Table> {
        std::mem::take(&mut self.tables)
    }
}

fn of_rows() -> Cause {
    Cause::Rows("odd rows".to_owned())
}

fn defect() -> Cause {
    Cause::Defect("odd".to_owned())
}

/// When a step fails, and why.
type Fails = Option<(&'static str, fn() -> Cause)>;

/// A task of three steps, each the parent of the next; `steps` says what becomes of a batch in which each fails.
fn task(steps: [(Then, Fails); 3], told: &Told) -> Task {
    let kind = StepKind::Part(NodeId(0), 0);
    let children = [vec![1], vec![2], vec![]];
    let shape = Stage {
        input: Input::Source(NodeId(0)),
        partitions: 1,
        shared: Vec::new(),
        order: Order::Partition,
        steps: children.map(|children| stages::Step { kind, leaves: None, children, beside: Vec::new() }).into(),
    };
    let batch = Batch::new(Interval::try_new(1_000).unwrap(), 0, 1);
    let operators = steps.into_iter().enumerate().map(|(number, (then, fails))| {
        let place = StepFacts { name: format!("step-{number}"), then, letters: None, needs: Vec::new() };
        let operator =
            Scripted { number, told: told.clone(), fails, rejects: number == 0, held: 0, tables: Vec::new() };
        (place, Box::new(operator) as Box<dyn Operator>)
    });
    Task::new(&shape, &"n: integer".parse().unwrap(), batch, operators.collect())
}

fn slice() -> Slice {
    let schema = "n: integer".parse().unwrap();
    let mut pieces = Pieces::new(&schema, Cut::Apart);
    let rows = buffer_of(&schema, &[vec![Value::Integer(1)]]);
    pieces.extend(Arrival::default(), &rows.with_columns(&rows.columns()), 1).unwrap();
    Slice::whole(pieces.take().map(|piece| (0, piece))).remove(0)
}

fn take(told: &Told) -> Vec<(usize, &'static str)> {
    std::mem::take(&mut *told.lock().unwrap())
}

/// A batch of a row, pushed twice.
fn run(task: &mut Task, time: i64) -> Result<(), TaskFailure> {
    task.begin(Timestamp(time));
    task.push_slice(&slice())?;
    task.begin(Timestamp(time + 1));
    task.push_slice(&slice())?;
    let absent: Arc<[NodeId]> = Arc::new([]);
    task.finish(&absent)
}

#[test]
fn who_fails_says_what_becomes_of_the_batch() {
    let all = [Then::Stop, Then::SkipBatch, Then::DeadLetter];
    for then in all.into_iter().flat_map(|a| all.into_iter().flat_map(move |b| all.map(|c| [a, b, c]))) {
        for failing in 0..3 {
            for when in ["push", "finish"] {
                for (cause, is_of_rows) in [(of_rows as fn() -> Cause, true), (defect, false)] {
                    let fails = |step| (step == failing).then_some((when, cause));
                    let told = Told::default();
                    let mut task = task([0, 1, 2].map(|step| (then[step], fails(step))), &told);
                    let failure = run(&mut task, 5).unwrap_err();
                    assert_eq!(failure.stream, format!("step-{failing}"), "{when}");
                    assert_eq!(failure.skips, is_of_rows && then[failing] == Then::SkipBatch, "{then:?} {failing}");
                    assert_eq!(failure.cause.to_string(), cause().to_string());
                }
            }
        }
    }
}

#[test]
fn a_batch_that_does_not_count_leaves_nothing_to_the_next() {
    let told = Told::default();
    // The last step fails, in every batch.
    let fails: Fails = Some(("finish", of_rows));
    let mut task = task([(Then::Stop, None), (Then::Stop, None), (Then::SkipBatch, fails)], &told);
    for time in [10, 20, 30] {
        assert_eq!(task.held_bytes(), 0, "before the batch {time}");
        assert!(run(&mut task, time).unwrap_err().skips);
        assert_eq!(task.batch.time, Timestamp(time), "a batch begins once");
        assert_eq!(task.batch.rejections.by_stream[0].count, 2, "of this batch alone");
        assert_eq!(task.held_bytes(), 60);
        task.abandon();
        assert_eq!(task.held_bytes(), 0, "nothing of the next batch");
        let steps = |what| [0, 1, 2].map(|number| (number, what));
        let push = steps("push");
        assert_eq!(take(&told), [steps("begin"), push, push, steps("finish")].concat());
    }
}

#[test]
fn a_batch_that_counts_is_said_to_every_step() {
    let told = Told::default();
    let mut task = task([Then::Stop; 3].map(|then| (then, None)), &told);
    for time in [10, 20, 30] {
        run(&mut task, time).unwrap();
        assert_eq!((task.batch.time, task.batch.rejections.by_stream[0].count), (Timestamp(time), 2));
        assert!(task.leave().is_empty());
        assert_eq!(task.held_bytes(), 0);
        let steps = |what| [0, 1, 2].map(|number| (number, what));
        let push = steps("push");
        assert_eq!(take(&told), [steps("begin"), push, push, steps("finish")].concat());
    }
}

#[test]
fn tables_go_to_the_steps_that_they_are_of_and_come_back_as_what_they_are() {
    let schema = |text: &str| text.parse().unwrap();
    let table = |rows: &str| Table::new(TableKind::Keyed, &schema(rows), 1);
    let mut task = task([Then::Stop; 3].map(|then| (then, None)), &Told::default());
    for _ in 0..2 {
        // The first has two, the last one; places are those of the store.
        task.lend(vec![(0, 7, table("a: integer")), (2, 3, table("b: integer")), (0, 9, table("c: integer"))]);
        let mut back = task.give_back();
        back.sort_by_key(|(_, place, _)| *place);
        let fields = |table: &Table| {
            ["a", "b", "c"].into_iter().find(|name| format!("{table:?}").contains(&format!("\"{name}\"")))
        };
        let told: Vec<_> = back.iter().map(|(step, place, table)| (*step, *place, fields(table))).collect();
        let expect = [(2, 3, "b"), (0, 7, "a"), (0, 9, "c")].map(|(step, place, field)| (step, place, Some(field)));
        assert_eq!(told, expect);
        assert!(task.give_back().is_empty(), "once");
    }
}
