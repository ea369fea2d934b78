//! A stable sort that looks up now and then: one of many rows takes long, and a run that is told to stop has no time for that.

use std::cmp::Ordering;

/// Rows that are sorted, or merged, between two looks.
pub(super) const PART_ROWS: usize = 1 << 16;

/// The places of so many rows in their order; those that compare equal keep theirs. `look` says whether to go on, each time that a
/// part has been compared.
pub(super) fn sorted<E>(
    rows: usize,
    compare: impl Fn(u32, u32) -> Ordering,
    mut look: impl FnMut() -> Result<(), E>,
) -> Result<Vec<u32>, E> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    for part in order.chunks_mut(PART_ROWS) {
        look()?;
        part.sort_by(|&left, &right| compare(left, right));
    }
    let (mut width, mut merged) = (PART_ROWS, Vec::new());
    while width < rows {
        merged.reserve(rows);
        for two in order.chunks(2 * width) {
            let (left, right) = two.split_at(width.min(two.len()));
            merge(left, right, &compare, &mut look, &mut merged)?;
        }
        std::mem::swap(&mut order, &mut merged);
        merged.clear();
        width *= 2;
    }
    Ok(order)
}

/// Two sorted parts as one; of two that compare equal the left one comes first.
fn merge<'a, E>(
    mut left: &'a [u32],
    mut right: &'a [u32],
    compare: impl Fn(u32, u32) -> Ordering,
    mut look: impl FnMut() -> Result<(), E>,
    merged: &mut Vec<u32>,
) -> Result<(), E> {
    while let ([first, ..], [second, ..]) = (left, right) {
        if merged.len().is_multiple_of(PART_ROWS) {
            look()?;
        }
        let from = if compare(*first, *second).is_le() { &mut left } else { &mut right };
        if let Some((next, rest)) = from.split_first() {
            merged.push(*next);
            *from = rest;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use super::*;

    /// Few keys, so that many are equal.
    fn key(row: u32) -> u32 {
        row.wrapping_mul(2_654_435_761) % 1_000
    }

    fn compare(left: u32, right: u32) -> Ordering {
        key(left).cmp(&key(right))
    }

    #[test]
    fn it_sorts_as_the_library_does() {
        for rows in [0, 1, 2, PART_ROWS - 1, PART_ROWS, PART_ROWS + 1, 3 * PART_ROWS + 7, 4 * PART_ROWS] {
            let mut expect: Vec<u32> = (0..rows as u32).collect();
            expect.sort_by_key(|&row| key(row));
            let Ok(order) = sorted(rows, compare, || Ok::<(), Infallible>(()));
            assert!(order == expect, "{rows} rows");
        }
    }

    /// Between two looks there is a part's work, and whoever says no is heard.
    #[test]
    fn it_is_looked_up_between_parts() {
        let (rows, compared, looks) = (5 * PART_ROWS, Cell::new(0_u64), Cell::new(0));
        let counted = |left: u32, right: u32| {
            compared.set(compared.get() + 1);
            compare(left, right)
        };
        let most = Cell::new(0);
        let look = |stops_at: usize| {
            most.set(most.get().max(compared.replace(0)));
            looks.set(looks.get() + 1);
            if looks.get() > stops_at { Err(()) } else { Ok(()) }
        };
        assert!(sorted(rows, counted, || look(usize::MAX)).is_ok());
        // A part is sorted with less than 2 x 16 comparisons a row.
        assert!(most.get() <= 32 * PART_ROWS as u64, "{} comparisons between two looks", most.get());
        let all = looks.get();
        assert!(all > 10, "{all} looks");
        for stops_at in 0..all {
            looks.set(0);
            assert_eq!(sorted(rows, counted, || look(stops_at)), Err(()));
            assert_eq!(looks.get(), stops_at + 1);
        }
    }
}
