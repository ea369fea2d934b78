//! Steps over windows.
//!
//! A window that is computed with an inverse function keeps keys that none of its batches has any more, with what is left of
//! them (0); Tidemill's do not. The runner puts that back with a state behind the window, so that both can be compared. PySpark uses
//! the inverse for windows of five slides and more alone.

use anyhow::{Context, Result, bail};

use super::Builder;
use crate::case::Step;

/// PySpark computes windows of fewer slides anew.
const PYTHON_INVERSE_SLIDES: u64 = 5;

impl Builder<'_> {
    pub(super) fn windowed(&mut self, step: &Step, from: &str) -> Result<String> {
        let window = match step.op.as_str() {
            op if op == "window" || op.ends_with("Window") => self.window_keys(step)?,
            op => bail!("there is no step `{op}`"),
        };
        let window: Vec<&str> = window.iter().map(String::as_str).collect();
        let function = step.function.as_deref().unwrap_or("add");
        Ok(match step.op.as_str() {
            "window" => self.from(from, &window),
            "groupByKeyAndWindow" => {
                let rows = self.from(from, &window);
                let grouped = self.grouped(&rows);
                self.call("map", "pack-list", &grouped, &[])
            }
            "countByValueAndWindow" => self.count_by_value(from, &window),
            "countByWindow" => self.under_one_key(step, ("one_under_one_key", from), ("add", "sub"), &window),
            "reduceByWindow" => match &step.inv_fn {
                Some(inverse) => self.under_one_key(step, ("under_one_key", from), (function, inverse), &window),
                None => self.reduce(function, from, &window),
            },
            "reduceByKeyAndWindow" => {
                let pairs = self.call("map", "unpack", from, &[]);
                let reduced = self.reduce_by_key(function, &pairs, &window);
                let inverse = step.inv_fn.as_deref().filter(|_| self.keeps(step));
                match (inverse, &step.filter) {
                    (Some(inverse), filter) => self.kept(inverse, filter.as_deref(), &reduced),
                    (None, Some(filter)) => self.call("filter", "filter", &reduced, &[("fn", filter)]),
                    (None, None) => reduced,
                }
            }
            op => bail!("there is no step `{op}`"),
        })
    }

    fn window_keys(&self, step: &Step) -> Result<Vec<String>> {
        let window = step.window_ms.with_context(|| format!("`{}` has no window", step.op))?;
        let slide = step.slide_ms.map(|slide| format!("slide = \"{slide}ms\""));
        Ok([format!("window = \"{window}ms\"")].into_iter().chain(slide).collect())
    }

    /// Whether keys stay that no batch of the window has.
    fn keeps(&self, step: &Step) -> bool {
        let slide = step.slide_ms.unwrap_or(self.case.params.batch_interval_ms);
        !self.case.is_python() || step.window_ms.unwrap_or(0) >= PYTHON_INVERSE_SLIDES * slide
    }

    /// What has no key is reduced under one, with an inverse.
    fn under_one_key(
        &mut self,
        step: &Step,
        (pair, from): (&str, &str),
        (function, inverse): (&str, &str),
        window: &[&str],
    ) -> String {
        let paired = self.call("map", "map", from, &[("fn", pair)]);
        let pairs = self.call("map", "unpack", &paired, &[]);
        let reduced = self.reduce_by_key(function, &pairs, window);
        let reduced = if self.keeps(step) { self.kept(inverse, None, &reduced) } else { reduced };
        self.call("map", "map", &reduced, &[("fn", "value_of_pair")])
    }

    fn kept(&mut self, inverse: &str, filter: Option<&str>, reduced: &str) -> String {
        let pairs = self.call("map", "unpack", reduced, &[]);
        let parameters: Vec<(&str, &str)> =
            [("inverse", inverse)].into_iter().chain(filter.map(|filter| ("filter", filter))).collect();
        let keys = ["by = \"key\"", "run = \"all\"", "emit = \"all\""];
        let states = self.call_with("update-state", "keep", &pairs, &parameters, &keys);
        self.call("map", "pack", &states, &[])
    }
}
