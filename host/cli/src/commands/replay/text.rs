//! A replay as people read it.

use std::fmt::Write;

use super::pairs::{Pair, pairs};
use super::{
    Shown,
    compare::{Change, KeyCompared, OutputCompared, StatesCompared},
    row::Row,
};
use crate::pipeline::hex;
use tidemill_model::text::{by_count, counted};

/// Lines of an output or a stream's state that are shown; JSON has all.
const LINES_MAX: usize = 20;

/// Rows that differ, or keys, of which so many are shown.
const DIFFERENT_MAX: usize = 5;

/// So many rows of each side are looked at for those that differ in some fields alone.
const PAIRED_MAX: usize = 500;

/// What came out; where it is not as it was committed, what differs: `-` then, `+` now.
pub fn of(shown: &Shown<'_>) -> String {
    let Shown { pipeline, past, replayed, compared, .. } = shown;
    let (rows, rejected) = (counted(replayed.rows, "row"), replayed.rejected);
    let batch = past.plan.batch;
    let mut text = format!("batch {batch} of the pipeline `{pipeline}`: {rows} in, {rejected} rejected\n");
    if replayed.is_skipped {
        text.push_str("it failed and was skipped, as the pipeline says\n");
    }
    for plugin in shown.changed_plugins() {
        let then = shown.plugin_then(&plugin.name).map_or("none".to_owned(), |then| hex(&then.sha256));
        let _ = writeln!(text, "plugin {}: sha256 {then} then, {} now", plugin.name, hex(&plugin.sha256));
    }
    compared.outputs.iter().for_each(|output| write_output(&mut text, output));
    compared.states.iter().for_each(|stream| write_states(&mut text, stream));
    for (name, then, now) in &compared.counters {
        let _ = writeln!(text, "\ncounter {name}: {then} then, {now} now");
    }
    text.push_str(match (compared.is_committed, compared.is_same()) {
        (false, _) => "\nnothing was committed to compare with\n",
        (true, true) => "\nsame as committed\n",
        (true, false) => "\nnot as it was committed\n",
    });
    text
}

fn write_output(text: &mut String, output: &OutputCompared<'_>) {
    let count = |rows: &Option<Vec<Row<'_>>>| match rows {
        None => "no batch".to_owned(),
        Some(rows) => counted(rows.len() as u64, "row"),
    };
    let (then, now) = (count(&output.then), count(&output.now));
    let _ = write!(text, "\noutput {}: ", output.name);
    if output.is_same() {
        let rows: Vec<&Row<'_>> = output.now.iter().flatten().collect();
        let _ = writeln!(text, "{now}");
        return write_lines(text, &rows, |row| format!("  {}", row.head()));
    }
    let order = if output.difference.is_reordered { ", the same in another order" } else { "" };
    // Of very many rows the first ones are compared with each other: a few of them are shown.
    let heads = |rows: &[Row<'_>]| rows.iter().take(PAIRED_MAX).map(Row::head).collect::<Vec<_>>();
    let (old, new) = (&output.difference.only_then, &output.difference.only_now);
    let (old_heads, new_heads) = (heads(old), heads(new));
    let pairs = pairs(&old_heads, &new_heads);
    let more = old.len().saturating_sub(PAIRED_MAX).max(new.len().saturating_sub(PAIRED_MAX));
    let _ = writeln!(text, "{then} then, {now} now{order}{}", differences(&pairs, more));
    write_first(text, &pairs, DIFFERENT_MAX, more, |Pair { then, now, .. }| {
        let lines = then.iter().map(|row| format!("- {row}")).chain(now.iter().map(|row| format!("+ {row}")));
        lines.collect::<Vec<_>>().join("\n")
    });
}

/// How many rows differ, and in which fields alone, if that can be said.
fn differences(pairs: &[Pair<'_>], more: usize) -> String {
    let mut fields: Vec<&str> = pairs.iter().flat_map(|pair| pair.fields.iter().map(String::as_str)).collect();
    fields.sort_unstable();
    fields.dedup();
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let count = (pairs.len() + more) as u64;
    let differ = format!(", {count} {}", by_count(count, "differs", "differ"));
    match count {
        0 => String::new(),
        _ if more == 0 && pairs.iter().all(|pair| !pair.fields.is_empty()) => {
            format!("{differ} in {}", fields.join(", "))
        }
        _ => differ,
    }
}

fn write_states(text: &mut String, StatesCompared { stream, keys }: &StatesCompared<'_>) {
    let _ = write!(text, "\nstate of {stream}: ");
    let different: Vec<&KeyCompared<'_>> = keys.iter().filter(|key| !key.is_same()).collect();
    if different.is_empty() {
        let _ = writeln!(text, "{} changed", counted(keys.len() as u64, "key"));
        return write_lines(text, keys, |key| format!("  {}: {}", name(key), change(key.now.as_ref())));
    }
    let [then, now] =
        [keys.iter().filter(|key| key.then.is_some()).count(), keys.iter().filter(|key| key.now.is_some()).count()];
    let _ = writeln!(text, "{} changed then, {now} now, {} not alike", counted(then as u64, "key"), different.len());
    write_first(text, &different, DIFFERENT_MAX, 0, |key| {
        let (name, then, now) = (name(key), change(key.then.as_ref()), change(key.now.as_ref()));
        format!("- {name}: {then}\n+ {name}: {now}")
    });
}

fn name(key: &KeyCompared<'_>) -> String {
    let name = key.key.head();
    key.pane.map_or(name.clone(), |pane| format!("{name} of the pane {pane}"))
}

fn change(change: Option<&Change<'_>>) -> String {
    let Some(Change { state, wake_at }) = change else { return "unchanged".to_owned() };
    let state = state.as_ref().map_or("deleted".to_owned(), Row::head);
    wake_at.as_ref().map_or(state.clone(), |wake_at| format!("{state}, to be called at {wake_at}"))
}

/// Lines of the first few of some things.
fn write_lines<T>(text: &mut String, of: &[T], line: impl Fn(&T) -> String) {
    write_first(text, of, LINES_MAX, 0, line);
}

/// The same of so many; `more` are not even among them.
fn write_first<T>(text: &mut String, of: &[T], max: usize, more: usize, line: impl Fn(&T) -> String) {
    of.iter().take(max).for_each(|one| {
        let _ = writeln!(text, "{}", line(one));
    });
    if let Some(more) = (of.len() + more).checked_sub(max).filter(|&more| more > 0) {
        let _ = writeln!(text, "  and {more} more; --json has all");
    }
}
