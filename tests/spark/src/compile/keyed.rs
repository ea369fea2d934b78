//! Steps by key: pairs become a field `key` beside the value, and pairs again.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Builder, quoted};
use crate::case::Step;

/// What does not depend on the order of values: it may reduce partitions each for itself.
pub(super) fn is_unordered(function: &str) -> bool {
    function == "add"
}

impl Builder<'_> {
    /// A step by key; `None`: it is another one.
    pub(super) fn keyed(&mut self, step: &Step, from: &str) -> Result<Option<String>> {
        let function = || step.function.as_deref().with_context(|| format!("`{}` has no function", step.op));
        Ok(Some(match step.op.as_str() {
            "reduce" => self.reduce(function()?, from, &[]),
            "reduceByKey" => {
                let pairs = self.call("map", "unpack", from, &[]);
                self.reduce_by_key(function()?, &pairs, &[])
            }
            "groupByKey" => {
                let grouped = self.grouped(from);
                self.call("map", "pack-list", &grouped, &[])
            }
            "countByValue" => self.count_by_value(from, &[]),
            "countByKey" => {
                let pairs = self.call("map", "unpack", from, &[]);
                let counted = self.from(&pairs, &["by = \"key\"", "reduce = \"count\""]);
                self.call("map", "pack-count", &counted, &[])
            }
            "combineByKey" => self.combine(step, from)?,
            "cogroup" => self.cogroup(step, from)?,
            "join" | "leftOuterJoin" | "rightOuterJoin" | "fullOuterJoin" => self.join(step, from)?,
            "updateStateByKey" => self.update(step, from)?,
            "mapWithState" => self.map_with_state(step, from)?,
            _ => return Ok(None),
        }))
    }

    /// One value out of all, of each batch or of a window.
    pub(super) fn reduce(&mut self, function: &str, from: &str, window: &[&str]) -> String {
        if is_unordered(function) {
            return self.call_with("reduce", "fold", from, &[("fn", function)], window);
        }
        let rows = self.window_of(from, window);
        let grouped = self.from(&rows, &["group = \"left\""]);
        self.call("map", "fold-list", &grouped, &[("fn", function)])
    }

    /// The same by key, of pairs that are unpacked.
    pub(super) fn reduce_by_key(&mut self, function: &str, pairs: &str, window: &[&str]) -> String {
        if is_unordered(function) {
            let keys = [&["by = \"key\""], window].concat();
            let reduced = self.call_with("reduce", "fold", pairs, &[("fn", function)], &keys);
            return self.call("map", "pack", &reduced, &[]);
        }
        let rows = self.window_of(pairs, window);
        let grouped = self.from(&rows, &["by = \"key\"", "group = \"left\""]);
        self.call("map", "fold-pair", &grouped, &[("fn", function)])
    }

    fn window_of(&mut self, from: &str, window: &[&str]) -> String {
        if window.is_empty() { from.to_owned() } else { self.from(from, window) }
    }

    /// The values of each key.
    pub(super) fn grouped(&mut self, from: &str) -> String {
        let pairs = self.call("map", "unpack", from, &[]);
        self.from(&pairs, &["by = \"key\"", "group = \"left\""])
    }

    pub(super) fn count_by_value(&mut self, from: &str, window: &[&str]) -> String {
        let counted = self.from(from, &[&["by = \"value\"", "reduce = \"count\""], window].concat());
        self.call_with("map", "pack-count", &counted, &[], &["fields = { key = \"value\" }"])
    }

    fn combine(&mut self, step: &Step, from: &str) -> Result<String> {
        let named = |name: &Option<String>| name.clone().context("`combineByKey` lacks a function");
        let (create, merge) = (named(&step.create)?, named(&step.merge_value)?);
        let grouped = self.grouped(from);
        Ok(self.call("map", "combine", &grouped, &[("create", &create), ("merge-value", &merge)]))
    }

    fn cogroup(&mut self, step: &Step, from: &str) -> Result<String> {
        let right = self.right(step)?;
        let (left, right) = (self.call("map", "unpack", from, &[]), self.call("map", "unpack", &right, &[]));
        let grouped = self.stream(&[
            format!("from = [\"{left}\", \"{right}\"]"),
            "by = \"key\"".to_owned(),
            "group = [\"left\", \"right\"]".to_owned(),
        ]);
        Ok(self.call("map", "pack-lists", &grouped, &[]))
    }

    fn join(&mut self, step: &Step, from: &str) -> Result<String> {
        let right = self.right(step)?;
        let (left, right) = (self.call("map", "unpack", from, &[]), self.call("map", "unpack", &right, &[]));
        let kind = match step.op.as_str() {
            "join" => "inner",
            "leftOuterJoin" => "left",
            "rightOuterJoin" => "right",
            _ => "full",
        };
        let joined = self.stream(&[
            format!("from = [\"{left}\", \"{right}\"]"),
            "by = \"key\"".to_owned(),
            format!("join = \"{kind}\""),
            "prefix = [\"left-\", \"right-\"]".to_owned(),
        ]);
        let fields = "fields = { left = \"left-value\", right = \"right-value\" }";
        Ok(self.call_with("map", "pack-joined", &joined, &[], &[fields]))
    }

    fn update(&mut self, step: &Step, from: &str) -> Result<String> {
        let function = step.function.as_deref().context("`updateStateByKey` has no function")?;
        let pairs = self.call("map", "unpack", from, &[]);
        let initial = self.initial(step)?;
        let quiet = self.quiet();
        let keys: Vec<&str> =
            ["by = \"key\"", "run = \"all\"", "emit = \"all\""].into_iter().chain(initial.as_deref()).collect();
        let parameters = [("fn", function), ("quiet", quiet.as_str())];
        let states = self.call_with("update-state", "update", &pairs, &parameters, &keys);
        Ok(self.call("map", "pack", &states, &[]))
    }

    /// The times at which PySpark hands states on as they are: those at which the input has no batch.
    fn quiet(&self) -> String {
        let batches = self.case.input_batches.iter().flatten().zip(1..);
        let absent = batches.filter(|(batch, _)| batch.is_none() && self.case.is_python());
        let times = absent.map(|(_, tick): (_, u64)| (tick * self.case.params.batch_interval_ms).to_string());
        times.collect::<Vec<_>>().join(",")
    }

    fn map_with_state(&mut self, step: &Step, from: &str) -> Result<String> {
        let function = step.function.as_deref().context("`mapWithState` has no function")?;
        let pairs = self.call("map", "unpack", from, &[]);
        let initial = self.initial(step)?;
        let timeout =
            step.timeout_ms.or(self.case.params.timeout_ms).map(|timeout| format!("idle-timeout = \"{timeout}ms\""));
        let keys: Vec<&str> =
            ["by = \"key\""].into_iter().chain(initial.as_deref()).chain(timeout.as_deref()).collect();
        let mapped = self.call_with("update-state", "map-with-state", &pairs, &[("fn", function)], &keys);
        let states = format!("{mapped}.state");
        self.states = Some(states.clone());
        Ok(match step.emit.as_deref() {
            Some("state_snapshots") => self.call("map", "pack", &states, &[]),
            _ => self.call("map", "map", &mapped, &[("fn", "identity")]),
        })
    }

    /// The key of a step with first states, which are a queue.
    fn initial(&mut self, step: &Step) -> Result<Option<String>> {
        let Some(pairs) = &step.initial else { return Ok(None) };
        let row = |pair: &Value| {
            let side = |at: usize| pair.get(at).map(|value| quoted(&value.to_string()));
            let (key, value) = side(0).zip(side(1)).with_context(|| format!("{pair} is no first state"))?;
            Ok(format!("{{ key = {key}, value = {value} }}"))
        };
        let rows = pairs.iter().map(row).collect::<Result<Vec<String>>>()?.join(", ");
        let queue = format!("queue = {{ schema = \"key: text, value: text\", batches = [[{rows}]] }}");
        let name = self.stream(&[queue]);
        Ok(Some(format!("initial = \"{name}\"")))
    }
}
