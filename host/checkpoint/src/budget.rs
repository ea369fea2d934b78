//! Whether a checkpoint has room for more. Pure.

use std::fmt;
use tidemill_model::text::counted;

/// How much room a checkpoint may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// All its files together, in bytes; `None`: as many as there is room for.
    pub bytes_max: Option<u64>,
    /// So many bytes of the place where it lies are left free.
    pub free_bytes_min: u64,
}

/// Why new input has to wait: room is needed for what was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The checkpoint is larger than its budget.
    Budget {
        /// Bytes of its files.
        used: u64,
        /// Bytes that they may have.
        max: u64,
    },
    /// The place where it lies is nearly full, of whatever.
    Free {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free.
        min: u64,
    },
}

impl Budget {
    /// No bounds but those of the place itself.
    pub const UNBOUNDED: Budget = Budget { bytes_max: None, free_bytes_min: 0 };

    /// Whether there is too little room for more input, given the bytes of the checkpoint's files and those that are
    /// free where it lies, if that is known.
    pub fn shortage(&self, used: u64, free: Option<u64>) -> Option<Shortage> {
        let over = self.bytes_max.filter(|&max| used > max).map(|max| Shortage::Budget { used, max });
        let min = self.free_bytes_min;
        over.or(free.filter(|&free| free < min).map(|free| Shortage::Free { free, min }))
    }

    /// A limit, lowered where it is more than a `share`-th of the budget: so that snapshots, segments and history leave
    /// room for each other in a small one.
    pub fn share(&self, limit: u64, share: u64) -> u64 {
        self.bytes_max.map_or(limit, |max| limit.min(max / share))
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Shortage::Budget { used, max } => {
                write!(f, "the checkpoint has {}, and its budget is {}", Size(used), Size(max))
            }
            Shortage::Free { free, min } => {
                write!(f, "{} are free where the checkpoint lies, and {} are to stay free", Size(free), Size(min))
            }
        }
    }
}

/// Bytes, as people read them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match units.iter().find(|(_, unit)| self.0 >= *unit) {
            Some((name, unit)) => write!(f, "{:.1} {name}", self.0 as f64 / *unit as f64),
            None => f.write_str(&counted(self.0, "byte")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ends_above_the_budget_and_below_the_reserve() {
        let check = |bytes_max, free_bytes_min, used, free, expect: &str| {
            let shortage = Budget { bytes_max, free_bytes_min }.shortage(used, free);
            assert_eq!(shortage.map(|shortage| shortage.to_string()).unwrap_or_default(), expect);
        };
        check(None, 0, u64::MAX, Some(0), "");
        check(None, 10, u64::MAX, None, "");
        check(Some(10), 10, 10, Some(10), "");
        check(Some(10), 0, 11, None, "the checkpoint has 11 bytes, and its budget is 10 bytes");
        let free = "1.5 KiB are free where the checkpoint lies, and 2.0 MiB are to stay free";
        check(Some(10), 2 << 20, 0, Some(1536), free);
        check(Some(0), 1, 3 << 30, Some(0), "the checkpoint has 3.0 GiB, and its budget is 0 bytes");
    }

    #[test]
    fn a_small_budget_has_small_parts() {
        let budget = Budget { bytes_max: Some(80), free_bytes_min: 0 };
        assert_eq!((budget.share(100, 8), budget.share(9, 8), Budget::UNBOUNDED.share(100, 8)), (10, 9, 100));
    }
}
