//! `tidemill replay`.

use std::{fs, io::Write, net::TcpListener, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    on_error, plugins,
    project::{lock, tidemill},
    records,
    running::Running,
    tool::{Folder, repository},
};

/// Words of files or of a queue, with running totals.
const PIPELINE: &str = r#"
[pipeline]
name = "words"
interval = "1s"
checkpoint = "checkpoint"

[plugins]
wordcount = "PLUGIN"

[streams.lines]
SOURCE

[streams.words]
from = "lines"
map = "wordcount/split"

[streams.totals]
from = "words"
by = "word"
update-state = "wordcount/running-total"

[outputs.totals]
from = "totals"
files = { folder = "totals", format = "jsonl" }

[outputs.shown]
from = "totals"
print = { rows = 1, style = "json" }
"#;

const QUEUE: &str = r#"queue = { schema = "line: text", batches = [["a b a"], ["b c"], ["a"]] }"#;

fn pipeline(source: &str) -> String {
    PIPELINE.replace("PLUGIN", plugins::built("wordcount").to_str().unwrap()).replace("SOURCE", source)
}

/// A folder in which the queue's pipeline has run to its end.
fn ran() -> Folder {
    let folder = Folder::new().with("p.toml", pipeline(QUEUE));
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    folder
}

pub fn batches(folder: &Folder) -> Vec<String> {
    let shown: Value = serde_json::from_str(&folder.stdout(&["inspect", "checkpoint", "--json"])).unwrap();
    let batches = shown["batches"].as_array().unwrap().iter().filter(|batch| batch["replayable"] == true);
    batches.map(|batch| batch["batch"].to_string()).collect()
}

pub fn replayed(folder: &Folder, batch: &str) -> Value {
    serde_json::from_str(&folder.stdout(&["replay", "p.toml", "--batch", batch, "--json"])).unwrap()
}

/// Replays all batches, each as it was committed; gives their rows.
fn replay_all(folder: &Folder) -> u64 {
    let mut rows = 0;
    for batch in batches(folder) {
        let replayed = replayed(folder, &batch);
        assert_eq!(replayed["same"], true, "{batch}: {replayed:#}");
        rows += replayed["rows"].as_u64().unwrap();
    }
    rows
}

/// `wordcount` once more, with something added to each of its totals. `name` is no other test's: what cargo makes lies in one
/// place for all of them.
fn other_plugin(folder: &Folder, name: &str, added: &str) -> PathBuf {
    let source = fs::read_to_string(repository().join("plugins/wordcount/src/lib.rs")).unwrap();
    let (before, after) = ("Some(total.unwrap_or(0) + ", format!("Some({added} + total.unwrap_or(0) + "));
    assert!(source.contains(before));
    let (source, _tests) = source.split_once("#[cfg(test)]").unwrap();
    folder.stdout(&["new", name, "--sdk", repository().join("sdk/rust").to_str().unwrap()]);
    let project = folder.path().join(name);
    fs::write(project.join("src/lib.rs"), source.replace(before, &after)).unwrap();
    lock(&project);
    let built = tidemill(folder, &["build", name]);
    assert_eq!(built.code, 0, "{built:#?}");
    project.join(format!("{name}.wasm"))
}

#[test]
pub fn a_batch_comes_out_as_it_was_committed() {
    let folder = ran();
    let shown = folder.stdout(&["replay", "p.toml", "--batch", "2000"]);
    let expect = "\
batch 2000 ms (1970-01-01T00:00:02Z) of the pipeline `words`: 1 row in, 0 rejected

output shown: 2 rows
  {\"word\":\"b\",\"count\":2}
  {\"word\":\"c\",\"count\":1}

output totals: 2 rows
  {\"word\":\"b\",\"count\":2}
  {\"word\":\"c\",\"count\":1}

state of totals: 2 keys changed
  {\"word\":\"b\"}: {\"value\":2}
  {\"word\":\"c\"}: {\"value\":1}

same as committed
";
    assert_eq!(shown, expect);
    for name in ["2000 ms", "1970-01-01T00:00:02Z", "1970-01-01T01:00:02+01:00", "2000 ms (1970-01-01T00:00:02Z)"] {
        assert_eq!(folder.stdout(&["replay", "p.toml", "--batch", name]), expect, "{name}");
    }
    assert_eq!(folder.stdout(&["replay", "p.toml", "--batch", "2000", "--workers", "1"]), expect);
    let last = replayed(&folder, "last");
    assert_eq!((last["batch"].as_i64(), last["rows"].as_i64()), (Some(3000), Some(1)));
    assert_eq!(last["states"][0]["keys"][0]["now"], json!({ "state": { "value": 3 } }));
    assert_eq!(replay_all(&folder), 3);
}

#[test]
fn nothing_is_written_and_nothing_is_delivered() {
    let folder = ran();
    fs::remove_dir_all(folder.path().join("totals")).unwrap();
    let list = || {
        let entries = fs::read_dir(folder.path().join("checkpoint/log")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = list();
    assert_eq!(replay_all(&folder), 3);
    assert_eq!(list(), before);
    assert!(!folder.path().join("totals").exists());
}

#[test]
pub fn another_plugin_shows_what_differs() {
    let folder = ran();
    let other = other_plugin(&folder, "more", "100");
    let replace = format!("wordcount={}", other.display());
    let arguments = ["replay", "p.toml", "--batch", "2000", "--plugin", &replace];
    let ended = folder.run(&arguments);
    assert_eq!(ended.code, 1, "what differs is told to programs, too: {ended:#?}");
    let shown = ended.stdout;
    for part in [
        "plugin wordcount: sha256 ",
        "output totals: 2 rows then, 2 rows now, 2 differ in `count`\n",
        "- {\"word\":\"b\",\"count\":2}\n+ {\"word\":\"b\",\"count\":102}\n",
        "- {\"word\":\"c\",\"count\":1}\n+ {\"word\":\"c\",\"count\":101}\n",
        "state of totals: 2 keys changed then, 2 now, 2 not alike\n",
        "- {\"word\":\"b\"}: {\"value\":2}\n+ {\"word\":\"b\"}: {\"value\":102}\n",
        "\nnot as it was committed\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value = serde_json::from_str(&folder.run(&[&arguments[..], &["--json"]].concat()).stdout).unwrap();
    assert_eq!(json["same"], false);
    assert_eq!(json["outputs"][1]["only_now"][0], json!({ "word": "b", "count": 102 }));
    assert_ne!(json["plugins"][0]["then"], json["plugins"][0]["now"]);
    // The pipeline itself has the other plugin now: that is no question, but a batch that comes out otherwise.
    let text = pipeline(QUEUE).replace(plugins::built("wordcount").to_str().unwrap(), other.to_str().unwrap());
    let folder = folder.with("p.toml", text);
    let says =
        ["the batch 2000 ms (1970-01-01T00:00:02Z) does not come out as it was", "not as they were then: wordcount"];
    folder.fails(&["replay", "p.toml", "--batch", "2000"], 1, &says);
}

#[test]
fn a_plugin_that_remembers_is_found() {
    let folder = Folder::new();
    let counter = "{ static CALLS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0); \
                   CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) }";
    let plugin = other_plugin(&folder, "remembers", counter);
    let text = pipeline(QUEUE).replace(plugins::built("wordcount").to_str().unwrap(), plugin.to_str().unwrap());
    let folder = folder.with("p.toml", text);
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    let says = ["does not come out as it was committed", "the plugins are those of then"];
    folder.fails(&["replay", "p.toml", "--batch", "3000"], 1, &says);
}

#[test]
fn batches_with_rows_set_aside_and_skipped_ones_come_out_as_they_were() {
    for (policy, is_skipped) in [("\"dead-letter\"", false), ("\"skip-batch\"", true)] {
        let folder = on_error::folder(policy);
        assert_eq!(folder.run(&on_error::RUN).code, 0);
        let before = folder.run(&["inspect", "checkpoint"]).stdout;
        assert_eq!(replay_all(&folder), 7);
        assert_eq!(replayed(&folder, "2000")["skipped"], is_skipped, "{policy}");
        let said = folder.run(&["replay", "p.toml", "--batch", "2000"]).stderr;
        assert!(!said.contains(", set aside in"), "nothing is written: {said}");
        assert_eq!(said.contains("which a run sets aside in the output"), !is_skipped, "{said}");
        assert_eq!(folder.run(&["inspect", "checkpoint"]).stdout, before);
    }
}

#[test]
fn a_batch_whose_commit_is_damaged_has_nothing_to_be_compared_with() {
    let folder = ran();
    fs::write(folder.path().join("checkpoint/log/00000000000000000007"), "gone").unwrap();
    fs::remove_file(folder.path().join("checkpoint/log/00000000000000000008")).unwrap();
    let shown = folder.stdout(&["replay", "p.toml", "--batch", "3000"]);
    assert!(shown.ends_with("\nnothing was committed to compare with\n"), "what is none of ours is damage: {shown}");
    let folder = ran();
    let name = "checkpoint/log/00000000000000000007";
    let mut commit = fs::read(folder.path().join(name)).unwrap();
    commit[100] ^= 1;
    let folder = folder.with(name, commit);
    let shown = folder.stdout(&["replay", "p.toml", "--batch", "3000"]);
    assert!(shown.contains("\noutput totals: 1 row\n  {\"word\":\"a\",\"count\":3}\n"), "{shown}");
    assert!(shown.ends_with("\nnothing was committed to compare with\n"), "{shown}");
    let json = replayed(&folder, "3000");
    assert_eq!((&json["same"], &json["outputs"][0]["then"]), (&Value::Null, &Value::Null));
    assert_eq!(replayed(&folder, "last")["batch"], 2000);
}

#[test]
fn made_up_rows_are_made_up_again() {
    for source in
        ["generate = { kind = \"words\", count = 3000 }", "generate = { kind = \"words\", rate = 300, count = 1000 }"]
    {
        let folder = Folder::new().with("p.toml", pipeline(source));
        folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
        let count = if source.contains("3000") { 3_000 } else { 1_000 };
        assert_eq!(replay_all(&folder), count, "{source}");
    }
}

#[test]
fn files_are_read_again_and_must_be_what_they_were() {
    let source = "files = { path = \"in\", existing = true }";
    let folder = Folder::new().with("p.toml", pipeline(source));
    fs::create_dir(folder.path().join("in")).unwrap();
    for (name, text) in [("1.txt", "a b\na\n"), ("2.txt", "b b\n")] {
        fs::write(folder.path().join("in").join(name), text).unwrap();
        folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    }
    assert_eq!(replay_all(&folder), 3);
    let with_rows = batches(&folder).into_iter().find(|batch| replayed(&folder, batch)["rows"] == 2).unwrap();
    fs::write(folder.path().join("in/1.txt"), "changed").unwrap();
    folder.fails(&["replay", "p.toml", "--batch", &with_rows], 1, &["stream `lines`", "1.txt"]);
    fs::remove_file(folder.path().join("in/1.txt")).unwrap();
    folder.fails(&["replay", "p.toml", "--batch", &with_rows], 1, &["stream `lines`", "1.txt"]);
}

#[test]
fn lines_of_a_socket_come_from_the_input_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("socket = \"{}\"", listener.local_addr().unwrap());
    let folder = Folder::new().with("p.toml", pipeline(&source).replace("1s", "20ms"));
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    let mut peer = run.accepted(&listener);
    let folders = || records::sorted(&folder.path().join("totals")).len();
    for batches in 1..=3 {
        (0..70).for_each(|line| writeln!(peer, "word{} again", line % 7).unwrap());
        run.wait_until("a batch comes out", |_| folders() >= batches);
    }
    run.stop();
    // Nobody listens any more, and nobody is asked.
    drop((peer, listener));
    assert_eq!(replay_all(&folder), 3 * 70);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let folder = ran();
    let replay = |pipeline: &str, batch: &str, code: i32, says: &[&str]| {
        folder.fails(&["replay", pipeline, "--batch", batch], code, says);
    };
    let says =
        ["the checkpoint has no batch 1500 ms (1970-01-01T00:00:01.5Z); the nearest that can be run again: 1000 ms \
                 (1970-01-01T00:00:01Z), 2000 ms (1970-01-01T00:00:02Z), 3000 ms (1970-01-01T00:00:03Z)"];
    replay("p.toml", "1500", 2, &says);
    replay("p.toml", "yesterday", 2, &["neither milliseconds, nor a date as in 2026-11-30T12:00:00Z, nor `last`"]);
    folder.fails(&["replay", "p.toml"], 2, &["--batch"]);
    for (name, from, to) in [
        ("none.toml", "checkpoint = \"checkpoint\"\n", ""),
        ("other.toml", "\"words\"\ninterval", "\"others\"\ninterval"),
        ("elsewhere.toml", "\"checkpoint\"", "\"elsewhere\""),
        ("renamed.toml", "lines", "rows"),
        ("socket.toml", QUEUE, "socket = \"127.0.0.1:9\""),
    ] {
        let text = pipeline(QUEUE);
        assert!(text.contains(from), "{from}");
        fs::write(folder.path().join(name), text.replace(from, to)).unwrap();
    }
    replay("none.toml", "last", 2, &["the pipeline `words` has no checkpoint to replay from"]);
    replay("other.toml", "last", 1, &["is the checkpoint of the pipeline `words`, not of `others`"]);
    replay("elsewhere.toml", "last", 2, &["elsewhere is no checkpoint"]);
    assert!(!folder.path().join("elsewhere").exists());
    replay("renamed.toml", "last", 2, &["the stream `rows` was no source in that batch"]);
    replay("socket.toml", "last", 2, &["the stream `lines` is a socket, and was none in that batch"]);
    let quadrant = format!("wordcount={}", plugins::built("quadrant").display());
    let plugin = |plugin: &str, says: &[&str]| {
        folder.fails(&["replay", "p.toml", "--batch", "last", "--plugin", plugin], 2, says);
    };
    plugin(&quadrant, &["wordcount/split", "`p.toml` has"]);
    plugin("other=other.wasm", &["the pipeline has no plugin `other`", "it has: wordcount"]);
    plugin("wordcount=none.wasm", &["none.wasm"]);
    plugin("wordcount", &["NAME=FILE"]);
}

#[test]
pub fn values_are_replaced_for_a_replay() {
    let folder = ran();
    let replay = ["replay", "p.toml", "--batch", "2000", "--json", "--set"];
    let same = |set: &str| {
        let ended = folder.run(&[&replay[..], &[set]].concat());
        (ended.code, serde_json::from_str::<Value>(&ended.stdout).unwrap()["same"].clone())
    };
    assert_eq!(same("outputs.shown.print.style=python"), (0, json!(true)));
    assert_eq!(same("outputs.shown.from=words"), (1, json!(false)));
}

/// Rows come out as they did, but counters, states or times to be woken at do not.
#[test]
fn what_no_output_shows_is_compared_too() {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\ncheckpoint = \"checkpoint\"\n[plugins]\nhostile = \"{}\"\n\
         [streams.rows.queue]\nschema = \"line: text, n: integer, other: integer, same: integer\"\n\
         batches = [[{{line = \"a\", n = 7, other = 9, same = 3}}, {{line = \"a\", n = 0, other = 1, same = 4}}]]\n\
         [streams.lines]\nfrom = \"rows\"\nmap = \"hostile/counts\"\n\
         [streams.totals]\nfrom = \"rows\"\nby = \"line\"\nupdate-state = \"hostile/touchy-total\"\n\
         fields = {{ value = \"n\" }}\nas = \"total\"\n\
         [streams.keys]\nfrom = \"totals\"\ncount = true\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = true\n[outputs.keys]\nfrom = \"keys\"\nprint = true\n",
        plugins::built("hostile").display()
    );
    let folder = Folder::new().with("p.toml", text);
    let ended = folder.run(&["run", "p.toml", "--clock", "manual", "--batches", "1"]);
    assert!(ended.code == 0 && ended.stderr.contains("counter lines/hostile/rows: 2\n"), "{ended:#?}");
    let same = |set: &[&str]| {
        let set = set.iter().flat_map(|value| ["--set", value]);
        let replay = ["replay", "p.toml", "--batch", "1000", "--json"].into_iter().chain(set).collect::<Vec<_>>();
        let ended = folder.run(&replay);
        (ended.code, serde_json::from_str::<Value>(&ended.stdout).unwrap())
    };
    assert_eq!(same(&[]).0, 0);
    let keys = folder.stdout(&["inspect", "checkpoint", "--keys"]);
    let woken = r#"{"stream":"totals","key":{"line":"a"},"state":{"total":7},"wake_at":"1970-01-01T00:00:02Z"}"#;
    assert_eq!(keys, format!("{woken}\n"));
    let counters = same(&["streams.lines.map=hostile/identity"]);
    assert_eq!((counters.0, counters.1["counters"].as_array().unwrap().len()), (1, 2), "{:#}", counters.1);
    for (field, state, wake) in [("other", true, true), ("same", false, true)] {
        let (code, shown) = same(&[&format!("streams.totals.fields.value={field}")]);
        let [then, now] = ["then", "now"].map(|side| &shown["states"][0]["keys"][0][side]);
        assert!(
            code == 1 && shown["outputs"].as_array().unwrap().iter().all(|output| output["same"] == true),
            "{shown:#}"
        );
        assert_eq!(then["state"] != now["state"], state, "{shown:#}");
        assert_eq!(then["wake_at"] != now["wake_at"], wake, "{shown:#}");
    }
}

/// No batch is something else than one without rows.
#[test]
fn a_batch_without_rows_is_told_from_none() {
    let text = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\ncheckpoint = \"checkpoint\"\n\
                [streams.none.queue]\nschema = \"line: text\"\nbatches = [\"none\"]\n\
                [streams.empty.queue]\nschema = \"line: text\"\nbatches = [[]]\n\
                [outputs.none]\nfrom = \"none\"\nprint = true\n[outputs.empty]\nfrom = \"empty\"\nprint = true\n";
    let folder = Folder::new().with("p.toml", text);
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--batches", "1"]);
    let replay = ["replay", "p.toml", "--batch", "1000"];
    assert!(folder.stdout(&replay).ends_with("same as committed\n"));
    for set in ["outputs.none.from=empty", "outputs.empty.from=none"] {
        folder.fails(&[&replay[..], &["--set", set]].concat(), 1, &["does not come out as it was committed"]);
    }
}
