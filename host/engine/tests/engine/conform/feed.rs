//! Rows for samples: few keys, so that they meet, and values in which their order shows.

use std::fmt::Write;

use tidemill_model::testing::Value;

/// Batches of a feed.
pub const BATCHES: usize = 4;

/// The one that is skipped where one is, from 0.
pub const SKIPPED: usize = 1;

/// The line of a row that skips its batch.
const POISON: &str = "panic";

/// A source's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub k: &'static str,
    pub n: i64,
    pub f: Option<bool>,
    /// What is done with it beside.
    pub line: &'static str,
}

/// For both sources their batches.
#[derive(Clone, Debug)]
pub struct Feed(pub [Vec<Vec<Row>>; 2]);

/// A feed with so many rows a batch, more or less; the third batch of the second source is empty.
pub fn feed(seed: u64, rows: usize) -> Feed {
    let mut state = seed;
    // Numerical Recipes' generator: any will do, if it is the same everywhere.
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut row = || {
        let k = ["yes", "no", "panic", "", "ä"][next(5) as usize];
        let (n, f) = (next(10) as i64, [Some(true), Some(false), None][next(3) as usize]);
        Row { k, n, f, line: "fine" }
    };
    let mut batches = |is_second: bool| {
        let count = |batch: usize| if is_second && batch == 2 { 0 } else { rows + batch };
        (0..BATCHES).map(|batch| (0..count(batch)).map(|_| row()).collect()).collect()
    };
    Feed([batches(false), batches(true)])
}

impl Feed {
    /// The rows of `in` (0) or `more` (1).
    pub fn rows(&self, stream: usize) -> Vec<Vec<Vec<Value>>> {
        let flag = |f: Option<bool>| f.map_or(Value::Missing, Value::Boolean);
        let row = |row: &Row| vec![Value::text(row.k), Value::Integer(row.n), flag(row.f), Value::text(row.line)];
        self.0[stream].iter().map(|batch| batch.iter().map(row).collect()).collect()
    }

    /// The same, and one batch has no rows.
    pub fn without(&self, batch: usize) -> Feed {
        let mut feed = self.clone();
        feed.0.iter_mut().for_each(|batches| batches[batch].clear());
        feed
    }

    /// The same, and one batch has a row that skips it, behind others.
    pub fn poisoned(&self, batch: usize) -> Feed {
        let mut feed = self.clone();
        feed.0[0][batch].push(Row { k: "no", n: 0, f: None, line: POISON });
        feed
    }

    /// A source's batches as a pipeline has them.
    pub fn text(&self, stream: usize) -> String {
        let mut text = String::new();
        for batch in &self.0[stream] {
            let row = |Row { k, n, f, line }: &Row| {
                let flag = f.map_or(String::new(), |f| format!(", f = {f}"));
                format!("{{ k = \"{k}\", n = {n}{flag}, line = \"{line}\" }}")
            };
            let rows: Vec<String> = batch.iter().map(row).collect();
            let _ = write!(text, "[{}], ", rows.join(", "));
        }
        text
    }
}
