//! Steps of a case to a pipeline. Between two steps a stream has one field, `value`: a value as its JSON text.

mod keyed;
mod windows;

use std::fmt::Write;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::case::{Case, Step};

/// A case as a pipeline.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Without the number of partitions.
    streams: String,
    interval_ms: u64,
    skips: bool,
    /// The times between which batches are put together, both with them.
    pub slice: Option<(i64, i64)>,
}

/// The first input, and the second.
pub const INPUTS: [&str; 2] = ["in", "in-2"];

struct Builder<'a> {
    case: &'a Case,
    text: String,
    streams: usize,
    slice: Option<(i64, i64)>,
    /// What a step with states keeps.
    states: Option<String>,
}

/// A case's pipeline.
pub fn compile(case: &Case) -> Result<Compiled> {
    let mut builder = Builder { case, text: String::new(), streams: 0, slice: None, states: None };
    builder.inputs();
    let out = builder.steps(&case.pipeline, INPUTS[0])?;
    builder.output("out", &out);
    if case.expected_state_batches.is_some() {
        let states = builder.states.take().context("no step has states to show")?;
        let packed = builder.call("map", "pack", &states, &[]);
        builder.output("states", &packed);
    }
    if case.params.expected_partitions.is_some() {
        // A value for each of them.
        let partitions = builder.call("map", "map-partition", &out, &[("fn", "glom")]);
        builder.output("partitions", &partitions);
    }
    let skips = case.expected_error.is_some() && case.expected_output_batches.is_some();
    let interval_ms = case.params.batch_interval_ms;
    Ok(Compiled { streams: builder.text, interval_ms, skips, slice: builder.slice })
}

impl Compiled {
    /// The pipeline's text.
    pub fn text(&self, partitions: u32) -> String {
        let Compiled { streams, interval_ms, skips, .. } = self;
        let on_error = if *skips { "skip-batch" } else { "stop" };
        format!(
            "[pipeline]\nname = \"case\"\ninterval = \"{interval_ms}ms\"\npartitions = {partitions}\non-error = \"{on_error}\"\n\n\
             [plugins]\nfunctions = \"functions.wasm\"\n{streams}"
        )
    }
}

/// A text as TOML has it: JSON's texts are among them.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Builder<'_> {
    fn inputs(&mut self) {
        let lanes = self.case.params.input_partitions;
        let second = self.case.input_batches_2.is_some();
        for name in INPUTS.iter().take(1 + usize::from(second)) {
            let queue = format!("queue = {{ schema = \"value: text\", batches = [], partitions = {lanes} }}");
            let _ = write!(self.text, "\n[streams.{name}]\n{queue}\n");
        }
    }

    /// A stream of these keys; its name.
    fn stream(&mut self, keys: &[String]) -> String {
        self.streams += 1;
        let name = format!("s{}", self.streams);
        let _ = write!(self.text, "\n[streams.{name}]\n{}\n", keys.join("\n"));
        name
    }

    /// A step that reads one stream.
    fn from(&mut self, from: &str, keys: &[&str]) -> String {
        let from = format!("from = \"{from}\"");
        let keys: Vec<String> = std::iter::once(from).chain(keys.iter().map(|&key| key.to_owned())).collect();
        self.stream(&keys)
    }

    /// A step that calls a function of the plugin.
    fn call(&mut self, operator: &str, function: &str, from: &str, parameters: &[(&str, &str)]) -> String {
        self.call_with(operator, function, from, parameters, &[])
    }

    fn call_with(
        &mut self,
        operator: &str,
        function: &str,
        from: &str,
        parameters: &[(&str, &str)],
        keys: &[&str],
    ) -> String {
        let call = format!("{operator} = \"functions/{function}\"");
        let given: Vec<String> = parameters.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        let given = format!("parameters = {{ {} }}", given.join(", "));
        let given = (!parameters.is_empty()).then_some(given.as_str());
        let keys: Vec<&str> = [call.as_str()].into_iter().chain(given).chain(keys.iter().copied()).collect();
        self.from(from, &keys)
    }

    fn output(&mut self, name: &str, from: &str) {
        let _ = write!(self.text, "\n[outputs.{name}]\nfrom = \"{from}\"\nprint = true\n");
    }

    fn steps(&mut self, steps: &[Step], from: &str) -> Result<String> {
        steps.iter().try_fold(from.to_owned(), |from, step| self.step(step, &from))
    }

    fn step(&mut self, step: &Step, from: &str) -> Result<String> {
        let named = || step.function.as_deref().with_context(|| format!("`{}` has no function", step.op));
        let plain = |builder: &mut Self, function: &str| -> Result<String> {
            Ok(builder.call(if function == "filter" { "filter" } else { "map" }, function, from, &[("fn", named()?)]))
        };
        Ok(match step.op.as_str() {
            "map" | "mapToPair" => plain(self, "map")?,
            "flatMap" | "flatMapToPair" => plain(self, "flat-map")?,
            "filter" => plain(self, "filter")?,
            "mapValues" | "flatMapValues" => plain(self, "flat-map-values")?,
            "mapPartitions" | "mapPartitionsToPair" => plain(self, "map-partition")?,
            "glom" => self.call("map", "map-partition", from, &[("fn", "glom")]),
            "raise_special_error" => self.call("map", "map-partition", from, &[("fn", "raise_special_error")]),
            "foreachRDD" | "print" | "pprint" => from.to_owned(),
            "count" => {
                let counted = self.from(from, &["count = true"]);
                self.call("map", "number", &counted, &[])
            }
            "repartition" => {
                self.from(from, &[&format!("repartition = {}", step.n.context("no number of partitions")?)])
            }
            "distinct" => self.from(from, &["distinct = true"]),
            "union" => self.union(step, from)?,
            "transform" => self.transform(step, from)?,
            "transformWith" => self.transform_with(step, from)?,
            "slice" => {
                self.slice = Some((step.from_ms.context("no begin of a slice")?, step.to_ms.context("no end")?));
                from.to_owned()
            }
            _ => match self.keyed(step, from)? {
                Some(stream) => stream,
                None => self.windowed(step, from)?,
            },
        })
    }

    /// The stream that a step reads beside the one before it.
    fn right(&mut self, step: &Step) -> Result<String> {
        match (&step.right, &step.right_self) {
            (_, Some(steps)) => self.steps(steps, INPUTS[0]),
            (steps, None) if self.case.input_batches_2.is_some() => {
                self.steps(steps.as_deref().unwrap_or_default(), INPUTS[1])
            }
            _ => bail!("`{}` has no second stream", step.op),
        }
    }

    fn union(&mut self, step: &Step, from: &str) -> Result<String> {
        let right = self.right(step)?;
        // A stream stands in a list once.
        let right = if right == from { self.call("map", "map", &right, &[("fn", "identity")]) } else { right };
        Ok(self.stream(&[
            format!("from = [\"{from}\", \"{right}\"]"),
            "union = true".to_owned(),
            "absent = \"fail\"".to_owned(),
        ]))
    }

    /// Where there is no batch it fails, but for PySpark.
    fn transform(&mut self, step: &Step, from: &str) -> Result<String> {
        let op = step.rdd_op.clone().context("`transform` does nothing")?;
        let absent: &[&str] = if self.case.is_python() { &[] } else { &["absent = \"fail\""] };
        let there = self.call_with("map", "map", from, &[("fn", "identity")], absent);
        self.step(&Step { op, rdd_op: None, ..step.clone() }, &there)
    }

    fn transform_with(&mut self, step: &Step, from: &str) -> Result<String> {
        let op = step.rdd_op.clone().context("`transformWith` does nothing")?;
        let step = Step { op, rdd_op: None, ..step.clone() };
        let joins = ["union", "cogroup"].contains(&step.op.as_str()) || step.op.to_lowercase().ends_with("join");
        let from = if joins { from.to_owned() } else { self.union(&step, from)? };
        self.step(&step, &from)
    }
}
