//! Sums, honest and not, and texts that are joined.

use std::cell::RefCell;

use crate::{
    bindings::{
        host,
        operators::{Batch, CallContext, Failure, Phase},
    },
    columns::{batch, integers, read_integers, read_numbers, read_texts, text},
    table::opened,
    touchy, trouble,
};

thread_local! {
    static TOTALS: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
    static TEXTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What each row adds to a text, so many times.
const JOINED_CHARS: usize = 100;

pub(crate) fn call(
    context: &CallContext,
    phase: Phase,
    rows: &Batch,
    groups: &[u8],
    count: u32,
) -> Result<Batch, Failure> {
    match opened() {
        "reduce-loops" => trouble::loop_forever(),
        "joined" => return Ok(TEXTS.with_borrow_mut(|texts| joined(texts, context, phase, rows, groups, count))),
        "sum-flood" => trouble::flood(),
        "touchy-sum" => touchy::check_sum(phase, rows),
        "sum-counted" if phase == Phase::Combine => host::count("rows", rows.rows.into()),
        _ => {}
    }
    let streams = matches!(phase, Phase::Combine | Phase::Merge);
    if context.chunk == 0 || !streams {
        TOTALS.take();
    }
    let values = read_integers(&rows.columns[0]);
    TOTALS.with_borrow_mut(|totals| add(totals, phase, &values, &read_numbers(groups), count as usize));
    if streams && !context.last && opened() != "rows-early" {
        return Ok(batch(0, Vec::new()));
    }
    let mut totals = TOTALS.take();
    if opened() == "sum-counted" && phase == Phase::Combine && totals.contains(&666) {
        trouble::panic_aloud("a beast, late");
    }
    if opened() == "more-groups" {
        totals.push(0);
    }
    Ok(batch(totals.len() as u32, vec![integers(&totals)]))
}

fn add(totals: &mut Vec<i64>, phase: Phase, values: &[i64], groups: &[u32], count: usize) {
    totals.resize(count, 0);
    let mut seen = vec![false; count];
    for (&value, &group) in values.iter().zip(groups) {
        let group = group as usize;
        if opened() == "last" {
            totals[group] = value;
            continue;
        }
        let taken_out = phase == Phase::Subtract && std::mem::replace(&mut seen[group], true);
        totals[group] = if taken_out { totals[group].wrapping_sub(value) } else { totals[group].wrapping_add(value) };
    }
}

/// A character for each row, many times over; the host is told how many calls it takes to combine them.
fn joined(
    texts: &mut Vec<String>,
    context: &CallContext,
    phase: Phase,
    rows: &Batch,
    groups: &[u8],
    count: u32,
) -> Batch {
    if context.chunk == 0 {
        texts.clear();
    }
    texts.resize(count as usize, String::new());
    let groups = read_numbers(groups);
    if phase == Phase::Combine {
        host::count("calls", 1);
        for (value, &group) in read_integers(&rows.columns[0]).into_iter().zip(&groups) {
            texts[group as usize] += &value.rem_euclid(10).to_string().repeat(JOINED_CHARS);
        }
    } else {
        for (part, &group) in read_texts(&rows.columns[0]).into_iter().zip(&groups) {
            texts[group as usize] += part;
        }
    }
    if !context.last {
        return batch(0, Vec::new());
    }
    let texts = std::mem::take(texts);
    batch(count, vec![text(&texts.iter().map(String::as_str).collect::<Vec<_>>())])
}
