//! `tidemill check`.

use crate::{plugins::built, tool::Folder};

const LINES: &str = r#"
[pipeline]
name = "lines"
interval = "1s"

[streams.lines]
socket = "127.0.0.1:9999"

[streams.counts]
from = "lines"
by = ["line"]
reduce = "count"

[outputs.counts]
from = "counts"
print = true
"#;

#[test]
pub fn a_good_pipeline_is_shown_with_its_types() {
    let folder = Folder::new().with("p.toml", LINES);
    let expect = "pipeline lines: every 1000 ms, 4 partitions\n  \
                  stream lines   line: text\n  \
                  stream counts  line: text, count: integer\n  \
                  output counts  line: text, count: integer (from counts)\n";
    assert_eq!(folder.stdout(&["check", "p.toml"]), expect);
    let changed = folder.stdout(&["check", "p.toml", "--set", "pipeline.interval=20ms"]);
    assert!(changed.starts_with("pipeline lines: every 20 ms"), "{changed}");
    // The file of a folder need not be named.
    let folder = folder.with("pipeline.toml", LINES);
    assert_eq!(folder.stdout(&["check"]), expect);
    let json: serde_json::Value = folder.stdout(&["check", "--json"]).parse().unwrap();
    let counts = "line: text, count: integer";
    let shown = serde_json::json!({
        "pipeline": "lines", "interval_ms": 1000, "partitions": 4,
        "streams": [{ "name": "lines", "schema": "line: text" }, { "name": "counts", "schema": counts }],
        "outputs": [{ "name": "counts", "from": "counts", "schema": counts }],
        "mistakes": [],
        "ahead": { "last_batch": null, "again": null, "undelivered": [], "migrations": [] },
    });
    assert_eq!(json, shown);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = LINES.replace("interval", "intervall").replace("\"line\"", "\"lime\"");
    let folder = Folder::new().with("p.toml", text);
    let says = ["intervall", "--> p.toml:4:1", "lime", "--> p.toml:11:7", "error: `p.toml` has 3 errors"];
    folder.fails(&["check", "p.toml"], 2, &says[..4]);
    folder.fails(&["run", "p.toml"], 2, &says[..4]);
}

/// For programs: where they stand, what is wrong, and what to do.
#[test]
fn everything_wrong_is_said_to_programs() {
    let text = LINES.replace("interval", "intervall").replace("\"line\"", "\"lime\"");
    let mistakes = |folder: &Folder, set: &[&str]| -> Vec<serde_json::Value> {
        let ended = folder.run(&[&["check", "p.toml", "--json"], set].concat());
        assert_ne!(ended.code, 0, "{ended:#?}");
        let said: serde_json::Value = ended.stdout.parse().unwrap();
        said["mistakes"].as_array().unwrap().clone()
    };
    let folder = Folder::new().with("p.toml", text);
    let found = mistakes(&folder, &[]);
    let places: Vec<_> =
        found.iter().map(|one| (one["file"].as_str(), one["line"].as_u64(), one["column"].as_u64())).collect();
    assert!(places.contains(&(Some("p.toml"), Some(4), Some(1))), "{found:#?}");
    assert!(places.contains(&(Some("p.toml"), Some(11), Some(7))), "{found:#?}");
    assert!(found.iter().all(|one| one["severity"] == "error" && one["message"].is_string()), "{found:#?}");
    assert!(found.iter().any(|one| one["help"].is_string()), "{found:#?}");
    // What is wrong in no one place of the text.
    let folder = Folder::new().with("p.toml", LINES);
    let found = mistakes(&folder, &["--set", "streams.lines={files=\"none.txt\"}"]);
    let message = found[0]["message"].as_str().unwrap();
    assert!(found.len() == 1 && message.contains("none.txt: there is no such file"), "{found:#?}");
    let none = folder.run(&["check", "none.toml", "--json"]);
    assert!(none.stdout.contains("there is no pipeline file `none.toml`"), "{none:#?}");
}

#[test]
fn overrides_are_checked_too() {
    let folder = Folder::new().with("p.toml", LINES);
    folder.fails(&["check", "p.toml", "--set", "pipeline.interval=soon"], 2, &["soon", "`p.toml` has 1 error\n"]);
    folder.fails(&["check", "p.toml", "--set", "streams.limes.socket=a:1"], 2, &["limes"]);
}

#[test]
fn files_that_are_no_pipelines() {
    let folder = Folder::new().with("binary.toml", [0xff, 0xfe]).with("empty.toml", "").with("a.wasm", [0, 0xff]);
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    folder.fails(&["check", "none.toml"], 2, &["error: there is no pipeline file `none.toml`\n"]);
    folder.fails(&["check", "binary.toml"], 2, &["the pipeline file `binary.toml` is not UTF-8 text"]);
    folder.fails(&["check", "inner"], 2, &["`inner` is a folder; a pipeline file is needed"]);
    folder.fails(&["check", "a.wasm"], 2, &["hint: `tidemill inspect` shows plugins"]);
    folder.fails(&["check", "/dev/zero"], 2, &["`/dev/zero` has"]);
    folder.fails(&["check", "empty.toml"], 2, &["no section [pipeline]", "no streams", "no outputs"]);
    std::fs::write(folder.path().join("inner/pipeline.toml"), LINES).unwrap();
    folder.fails(&["check", "inner"], 2, &["hint: is it `inner/pipeline.toml`?"]);
}

#[test]
pub fn plugins_that_cannot_be_loaded() {
    let pipeline = |plugin: &str| {
        let map = "[streams.words]\nfrom = \"lines\"\nmap = \"words/split\"\n";
        format!("[plugins]\nwords = {plugin}\n{LINES}\n{map}")
    };
    let check = |plugin: &str, says: &[&str]| {
        let folder = Folder::new().with("p.toml", pipeline(plugin)).with("text.wasm", "hello");
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/Cargo.toml"), "").unwrap();
        folder.fails(&["check", "p.toml"], 2, says);
    };
    check("\"words.wasm\"", &["there is no file `words.wasm`", "--> p.toml:2:", "`p.toml` has 1 error"]);
    check("\"inner/words.wasm\"", &["there is no file `inner/words.wasm`: make it with `tidemill build inner`"]);
    check("\"inner\"", &["`inner` is a folder"]);
    check("\"text.wasm\"", &["plugin `words` cannot be used: it is no Wasm component: the file is no Wasm at all"]);
    check(
        "{ path = \"text.wasm\", limits = { component-bytes = 4 } }",
        &["more bytes than its limit component-bytes=4 allows"],
    );
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    check(&format!("{{ path = \"text.wasm\", sha256 = \"{digest}\" }}"), &["is no Wasm component"]);
    check(&format!("{{ path = \"text.wasm\", sha256 = \"{}\" }}", "0".repeat(64)), &[digest]);
}

#[test]
fn there_is_room_for_the_instances_of_all_partitions() {
    let lines = vec!["\"a b\""; 300].join(", ");
    let text = format!(
        "[pipeline]\nname = \"wide\"\ninterval = \"1s\"\npartitions = 1\n[plugins]\nwordcount = \"{}\"\n\
         [streams.one.queue]\nschema = \"line: text\"\npartitions = 300\nbatches = [[{lines}]]\n\
         [streams.words]\nfrom = \"one\"\nmap = \"wordcount/split\"\n[streams.counts]\nfrom = \"words\"\ncount = true\n\
         [outputs.counts]\nfrom = \"counts\"\nprint = true\n",
        built("wordcount").display()
    );
    let folder = Folder::new().with("p.toml", text);
    let printed = folder.stdout(&["run", "p.toml", "--until-done", "--clock", "manual"]);
    assert!(printed.contains("\n600\n"), "{printed}");
}
