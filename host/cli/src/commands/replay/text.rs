//! A replay as people read it.

use std::fmt::Write;

use super::{
    Shown,
    compare::{Change, KeyCompared, OutputCompared, StatesCompared},
    row::Row,
};
use crate::{count::counted, pipeline::hex, time};

/// Lines of an output or a stream's state that are shown; JSON has all.
const LINES_MAX: usize = 20;

/// What came out; where it is not as it was committed, what differs: `-` then, `+` now.
pub fn of(shown: &Shown<'_>) -> String {
    let Shown { pipeline, past, replayed, compared, .. } = shown;
    let (rows, rejected) = (replayed.rows, replayed.rejected);
    let batch = time::batch(past.plan.batch);
    let mut text =
        format!("batch {batch} of the pipeline `{pipeline}`: {} in, {rejected} rejected\n", counted(rows, "row"));
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
    let _ = writeln!(text, "{then} then, {now} now{order}");
    write_lines(text, &output.difference.only_then, |row| format!("- {}", row.head()));
    write_lines(text, &output.difference.only_now, |row| format!("+ {}", row.head()));
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
    write_lines(text, &different, |key| {
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
    of.iter().take(LINES_MAX).for_each(|one| {
        let _ = writeln!(text, "{}", line(one));
    });
    if let Some(more) = of.len().checked_sub(LINES_MAX).filter(|&more| more > 0) {
        let _ = writeln!(text, "  and {more} more; --json has all");
    }
}
