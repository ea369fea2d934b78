//! Numbers of a queue, by their last digits.

use tidemill_sdk::prelude::*;

/// The last digit of a number.
#[map]
fn last_digit(number: i64) -> i64 {
    number.rem_euclid(10)
}

plugin!(last_digit);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn numbers_have_last_digits() {
        assert_eq!(testing::map::<last_digit>([0, 19, 100, -1]).rows(), [0, 9, 0, 9]);
    }
}
