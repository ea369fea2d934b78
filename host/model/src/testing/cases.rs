//! How many cases a property test has.

use proptest::prelude::ProptestConfig;

/// By what the cases of all property tests are multiplied; 1 where it is not set. sdk/rust reads it, too.
const FACTOR: &str = "TIDEMILL_CASES_FACTOR";

/// The configuration of a property test of so many cases, or of as many times more as whoever runs the tests asks for with
/// `TIDEMILL_CASES_FACTOR`. Every property test has one of these.
pub fn cases(number: u32) -> ProptestConfig {
    #[allow(clippy::disallowed_methods, reason = "how thorough the tests are, whoever runs them says")]
    let factor = std::env::var(FACTOR).ok();
    multiplied(number, factor.as_deref())
}

fn multiplied(number: u32, factor: Option<&str>) -> ProptestConfig {
    let factor = factor.map_or(1, |factor| {
        let read = factor.parse().ok().filter(|&factor| factor > 0);
        read.expect("TIDEMILL_CASES_FACTOR is a number from 1 on")
    });
    let defaults = ProptestConfig::default();
    ProptestConfig {
        cases: number.saturating_mul(factor),
        max_local_rejects: defaults.max_local_rejects.saturating_mul(factor),
        max_global_rejects: defaults.max_global_rejects.saturating_mul(factor),
        // A failure prints its case; the next run draws its own, whatever an earlier one has left behind.
        failure_persistence: None,
        ..defaults
    }
}

#[test]
fn cases_are_multiplied() {
    let limits = |factor| {
        let multiplied = multiplied(80, factor);
        [multiplied.cases, multiplied.max_local_rejects, multiplied.max_global_rejects]
    };
    let [_, local, global] = limits(None);
    assert_eq!(limits(Some("1")), [80, local, global]);
    assert_eq!(limits(Some("100")), [8_000, 100 * local, 100 * global]);
    assert_eq!(limits(Some("4000000000")), [u32::MAX; 3]);
}
