//! Sums, honest and not.

use std::cell::RefCell;

use crate::{
    bindings::{
        host,
        operators::{Batch, CallContext, Failure, Phase},
    },
    columns::{batch, integers, read_integers, read_numbers},
    table::opened,
    touchy, trouble,
};

thread_local! {
    static TOTALS: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn call(
    context: &CallContext,
    phase: Phase,
    rows: &Batch,
    groups: &[u8],
    count: u32,
) -> Result<Batch, Failure> {
    if opened() == "reduce-loops" {
        trouble::loop_forever();
    }
    match opened() {
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
