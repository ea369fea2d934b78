//! A replay as one JSON object.

use serde_json::{Value, json};

use super::{
    Shown,
    compare::{Change, KeyCompared, OutputCompared, StatesCompared},
};
use crate::pipeline::hex;

/// Everything. Rows, keys and states are as sinks write them. Where nothing was committed, there is no `same` and no `then`.
pub fn of(shown: &Shown<'_>) -> String {
    let Shown { pipeline, past, replayed, compared, plugins } = shown;
    let plugins = plugins.iter().map(|plugin| {
        let then = shown.plugin_then(&plugin.name).map(|then| hex(&then.sha256));
        json!({ "name": plugin.name, "then": then, "now": hex(&plugin.sha256) })
    });
    let counters = compared.counters.iter();
    let counters = counters.map(|(name, then, now)| json!({ "counter": name, "then": then, "now": now }));
    let is_committed = compared.is_committed;
    let value = json!({
        "pipeline": pipeline,
        "batch": past.plan.batch.millis(),
        "same": compared.is_committed.then(|| compared.is_same()),
        "rows": replayed.rows,
        "rejected": replayed.rejected,
        "skipped": replayed.is_skipped,
        "plugins": plugins.collect::<Vec<_>>(),
        "outputs": compared.outputs.iter().map(|rows| output(rows, is_committed)).collect::<Vec<_>>(),
        "states": compared.states.iter().map(|keys| states(keys, is_committed)).collect::<Vec<_>>(),
        "counters": counters.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

fn output(output: &OutputCompared, is_committed: bool) -> Value {
    json!({
        "output": output.name,
        "same": is_committed.then(|| output.is_same()),
        "then": output.then.as_ref().filter(|_| is_committed).map(|rows| rows.len()),
        "rows": output.now.as_ref().map(|rows| parsed(rows)),
        "only_then": parsed(&output.difference.only_then),
        "only_now": parsed(&output.difference.only_now),
        "reordered": output.difference.is_reordered,
    })
}

fn states(StatesCompared { stream, keys }: &StatesCompared, is_committed: bool) -> Value {
    let keys = keys.iter().map(|compared| {
        let KeyCompared { key, then, now } = compared;
        let (same, then) = (is_committed.then(|| compared.is_same()), then.as_ref().filter(|_| is_committed));
        json!({ "key": parse(key), "same": same, "then": change(then), "now": change(now.as_ref()) })
    });
    json!({ "stream": stream, "keys": keys.collect::<Vec<_>>() })
}

fn change(change: Option<&Change>) -> Value {
    match change {
        None => Value::Null,
        Some(Change { state: None, .. }) => json!({ "deleted": true }),
        Some(Change { state: Some(state), wake_at: None }) => json!({ "state": parse(state) }),
        Some(Change { state: Some(state), wake_at }) => json!({ "state": parse(state), "wake_at": wake_at }),
    }
}

fn parsed(rows: &[String]) -> Vec<Value> {
    rows.iter().map(|row| parse(row)).collect()
}

/// What was written as JSON a moment ago.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}
