//! Functions that fail, and what `on-error` makes of them.

use std::path::Path;

use crate::{plugins, records, tool::Folder};

/// Three batches of lines, the second with some that a function cannot take.
pub fn folder(on_error: &str) -> Folder {
    Folder::new().with(
        "p.toml",
        format!(
            r#"
[pipeline]
name = "touchy"
interval = "1s"
partitions = 1
on-error = {on_error}
checkpoint = "checkpoint"

[plugins]
hostile = "{}"

[streams.lines]
queue = {{ schema = "line: text", batches = [["a"], ["b", "panic", "loop", "reject", "c"], ["d"]] }}

[streams.taken]
from = "lines"
map = "hostile/touchy"

[outputs.taken]
from = "taken"
files = {{ folder = "taken", format = "jsonl" }}
"#,
            plugins::built("hostile").display()
        ),
    )
}

pub const RUN: [&str; 5] = ["run", "p.toml", "--clock", "manual", "--until-done"];

/// The lines of an output's batches, in order.
fn lines(folder: &Path) -> Vec<String> {
    let batches = records::sorted(folder);
    let texts = batches.iter().map(|batch| std::fs::read_to_string(batch.join("part-00000.jsonl")).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn a_run_stops_and_the_next_one_begins_with_that_batch() {
    let folder = folder("\"stop\"");
    for _ in 0..2 {
        let ended = folder.run(&RUN);
        assert_eq!(ended.code, 1, "{ended:#?}");
        let error = "stream `taken`, partition 0, batch 2000 ms (1970-01-01T00:00:02Z): `hostile/touchy`: the function panicked";
        assert!(ended.stderr.contains(error), "{ended:#?}");
        assert_eq!(lines(&folder.path().join("taken")), [r#"{"line":"a"}"#]);
    }
    let mended = folder.read("p.toml").replace("\"stop\"", "\"dead-letter\"");
    let folder = folder.with("p.toml", mended);
    assert_eq!(folder.run(&RUN).code, 0);
    assert_eq!(lines(&folder.path().join("taken")).len(), 4, "nothing is lost");
}

#[test]
pub fn rows_are_set_aside_with_what_was_wrong() {
    let folder = folder("\"dead-letter\"");
    let ended = folder.run(&RUN);
    assert_eq!(ended.code, 0, "{ended:#?}");
    let taken = ["a", "b", "c", "d"].map(|line| format!(r#"{{"line":"{line}"}}"#));
    assert_eq!(lines(&folder.path().join("taken")), taken);
    let letters = lines(&folder.path().join("dead-letters/touchy/taken"));
    let letters: Vec<serde_json::Value> = letters.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |key: &str| letters.iter().map(|letter| letter[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("row"), [1, 2, 3]);
    assert_eq!(of("stream"), ["taken"; 3]);
    assert_eq!(of("function"), ["hostile/touchy"; 3]);
    assert_eq!(of("values"), ["panic", "loop", "reject"].map(|line| serde_json::json!({ "line": line })));
    let panicked = letters[0]["reason"].as_str().unwrap();
    assert!(panicked.starts_with("the function panicked: a row says panic (at src/"), "{panicked}");
    assert_eq!(letters[2]["reason"], "a row says reject");
    assert!(ended.stderr.contains("3 rows rejected in batch 2000 ms"), "{ended:#?}");
}

#[test]
pub fn a_batch_is_skipped_and_the_end_says_so() {
    let folder = folder("{ retry = 1, delay = \"1ms\", then = \"skip-batch\" }");
    let ended = folder.run(&RUN);
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert_eq!(lines(&folder.path().join("taken")), [r#"{"line":"a"}"#, r#"{"line":"d"}"#]);
    assert!(
        ended.stderr.contains("batch 2000 ms (1970-01-01T00:00:02Z) is skipped: pipeline `touchy`, stream `taken`"),
        "{ended:#?}"
    );
    assert!(ended.stderr.contains("skipped=1"), "{ended:#?}");
}
