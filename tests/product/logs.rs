//! What `tidemill run` says on standard error while it runs.

use std::io::Write;

use serde_json::Value;

use crate::{
    limit, on_error, plugins, producer,
    running::{Running, unread},
    tool::Folder,
};

/// Lines of a file, printed.
const LINES: &str = r#"
[pipeline]
name = "lines"
interval = "1s"

[streams.lines]
files = { path = "lines.txt", line-bytes-max = 8 }

[outputs.lines]
from = "lines"
print = true
"#;

const RUN: [&str; 5] = ["run", "p.toml", "--clock", "manual", "--until-done"];

#[test]
pub fn lines_that_a_source_rejects_are_rejected_and_lines_that_it_mends_irregular() {
    let folder = Folder::new().with("p.toml", LINES).with("lines.txt", b"good\nmuch too long\nb\xffd\nc\xffd\n");
    let mended = folder.run(&RUN).stderr;
    for says in [
        "1 line longer than 8 bytes, rejected in batch 1000 ms (1970-01-01T00:00:01Z) stream=lines\n",
        "2 lines that are not UTF-8, bad bytes replaced by U+FFFD in batch 1000 ms (1970-01-01T00:00:01Z) stream=lines\n",
        "done batches=1 rows=3 rejected=1 irregular=2 skipped=0\n",
    ] {
        assert!(mended.contains(says), "{says}: {mended}");
    }
    let reject = [&RUN[..], &["--set", "streams.lines.files.invalid-utf8=reject"]].concat();
    let rejected = folder.run(&reject).stderr;
    assert!(rejected.contains("done batches=1 rows=1 rejected=3 irregular=0 skipped=0\n"), "{rejected}");
}

#[test]
fn a_run_goes_on_when_nobody_reads_its_logs_any_more() {
    let unused = format!("[plugins]\nunused = \"unused.wasm\"\n{LINES}");
    let folder = Folder::new().with("p.toml", LINES).with("wrong.toml", unused).with("lines.txt", "good\n");
    let printed = |file: &str| {
        let mut command = folder.command(&["run", file, "--clock", "manual", "--until-done"]);
        let ended = Running::start(command.stderr(unread())).end();
        (ended.code, ended.stdout)
    };
    let (code, rows) = printed("p.toml");
    assert_eq!(code, 0, "{rows}");
    assert!(rows.contains("\ngood\n"), "{rows}");
    assert_eq!(printed("wrong.toml"), (2, String::new()));
}

/// Rows that panic are looked for one by one, and each panics many times.
#[test]
fn panics_do_not_flood_the_log() {
    let lines = vec!["\"panic\", \"fine\""; 30].join(", ");
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nhostile = \"{}\"\n\
         [streams.lines]\nqueue = {{ schema = \"line: text\", batches = [[{lines}], [{lines}]] }}\n\
         [streams.taken]\nfrom = \"lines\"\nmap = \"hostile/touchy\"\non-error = \"dead-letter\"\n\
         [outputs.taken]\nfrom = \"taken\"\nprint = true\n",
        plugins::built("hostile").display()
    );
    let said = Folder::new().with("p.toml", text).run(&RUN);
    let lines_with = |text: &str| said.stderr.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines_with(" panicked: a row says panic place="), 2, "once a batch: {said:#?}");
    assert_eq!(lines_with(" more panics in the same batch"), 2, "{said:#?}");
    let after = said.stderr.split_once("done batches=2").map(|(_, after)| after.lines().count());
    assert_eq!(after, Some(1), "nothing is said of batches behind the end: {said:#?}");
    assert_eq!(lines_with("30 rows rejected in batch "), 2, "{said:#?}");
    assert!(said.stderr.lines().count() < 20, "{said:#?}");
}

#[test]
fn producers_that_come_and_go_do_not_flood_the_log() {
    let address = producer::address();
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"10ms\"\n[streams.lines]\nsocket = {{ listen = \"{address}\" }}\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = true\n"
    );
    let folder = Folder::new().with("p.toml", text);
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    for number in 1..=20 {
        writeln!(limit::connect(&address.to_string()), "line-{number}.").unwrap();
        run.wait_for_printed(&format!("line-{number}."));
    }
    let said = run.stop().stderr;
    let told = said.lines().filter(|line| line.contains("a producer came")).count();
    assert_eq!(told, 5, "the first, second, fourth, eighth and sixteenth: {said}");
    assert!(said.lines().filter(|line| line.contains("the producer closed the connection")).count() <= 5, "{said}");
}

/// Programs need not read sentences.
#[test]
fn figures_have_fields_of_their_own() {
    let events = |folder: &Folder, run: &[&str]| -> Vec<Value> {
        let said = folder.run(&[run, &["--log-format", "json"]].concat()).stderr;
        said.lines().map(|line| line.parse().expect(line)).collect()
    };
    let mut all = Vec::new();
    for policy in ["\"stop\"", "\"dead-letter\"", "\"skip-batch\""] {
        let folder = on_error::folder(policy);
        // The second one goes on from the checkpoint.
        all.extend((0..2).flat_map(|_| events(&folder, &on_error::RUN)));
    }
    let lines = Folder::new().with("p.toml", LINES).with("lines.txt", b"good\nmuch too long\nb\xffd\nc\xffd\n");
    all.extend(events(&lines, &RUN));
    all.extend(events(&Folder::new().with("p.toml", "[pipeline]\nname = 1\n"), &["check", "p.toml"]));
    for (says, fields) in [
        ("Total delay: ", &["batch", "rows", "ahead_ms", "total_delay_ms", "execution_ms"][..]),
        (" rows rejected in batch ", &["count", "batch"]),
        (" is skipped: ", &["batch", "rows"]),
        ("line longer than 8 bytes, rejected", &["count", "batch"]),
        ("lines that are not UTF-8", &["count", "batch"]),
        ("going on behind the batch", &["batch", "keys"]),
        ("the function panicked: a row says panic", &["batch"]),
        ("done", &["batches", "rows", "rejected", "irregular", "skipped"]),
        ("pipeline `touchy`, stream `taken`", &["exit_code", "batch", "partition"]),
        ("`p.toml` has ", &["exit_code"]),
        ("expected text, found integer", &["line", "column"]),
    ] {
        let mut found = all.iter().filter(|event| event["message"].as_str().is_some_and(|said| said.contains(says)));
        let is_there = |event: &&Value| fields.iter().all(|field| event[*field].is_number());
        assert!(found.any(|event| is_there(&event)), "`{says}` has not the fields {fields:?}: {all:#?}");
    }
    for event in &all {
        let whole = ["timestamp", "level", "message"].iter().all(|field| event[*field].is_string());
        assert!(whole && event["timestamp"].as_str().unwrap().ends_with('Z'), "{event}");
    }
}

/// What a process runs is told apart by it, on whichever thread it is said.
#[test]
fn every_line_of_a_run_names_its_pipeline() {
    let folder = Folder::new().with("p.toml", LINES).with("lines.txt", "good\nmuch too long\n");
    let set = ["--set", "pipeline.checkpoint=kept", "--set", "streams.lines={socket={listen=\"127.0.0.1:0\"}}"];
    for format in ["text", "json"] {
        let arguments = [&["run", "p.toml", "--log-level", "debug", "--log-format", format], &set[..]].concat();
        let mut run = Running::start(&mut folder.command(&arguments));
        let address = run.wait_for("waiting for producers");
        let address = address.split(['=', '"', ' ', ',', '}']).find(|word| word.starts_with("127.0.0.1:"));
        drop(limit::connect(address.unwrap()));
        run.wait_for("the producer closed the connection");
        run.signal("INT");
        let said = run.said();
        let ended = run.end();
        assert_eq!(ended.code, 0, "{ended:#?}");
        let said = said + &ended.stderr;
        let of_run: Vec<&str> = said.lines().skip_while(|line| !line.contains("lines")).collect();
        assert!(of_run.len() > 5, "{said}");
        for line in of_run {
            let name = match format {
                "text" => "run{pipeline=lines}: ",
                _ => "\"span\":{\"name\":\"run\",\"pipeline\":\"lines\"}",
            };
            assert!(line.contains(name), "{line}");
        }
    }
}
