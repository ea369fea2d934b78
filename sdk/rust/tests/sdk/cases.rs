//! How many cases the SDK's property tests have. It stands apart from the host, and has a helper of its own like the host's.

use proptest::prelude::ProptestConfig;

/// So many cases, or as many times more as whoever runs the tests asks for with `TIDEMILL_CASES_FACTOR`.
pub fn cases(number: u32) -> ProptestConfig {
    #[allow(clippy::disallowed_methods, reason = "how thorough the tests are, whoever runs them says")]
    let factor = std::env::var("TIDEMILL_CASES_FACTOR").ok();
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
    assert_eq!(limits(Some("3")), [240, 3 * local, 3 * global]);
    assert_eq!(limits(Some("4000000000")), [u32::MAX; 3]);
}
