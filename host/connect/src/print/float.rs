//! Floats as Python and Java write them: the fewest digits that give the same float again, and their own bounds for
//! exponents.

/// As Python's `repr`: `1.0`, `1e+16`, `1e-05`, `inf`, `nan`.
pub(super) fn python(value: f64) -> String {
    if !value.is_finite() {
        return format!("{value}").to_lowercase();
    }
    let (digits, exponent) = scientific(value);
    if (-4..16).contains(&exponent) {
        return fixed(value);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// As Java's `Double.toString`, and so Scala: `1.0`, `1.0E7`, `1.0E-5`, `Infinity`, `NaN`.
pub(super) fn java(value: f64) -> String {
    if !value.is_finite() {
        return format!("{value}").replace("inf", "Infinity");
    }
    let (digits, exponent) = scientific(value);
    if value == 0.0 || (-3..7).contains(&exponent) {
        return fixed(value);
    }
    format!("{digits}{}E{exponent}", if digits.contains('.') { "" } else { ".0" })
}

/// Shortest digits, with a point after the first, and the power of ten.
fn scientific(value: f64) -> (String, i32) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.to_owned(), exponent.parse().unwrap_or(0))
}

fn fixed(value: f64) -> String {
    let text = format!("{value}");
    if text.contains('.') { text } else { text + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_in_python_and_java() {
        for (value, in_python, in_java) in [
            (0.0, "0.0", "0.0"),
            (-0.0, "-0.0", "-0.0"),
            (1.0, "1.0", "1.0"),
            (0.1, "0.1", "0.1"),
            (-2.5, "-2.5", "-2.5"),
            (0.001, "0.001", "0.001"),
            (0.0001, "0.0001", "1.0E-4"),
            (0.00001, "1e-05", "1.0E-5"),
            (1.5e-7, "1.5e-07", "1.5E-7"),
            (9_999_999.0, "9999999.0", "9999999.0"),
            (1e7, "10000000.0", "1.0E7"),
            (123_456_789.125, "123456789.125", "1.23456789125E8"),
            (1e15, "1000000000000000.0", "1.0E15"),
            (1e16, "1e+16", "1.0E16"),
            (1.2345e100, "1.2345e+100", "1.2345E100"),
            (5e-324, "5e-324", "5.0E-324"),
            (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157E308"),
            (f64::INFINITY, "inf", "Infinity"),
            (f64::NEG_INFINITY, "-inf", "-Infinity"),
            (f64::NAN, "nan", "NaN"),
        ] {
            assert_eq!(python(value), in_python);
            assert_eq!(java(value), in_java);
        }
    }
}
