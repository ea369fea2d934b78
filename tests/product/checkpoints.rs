//! `tidemill inspect` of checkpoints.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{plugins, running::Running, tool::Folder};

/// Words of a queue, counted over three batches.
const QUEUE: &str = r#"
[pipeline]
name = "words"
interval = "1s"
checkpoint = "checkpoint"

[plugins]
wordcount = "PLUGIN"

[streams.lines]
queue = { schema = "line: text", batches = [["a b a"], ["b c"], ["a"]] }

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
"#;

/// Lines of a socket, which are logged.
const SOCKET: &str = r#"
[pipeline]
name = "lines"
interval = "20ms"
checkpoint = "checkpoint"

[streams.lines]
socket = "ADDRESS"

[outputs.lines]
from = "lines"
files = { folder = "out", format = "text" }
"#;

/// A folder in which the queue's pipeline has run to its end.
fn ran() -> Folder {
    let wasm = plugins::built("wordcount");
    let folder = Folder::new().with("p.toml", QUEUE.replace("PLUGIN", wasm.to_str().unwrap()));
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    folder
}

fn json(folder: &Folder) -> Value {
    serde_json::from_str(&folder.stdout(&["inspect", "checkpoint", "--json"])).unwrap()
}

/// Every file of the checkpoint with its content.
fn files(folder: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    let parts = fs::read_dir(folder.path().join("checkpoint")).unwrap().map(|part| part.unwrap().path());
    let entries = parts.flat_map(|part| fs::read_dir(part).unwrap()).map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn record(folder: &Folder, number: u64) -> PathBuf {
    folder.path().join(format!("checkpoint/log/{number:020}"))
}

/// Changes the byte of a file that stands so far from its end.
fn damage(path: &Path, from_end: usize) {
    let mut content = fs::read(path).unwrap();
    let at = content.len() - from_end;
    content[at] ^= 1;
    fs::write(path, content).unwrap();
}

#[test]
pub fn a_checkpoint_is_shown_and_left_as_it_is() {
    let folder = ran();
    let before = files(&folder);
    let shown = folder.stdout(&["inspect", "checkpoint"]);
    for part in [
        "checkpoint of the pipeline `words`, format version 2\n",
        "last batch   3000 ms (1970-01-01T00:00:03Z), delivered\n",
        "a run would  go on after the batch 3000 ms (1970-01-01T00:00:03Z)\n",
        "totals: 3 keys, ",
        "wordcount/running-total keeps (value: integer) by (word: text), version 1\n",
        "  2000 ms (1970-01-01T00:00:02Z): plan 4, commit 5, ",
        "from lines: {\"source\":\"queue\",\"batches\":2}\n    to totals: 2 rows\n    state of totals: 2 keys changed\n",
        "  8  delivered  ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = json(&folder);
    assert_eq!(json["pipeline"], "words");
    assert_eq!(json["next"], json!({ "behind": 3000, "again": null, "deliver": [], "passes_over": null }));
    assert_eq!((json["delivered"].as_i64(), json["damage"].as_array().unwrap().len()), (Some(3000), 0));
    assert_eq!(json["batches"][1]["sources"][0]["pin"]["batches"], 2);
    assert_eq!(json["batches"][1]["outputs"], json!({ "totals": 2 }));
    let digest = json["batches"][1]["plugins"][0]["sha256"].as_str().unwrap();
    assert!(shown.contains(&format!("wordcount  sha256 {digest}\n")), "{shown}");
    assert_eq!(json["states"][0]["keys"], 3);
    assert_eq!(json["records"][0]["kind"], "claim");
    assert_eq!(files(&folder), before);
}

#[test]
pub fn keys_are_lines_of_json_in_their_order() {
    let folder = ran();
    let expect = "\
{\"stream\":\"totals\",\"key\":{\"word\":\"a\"},\"state\":{\"value\":3}}
{\"stream\":\"totals\",\"key\":{\"word\":\"b\"},\"state\":{\"value\":2}}
{\"stream\":\"totals\",\"key\":{\"word\":\"c\"},\"state\":{\"value\":1}}
";
    assert_eq!(folder.stdout(&["inspect", "checkpoint", "--keys"]), expect);
    assert_eq!(folder.stdout(&["inspect", "checkpoint", "--keys", "totals"]), expect);
    let two = QUEUE.replace(
        "[outputs",
        "[streams.more]\nfrom = \"words\"\nby = \"word\"\n\
                                        update-state = \"wordcount/running-total\"\n\n\
                                        [outputs.more]\nfrom = \"more\"\nprint = true\n\n[outputs",
    );
    let other = Folder::new().with("p.toml", two.replace("PLUGIN", plugins::built("wordcount").to_str().unwrap()));
    other.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    assert_eq!(other.stdout(&["inspect", "checkpoint", "--keys", "totals"]), expect);
    let both = expect.replace("totals", "more") + expect;
    assert_eq!(other.stdout(&["inspect", "checkpoint", "--keys"]), both);
    let says = ["no stream `words` keeps state in this checkpoint", "hint: these do: totals"];
    folder.fails(&["inspect", "checkpoint", "--keys", "words"], 2, &says);
}

#[test]
fn damage_is_said_with_what_to_do() {
    let check = |harm: &dyn Fn(&Folder), says: &[&str], next: &str| {
        let folder = ran();
        harm(&folder);
        let before = files(&folder);
        folder.fails(&["inspect", "checkpoint"], 1, says);
        folder.fails(&["inspect", "checkpoint", "--keys"], 1, says);
        let ended = folder.run(&["inspect", "checkpoint", "--json"]);
        let json: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(json["next"].to_string().contains(next), "{json:#}");
        assert!(!json["damage"].as_array().unwrap().is_empty(), "{json:#}");
        assert_eq!(files(&folder), before);
    };
    let name = "log/00000000000000000005";
    let says = ["the checkpoint is damaged", name, "it is damaged: ", "bring it back", "would be refused"];
    check(&|folder| damage(&record(folder, 5), 40), &says, "refused");
    let says = ["the checkpoint is damaged", name, "it is missing; bring it back", "would be refused"];
    check(&|folder| fs::remove_file(record(folder, 5)).unwrap(), &says, "refused");
    let says = ["the checkpoint is damaged", "log/00000000000000000008", "a run passes over it"];
    check(&|folder| damage(&record(folder, 8), 4), &says, "\"passes_over\":8");
}

#[test]
fn folders_that_are_none() {
    let folder = Folder::new();
    for name in ["empty", "strange/log", "begun/log", "begun/state", "begun/input"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let folder = folder.with("strange/notes.txt", "mine");
    folder.fails(&["inspect", "empty"], 2, &["empty is no checkpoint: it has no `log`", "hint: "]);
    folder.fails(&["inspect", "strange"], 2, &["strange is no checkpoint: it has `notes.txt`"]);
    folder.fails(&["inspect", "begun"], 2, &["no run has begun in it"]);
}

#[test]
fn a_run_at_work_is_not_disturbed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let folder = Folder::new().with("p.toml", SOCKET.replace("ADDRESS", &address));
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    let mut peer = run.accepted(&listener);
    let mut lines = 0;
    run.wait_until("2,000 rows are committed", |_| {
        for _ in 0..100 {
            writeln!(peer, "line {lines}").unwrap();
            lines += 1;
        }
        let json = json(&folder);
        let batches = json["batches"].as_array().unwrap();
        let rows: u64 = batches.iter().filter_map(|batch| batch["outputs"]["lines"].as_u64()).sum();
        assert!(rows <= lines, "{json:#}");
        rows >= 2_000
    });
    let replayed = folder.stdout(&["replay", "p.toml", "--batch", "last"]);
    assert!(replayed.ends_with("\nsame as committed\n"), "{replayed}");
    run.stop();
    let json = json(&folder);
    assert!(json["input"][0]["chunks"].as_u64().unwrap() > 0, "{json:#}");
    let batches = json["batches"].as_array().unwrap();
    let logged = batches.iter().find(|batch| batch["outputs"]["lines"].as_u64() > Some(0)).unwrap();
    assert_eq!(logged["sources"][0]["input"]["first"]["segment"], 1);
}

#[test]
fn a_run_that_cleans_up_meanwhile_is_looked_at_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let kept = "{ folder = \"checkpoint\", keep-batches = 3, keep-bytes = \"100KiB\", budget = \"4MiB\" }";
    let text = SOCKET.replace("ADDRESS", &address).replace("\"checkpoint\"", kept).replace("20ms", "10ms");
    let folder = Folder::new().with("p.toml", text);
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    let mut peer = run.accepted(&listener);
    let (mut looks, mut first) = (0, 1);
    run.wait_until("enough has been cleaned away", |_| {
        let line = "a long line ".repeat(80);
        (0..100).for_each(|_| writeln!(peer, "{line}").unwrap());
        let ended = folder.run(&["inspect", "checkpoint", "--json"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        let json: Value = serde_json::from_str(&ended.stdout).unwrap();
        first = json["batches"][0]["commit"].as_u64().unwrap_or(first);
        looks += 1;
        looks >= 10 && first >= 20
    });
    run.stop();
    folder.stdout(&["replay", "p.toml", "--batch", "last"]);
}

/// With this budget there is a snapshot after so many bytes of batches, and room for the history of twice as many.
const SNAPSHOT_BYTES: u64 = 128 << 10;

/// A stream without end, in a checkpoint that keeps so much of it.
fn with_history(kept: &str) -> Folder {
    let text = format!(
        "[pipeline]\nname = \"lines\"\ninterval = \"10ms\"\n\
         checkpoint = {{ folder = \"checkpoint\", budget = \"1MiB\"{kept} }}\n\
         [streams.lines]\ngenerate = {{ kind = \"words\", rate = 4000 }}\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = {{ rows = 1000 }}\n"
    );
    Folder::new().with("p.toml", text)
}

/// What is kept for a look back: of what a recovery can do without, no more batches and no more bytes than the pipeline says,
/// and not one batch fewer.
#[test]
fn so_much_history_is_kept_as_is_asked_for() {
    for (kept, batches_min) in [(", keep-batches = 3", 3), (", keep-bytes = \"1KiB\"", 0), (", keep-batches = 55", 55)]
    {
        let folder = with_history(kept);
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
        let mut looks = 0;
        run.wait_until("as much has been cleaned away as is not to be kept", |_| {
            let json: Value = json(&folder);
            let batches = json["batches"].as_array().unwrap();
            let first = batches.first().and_then(|batch| batch["commit"].as_u64()).unwrap_or(0);
            let replayable = batches.iter().filter(|batch| batch["replayable"] == true).count();
            let bytes = |batches: &[Value]| batches.iter().map(|batch| batch["bytes"].as_u64().unwrap()).sum::<u64>();
            // Where a machine is slow there are larger batches.
            let newest = &batches[batches.len().saturating_sub(batches_min + 2)..];
            let have_room = bytes(newest) < SNAPSHOT_BYTES * 8 / 5;
            assert!(first <= 40 || !have_room || replayable >= batches_min, "{kept}: {replayable} can be run again");
            looks += usize::from(first > 40);
            assert!(first < 4_000 || looks < 40, "{kept}: more is kept than is asked for");
            // A recovery needs what was since the last snapshot but one.
            let is_enough = if batches_min == 55 {
                looks >= 8
            } else {
                batches.len() <= 4 || bytes(batches) < SNAPSHOT_BYTES * 8 / 5
            };
            first > 40 && is_enough
        });
        run.stop();
    }
}
