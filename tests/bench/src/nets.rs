//! What `make mutants` and `make flakes` have found, the last time that they ran.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::report::{Figure, Goal};

/// Files of `target`, with the figure that each has, under which name here, its unit and its goal.
const FOUND: [(&str, &str, &str, &str, Goal); 2] = [
    ("mutants.json", "caught_percent", "mutants.caught_percent", "%", Goal::AtLeast(95.0)),
    ("flakes.json", "failures", "flakes.failures", "", Goal::AtMost(0.0)),
];

/// None of those that have not run.
pub fn figures(target: &Path) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (file, field, name, unit, goal) in FOUND {
        let path = target.join(file);
        if path.exists() {
            let found: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let value = found[field].as_f64().with_context(|| format!("{} has no {field}", path.display()))?;
            figures.push(Figure { name, value, unit, goal: Some(goal), range: None });
        }
    }
    Ok(figures)
}
