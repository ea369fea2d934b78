//! The suite walks connectors of another crate than that of the program, through what is public alone; and it finds mistakes:
//! each of these connectors makes the one that it is told to make.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end at what it does not expect")]

mod counting;
mod remembering;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill_conform::check_samples;
use tidemill_plan::connector::Connectors;

static CONNECTORS: Connectors = &[&counting::COUNTING, &remembering::REMEMBERING];

/// What a walk says, if it says anything.
fn said(walk: impl FnOnce()) -> Option<String> {
    let reason = catch_unwind(AssertUnwindSafe(walk)).err()?;
    let text = reason.downcast_ref::<String>().cloned();
    text.or_else(|| reason.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

/// The walk says just what is wrong, and says nothing where nothing is.
#[track_caller]
fn finds(fault: &str, expect: &str, walk: impl FnOnce()) {
    let said = said(walk);
    match expect {
        "" => assert_eq!(said, None, "{fault}"),
        expect => assert!(said.as_ref().is_some_and(|said| said.contains(expect)), "{fault}: {expect}: {said:?}"),
    }
}

#[test]
fn a_table_without_samples_is_refused() {
    let refuses = |sources: &[_], sinks: &[_], expect| {
        finds("samples", expect, || check_samples(CONNECTORS, sources, sinks));
    };
    let (sources, sinks) = (counting::sources(""), remembering::sinks(""));
    refuses(&sources, &sinks, "");
    refuses(&[], &sinks, "the source `counting` has no sample");
    refuses(&sources, &[], "the sink `remembering` has no sample");
}
