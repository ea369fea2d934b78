//! Amounts that are written with a unit: `500ms`, `64MiB`.

use tidemill_model::{text::counted, time::Interval};

/// Longer numbers are no amounts, and could not be computed with.
const DIGITS_MAX: usize = 15;

/// Units of time, in microseconds.
const TIME_UNITS: &[(&str, i64)] =
    &[("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];

/// Units of size, in bytes.
const SIZE_UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads `5s`, `0.5s`, `500ms`, `2m`, `1h`, `366d`. The error is a sentence for the person who wrote it.
pub fn interval(text: &str) -> Result<Interval, String> {
    let how = "write a number and ms, s, m, h or d, for example 5s or 500ms";
    let (number, unit) = split(text);
    let Some((_, unit_micros)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(if unit.is_empty() { format!("`{text}` has no unit; {how}") } else { how.to_owned() });
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.len() + fraction.len();
    if whole.is_empty() || digits > DIGITS_MAX || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(how.to_owned());
    }
    if number.ends_with('.') || fraction.contains('.') {
        return Err(how.to_owned());
    }
    let scaled: i128 = format!("{whole}{fraction}").parse().map_err(|_| how.to_owned())?;
    let micros = scaled * i128::from(*unit_micros);
    let divisor = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    if micros % divisor != 0 {
        return Err("an interval is a whole number of microseconds".to_owned());
    }
    let micros = i64::try_from(micros / divisor).unwrap_or(i64::MAX);
    Interval::try_new(micros).map_err(|error| error.to_string())
}

/// Reads `64KiB`, `32MiB`, `1GiB`, `100B`; the answer is in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let how = "write a number of bytes, or a number and KiB, MiB or GiB, for example 32MiB";
    let (number, unit) = split(text);
    let Some((_, unit_bytes)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) else { return Err(how.to_owned()) };
    if number.len() > DIGITS_MAX {
        return Err(how.to_owned());
    }
    let number: u64 = number.parse().map_err(|_| how.to_owned())?;
    Ok(number.saturating_mul(*unit_bytes))
}

/// The number and the unit; spaces between them do not matter.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A size as a person writes it: `64KiB`, `100 bytes`.
pub fn show_size(bytes: u64) -> String {
    match SIZE_UNITS.iter().rev().find(|(_, unit)| *unit > 1 && bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => counted(bytes, "byte"),
    }
}

/// A time as a person writes it: `30s`, `1.5ms`.
pub fn show_interval(interval: Interval) -> String {
    let micros = interval.micros();
    match TIME_UNITS.iter().rev().find(|(_, unit)| micros % unit == 0) {
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None => {
            let fraction = format!("{:03}", micros % 1_000);
            format!("{}.{}ms", micros / 1_000, fraction.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read() {
        for (text, micros) in [
            ("5s", Some(5_000_000)),
            ("500ms", Some(500_000)),
            ("2m", Some(120_000_000)),
            ("1h", Some(3_600_000_000)),
            ("0.5s", Some(500_000)),
            ("1.5 ms", Some(1_500)),
            ("1ms", Some(1_000)),
            ("0.0000015h", Some(5_400)),
            ("366 h", Some(366 * 3_600_000_000)),
            ("8785h", None),
            ("0.9ms", None),
            ("0s", None),
            ("1.0000001s", None),
            ("5", None),
            ("s", None),
            ("5 s s", None),
            ("-5s", None),
            ("5d", Some(5 * 86_400_000_000)),
            ("366d", Some(366 * 86_400_000_000)),
            ("366.1d", None),
            ("5y", None),
            (".5s", None),
            ("5.s", None),
            ("1.2.3s", None),
            ("9999999999999999999h", None),
            ("٣s", None),
            ("", None),
        ] {
            assert_eq!(interval(text).ok().map(Interval::micros), micros, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in [
            ("64KiB", Some(65_536)),
            ("1 GiB", Some(1 << 30)),
            ("7B", Some(7)),
            ("999999999999999GiB", Some(u64::MAX)),
            ("7", None),
            ("7MB", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        assert_eq!(show_size(64 << 20), "64MiB");
        assert_eq!(show_size(100), "100 bytes");
        assert_eq!(show_size(0), "0 bytes");
    }

    #[test]
    fn intervals_are_shown_as_they_are_written() {
        for text in ["1ms", "1.5ms", "1.001ms", "999ms", "1s", "1500ms", "90s", "2m", "36h", "366d"] {
            assert_eq!(show_interval(interval(text).expect("an interval")), text);
        }
    }
}
