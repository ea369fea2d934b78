//! Functions that take most rows and stumble over some: what they do with a row stands in the row.

use std::cell::Cell;

use crate::{
    bindings::{
        data::Rejection,
        operators::{Batch, Changes, Failure, Mapped, Origins, Phase},
    },
    columns::{batch, numbers, read_integers, read_numbers, read_texts, text},
    trouble,
};

thread_local! {
    static CALLED: Cell<bool> = const { Cell::new(false) };
}

/// Lines as they are, but `panic`, `loop`, `fail` (for good) and `again` (perhaps not the next time) fail the call,
/// `tired` fails it unless it is the instance's first, and `reject` is rejected.
pub(crate) fn lines(rows: &Batch) -> Result<Mapped, Failure> {
    let was_called = CALLED.replace(true);
    let lines = read_texts(&rows.columns[0]);
    let failure = |reason: &str, retryable| Err(Failure { reason: reason.to_owned(), retryable });
    for &line in &lines {
        match line {
            "panic" => trouble::panic_aloud("a row says panic"),
            "loop" => trouble::loop_forever(),
            "fail" => return failure("a row says fail", false),
            "again" => return failure("a row says again", true),
            "tired" if was_called => trouble::panic_aloud("this instance is tired"),
            _ => {}
        }
    }
    let (rejected, taken): (Vec<u32>, Vec<u32>) = (0..rows.rows).partition(|&row| lines[row as usize] == "reject");
    let kept: Vec<&str> = taken.iter().map(|&row| lines[row as usize]).collect();
    let reject = |row| Rejection { row, reason: "a row says reject".to_owned() };
    Ok(Mapped {
        rows: batch(kept.len() as u32, vec![text(&kept)]),
        origins: Origins::Rows(numbers(&taken)),
        rejected: rejected.into_iter().map(reject).collect(),
    })
}

/// Before sums: 13 fails every call that adds it, 666 every call that merges it.
pub(crate) fn check_sum(phase: Phase, rows: &Batch) {
    let values = read_integers(&rows.columns[0]);
    match phase {
        Phase::Combine if values.contains(&13) => trouble::panic_aloud("unlucky"),
        Phase::Merge if values.contains(&666) => trouble::panic_aloud("a beast"),
        _ => {}
    }
}

/// Running totals in `changes`: a new 13 fails the call, 5 is rejected (and counted all the same), a key with 7 is called
/// again a second later, and a state of 7 without new rows fails the call.
pub(crate) fn totals(batch_time: i64, rows: &Batch, ends: &[u8], states: &Batch, changes: &mut Changes) {
    let values = read_integers(&rows.columns[0]);
    if values.contains(&13) {
        trouble::panic_aloud("unlucky");
    }
    let fives = (0u32..).zip(&values).filter(|(_, value)| **value == 5);
    changes.rejected = fives.map(|(row, _)| Rejection { row, reason: "a five".to_owned() }).collect();
    let (mut start, mut wake_at) = (0, Vec::new());
    for (end, state) in read_numbers(ends).into_iter().zip(read_integers(&states.columns[0])) {
        let news = &values[std::mem::replace(&mut start, end as usize)..end as usize];
        if news.is_empty() && state == 7 {
            trouble::panic_aloud("woken for nothing");
        }
        let at = if news.contains(&7) { batch_time + 1_000_000 } else { i64::MIN };
        wake_at.extend(at.to_le_bytes());
    }
    changes.wake_at = Some(wake_at);
}
