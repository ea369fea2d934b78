//! Running totals, honest and not.

use crate::{
    bindings::{
        data::Rejection,
        host::count,
        operators::{Batch, CallContext, Changes, Failure},
    },
    columns::{batch, integers, numbers, read_integers, read_numbers, read_texts},
    migrate, much, shared,
    table::opened,
    touchy, trouble,
};

/// What update-states is called with.
pub(crate) struct Call {
    pub(crate) context: CallContext,
    pub(crate) keys: Batch,
    pub(crate) rows: Batch,
    pub(crate) ends: Vec<u8>,
    pub(crate) states: Batch,
    pub(crate) present: Vec<u8>,
    pub(crate) causes: Vec<u8>,
}

pub(crate) fn call(call: &Call) -> Result<Changes, Failure> {
    if opened() == "bits-kept" { Ok(bits_kept(call)) } else { with_totals(call) }
}

fn with_totals(call: &Call) -> Result<Changes, Failure> {
    let Call { rows, ends, states, present, .. } = call;
    let totals = add(rows, &read_numbers(ends), states, present);
    let groups = call.keys.rows;
    let mut changes = Changes {
        actions: vec![1; totals.len()],
        states: batch(groups, vec![integers(&totals)]),
        emitted: batch(0, Vec::new()),
        emitted_groups: None,
        wake_at: None,
        rejected: Vec::new(),
    };
    match opened() {
        "total" => {}
        "total-flood" => trouble::flood(),
        "chunk" => changes.states = batch(groups, vec![integers(&vec![call.context.chunk.into(); groups as usize])]),
        "total-counted" if read_integers(&rows.columns[0]).contains(&1_313) => trouble::panic_aloud("twice unlucky"),
        "total-counted" => {
            count("rows", rows.rows.into());
            count("keys", groups.into());
        }
        "digits" => {
            let old = read_integers(&states.columns[0]).into_iter().zip(present);
            let old = old.map(|(state, &present)| if present == 1 { state } else { 0 });
            let digits =
                |(old, new): (i64, Vec<i64>)| new.iter().fold(old, |all, new| all.wrapping_mul(10).wrapping_add(*new));
            let states: Vec<i64> = old.zip(news(rows, ends)).map(digits).collect();
            changes.states = batch(groups, vec![integers(&states)]);
        }
        "weighed" => changes.states = weighed(call),
        "sum-migrated" | "sum-migrated-again" => {
            changes.states = migrate::add_to_sums(rows, ends, states, present);
            changes.emitted = batch(groups, vec![changes.states.columns[0].clone()]);
        }
        "total-emitted" => changes.emitted = batch(groups, vec![integers(&totals)]),
        "farewell" => farewell(call, &totals, &mut changes),
        "total-until-zero" => delete_where(&mut changes, &news(rows, ends), |new| new.last() == Some(&0)),
        "total-while-busy" => delete_where(&mut changes, &news(rows, ends), |new| new.is_empty()),
        "age" => {
            let ages = read_integers(&states.columns[0]).into_iter().zip(present);
            let ages: Vec<i64> = ages.map(|(age, &present)| if present == 1 { age + 1 } else { 0 }).collect();
            changes.states = batch(groups, vec![integers(&ages)]);
        }
        "in-order" => changes.states = batch(groups, vec![integers(&in_order(call))]),
        "repeats" => repeats(&totals, &mut changes),
        "touchy-total" => touchy::totals(call.context.batch_time, rows, ends, states, &mut changes),
        "alarm" | "alarm-migrated" => alarm(call, &mut changes),
        "snooze" => {
            alarm(call, &mut changes);
            // A state stays what it first was; only when the key is woken is another time.
            let kept = changes.actions.iter_mut().zip(present).filter(|(_, present)| **present == 1);
            kept.for_each(|(action, _)| *action = 0);
        }
        "always-woken" => {
            let woken: Vec<u32> = (0..groups).filter(|&group| call.causes[group as usize] & 2 != 0).collect();
            emit(&mut changes, woken.len() as u32, Some(numbers(&woken)));
            changes.wake_at = Some(vec![0; groups as usize * 8]);
        }
        "action-three" => changes.actions[0] = 3,
        "few-actions" => changes.actions.truncate(totals.len() - 1),
        "few-states" => changes.states = batch(groups - 1, vec![integers(&totals[1..])]),
        "short-wake" => changes.wake_at = Some(vec![0; 7]),
        "emits-untyped" => changes.emitted = batch(1, Vec::new()),
        "emits-beyond" => emit(&mut changes, 1, Some(numbers(&[groups]))),
        "emits-more" => emit(&mut changes, groups + 1, None),
        "emits-odd" => emit(&mut changes, 1, Some(vec![0; 5])),
        "rejects-no-row" => changes.rejected = vec![Rejection { row: rows.rows, reason: String::new() }],
        name => trouble::panic_aloud(&format!("no update is called {name}")),
    }
    Ok(changes)
}

/// As many rows of each key as its total says.
fn repeats(totals: &[i64], changes: &mut Changes) {
    let groups: Vec<u32> = (0u32..).zip(totals).flat_map(|(group, &n)| vec![group; n as usize]).collect();
    emit(changes, groups.len() as u32, Some(numbers(&groups)));
}

/// Says 1000 plus the total of a key that has been idle, and would keep it.
fn farewell(call: &Call, totals: &[i64], changes: &mut Changes) {
    let idle: Vec<u32> = (0..call.keys.rows).filter(|&group| call.causes[group as usize] == 4).collect();
    let said: Vec<i64> = idle.iter().map(|&group| 1_000 + totals[group as usize]).collect();
    changes.emitted = batch(idle.len() as u32, vec![integers(&said)]);
    changes.emitted_groups = Some(numbers(&idle));
}

/// For each key a list of as many records as its new values come to.
fn bits_kept(call: &Call) -> Changes {
    let counts: Vec<u32> = news(&call.rows, &call.ends).iter().map(|new| new.iter().sum::<i64>() as u32).collect();
    Changes {
        actions: vec![1; counts.len()],
        states: batch(call.keys.rows, much::bits(&counts)),
        emitted: batch(0, Vec::new()),
        emitted_groups: None,
        wake_at: None,
        rejected: Vec::new(),
    }
}

/// A number for each key that other values give, and the same values in another order.
fn in_order(call: &Call) -> Vec<i64> {
    let old = read_integers(&call.states.columns[0]).into_iter().zip(&call.present);
    let old = old.map(|(state, &present)| if present == 1 { state } else { 0 });
    let add = |state: i64, value: &i64| (31 * state + value + 7).rem_euclid(1_000_003);
    old.zip(news(&call.rows, &call.ends)).map(|(state, new)| new.iter().fold(state, add)).collect()
}

/// The last new value v of a key says what happens: v > 0 puts it, and wakes the key v seconds later; 0 keeps the state;
/// -1 rejects the key's rows; -2 puts 0. Says 100 plus the state of a key that is woken, unless its rows are rejected.
fn alarm(call: &Call, changes: &mut Changes) {
    let old = read_integers(&call.states.columns[0]);
    let ends = read_numbers(&call.ends);
    let (mut states, mut wake_at, mut emitted, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (group, new) in news(&call.rows, &call.ends).iter().enumerate() {
        let last = new.last().copied().unwrap_or(0);
        changes.actions[group] = u8::from(!(last == 0 || last == -1));
        states.push(last.max(0));
        wake_at.push(if last > 0 { call.context.batch_time + last * 1_000_000 } else { i64::MIN });
        if last == -1 {
            let rejected = ends[group] - new.len() as u32..ends[group];
            changes.rejected.extend(rejected.map(|row| Rejection { row, reason: "minus one".to_owned() }));
        } else if call.causes[group] & 2 != 0 {
            emitted.push(100 + old[group]);
            groups.push(group as u32);
        }
    }
    changes.states = batch(states.len() as u32, vec![integers(&states)]);
    changes.emitted = batch(emitted.len() as u32, vec![integers(&emitted)]);
    changes.emitted_groups = Some(numbers(&groups));
    let told = wake_at.iter().any(|&at| at != i64::MIN);
    changes.wake_at = told.then(|| wake_at.iter().flat_map(|at| at.to_le_bytes()).collect());
}

/// Each key's new values.
fn news(rows: &Batch, ends: &[u8]) -> Vec<Vec<i64>> {
    let values = read_integers(&rows.columns[0]);
    let mut begin = 0;
    let run = |end: u32| values[std::mem::replace(&mut begin, end as usize)..end as usize].to_vec();
    read_numbers(ends).into_iter().map(run).collect()
}

fn delete_where(changes: &mut Changes, news: &[Vec<i64>], is_over: impl Fn(&[i64]) -> bool) {
    for (action, new) in changes.actions.iter_mut().zip(news) {
        *action = if is_over(new) { 2 } else { 1 };
    }
}

fn emit(changes: &mut Changes, rows: u32, groups: Option<Vec<u8>>) {
    changes.emitted = batch(rows, vec![integers(&vec![0; rows as usize])]);
    changes.emitted_groups = groups;
}

fn add(rows: &Batch, ends: &[u32], states: &Batch, present: &[u8]) -> Vec<i64> {
    let values = read_integers(&rows.columns[0]);
    let states = read_integers(&states.columns[0]);
    let begins = std::iter::once(0).chain(ends.iter().copied());
    let groups = begins.zip(ends).zip(states.iter().zip(present));
    groups
        .map(|((begin, &end), (&state, &present))| {
            let new: i64 = values[begin as usize..end as usize].iter().sum();
            new + if present == 1 { state } else { 0 }
        })
        .collect()
}

/// Totals to which new values are added as often as the side input says of the key.
fn weighed(call: &Call) -> Batch {
    let Call { keys, rows, ends, states, present, .. } = call;
    let old = read_integers(&states.columns[0]).into_iter().zip(present);
    let weights = read_texts(&keys.columns[0]).into_iter().map(|key| shared::last(key).unwrap_or(1));
    let sums = news(rows, ends).into_iter().map(|new| new.iter().sum::<i64>()).zip(weights);
    let total = |((state, &present), (sum, weight)): ((i64, &u8), (i64, i64))| {
        (if present == 1 { state } else { 0 }).wrapping_add(sum.wrapping_mul(weight))
    };
    let states: Vec<i64> = old.zip(sums).map(total).collect();
    batch(keys.rows, vec![integers(&states)])
}
