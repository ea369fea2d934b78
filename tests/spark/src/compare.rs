//! What is expected, and what came.

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    case::{Batches, Case, Compare},
    compile::Compiled,
    run::Outcome,
};

/// Whether a run came out as its case says; why not.
pub fn check(case: &Case, compiled: &Compiled, outcome: &Outcome) -> Result<()> {
    let expects_failure = case.expected_error.is_some();
    match (&outcome.error, &case.expected_output_batches) {
        (Some(error), _) if !expects_failure => bail!("it failed: {error}"),
        (None, None) if expects_failure => bail!("it should have failed"),
        (None, Some(_)) if expects_failure => {
            let is_skipped = outputs(case, compiled, outcome, "out").contains(&None);
            ensure!(is_skipped, "no batch has failed");
        }
        _ => {}
    }
    if let Some(expected) = &case.expected_output_batches {
        let got = outputs(case, compiled, outcome, "out");
        same(case, expected, got)?;
    }
    if let Some(expected) = &case.expected_state_batches {
        let got = outputs(case, compiled, outcome, "states");
        // Fewer than there are ticks are those that there may be.
        let is_each = expected.len() == got.len() && case.compare != Compare::SubsetLast;
        let compare = if is_each { Compare::Set } else { Compare::SubsetLast };
        same(&Case { compare, drop_empty: false, ..case.clone() }, expected, got)?;
    }
    check_numbers(case, outcome)
}

/// What an output has got at each tick: nothing where its stream has no batch.
fn outputs(case: &Case, compiled: &Compiled, outcome: &Outcome, output: &str) -> Batches {
    let interval = case.params.batch_interval_ms as i64;
    let at = |tick: i64| outcome.log.get(&(output.to_owned(), tick * interval)).cloned();
    if let Some((from, to)) = compiled.slice {
        // Times between two slides stand for the one before them.
        let slide = case.pipeline.iter().filter_map(|step| step.slide_ms).max().map_or(interval, |slide| slide as i64);
        let tick = |time: i64| time.div_euclid(slide) * slide / interval;
        return vec![Some((tick(from)..=tick(to)).filter_map(at).flatten().collect())];
    }
    (1..=case.ticks() as i64).map(at).collect()
}

fn same(case: &Case, expected: &Batches, got: Batches) -> Result<()> {
    let flat = |batches: &Batches| -> Vec<Value> { batches.iter().flatten().flatten().cloned().collect() };
    if case.is_flat() {
        let (expected, got) = (flat(expected), flat(&got));
        let (expected, got) = (comparable(case, &expected), comparable(case, &got));
        ensure!(expected == got, "{} were expected, and {} came", json!(expected), json!(got));
        return Ok(());
    }
    let got = lined_up(case, expected, got);
    if case.compare == Compare::SubsetLast {
        let (last, all) = (expected.last(), comparable_all(case, expected));
        let is_among = comparable_all(case, &got).iter().all(|batch| all.contains(batch));
        let is_last = comparable_all(case, &got).last() == all.last() || last.is_none();
        ensure!(is_among && is_last, "some of {} were expected, and {} came", json!(expected), json!(got));
        return Ok(());
    }
    let is_same = comparable_all(case, expected) == comparable_all(case, &got);
    ensure!(is_same, "{} were expected, and {} came", json!(expected), json!(got));
    Ok(())
}

/// The batches that count: an output that has none at a tick has none to expect, unless what is expected says that there is none.
fn lined_up(case: &Case, expected: &Batches, got: Batches) -> Batches {
    if case.drop_empty {
        let filled = got.into_iter().filter(|batch| batch.as_ref().is_some_and(|batch| !batch.is_empty()));
        return filled.take(expected.len()).collect();
    }
    let there: Batches = got.iter().filter(|batch| batch.is_some()).cloned().collect();
    if there.len() == expected.len() { there } else { got }
}

fn comparable_all(case: &Case, batches: &Batches) -> Vec<Vec<Value>> {
    batches.iter().map(|batch| comparable(case, batch.as_deref().unwrap_or_default())).collect()
}

fn comparable(case: &Case, values: &[Value]) -> Vec<Value> {
    let mut values = values.to_vec();
    if case.compare == Compare::SetValuesUnordered {
        values.iter_mut().for_each(sort_lists);
    }
    if !matches!(case.compare, Compare::List | Compare::ListFlat) {
        sort(&mut values);
    }
    values
}

fn sort(values: &mut [Value]) {
    values.sort_by_cached_key(Value::to_string);
}

/// The values of a pair have no order.
fn sort_lists(pair: &mut Value) {
    if let Some(Value::Array(values)) = pair.get_mut(1) {
        sort(values);
    }
}

fn check_numbers(case: &Case, outcome: &Outcome) -> Result<()> {
    // A run that goes on when all is done has a batch more.
    let last = case.ticks() as i64 * case.params.batch_interval_ms as i64;
    let of = |name: &str| -> Vec<&Vec<Value>> {
        let batches = outcome.log.iter().filter(|((output, time), _)| output == name && *time <= last);
        batches.map(|(_, values)| values).collect()
    };
    let out = of("out");
    let values: usize = out.iter().map(|batch| batch.len()).sum();
    if let Some(expected) = case.params.expected_partitions {
        let got: Vec<usize> = of("partitions").iter().map(|batch| batch.len()).collect();
        ensure!(got.iter().all(|parts| *parts == expected), "{expected} partitions were expected, and {got:?} came");
    }
    if let Some(expected) = case.params.expected_total {
        let total: i64 = out.iter().copied().flatten().filter_map(Value::as_i64).sum();
        ensure!(total == expected, "{expected} were expected in all, and {total} came");
    }
    for (name, expected) in case.expected_counters.iter().flatten() {
        let got = match name.as_str() {
            "datasets_seen" => out.len(),
            "elements_seen" => values,
            other => bail!("there is no counter `{other}`"),
        };
        ensure!(*expected == got, "{name}: {expected} was expected, and {got} came");
    }
    let completed = case.expected_listener.as_ref().and_then(|listener| listener.get("batchCompleted_min"));
    if let Some(expected) = completed.and_then(Value::as_u64).filter(|_| outcome.error.is_none()) {
        ensure!(out.len() as u64 >= expected, "{expected} batches were expected, and {} came", out.len());
    }
    Ok(())
}
