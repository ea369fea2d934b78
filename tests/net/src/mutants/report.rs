//! What came of the mutants: a table, and `target/mutants.json`.

use std::{fmt::Write, fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};
use tidemill_tests::repository;

use super::{judge::Verdict, mutant::Mutant, tree::crate_of};

/// What came of a draw.
pub struct Report {
    pub seed: u64,
    pub judged: Vec<(Mutant, Verdict)>,
    /// How many are listed as equivalent and can not be drawn.
    pub equivalent: usize,
    /// How many do not compile and can not be drawn.
    pub dropped: usize,
    /// Tests that failed without a mutant too, one for each time.
    pub by_chance: Vec<String>,
}

impl Report {
    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.judged.iter().filter(|(_, verdict)| is_counted(verdict)).count()
    }

    pub fn survived(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Survived(_)))
    }

    fn caught_by_time(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::CaughtByTime)
    }

    /// Of those drawn, in percent.
    fn caught_percent(&self) -> f64 {
        let (drawn, caught) = (self.judged.len(), self.judged.len() - self.survived());
        if drawn == 0 { 100.0 } else { (caught as f64 * 1000.0 / drawn as f64).round() / 10.0 }
    }

    /// For people: each crate, then each survivor.
    pub fn table(&self) -> String {
        let mut text = format!("{:<18} {:>6} {:>7} {:>8} {:>9}\n", "crate", "drawn", "caught", "by time", "survived");
        let mut row = |name: &str, part: &Report| {
            let (drawn, survived, late) = (part.judged.len(), part.survived(), part.caught_by_time());
            let _ = writeln!(text, "{name:<18} {drawn:>6} {:>7} {late:>8} {survived:>9}", drawn - survived - late);
        };
        for name in super::tree::CRATES {
            let of_crate = self.judged.iter().filter(|(mutant, _)| crate_of(&mutant.identity.file) == Some(name));
            let judged: Vec<_> = of_crate.cloned().collect();
            if !judged.is_empty() {
                row(name, &Report { judged, by_chance: Vec::new(), ..*self });
            }
        }
        row("all", self);
        for (mutant, verdict) in &self.judged {
            if let Verdict::Survived(tests) = verdict {
                let reached = if *tests == 0 { "not reached".to_owned() } else { format!("{tests} tests reach it") };
                let Mutant { number, line, column, identity, .. } = mutant;
                let _ =
                    writeln!(text, "\n{number} at {}:{line}:{column} ({reached})\n  {}", identity.file, mutant.entry());
                if let Some(line) = source_line(mutant) {
                    let _ = writeln!(text, "  | {line}");
                }
            }
        }
        let Report { equivalent, dropped, by_chance, .. } = self;
        let _ = writeln!(text, "\ncaught: {} % of {}", self.caught_percent(), self.judged.len());
        let _ = writeln!(text, "not drawn: {dropped} that do not compile, {equivalent} that are listed as equivalent");
        if !by_chance.is_empty() {
            let _ = writeln!(text, "failed by chance, {} times:\n  {}", by_chance.len(), by_chance.join("\n  "));
        }
        text
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let survivors: Vec<Value> = self.judged.iter().filter_map(survivor).collect();
        let value = json!({
            "seed": self.seed,
            "drawn": self.judged.len(),
            "caught": self.judged.len() - self.survived(),
            "caught_by_time": self.caught_by_time(),
            "survived": self.survived(),
            "equivalent": self.equivalent,
            "not_compiled": self.dropped,
            "by_chance": self.by_chance,
            "caught_percent": self.caught_percent(),
            "survivors": survivors,
        });
        fs::write(path, serde_json::to_string_pretty(&value)? + "\n").with_context(|| path.display().to_string())
    }
}

/// The line that the mutant stands in, or begins in.
fn source_line(mutant: &Mutant) -> Option<String> {
    let source = fs::read_to_string(repository().join(&mutant.identity.file)).ok()?;
    source.lines().nth(mutant.line - 1).map(|line| line.trim().to_owned())
}

fn survivor((mutant, verdict): &(Mutant, Verdict)) -> Option<Value> {
    let Verdict::Survived(tests) = verdict else {
        return None;
    };
    let identity = &mutant.identity;
    Some(json!({
        "number": mutant.number,
        "entry": mutant.entry(),
        "file": identity.file,
        "line": mutant.line,
        "column": mutant.column,
        "function": identity.function,
        "kind": identity.kind.to_string(),
        "before": mutant.before(),
        "after": mutant.after,
        "source": source_line(mutant),
        "reached_by": tests,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutant::{Identity, Kind};

    fn report() -> Report {
        let mutant = |number: u32, file: &str| Mutant {
            number,
            identity: Identity {
                file: file.to_owned(),
                function: "f".to_owned(),
                kind: Kind::Literal,
                change: "1 -> 2".to_owned(),
                ordinal: 1,
            },
            line: 3,
            column: 5,
            after: "2".to_owned(),
            function_hash: 0x1234_abcd,
        };
        let judged = vec![
            (mutant(1, "host/plan/src/a.rs"), Verdict::Caught(vec!["t".to_owned()])),
            (mutant(2, "host/plan/src/a.rs"), Verdict::CaughtByTime),
            (mutant(3, "host/state/src/b.rs"), Verdict::Survived(0)),
        ];
        Report { seed: 1, judged, equivalent: 4, dropped: 5, by_chance: vec!["p/src a".to_owned()] }
    }

    #[test]
    fn mutants_are_counted() {
        let report = report();
        assert_eq!((report.survived(), report.caught_by_time(), report.caught_percent()), (1, 1, 66.7));
    }

    #[test]
    fn the_table_has_crates_and_survivors() {
        let table = report().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["host/plan", "2", "1", "1", "0"]);
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), ["host/state", "1", "0", "0", "1"]);
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["all", "3", "1", "1", "1"]);
        assert_eq!(lines[5], "3 at host/state/src/b.rs:3:5 (not reached)");
        assert_eq!(lines[6], "  host/state/src/b.rs f literal `1 -> 2` #1 @1234abcd");
        let end = [
            "not drawn: 5 that do not compile, 4 that are listed as equivalent",
            "failed by chance, 1 times:",
            "  p/src a",
        ];
        assert_eq!(lines[lines.len() - 3..], end);
    }
}
