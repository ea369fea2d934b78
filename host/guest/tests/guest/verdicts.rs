//! Every way of misbehaving has its own verdict.

use std::sync::Arc;

use tidemill_guest::{Changes, Instance, Place, Plugin, UpdateCall, Verdict};
use tidemill_model::{
    function::{CallContext, FunctionKind, Phase},
    limits::{Limits, STACK_BYTES},
};

use crate::support::{Data, Lines, binding, chunk, only, open, plugin, plugin_with, quick_limits, unplaced};

/// Opens the function and calls it once in the way of its kind.
pub fn outcome(plugin: &Plugin, name: &str, context: &CallContext) -> Result<(), Verdict> {
    let mut instance = open(plugin, name)?;
    call(&mut instance, context)
}

pub fn call(instance: &mut Instance, context: &CallContext) -> Result<(), Verdict> {
    match instance.signature().kind {
        FunctionKind::Map => Data::lines(&["a", "b"]).with(|rows| instance.map_rows(context, &rows, &mut |_| {})),
        FunctionKind::Output => Data::lines(&["a"]).with(|rows| instance.output_rows(context, &rows, &mut |_| {})),
        FunctionKind::Reduce => Data::integers("value", &[1, 2])
            .with(|rows| instance.reduce_groups(context, Phase::Combine, &rows, &[0, 1], 2, &mut |_| {})),
        FunctionKind::UpdateState => update(instance, context, &mut |_| {}),
    }
}

fn update(instance: &mut Instance, context: &CallContext, consume: &mut dyn FnMut(Changes<'_>)) -> Result<(), Verdict> {
    let (keys, values) = (Data::integers("key", &[7, 8]), Data::integers("value", &[1, 2]));
    let states = Data::integers("total", &[0, 0]);
    keys.with(|keys| {
        values.with(|rows| {
            states.with(|states| {
                let call = UpdateCall { keys, rows, ends: &[1, 2], states, present: &[0, 0], causes: &[1, 1] };
                instance.update_states(context, &call, consume)
            })
        })
    })
}

#[track_caller]
fn check(name: &str, expect: &Verdict) {
    check_with(&plugin(), name, &only(), expect);
}

#[track_caller]
fn check_with(plugin: &Plugin, name: &str, context: &CallContext, expect: &Verdict) {
    assert_eq!(unplaced(outcome(plugin, name, context)).as_ref(), Err(expect), "{name}");
}

fn line() -> String {
    "line".to_owned()
}

#[test]
fn guests_that_do_not_come_back() {
    let limits = Limits { fuel_per_call: 1_000_000, fuel_per_row: 500, ..quick_limits() };
    let frugal = plugin_with(&limits);
    let no_fuel = |rows| Verdict::OutOfFuel { per_call: 1_000_000, per_row: 500, rows, at: Place::default() };
    check_with(&frugal, "loop-forever", &only(), &no_fuel(2));
    check_with(&frugal, "loops-in-open", &only(), &no_fuel(0));
    check_with(&frugal, "reduce-loops", &only(), &no_fuel(4));
    check("memory-bomb", &Verdict::OutOfMemory { limit: 64 << 20, at: Place::default() });
    check("deep-recursion", &Verdict::StackOverflow { limit: STACK_BYTES, at: Place::default() });
    check("panics", &Verdict::Panicked { message: "the sky fell at src/sky.rs:7:1".to_owned(), at: Place::default() });
    let trap = || Verdict::Trapped {
        reason: "wasm trap: wasm `unreachable` instruction executed".to_owned(),
        at: Place::default(),
    };
    check("traps", &trap());
    check("traps-in-open", &trap());
    check("traps-after", &trap());
}

#[test]
fn a_guest_that_fails_says_why() {
    let failure = |retryable| Verdict::Failure { reason: "it is\\nTuesday".to_owned(), retryable };
    check_with(&plugin(), "fails", &chunk(0, true), &failure(true));
    check_with(&plugin(), "fails", &chunk(0, false), &failure(false));
}

#[test]
fn answers_that_are_too_much() {
    check("huge-result", &Verdict::ResultTooLarge { limit: 32 << 20 });
    check("too-many-rows", &Verdict::TooManyRows { limit: 4 << 20, got: 5 << 20 });
    check("too-many-rejections", &Verdict::TooManyRejections { limit: 500, got: 1_000 });
    check("many-counters", &Verdict::TooManyCounters { limit: 256 });
    check("unnamed-counter", &Verdict::WrongCounter { name: String::new() });
}

#[test]
fn columns_that_are_not_what_was_agreed() {
    let schema = |got| Verdict::WrongSchema { expected: "line: text".to_owned(), expected_columns: 1, got };
    check("missing-columns", &schema(0));
    check("more-columns", &schema(2));
    check("lying-rows", &Verdict::WrongLayout { column: line(), buffer: "offsets", expected: 32, got: 8 });
    let offsets = |what| Verdict::WrongOffsets { column: line(), what };
    check("offsets-begin", &offsets("do not begin at 0"));
    check("offsets-descend", &offsets("descend"));
    check("offsets-end", &offsets("do not end where the values end"));
    check("offsets-huge", &offsets("descend"));
    check("values-long", &offsets("do not end where the values end"));
    check("bad-utf8", &Verdict::WrongUtf8 { column: line(), what: "it holds bytes that are no text" });
    check("cut-character", &Verdict::WrongUtf8 { column: line(), what: "a value is cut inside a character" });
    check("validity-unasked", &Verdict::WrongValidity { column: line() });
    check("outside-memory", &Verdict::ResultOutsideMemory);
}

#[test]
fn rows_that_were_not_given() {
    let origins = |what, rows| Verdict::OriginsOutOfRange { what, rows, input_rows: 2 };
    check("origins-beyond", &origins("a row that was not given", 1));
    check("origins-short", &origins("not one for each row", 1));
    check("origins-odd", &origins("not a whole number of numbers", 1));
    check("same-but-fewer", &origins("`same` with another number of rows", 0));
    check("rejects-beyond", &Verdict::RejectionOutOfRange { row: 2, input_rows: 2 });
    check("rejects-no-row", &Verdict::RejectionOutOfRange { row: 2, input_rows: 2 });
}

#[test]
fn open_must_answer_with_what_was_described() {
    let wrong = |what: &str| Verdict::WrongSignature { what: what.to_owned() };
    check("other-name", &wrong("it is `identity` (map), not `other-name` (map)"));
    check("other-output", &wrong("the output is `line: text, more: integer`, described as `line: text`"));
    check("open-types", &wrong("the output `line: any` has types that are not settled"));
    check(
        "bad-types",
        &wrong("function `bad-types`: output: the type of `line`: expected the end at character 5 of `text<`"),
    );
    let plugin = plugin();
    let mut refused = binding(&plugin, "refuses-open");
    refused.parameters = vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
    let expect = Verdict::OpenFailed { reason: "not with a=1 b=2".to_owned(), retryable: false };
    assert_eq!(plugin.open(&refused).err(), Some(expect));
    let mut unfit = binding(&plugin, "identity");
    unfit.input = "line: integer".parse().unwrap();
    assert_eq!(plugin.open(&unfit).err(), Some(wrong("the input is `line: text`, bound to `line: integer`")));
    let functions = plugin.description().functions.len();
    unfit.function = functions;
    assert_eq!(plugin.open(&unfit).err(), Some(Verdict::NoSuchFunction { function: functions, functions }));
    let wide = "function `wide-types`: output: 4411 columns, those inside lists and records included, limit=4096";
    check("wide-types", &wrong(wide));
}

#[test]
fn groups_of_reduces_and_updates() {
    check("more-groups", &Verdict::WrongGroups { expected: 2, got: 3 });
    check_with(&plugin(), "rows-early", &chunk(0, false), &Verdict::RowsBeforeLast { rows: 2, columns: 1 });
    let actions = |what, got| Verdict::WrongActions { what, got, groups: 2 };
    check("action-three", &actions("one is none of 0, 1 and 2", 2));
    check("few-actions", &actions("not one for each group", 1));
    check("few-states", &Verdict::WrongGroups { expected: 2, got: 1 });
    check("short-wake", &Verdict::WrongWakeTimes { expected: 16, got: 7 });
    let emitted = |what, rows| Verdict::EmittedOutOfRange { what, rows, groups: 2 };
    check("emits-untyped", &emitted("rows from a function whose output has no fields", 1));
    check("emits-beyond", &emitted("a group that was not given", 1));
    check("emits-more", &emitted("more rows than groups", 3));
    check("emits-odd", &emitted("not a whole number of numbers", 1));
}

#[test]
fn migrations_that_lie_or_do_not_come_back() {
    let limits = Limits { fuel_per_call: 1_000_000, fuel_per_row: 500, ..quick_limits() };
    check_migration(
        "migrate-loops",
        &limits,
        &Verdict::OutOfFuel { per_call: 1_000_000, per_row: 500, rows: 2, at: Place::default() },
    );
    let check = |name: &str, expect: &Verdict| check_migration(name, &quick_limits(), expect);
    check("migrate-few", &Verdict::WrongStates { expected: 2, got: 1 });
    let expected = "total: integer".to_owned();
    check("migrate-more-columns", &Verdict::WrongSchema { expected, expected_columns: 1, got: 2 });
    check(
        "migrate-bad-text",
        &Verdict::WrongUtf8 { column: "was".to_owned(), what: "it holds bytes that are no text" },
    );
    let reason = "no way from version 1 of count: integer".to_owned();
    check("migrate-fails", &Verdict::Failure { reason, retryable: false });
    check("migrate-panics", &Verdict::Panicked { message: "what was that".to_owned(), at: Place::default() });
    check("migrate-huge-result", &Verdict::ResultTooLarge { limit: quick_limits().result_bytes });
}

#[track_caller]
fn check_migration(name: &str, limits: &Limits, expect: &Verdict) {
    let mut instance = open(&plugin_with(limits), name).unwrap();
    let called = Data::integers("count", &[7, 8]).with(|states| instance.migrate_states(1, &states, &mut |_| {}));
    assert_eq!(unplaced(called).as_ref(), Err(expect), "{name}");
    assert_eq!(call(&mut instance, &only()), Err(Verdict::Poisoned), "{name}");
}

#[test]
fn after_an_error_an_instance_refuses() {
    for name in ["traps", "fails", "bad-utf8", "huge-result"] {
        let mut instance = open(&plugin(), name).unwrap();
        call(&mut instance, &only()).unwrap_err();
        assert_eq!(call(&mut instance, &only()), Err(Verdict::Poisoned), "{name}");
        assert_eq!(instance.take_counters(), [], "{name}");
    }
}

#[test]
fn a_consumer_that_panics_leaves_a_refusing_instance() {
    let mut instance = open(&plugin(), "identity").unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Data::lines(&["a"])
            .with(|rows| instance.map_rows(&only(), &rows, &mut |_| std::panic::resume_unwind(Box::new(()))))
    }));
    assert!(panicked.is_err());
    assert_eq!(call(&mut instance, &only()), Err(Verdict::Poisoned));
    // And the next call on this thread finds everything in its place.
    outcome(&plugin(), "identity", &only()).unwrap();
}

#[test]
fn an_allocator_that_lies_is_caught_at_the_next_call() {
    let mut instance = open(&plugin(), "bad-allocator").unwrap();
    let first = call(&mut instance, &only());
    let second = call(&mut instance, &only());
    assert!(first.is_err() || second.is_err(), "{first:?} {second:?}");
}

#[test]
fn logs_are_cut_cleaned_and_bounded() {
    let lines = Lines::new();
    let limits = Limits { log_lines_per_batch: 3, log_line_bytes: 10, ..quick_limits() };
    let noisy = plugin_with(&limits).with_log(lines.clone());
    outcome(&noisy, "log-flood", &only()).unwrap();
    assert_eq!(
        lines.take(),
        [
            "hostile/log-flood info: flood xxxx",
            "hostile/log-flood info: flood xxxx",
            "hostile/log-flood info: flood xxxx",
            "hostile/log-flood warn: dropped 997 more log lines of a batch that had 3",
        ]
    );
    let odd = plugin().with_log(lines.clone());
    outcome(&odd, "odd-log", &only()).unwrap();
    assert_eq!(lines.take(), ["hostile/odd-log warn: \\u{1b}[2Jcleared\\nthe screen"]);
}

#[test]
fn instances_share_a_log_of_so_many_lines_a_batch() {
    let lines = Lines::new();
    let limits = Limits { log_lines_per_batch: 5, log_line_bytes: 5, ..quick_limits() };
    let noisy = plugin_with(&limits).with_log(lines.clone());
    let log = Arc::new(noisy.log("log-flood", "place:"));
    let flood = || noisy.open_with_log(&binding(&noisy, "log-flood"), &log).unwrap();
    let mut instances = [flood(), flood()];
    for batch in 1..3 {
        instances.iter_mut().for_each(|instance| call(instance, &only()).unwrap());
        // An instance that was opened in the middle of a batch finds no room either.
        call(&mut flood(), &only()).unwrap();
        assert_eq!(lines.take(), ["place:hostile/log-flood info: flood"; 5]);
        // Every instance's owner says that the next batch begins.
        (0..2).for_each(|_| log.begin_batch(batch));
        assert_eq!(lines.take(), ["place:hostile/log-flood warn: dropped 2995 more log lines of a batch that had 5"]);
    }
    drop((instances, log));
    assert!(lines.take().is_empty(), "the last batch dropped nothing");
}

#[test]
fn a_log_line_costs_fuel() {
    // A thousand lines are some ten thousand instructions of the guest's own.
    let limits = Limits { fuel_per_call: 1_000_000, fuel_per_row: 0, ..quick_limits() };
    check_with(
        &plugin_with(&limits),
        "log-flood",
        &only(),
        &Verdict::OutOfFuel { per_call: 1_000_000, per_row: 0, rows: 2, at: Place::default() },
    );
}

#[test]
fn a_guest_that_leaks_ends_at_its_own_limit() {
    let mut leaking = open(&plugin(), "leaks").unwrap();
    let failed = std::iter::repeat_with(|| call(&mut leaking, &only())).take(100).position(|outcome| outcome.is_err());
    assert!(failed.is_some_and(|calls| calls > 50), "{failed:?}");
    assert_eq!(call(&mut leaking, &only()), Err(Verdict::Poisoned));
}

#[test]
fn instances_are_bounded() {
    use tidemill_guest::{Runtime, RuntimeSettings};
    let cache = Some(crate::support::guests_folder().join("compiled"));
    let small = Runtime::try_new(&RuntimeSettings { instances_max: 2, cache, ..RuntimeSettings::default() }).unwrap();
    let plugin = small.load("hostile", crate::support::hostile(), &quick_limits()).unwrap();
    let held = [open(&plugin, "identity").unwrap(), open(&plugin, "identity").unwrap()];
    assert_eq!(open(&plugin, "identity").err(), Some(Verdict::NoInstanceLeft));
    drop(held);
    outcome(&plugin, "identity", &only()).unwrap();
}
