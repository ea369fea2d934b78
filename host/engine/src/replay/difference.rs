//! How rows differ, whatever a row is.

use std::collections::BTreeMap;

/// Rows that are not on both sides, each as often as it is missing on the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<T> {
    /// Those that there were, in their order.
    pub only_then: Vec<T>,
    /// Those that there are, in their order.
    pub only_now: Vec<T>,
    /// The same rows, in another order.
    pub is_reordered: bool,
}

impl<T> Difference<T> {
    /// Whether nothing differs.
    pub fn is_none(&self) -> bool {
        self.only_then.is_empty() && self.only_now.is_empty() && !self.is_reordered
    }
}

/// Compares rows as multisets, and then their order.
pub fn difference<T: Ord + Clone>(then: &[T], now: &[T]) -> Difference<T> {
    let (only_then, only_now) = (without(then, now), without(now, then));
    let is_reordered = only_then.is_empty() && only_now.is_empty() && then != now;
    Difference { only_then, only_now, is_reordered }
}

/// The rows that are left when each of the others has taken one away.
fn without<T: Ord + Clone>(rows: &[T], others: &[T]) -> Vec<T> {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    others.iter().for_each(|row| *counts.entry(row).or_default() += 1);
    let left = rows.iter().filter(|row| match counts.get_mut(*row) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    });
    left.cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use proptest::prelude::*;
    use tidemill_model::testing::cases;

    use super::*;

    #[test]
    fn rows_are_told_apart_by_how_often_they_come() {
        let check = |then: &str, now: &str, only_then: &str, only_now: &str, is_reordered: bool| {
            let found = difference(&then.chars().collect::<Vec<_>>(), &now.chars().collect::<Vec<_>>());
            let text = |rows: &[char]| rows.iter().collect::<String>();
            assert_eq!((text(&found.only_then).as_str(), text(&found.only_now).as_str()), (only_then, only_now));
            assert_eq!(found.is_reordered, is_reordered);
        };
        check("", "", "", "", false);
        check("abc", "abc", "", "", false);
        check("abc", "cab", "", "", true);
        check("aab", "abb", "a", "b", false);
        check("xay", "", "xay", "", false);
        check("", "aa", "", "aa", false);
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn what_differs_is_what_is_missing(then in "[a-d]{0,12}", now in "[a-d]{0,12}") {
            let (then, now): (Vec<char>, Vec<char>) = (then.chars().collect(), now.chars().collect());
            let found = difference(&then, &now);
            let mut mended: Vec<char> = now.clone();
            for gone in &found.only_now {
                let at = mended.iter().position(|row| row == gone).unwrap();
                mended.remove(at);
            }
            mended.extend(&found.only_then);
            mended.sort_unstable();
            let mut sorted = then.clone();
            sorted.sort_unstable();
            prop_assert_eq!(mended, sorted);
            prop_assert_eq!(found.is_none(), then == now);
        }
    }
}
