//! Whether a reduce comes to the same however its rows are cut and ordered.

use crate::{
    bindings::tidemill::plugin::data::Batch,
    function::{Fields, ReduceFunction},
};

use super::{
    Failed, Kit,
    batch::batch_of,
    plain::{Plain, plain_rows},
    reduced::{Part, Reduced, reduce_parts},
};

/// One of the ways in which the host may cut and order the rows of a key.
struct Way {
    /// For a person to read, after "comes to".
    how: &'static str,
    /// What to do about a reduce that comes to something else in this way.
    advice: &'static str,
    /// Whether the last row is the first one that is taken.
    backwards: bool,
    /// The part of the row that is taken as this one of so many of its key.
    part: fn(usize, usize) -> usize,
    /// Whether the last part is the first one that is merged.
    merged_backwards: bool,
}

const CUT: &str = "The accumulator of some rows, merged with that of others, must be the accumulator of all of them: compare \
                   how a group begins, what adds a row and what merges.";

const ORDER: &str = "For the newest value of a key use `update_state`, whose `Values` come in order of arrival; where it is \
                     a tie that the first row wins, compare another field, too.";

/// A key has this many parts at most, so that many rows do not make as many instances.
const PARTS_MAX: usize = 16;

/// Cuts come first: they keep the rows in order, so what differs there is not told as a question of order.
const WAYS: [Way; 5] = [
    Way {
        how: "with all its rows in one partition",
        advice: CUT,
        backwards: false,
        part: |_, _| 0,
        merged_backwards: false,
    },
    Way {
        how: "with its first row in a partition of its own",
        advice: CUT,
        backwards: false,
        part: |row, _| row.min(1),
        merged_backwards: false,
    },
    Way {
        how: "with each row in a partition of its own",
        advice: CUT,
        backwards: false,
        part: |row, _| row.min(PARTS_MAX - 1),
        merged_backwards: false,
    },
    Way {
        how: "with its rows in the opposite order",
        advice: ORDER,
        backwards: true,
        part: |_, _| 0,
        merged_backwards: false,
    },
    // A reduce may come to the same backwards: the distance from the first row to the last one does.
    Way {
        how: "with the first half of its rows merged into the second",
        advice: ORDER,
        backwards: false,
        part: |row, count| usize::from(2 * row >= count),
        merged_backwards: true,
    },
];

/// Fails where the rows do not come to the same in all ways. `expected` is what they came to, and `keys` are the numbers of
/// the rows' keys.
pub(super) fn check<F: ReduceFunction, K>(
    kit: &Kit,
    rows: &[F::Input<'_>],
    keys: &[usize],
    expected: &Reduced<F, K>,
) -> Result<(), Failed> {
    let signature = F::signature();
    let expect = plain_rows(&expected.rows, &signature.output)?;
    let mut floats = vec![0.0; expect.len()];
    add_floats(&mut floats, keys, &batch_of(rows), &signature.input)?;
    let in_order: Vec<usize> = (0..expect.len()).collect();
    add_floats(&mut floats, &in_order, &expected.states, &signature.state)?;
    for way in &WAYS {
        let found =
            way.reduce::<F>(kit, rows, keys, expect.len()).map_err(|failed| way.fails(&signature.name, failed))?;
        for (key, found) in found.keys.iter().zip(plain_rows(&found.rows, &signature.output)?) {
            if !found.is_near(&expect[*key], floats[*key]) {
                let row = keys.iter().position(|other| other == key).unwrap_or_default();
                return Err(way.differs(&signature.name, row, &expect[*key], &found));
            }
        }
    }
    Ok(())
}

/// Adds the sizes of the floats in these rows to those of their keys.
fn add_floats(floats: &mut [f64], keys: &[usize], rows: &Batch, fields: &Fields) -> Result<(), Failed> {
    let rows = plain_rows(rows, fields)?;
    keys.iter().zip(rows).for_each(|(key, row)| floats[*key] += row.floats());
    Ok(())
}

/// As much of a value as a person reads.
fn shortened(value: &Plain) -> String {
    const CHARACTERS_MAX: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

// === impl Way ===

impl Way {
    /// What the rows come to in this way, by the numbers of their keys.
    fn reduce<F: ReduceFunction>(
        &self,
        kit: &Kit,
        rows: &[F::Input<'_>],
        keys: &[usize],
        count: usize,
    ) -> Result<Reduced<F, usize>, Failed> {
        let (order, states) = reduce_parts::<F>(kit, &self.parts(rows, keys, count))?;
        Reduced::finished(kit, order, states)
    }

    fn parts<'r, T>(&self, rows: &'r [T], keys: &[usize], count: usize) -> Vec<Part<'r, T>> {
        let mut totals = vec![0; count];
        keys.iter().for_each(|key| totals[*key] += 1);
        let mut taken = vec![0; count];
        let mut parts = vec![Part::default()];
        for place in 0..rows.len() {
            let place = if self.backwards { rows.len() - 1 - place } else { place };
            let key = keys[place];
            let part = (self.part)(taken[key], totals[key]);
            taken[key] += 1;
            if parts.len() <= part {
                parts.resize_with(part + 1, Part::default);
            }
            parts[part].push(&rows[place], key);
        }
        if self.merged_backwards {
            parts.reverse();
        }
        parts
    }

    fn fails(&self, name: &str, failed: Failed) -> Failed {
        Failed { reason: format!("`{name}` fails {}, and not as they came: {}", self.how, failed.reason) }
    }

    /// Keys need not be printable; so a key is told by the number of its first row.
    fn differs(&self, name: &str, row: usize, expect: &Plain, found: &Plain) -> Failed {
        let (how, advice, expect, found) = (self.how, self.advice, shortened(expect), shortened(found));
        Failed {
            reason: format!(
                "`{name}` depends on how its rows are cut or ordered: the key of row {row}, counted from 0, comes to \
                 {expect}, and to {found} {how}. Partitions are reduced each for itself and put together in any order, so a \
                 reduce must be associative and commutative. {advice}"
            ),
        }
    }
}
