//! The cases of this folder, each in one mode in turn; the program runs each in all.

use std::{path::Path, sync::OnceLock};

use super::*;

const FILES: [&str; 6] = ["failures", "joins", "keyed", "narrow", "states", "windows"];

/// Built and loaded with the first test that asks.
pub fn named() -> &'static Named {
    static NAMED: OnceLock<Named> = OnceLock::new();
    NAMED.get_or_init(|| Named::load().unwrap())
}

fn cases(file: &str) -> Vec<(String, Result<Case>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(file).with_extension("json");
    case::read(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn cases_come_out_as_they_say() {
    let modes = modes();
    let mut failed = Vec::new();
    for (number, (id, case)) in FILES.iter().flat_map(|file| cases(file)).enumerate() {
        let one = modes[number % modes.len()];
        let error = case.and_then(|case| check(&case, &[one], named())).err();
        failed.extend(error.map(|error| format!("{id}: {error:#}")));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn no_file_is_forgotten() {
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
    let names = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut names: Vec<String> = names.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, FILES);
}

/// A runner that takes everything would pass, too.
#[test]
fn what_comes_out_otherwise_fails() {
    let plain = modes()[0];
    let case = |pipeline: &str, expected: &str| {
        let text = format!(
            "[{{\"id\": \"a\", \"params\": {{\"batch_interval_ms\": 1000}}, \"pipeline\": {pipeline}, \
             \"input_batches\": [[1, 2], [3]], \"compare\": \"list\", {expected}}}]"
        );
        let (_, case) = case::read(&text).unwrap().remove(0);
        check(&case.unwrap(), &[plain], named()).err().map(|error| error.root_cause().to_string())
    };
    assert_eq!(case("[]", "\"expected_output_batches\": [[1, 2], [3]]"), None);
    let other = case("[]", "\"expected_output_batches\": [[2, 1], [3]]");
    assert_eq!(other.as_deref(), Some("[[2,1],[3]] were expected, and [[1,2],[3]] came"));
    assert_eq!(case("[]", "\"expected_error\": {}").as_deref(), Some("it should have failed"));
    let failing = "[{\"op\": \"map\", \"fn\": \"fail_if_1\"}]";
    assert!(
        case(failing, "\"expected_output_batches\": [[1, 2], [3]]").is_some_and(|error| error.contains("it failed"))
    );
    assert_eq!(case(failing, "\"expected_output_batches\": [[3]], \"expected_error\": {}"), None);
    assert_eq!(
        case("[{\"op\": \"turn\"}]", "\"expected_output_batches\": []").as_deref(),
        Some("there is no step `turn`")
    );
}
