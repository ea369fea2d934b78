//! How many cases the SDK's property tests have. It stands apart from the host, and has a helper of its own like the host's.

use proptest::prelude::ProptestConfig;

/// So many cases, or as many times more as whoever runs the tests asks for with `TIDEMILL_CASES_FACTOR`.
pub fn cases(number: u32) -> ProptestConfig {
    #[allow(clippy::disallowed_methods, reason = "how thorough the tests are, whoever runs them says")]
    let factor = std::env::var("TIDEMILL_CASES_FACTOR").ok();
    let factor = factor.map_or(1, |factor| factor.parse().expect("TIDEMILL_CASES_FACTOR is a number"));
    let cases = number.saturating_mul(factor);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
