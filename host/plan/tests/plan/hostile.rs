//! Nothing that a file can hold makes the plan panic.

use proptest::prelude::*;
use tidemill_connect::CONNECTORS;
use tidemill_model::testing::cases;
use tidemill_plan::{Manifest, Override};

use crate::fake::Fake;

const GOOD: &str = include_str!("good.toml");

/// Reads, resolves and renders; the answer does not matter.
fn swallow(text: &str, overrides: &[Override]) {
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", text, overrides, CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(plan.is_none(), diagnostics.error_count() > 0);
    assert_eq!(diagnostics.render(false).is_empty(), diagnostics.is_empty());
    diagnostics.render(true);
}

/// Texts that mean something in a pipeline.
fn token() -> impl Strategy<Value = String> {
    let known = [
        "[",
        "]",
        "[[",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "\"\"\"",
        "\n",
        "\r\n",
        "\\",
        "#",
        "-",
        "1",
        "inf",
        "nan",
        "true",
        "none",
        "{}",
        "[]",
        "ü",
        "\u{1f600}",
        "\u{0}",
        "\t",
        "0x",
        "1979-05-27T07:32:00Z",
        "5s",
        "words/sum",
        "\"words/split\"",
        "socket",
        "from",
        "by",
        "count",
        "streams",
        "outputs",
        "value",
        "99999999999999999999",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// A piece of the good pipeline goes, and something else comes.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..12_usize, token());
    prop::collection::vec(change, 1..6).prop_map(|changes| {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, length, new) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, new.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        swallow(&text, &[]);
    }

    #[test]
    fn any_tokens_are_read(tokens in prop::collection::vec(token(), 0..60)) {
        swallow(&tokens.concat(), &[]);
    }

    #[test]
    fn changed_pipelines_are_read(text in mutated()) {
        swallow(&text, &[]);
    }

    #[test]
    fn any_override_is_read(path in "[a-z.]{1,20}|streams\\.(lines|words)\\.[a-z]{1,8}|outputs\\.totals\\.files\\.[a-z]{1,4}", value in any::<String>(), token in token()) {
        let set = |value: String| Override { path: path.clone(), value };
        swallow(GOOD, &[set(value), set(token)]);
    }
}

#[test]
fn deep_and_large_texts_are_read() {
    let many_keys: String = (0..5_000).map(|i| format!("k{i} = {i}\n")).collect();
    let many_streams: String =
        (0..2_000).map(|i| format!("[streams.s{i}]\nfrom = \"s{}\"\nlimit = 1\n", (i + 1) % 2_000)).collect();
    for text in [
        format!("a = {}{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("a = {}", "{a=".repeat(5_000)),
        format!("[{}a]", "a.".repeat(5_000)),
        format!("{}a = 1", "a.".repeat(5_000)),
        format!("{GOOD}{many_keys}"),
        format!("{GOOD}{many_streams}"),
        "\n".repeat(100_000),
        "\"".repeat(3_000),
        "x".repeat(17 << 20),
    ] {
        swallow(&text, &[]);
    }
}
