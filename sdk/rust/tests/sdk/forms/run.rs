//! Runs functions of each kind in the test kit, and shows what comes of it as the host's cases do.

use std::{collections::BTreeMap, fmt::Write};

use tidemill_sdk::testing::{Failed, Kit, Noted, ReduceFunction, RowsFunction, UpdateFunction};

use super::{
    case::Case,
    value::{Shown, Taken, Value},
};

/// Runs a case, and shows what came of it.
pub type Runs = fn(&Case, &Kit) -> String;

/// What came of a case.
#[derive(Default)]
struct Outcome {
    text: String,
    skipped: usize,
    rejected: usize,
    counters: BTreeMap<String, u64>,
}

impl Outcome {
    fn batch(&mut self, second: i64, mut rows: Vec<String>) {
        rows.sort();
        let line = format!("out {second}: {}", rows.join(", "));
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn noted(&mut self, noted: &Noted, rejected: usize) {
        self.rejected += rejected;
        for (name, count) in &noted.counters {
            *self.counters.entry(name.clone()).or_default() += count;
        }
    }

    fn shown(mut self, case: &Case) -> String {
        for (what, number) in [("skipped", self.skipped), ("rejected", self.rejected)] {
            if number > 0 {
                let _ = writeln!(self.text, "{what} {number}");
            }
        }
        for (name, count) in &self.counters {
            let _ = writeln!(self.text, "counted {}/forms/{name} {count}", case.caller);
        }
        self.text.trim_end().to_owned()
    }
}

/// A map or an output.
pub fn map<F>(case: &Case, kit: &Kit) -> String
where
    F: RowsFunction,
    F::Input<'static>: Taken,
    for<'a> F::Output<'a>: Shown,
{
    let mut outcome = Outcome::default();
    for (second, batch, time) in case.timed() {
        let rows = batch.iter().map(|row| {
            let values = row.iter().enumerate().filter(|(place, _)| Some(*place) != case.keep);
            F::Input::take(&mut values.map(|(_, value)| *value))
        });
        let mapped = match case.share(kit.clone(), second).batch_time(time).map::<F>(rows) {
            Ok(mapped) => mapped,
            Err(Failed { .. }) => {
                outcome.skipped += 1;
                continue;
            }
        };
        let mut shown: Vec<String> = mapped.rows().iter().map(Shown::show).collect();
        if case.filters {
            let stay = batch.iter().zip(&shown).filter(|(_, flag)| *flag == "true");
            shown = stay.map(|(row, _)| shown_value(row[0])).collect();
        }
        if let Some(keep) = case.keep {
            assert_eq!(shown.len(), mapped.origins().len());
            for (row, origin) in shown.iter_mut().zip(mapped.origins()) {
                let _ = write!(row, " {}", shown_value(batch[*origin][keep]));
            }
        }
        // One partition comes to one row, and what the host makes of it is the same.
        assert!(case.then.is_none() || shown.len() <= 1, "{}", case.title);
        outcome.batch(second, shown);
        outcome.noted(mapped.noted(), mapped.rejected().len());
    }
    outcome.shown(case)
}

fn shown_value(value: Value) -> String {
    match value {
        Value::Missing => "-".to_owned(),
        Value::Boolean(boolean) => boolean.show(),
        Value::Integer(integer) => integer.show(),
        Value::Float(float) => float.show(),
        Value::Text(text) => text.show(),
    }
}

/// Rows with the key in front.
fn keyed<T: Taken>(rows: &[Vec<Value>]) -> Vec<(&'static str, T)> {
    let row = |row: &Vec<Value>| {
        let mut values = row.iter().copied();
        (<&str>::take(&mut values), T::take(&mut values))
    };
    rows.iter().map(row).collect()
}

/// A reduce that finishes with `T`.
pub fn reduce<F, T>(case: &Case, kit: &Kit) -> String
where
    F: ReduceFunction,
    F::Input<'static>: Taken,
    T: for<'a> tidemill_sdk::__private::Read<'a> + Shown,
{
    let mut outcome = Outcome::default();
    for (second, batch, time) in case.timed() {
        let reduced = kit.clone().batch_time(time).reduce::<F, _>(keyed::<F::Input<'static>>(batch)).unwrap();
        let rows = reduced.rows::<T>();
        outcome.batch(second, rows.iter().map(|(key, row)| format!("{key} {}", row.show())).collect());
    }
    outcome.shown(case)
}

/// A function of states.
pub fn update<F>(case: &Case, kit: &Kit) -> String
where
    F: UpdateFunction,
    F::New<'static>: Taken,
    for<'a> F::State<'a>: Shown,
    for<'a> F::Emitted<'a>: Shown,
{
    let (mut states, mut outcome) = (kit.keyed::<F, &'static str>(), Outcome::default());
    let emits = tidemill_sdk::testing::signature::<F>().contains(" -> ");
    for (second, batch, time) in case.timed() {
        let rows = keyed::<F::New<'static>>(batch);
        let mut keys: Vec<&str> = rows.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        let updated = states.with(|kit| case.share(kit, second)).at(time).batch(rows).unwrap();
        let shown: Vec<String> = if emits {
            updated.emitted().iter().map(|(key, row)| format!("{key} {}", row.show())).collect()
        } else {
            keys.iter().filter_map(|key| Some(format!("{key} {}", states.state(key)?.show()))).collect()
        };
        outcome.batch(second, shown);
        outcome.noted(updated.noted(), updated.rejected().len());
    }
    outcome.shown(case)
}
