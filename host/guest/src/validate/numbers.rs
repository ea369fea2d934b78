//! Questions about all numbers of a slice.

/// Whether no number is smaller than the one before it.
pub(crate) fn ascending(numbers: &[i32]) -> bool {
    let after = numbers.get(1..).unwrap_or_default();
    let descents = numbers.iter().zip(after).fold(0, |found, (a, b)| found | i32::from(b < a));
    descents == 0
}

/// Whether every number is below `end`.
pub(crate) fn all_below(numbers: &[u32], end: usize) -> bool {
    // Nothing is below zero; and where numbers as large as `end` do not exist, all are below it.
    let Some(last) = end.checked_sub(1) else { return numbers.is_empty() };
    let last = u32::try_from(last).unwrap_or(u32::MAX);
    let beyond = numbers.iter().fold(0, |found, &number| found | u32::from(number > last));
    beyond == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascending_numbers() {
        for (numbers, expect) in
            [(&[][..], true), (&[7], true), (&[0, 0, 3, 3], true), (&[0, 2, 1], false), (&[0, i32::MIN], false)]
        {
            assert_eq!(ascending(numbers), expect, "{numbers:?}");
        }
    }

    #[test]
    fn numbers_below_an_end() {
        for (numbers, end, expect) in [
            (&[][..], 0, true),
            (&[0], 0, false),
            (&[0, 4], 5, true),
            (&[0, 5], 5, false),
            (&[u32::MAX], u32::MAX as usize, false),
            (&[u32::MAX], 1 << 32, true),
        ] {
            assert_eq!(all_below(numbers, end), expect, "{numbers:?} {end}");
        }
    }
}
