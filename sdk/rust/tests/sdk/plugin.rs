//! The table that `plugin!` makes.
//!
//! Whether a component can be built of it and called is tried where components are: in the host's tests.

use tidemill_sdk::prelude::*;

mod inside {
    use tidemill_sdk::prelude::*;

    #[map]
    pub fn twice(number: i64) -> i64 {
        number * 2
    }
}

#[map]
fn r#match(text: &str) -> Option<&str> {
    Some(text).filter(|text| text.contains("match"))
}

plugin!(inside::twice, r#match);

#[test]
fn names_are_made_for_pipelines() {
    use tidemill_sdk::testing::signature;
    assert_eq!(signature::<inside::twice>(), "twice(number: integer) -> value: integer");
    assert_eq!(signature::<r#match>(), "match(text: text) -> value: text");
}
