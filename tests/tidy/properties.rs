//! Property tests have as many cases as whoever runs them asks for.

use crate::{assert_none, source::code_of, texts};

/// Who makes the configuration: the host's helper, and the SDK's, which stands apart.
const MAKERS: [&str; 2] = ["host/model/src/testing/cases.rs", "sdk/rust/tests/sdk/cases.rs"];
/// What makes another one.
const OTHERS: [&str; 3] = ["ProptestConfig", "TestRunner", "with_cases"];

#[test]
fn property_tests_have_the_cases_that_are_asked_for() {
    let mut wrong = Vec::new();
    for (path, source) in texts(".rs") {
        if !MAKERS.contains(&path.as_str()) && !path.ends_with("tests/tidy/properties.rs") {
            wrong.extend(check(&code_of(&source)).into_iter().map(|line| format!("{path}:{line}")));
        }
    }
    assert_none(
        wrong,
        "begin a property test with #![proptest_config(cases(NUMBER))]: see tidemill_model::testing::cases",
    );
}

/// The lines of property tests whose cases come from elsewhere.
fn check(code: &str) -> Vec<usize> {
    let lines: Vec<&str> = code.lines().collect();
    let is_wrong = |at: &usize| {
        let next = lines.get(at + 1).map_or("", |line| line.trim_start());
        let configured = next.starts_with("#![proptest_config(") && next.contains("cases(");
        lines[*at].contains("proptest! {") && !configured || OTHERS.iter().any(|other| lines[*at].contains(other))
    };
    (0..lines.len()).filter(is_wrong).map(|at| at + 1).collect()
}

#[test]
fn other_numbers_of_cases_are_found() {
    let some = "proptest! {\n    #![proptest_config(cases(80))]\n";
    assert!(check(some).is_empty());
    assert!(check(&some.replace("cases(", "testing::cases(")).is_empty());
    assert_eq!(check("proptest! {\n    #[test]\n"), [1]);
    assert_eq!(check(&some.replace("cases(80)", "ProptestConfig::with_cases(80)")), [2]);
    assert_eq!(check("\nlet mut runner = TestRunner::default();"), [2]);
}
