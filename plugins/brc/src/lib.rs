//! The one billion row challenge: the least, the mean and the greatest temperature of each station.

use tidemill_sdk::prelude::*;

/// What a station has measured, in tenths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Measurement<'a> {
    station: &'a str,
    tenths: i64,
}

/// A station's temperatures so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Record)]
struct Extremes {
    min: i64,
    max: i64,
    sum: i64,
    count: i64,
}

/// What is said of a station, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Record)]
struct Summary {
    min: f64,
    mean: f64,
    max: f64,
}

/// A line `station;-12.3`. One that is not like this is rejected.
#[map]
fn measurement(line: &str) -> Result<Measurement<'_>, &'static str> {
    let Some((station, text)) = line.rsplit_once(';') else { return Err("there is no `;`") };
    match tenths(text.as_bytes()) {
        Some(tenths) => Ok(Measurement { station, tenths }),
        None => Err("behind the last `;` stands no number with one decimal"),
    }
}

/// A number of one or two digits and a decimal.
fn tenths(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let tenths = match *digits {
        [a, b'.', b] => digit(a)? * 10 + digit(b)?,
        [a, b, b'.', c] => digit(a)? * 100 + digit(b)? * 10 + digit(c)?,
        _ => return None,
    };
    Some(if is_negative { -tenths } else { tenths })
}

/// The least, the mean, rounded to a decimal and halves upwards, and the greatest of a station's temperatures.
#[reduce(
    create = |tenths| Extremes { min: tenths, max: tenths, sum: tenths, count: 1 },
    merge = |a, b| Extremes { min: a.min.min(b.min), max: a.max.max(b.max), sum: a.sum + b.sum, count: a.count + b.count },
    finish = summary
)]
fn extremes(all: Extremes, tenths: i64) -> Extremes {
    Extremes { min: all.min.min(tenths), max: all.max.max(tenths), sum: all.sum + tenths, count: all.count + 1 }
}

fn summary(all: Extremes) -> Summary {
    let degrees = |tenths: i64| tenths as f64 / 10.0;
    let mean = (2 * all.sum + all.count).div_euclid(2 * all.count);
    Summary { min: degrees(all.min), mean: degrees(mean), max: degrees(all.max) }
}

plugin!(measurement, extremes);

#[cfg(test)]
mod tests {
    use tidemill_sdk::testing;

    use super::*;

    #[test]
    fn lines_are_measurements() {
        let out = testing::map::<measurement>(["Wien;8.5", "St. John's;-12.3", "a;b;0.0"]);
        let expect = [("Wien", 85), ("St. John's", -123), ("a;b", 0)];
        assert_eq!(out.rows(), expect.map(|(station, tenths)| Measurement { station, tenths }));
    }

    #[test]
    fn what_is_no_measurement_is_rejected() {
        let out = testing::map::<measurement>(["Wien", "Wien;8", "Wien;123.4", "Wien;-.5", "Wien;1.", "Wien;1.x"]);
        assert_eq!((out.rows().len(), out.rejected().len()), (0, 6));
    }

    #[test]
    fn means_are_rounded_upwards() {
        let of = |tenths: &[i64]| {
            let rows = testing::reduce::<extremes, _>(tenths.iter().map(|tenths| ("a", *tenths))).rows::<Summary>();
            rows[0].1
        };
        assert_eq!(of(&[-10, 25, 0]), Summary { min: -1.0, mean: 0.5, max: 2.5 });
        assert_eq!(of(&[1, 2]).mean, 0.2);
        assert_eq!(of(&[-1, -2]).mean, -0.1);
        assert_eq!(of(&[0, -1]).mean, 0.0);
    }
}
