//! Counts points by the quadrant that they lie in.

use tidemill_sdk::prelude::*;

/// Where a point lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Place<'a> {
    quadrant: &'a str,
    count: i64,
}

/// The quadrant of a point, a line of two numbers. What is not a point counts as `Invalid points`.
#[map]
fn quadrant(line: &str) -> Place<'_> {
    let quadrant = point(line).map_or("Invalid points", |(x, y)| label(x, y));
    Place { quadrant, count: 1 }
}

/// How many points a quadrant has had since the pipeline began.
#[update_state]
fn running_count(new: Values<i64>, count: Option<i64>) -> Option<i64> {
    Some(count.unwrap_or(0) + new.iter().sum::<i64>())
}

plugin!(quadrant, running_count);

/// The comparisons are tried in the tutorial's order, which also says what becomes of not-a-number.
fn label(x: f64, y: f64) -> &'static str {
    if x > 0.0 && y > 0.0 {
        "First quadrant"
    } else if x < 0.0 && y > 0.0 {
        "Second quadrant"
    } else if x < 0.0 && y < 0.0 {
        "Third quadrant"
    } else if x > 0.0 && y < 0.0 {
        "Fourth quadrant"
    } else if x == 0.0 && y != 0.0 {
        "Lies on Y axis"
    } else if x != 0.0 && y == 0.0 {
        "Lies on X axis"
    } else {
        "Origin"
    }
}

/// Exactly two numbers with white space around them, as Python's `x, y = [float(x) for x in line.split()]` takes them.
fn point(line: &str) -> Option<(f64, f64)> {
    let mut numbers = line.split(is_python_space).filter(|text| !text.is_empty()).map(number);
    let point = (numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(point)
}

/// White space in Python's eyes: Unicode's, and the four information separators.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What Python's `float` makes of a text: Rust's syntax, and an underscore between two digits. Digits other than ASCII's
/// are not taken.
fn number(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return text.parse().ok();
    }
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between_digits = |at: usize| is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1));
    let well_placed = text.match_indices('_').all(|(at, _)| between_digits(at));
    if well_placed { text.replace('_', "").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        assert_eq!(testing::map::<quadrant>([line]).rows(), [Place { quadrant: expect, count: 1 }], "{line:?}");
    }

    #[test]
    fn points_have_a_place() {
        for (line, expect) in [
            ("1 2", "First quadrant"),
            ("-1.5 2", "Second quadrant"),
            ("-1 -2e3", "Third quadrant"),
            ("1 -.5", "Fourth quadrant"),
            ("0 7", "Lies on Y axis"),
            ("-0.0 -7", "Lies on Y axis"),
            ("3. 0", "Lies on X axis"),
            ("0 0", "Origin"),
            ("  1\t\u{a0} 2 ", "First quadrant"),
            ("1\u{1f}2", "First quadrant"),
            ("+1E2 1_000.5", "First quadrant"),
            ("inf -Infinity", "Fourth quadrant"),
            ("1e999 1", "First quadrant"),
            ("1e-999 1", "Lies on Y axis"),
        ] {
            check(line, expect);
        }
    }

    #[test]
    fn not_a_number_falls_through_the_comparisons() {
        for (line, expect) in [
            ("nan 1", "Origin"),
            ("1 NaN", "Origin"),
            ("nan nan", "Origin"),
            ("0 nan", "Lies on Y axis"),
            ("-nan 0", "Lies on X axis"),
        ] {
            check(line, expect);
        }
    }

    #[test]
    fn what_is_not_two_numbers_is_counted_as_invalid() {
        for line in
            ["", "1", "1 2 3", "1,2", "a b", "0x1 2", "1 _2", "1__0 2", "1_ 2", "1_.5 2", "1e_5 2", "é 1", "1 2 x"]
        {
            check(line, "Invalid points");
        }
    }

    #[test]
    fn counts_run_over_batches() -> Result<(), testing::Failed> {
        let mut counts = testing::keyed::<running_count, _>();
        counts.batch([("Origin", 1), ("Invalid points", 1), ("Origin", 1)])?;
        counts.batch([("Origin", 1)])?;
        assert_eq!(counts.states(), [("Origin", 3), ("Invalid points", 1)]);
        Ok(())
    }

    #[test]
    fn signatures_are_what_pipelines_bind_to() {
        assert_eq!(testing::signature::<quadrant>(), "quadrant(line: text) -> quadrant: text, count: integer");
        assert_eq!(testing::signature::<running_count>(), "running-count(value: integer) [value: integer]");
    }
}
