//! A replay as one JSON object, written row by row: it is as long as the batch.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{
    Shown,
    compare::{Change, KeyCompared, OutputCompared, StatesCompared},
    row::Row,
};
use crate::pipeline::hex;

/// Everything. Rows, keys and states are as sinks write them. Where nothing was committed, there is no `same` and no `then`.
pub fn write(shown: &Shown<'_>, out: &mut impl Write) -> io::Result<()> {
    let Shown { pipeline, past, replayed, compared, plugins } = shown;
    let plugins = plugins.iter().map(|plugin| {
        let then = shown.plugin_then(&plugin.name).map(|then| hex(&then.sha256));
        json!({ "name": plugin.name, "then": then, "now": hex(&plugin.sha256) })
    });
    let counters = compared.counters.iter();
    let counters = counters.map(|(name, then, now)| json!({ "counter": name, "then": then, "now": now }));
    let is_committed = compared.is_committed;
    let facts = [
        ("pipeline", json!(pipeline)),
        ("batch", json!(past.plan.batch.millis())),
        ("same", json!(compared.is_committed.then(|| compared.is_same()))),
        ("rows", json!(replayed.rows)),
        ("rejected", json!(replayed.rejected)),
        ("skipped", json!(replayed.is_skipped)),
        ("plugins", json!(plugins.collect::<Vec<_>>())),
        ("counters", json!(counters.collect::<Vec<_>>())),
    ];
    out.write_all(b"{\n")?;
    facts.iter().try_for_each(|(name, value)| writeln!(out, "\"{name}\": {value},"))?;
    out.write_all(b"\"outputs\": ")?;
    write_list(out, &compared.outputs, |out, rows| write_output(out, rows, is_committed))?;
    out.write_all(b",\n\"states\": ")?;
    write_list(out, &compared.states, |out, keys| write_states(out, keys, is_committed))?;
    out.write_all(b"\n}\n")
}

fn write_output(out: &mut impl Write, output: &OutputCompared<'_>, is_committed: bool) -> io::Result<()> {
    let name = Value::from(output.name.as_str());
    let same = json!(is_committed.then(|| output.is_same()));
    let then = json!(output.then.as_ref().filter(|_| is_committed).map(|rows| rows.len()));
    write!(out, "{{\"output\": {name}, \"same\": {same}, \"then\": {then}, \"rows\": ")?;
    match &output.now {
        Some(rows) => write_rows(out, rows)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b", \"only_then\": ")?;
    write_rows(out, &output.difference.only_then)?;
    out.write_all(b", \"only_now\": ")?;
    write_rows(out, &output.difference.only_now)?;
    write!(out, ", \"reordered\": {}}}", output.difference.is_reordered)
}

fn write_states(out: &mut impl Write, states: &StatesCompared<'_>, is_committed: bool) -> io::Result<()> {
    write!(out, "{{\"stream\": {}, \"keys\": ", Value::from(states.stream.as_str()))?;
    write_list(out, &states.keys, |out, key| write_key(out, key, is_committed))?;
    out.write_all(b"}")
}

fn write_key(out: &mut impl Write, compared: &KeyCompared<'_>, is_committed: bool) -> io::Result<()> {
    let KeyCompared { key, pane, then, now } = compared;
    out.write_all(b"{\"key\": ")?;
    key.write(out)?;
    if let Some(pane) = pane {
        write!(out, ", \"pane\": {pane}")?;
    }
    write!(out, ", \"same\": {}, \"then\": ", json!(is_committed.then(|| compared.is_same())))?;
    write_change(out, then.as_ref().filter(|_| is_committed))?;
    out.write_all(b", \"now\": ")?;
    write_change(out, now.as_ref())?;
    out.write_all(b"}")
}

fn write_change(out: &mut impl Write, change: Option<&Change<'_>>) -> io::Result<()> {
    match change {
        None => out.write_all(b"null"),
        Some(Change { state: None, .. }) => out.write_all(b"{\"deleted\": true}"),
        Some(Change { state: Some(state), wake_at }) => {
            out.write_all(b"{\"state\": ")?;
            state.write(out)?;
            if let Some(wake_at) = wake_at {
                write!(out, ", \"wake_at\": {}", Value::from(wake_at.as_str()))?;
            }
            out.write_all(b"}")
        }
    }
}

fn write_rows(out: &mut impl Write, rows: &[Row<'_>]) -> io::Result<()> {
    write_list(out, rows, |out, row| row.write(out))
}

/// A list, a line for each thing in it.
fn write_list<T, W: Write>(out: &mut W, of: &[T], write: impl Fn(&mut W, &T) -> io::Result<()>) -> io::Result<()> {
    out.write_all(b"[")?;
    for (i, one) in of.iter().enumerate() {
        out.write_all(if i > 0 { b",\n" } else { b"\n" })?;
        write(out, one)?;
    }
    out.write_all(b"]")
}
