//! Checks which rows a guest rejected.

use tidemill_model::limits::Limits;

use crate::verdict::Verdict;

/// Refuses rejections that cannot be: too many, of rows that were not given, of the same row twice.
pub(crate) fn check_rejections(
    rejected: impl ExactSizeIterator<Item = u32> + Clone,
    input_rows: usize,
    limits: &Limits,
) -> Result<(), Verdict> {
    let got = rejected.len();
    if got > limits.rejections {
        return Err(Verdict::TooManyRejections { limit: limits.rejections, got });
    }
    if let Some(row) = rejected.clone().find(|&row| row as usize >= input_rows) {
        return Err(Verdict::RejectionOutOfRange { row, input_rows });
    }
    match twice(rejected, input_rows) {
        Some(row) => Err(Verdict::RejectedTwice { row, input_rows, got }),
        None => Ok(()),
    }
}

/// A row that is rejected twice. All rows are below `input_rows`.
fn twice(mut rejected: impl Iterator<Item = u32> + Clone, input_rows: usize) -> Option<u32> {
    // Who goes through its rows once says them in order, and needs no memory here.
    if rejected.clone().is_sorted_by(|one, next| one < next) {
        return None;
    }
    let mut seen = vec![0_u64; input_rows.div_ceil(64)];
    rejected.find(|&row| {
        let (word, bit) = (&mut seen[row as usize / 64], 1 << (row % 64));
        let before = *word;
        *word |= bit;
        before & bit != 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[u32], input_rows: usize, expect: Result<(), Verdict>) {
        let limits = Limits { rejections: 5, ..Limits::default() };
        assert_eq!(check_rejections(rows.iter().copied(), input_rows, &limits), expect, "{rows:?}");
    }

    #[test]
    fn each_row_can_be_rejected_once() {
        for rows in [&[][..], &[0], &[0, 1, 2], &[2, 0, 1], &[99, 0, 64, 63, 65]] {
            check(rows, 100, Ok(()));
        }
        let twice = |row, got| Err(Verdict::RejectedTwice { row, input_rows: 100, got });
        check(&[7, 7], 100, twice(7, 2));
        check(&[64, 0, 5, 64, 0], 100, twice(64, 5));
        check(&[0, 0], 1, Err(Verdict::RejectedTwice { row: 0, input_rows: 1, got: 2 }));
    }

    #[test]
    fn only_rows_that_were_given_and_no_more_than_allowed() {
        check(&[1], 1, Err(Verdict::RejectionOutOfRange { row: 1, input_rows: 1 }));
        check(&[u32::MAX], 0, Err(Verdict::RejectionOutOfRange { row: u32::MAX, input_rows: 0 }));
        check(&[0, 1, 2, 3, 4, 5], 6, Err(Verdict::TooManyRejections { limit: 5, got: 6 }));
    }
}
