//! Measured values, as a table and as `target/bench.json`.

use std::{fmt::Write as _, path::Path};

/// Which way a goal points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The value should be at least this.
    AtLeast(f64),
    /// The value should be at most this.
    AtMost(f64),
}

/// One measured value.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name, say `wordcount.native_ratio`.
    pub name: &'static str,
    /// The median of the runs.
    pub value: f64,
    /// Its unit, for people.
    pub unit: &'static str,
    /// What it should be.
    pub goal: Option<Goal>,
    /// The smallest and the largest run, where there were several.
    pub range: Option<(f64, f64)>,
}

impl Figure {
    /// The median of several runs.
    pub fn of_runs(name: &'static str, mut runs: Vec<f64>, unit: &'static str, goal: Option<Goal>) -> Figure {
        runs.sort_by(f64::total_cmp);
        let value = runs[runs.len() / 2];
        Figure { name, value, unit, goal, range: Some((runs[0], runs[runs.len() - 1])) }
    }

    fn is_met(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtLeast(least) => self.value >= least,
            Goal::AtMost(most) => self.value <= most,
        })
    }
}

/// The figures as a table.
pub fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:<34} {:>14} {:<12} {:>12} {:<5} smallest .. largest\n", "figure", "value", "unit", "goal", "met");
    for figure in figures {
        let goal = figure.goal.map_or_else(String::new, |goal| match goal {
            Goal::AtLeast(least) => format!(">= {}", number(least)),
            Goal::AtMost(most) => format!("<= {}", number(most)),
        });
        let met = figure.is_met().map_or("", |met| if met { "yes" } else { "no" });
        let range = figure.range.map_or_else(String::new, |(low, high)| format!("{} .. {}", number(low), number(high)));
        let value = number(figure.value);
        writeln!(text, "{:<34} {value:>14} {:<12} {goal:>12} {met:<5} {range}", figure.name, figure.unit)
            .expect("text can be appended to a string");
    }
    text
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1e6 => format!("{:.2} M", value / 1e6),
        middle if middle >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.3}"),
    }
}

/// Writes the figures to a file, as a list of name, value, unit, goal and met.
pub fn write(figures: &[Figure], file: &Path) -> anyhow::Result<()> {
    let list: Vec<_> = figures
        .iter()
        .map(|figure| {
            let goal = figure.goal.map(|goal| match goal {
                Goal::AtLeast(goal) | Goal::AtMost(goal) => goal,
            });
            serde_json::json!({
                "name": figure.name, "value": figure.value, "unit": figure.unit, "goal": goal, "met": figure.is_met(),
            })
        })
        .collect();
    std::fs::write(file, serde_json::to_string_pretty(&list)? + "\n")?;
    Ok(())
}
