//! Update-state functions: plain ones, and those that emit, wake and forget.

use tidemill_sdk::{
    prelude::*,
    testing::{self, Kit},
};

#[update_state]
fn total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    let total = total.unwrap_or(0) + new.iter().sum::<i64>();
    (total != 0).then_some(total)
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Click<'a> {
    page: &'a str,
    at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Session {
    pages: Vec<String>,
    last: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Record)]
struct Ended {
    user: String,
    pages: i64,
}

const GAP_MICROS: i64 = 10;

/// Sessions end after a gap.
#[update_state(version = 3)]
fn sessions(
    context: &Context,
    user: &str,
    new: Values<Click<'_>>,
    session: Option<Session>,
) -> Result<Update<Session, Ended>, String> {
    let mut session = session.unwrap_or(Session { pages: Vec::new(), last: Timestamp(0) });
    if context.cause().woken || context.cause().idle {
        return Ok(Update::delete().emit(Ended { user: user.to_owned(), pages: session.pages.len() as i64 }));
    }
    for click in new {
        if click.page.is_empty() {
            return Err(format!("{user} clicked on no page"));
        }
        session.pages.push(click.page.to_owned());
        session.last = click.at;
    }
    let end = session.last.plus_micros(GAP_MICROS);
    Ok(Update::put(session).wake_at(end))
}

#[update_state]
fn latest<'a>(new: Values<'a, &'a str>, old: Option<&'a str>) -> &'a str {
    new.last().or(old).unwrap_or("none")
}

#[update_state]
fn changes(new: Values<i64>, old: Option<i64>) -> Update<i64, i64> {
    match (new.last(), old) {
        (Some(new), Some(old)) if new == old => Update::keep(),
        (Some(last), _) => Update::put(last).emit_all(new.iter().rev()),
        (None, _) => Update::keep(),
    }
}

fn click(page: &'static str, micros: i64) -> Click<'static> {
    Click { page, at: Timestamp(micros) }
}

#[test]
fn signatures_say_what_is_kept_and_emitted() {
    for (signature, expect) in [
        (testing::signature::<total>(), "total(value: integer) [value: integer]"),
        (
            testing::signature::<sessions>(),
            "sessions(page: text, at: timestamp) [pages: list<text>, last: timestamp v3] -> user: text, pages: integer",
        ),
        (testing::signature::<latest>(), "latest(value: text) [value: text]"),
        (testing::signature::<changes>(), "changes(value: integer) [value: integer] -> value: integer"),
    ] {
        assert_eq!(signature, expect);
    }
}

#[test]
fn no_state_deletes_the_key() {
    let mut totals = testing::keyed::<total, _>();
    totals.batch([("a", 1), ("b", 2), ("a", 2)]).unwrap();
    assert_eq!(totals.states(), [("a", 3), ("b", 2)]);
    totals.batch([("a", -3)]).unwrap();
    assert_eq!((totals.states(), totals.state(&"a")), (vec![("b", 2)], None));
    totals.batch([("a", 4)]).unwrap();
    assert_eq!(totals.state(&"a"), Some(4));
}

#[test]
fn states_may_borrow_from_what_they_replace() {
    let mut pages = testing::keyed::<latest, _>();
    pages.batch([(1, "x"), (2, "y"), (1, "z")]).unwrap();
    pages.batch([(2, "w")]).unwrap();
    assert_eq!(pages.states(), [(1, "z"), (2, "w")]);
}

#[test]
fn a_session_wakes_at_its_end_and_emits() {
    let mut keyed = testing::keyed::<sessions, _>();
    keyed.at(Timestamp(0)).batch([("ann", click("a", 0)), ("bob", click("b", 3)), ("ann", click("c", 5))]).unwrap();
    let updated = keyed.at(Timestamp(13)).batch([]).unwrap();
    assert_eq!(updated.emitted(), [("bob", Ended { user: "bob".to_owned(), pages: 1 })]);
    let session = Session { pages: vec!["a".to_owned(), "c".to_owned()], last: Timestamp(5) };
    assert_eq!(keyed.states(), [("ann", session)]);
    let updated = keyed.idle(["ann"]).unwrap();
    assert_eq!(updated.emitted(), [("ann", Ended { user: "ann".to_owned(), pages: 2 })]);
    assert!(keyed.states().is_empty());
}

#[test]
fn an_error_rejects_the_rows_and_keeps_the_state() {
    let mut keyed = testing::keyed::<sessions, _>();
    keyed.batch([("ann", click("a", 0))]).unwrap();
    let updated = keyed.batch([("ann", click("b", 1)), ("bob", click("x", 1)), ("ann", click("", 2))]).unwrap();
    assert_eq!(updated.rejected(), ["ann clicked on no page"; 2]);
    assert_eq!(keyed.state(&"ann").unwrap().pages, ["a"]);
    assert_eq!(keyed.state(&"bob").unwrap().pages, ["x"]);
}

/// 1 sets an alarm, 0 changes nothing, -1 is rejected, another number cancels the alarm.
#[update_state]
fn alarm(context: &Context, new: Values<i64>, _set: Option<i64>) -> Result<Update<i64, bool>, String> {
    let update = match new.last() {
        Some(1) => Update::put(1).wake_at(Timestamp(10)),
        Some(-1) => return Err("minus one".to_owned()),
        Some(0) | None => Update::keep(),
        Some(number) => Update::put(number),
    };
    Ok(update.emit(context.cause().woken))
}

#[test]
fn a_key_that_is_kept_or_rejected_keeps_its_wake_up() {
    // At times 1, 10 and 11: whether the key is woken.
    for (before, at_ten, expect) in [
        (None, None, [None, Some(true), None]),
        (Some(0), None, [Some(false), Some(true), None]),
        (Some(-1), None, [None, Some(true), None]),
        (Some(2), None, [Some(false), None, None]),
        (None, Some(0), [None, Some(true), None]),
        (None, Some(-1), [None, None, Some(true)]),
    ] {
        let mut keyed = testing::keyed::<alarm, _>();
        keyed.at(Timestamp(0)).batch([("a", 1)]).unwrap();
        let woken = [(1, before), (10, at_ten), (11, None)].map(|(time, row)| {
            let updated = keyed.at(Timestamp(time)).batch(row.map(|row| ("a", row))).unwrap();
            updated.emitted().first().map(|(_, woken)| *woken)
        });
        assert_eq!(woken, expect, "{before:?} {at_ten:?}");
    }
}

#[test]
fn any_number_of_rows_is_emitted() {
    let mut keyed = testing::keyed::<changes, _>();
    let updated = keyed.batch([("a", 1), ("b", 5), ("a", 2), ("a", 3)]).unwrap();
    assert_eq!(updated.emitted(), [("a", 3), ("a", 2), ("a", 1), ("b", 5)]);
    let updated = keyed.batch([("a", 3), ("b", 6)]).unwrap();
    assert_eq!(updated.emitted(), [("b", 6)]);
}

#[test]
fn a_key_that_does_not_fit_is_told() {
    let mut keyed = Kit::new().keyed::<sessions, i64>();
    let failed = keyed.batch([(1, click("a", 0))]).unwrap_err();
    assert_eq!(failed.reason, "the function wants the key's field `user` to be text, and it is integer");
}
