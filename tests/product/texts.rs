//! What plugins, files, rows and whoever types have put into a text reaches no terminal and no log as it is: every command, in
//! every form, is walked through with names and words that are as hostile as can be.

use std::{
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::symlink},
};

use serde_json::Value;
use tidemill_model::{testing::HOSTILE, text::is_visible};

use crate::{
    plugins,
    running::end_of,
    tool::{Ended, Folder},
};

/// Each hostile character that may stand where texts end at lines.
fn in_a_line() -> String {
    HOSTILE.iter().filter(|c| !matches!(c, '\0' | '\n' | '\r')).flat_map(|&c| ['x', c]).collect()
}

/// The same for the name of a file, with the end of a line.
fn in_a_path() -> String {
    format!("{}\ny", in_a_line())
}

/// A string of TOML that says it.
fn toml(text: &str) -> String {
    let escaped = text.chars().map(|c| format!("\\U{:08x}", c as u32));
    format!("\"{}\"", escaped.collect::<String>())
}

/// All that was said can be shown; as JSON, where it was asked for.
#[track_caller]
fn check(door: &str, said: &Ended) {
    for text in [&said.stdout, &said.stderr] {
        if let Some(raw) = text.chars().find(|&c| !matches!(c, '\n' | '\t') && !is_visible(c)) {
            panic!("{door} says {raw:?} as it is: {said:#?}");
        }
    }
    assert!(!said.stderr.contains("panicked at"), "{door}: {said:#?}");
}

/// A folder with a pipeline of these streams and outputs, the plugins, and files whose names and lines are hostile.
fn folder(rest: &str) -> Folder {
    let [hostile, wordcount] = ["hostile", "wordcount"].map(|name| fs::read(plugins::built(name)).unwrap());
    let pipeline = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nhostile = \"hostile.wasm\"\nwordcount = \"wordcount.wasm\"\n{rest}"
    );
    let folder = Folder::new().with("p.toml", pipeline).with("hostile.wasm", hostile).with("wordcount.wasm", wordcount);
    fs::create_dir(folder.path().join("in")).unwrap();
    for name in [in_a_path(), format!("{}.gz", in_a_path())] {
        fs::write(folder.path().join("in").join(name), format!("{}\n", in_a_line())).unwrap();
    }
    fs::create_dir(folder.path().join("in").join(format!("{}.d", in_a_path()))).unwrap();
    fs::write(folder.path().join("in").join(OsString::from_vec(b"no\xfftext\x1b".to_vec())), "a\n").unwrap();
    folder
}

/// With a word before each of the hostile lines, which says what is to be done with it.
fn saying(word: &str, then: &str) -> String {
    let lines: Vec<Value> = HOSTILE.iter().map(|c| Value::from(format!("{word} x{c}y"))).collect();
    let rows = toml_array(&lines);
    format!(
        "[streams.lines]\nqueue = {{ schema = \"line: text\", batches = [{rows}] }}\n\
         [streams.said]\nfrom = \"lines\"\nmap = \"hostile/says-rows\"\n{then}\n\
         [outputs.said]\nfrom = \"said\"\nfiles = {{ folder = \"said\", format = \"jsonl\" }}\n"
    )
}

fn toml_array(rows: &[Value]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| toml(row.as_str().unwrap())).collect();
    format!("[{}]", rows.join(", "))
}

const RUN: [&str; 5] = ["run", "p.toml", "--clock", "manual", "--until-done"];

/// What a run says of its guests and its files.
#[test]
fn runs_show_what_guests_and_files_say() {
    let letters = "on-error = \"dead-letter\"";
    let skip = "on-error = \"skip-batch\"";
    for (word, then) in
        [("log", ""), ("reject", ""), ("count", ""), ("panic", ""), ("fail", ""), ("fail", skip), ("panic", letters)]
    {
        for (form, names_it) in [("text", "x\\u{0}y"), ("json", "x\\\\u{0}y")] {
            let said = folder(&saying(word, then)).run(&[&RUN[..], &["--log-format", form]].concat());
            check(&format!("{word} {then} {form}"), &said);
            assert!(said.stderr.contains(names_it), "{word} {then}: {said:#?}");
            if form == "json" {
                said.stderr.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).expect(line)));
            }
        }
    }
    let files = "[streams.lines]\nfiles = { path = \"in\", existing = true, line-bytes-max = 8 }\n\
         [outputs.lines]\nfrom = \"lines\"\nfiles = { folder = \"out\", format = \"text\" }\n";
    for (form, names_it) in [("text", "x\\u{202e}x"), ("json", "x\\u202ex")] {
        let folder = folder(files);
        symlink("nowhere", folder.path().join("in").join(in_a_path() + ".link")).unwrap();
        let said = folder.run(&[&RUN[..], &["--log-level", "trace", "--log-format", form]].concat());
        check(&format!("files {form}"), &said);
        assert!(said.stderr.contains(names_it), "the link that leads nowhere is told of: {said:#?}");
    }
}

/// What was written on a pipeline, and what stands in it.
#[test]
fn what_is_wrong_is_shown() {
    let bad = in_a_line();
    let written = toml(&bad);
    for rest in [
        format!("[streams.{written}]\ngenerate = \"words\"\n"),
        format!("[streams.a]\ngenerate = {written} # {bad}\n[outputs.a]\nfrom = {written}\nprint = true\n"),
        format!("[streams.a]\n{written} = 1\nfrom = '{bad}'\nmap = {written}\n"),
        format!("[streams.a]\nfiles = {written}\n[outputs.a]\nfrom = \"a\"\nfiles = {{ folder = {written} }}\n"),
        format!(
            "[plugins.x]\npath = {written}\n[streams.a]\ngenerate = \"words\"\n[streams.b]\nfrom = \"a\"\nmap = \"x/y\"\n"
        ),
        format!("{bad} = = 1\n"),
    ] {
        let folder = folder(&rest);
        for command in [&["check", "p.toml"][..], &RUN, &["check", "p.toml", "--log-format", "json"]] {
            check(&format!("{command:?} {rest}"), &folder.run(command));
        }
    }
}

/// What is typed.
#[test]
fn what_is_typed_is_shown() {
    let (bad, path) = (in_a_line(), in_a_path());
    let folder = folder("");
    fs::write(folder.path().join(format!("{path}.toml")), "[pipeline]\nname = 1\n").unwrap();
    fs::write(folder.path().join(format!("{path}.wasm")), "no component").unwrap();
    let named = |end: &str| format!("{path}{end}");
    let doors: &[&[&str]] = &[
        &[&bad],
        &["check", &path],
        &["check", &named(".toml")],
        &["check", &named(".wasm")],
        &["check", "p.toml", "--set", &bad],
        &["check", "p.toml", "--set", &format!("streams.a.files={bad}")],
        &["run", &path, "--clock", &bad],
        &["inspect", &path],
        &["inspect", &named(".wasm")],
        &["inspect", "in"],
        &["inspect", &format!("s3://{bad}/{bad}")],
        &["inspect", "hostile.wasm", "--limit", &bad],
        &["inspect", "hostile.wasm", "--keys", &bad],
        &["inspect", "hostile.wasm"],
        &["inspect", "hostile.wasm", "--json"],
        &["replay", "p.toml", "--batch", &bad],
        &["replay", "p.toml", "--batch", "last", "--plugin", &format!("{bad}={path}")],
        &["build", &path],
        &["new", &path],
        &["nc", &bad, "1"],
        &["nc", "127.0.0.1", &bad],
        &["generate", &bad],
        &["generate", "words", "--connect", &bad],
        &["generate", "words", "--listen", &format!("{bad}:1")],
    ];
    for door in doors {
        for form in ["text", "json"] {
            let said = folder.run(&[&["--log-format", form], *door].concat());
            check(&format!("{door:?}"), &said);
            if form == "json" && said.code != 0 {
                let last: Value = said.stderr.lines().last().unwrap().parse().expect(&said.stderr);
                assert_eq!(
                    (&last["level"], &last["exit_code"]),
                    (&"ERROR".into(), &said.code.into()),
                    "{door:?}: {last}"
                );
                assert!(last["message"].as_str().is_some_and(|message| !message.is_empty()), "{door:?}: {last}");
                said.stderr.lines().for_each(|line| drop(line.parse::<Value>().expect(line)));
            }
        }
    }
}

/// Keys, states and rows of a checkpoint, and a batch that is run again.
#[test]
fn what_is_kept_is_shown() {
    let folder = folder(
        "[streams.lines]\nfiles = { path = \"in\", existing = true }\n[streams.words]\nfrom = \"lines\"\nmap = \"wordcount/split\"\n\
         [streams.totals]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\n\
         [outputs.totals]\nfrom = \"totals\"\nfiles = { folder = \"totals\", format = \"jsonl\" }\n",
    );
    let kept = ["--set", "pipeline.checkpoint=kept"];
    check("run", &folder.run(&[&RUN[..], &kept].concat()));
    let batch = ["p.toml", "--batch", "last", "--set", "pipeline.checkpoint=kept"];
    let doors: &[&[&str]] = &[
        &["inspect", "kept"],
        &["inspect", "kept", "--json"],
        &["inspect", "kept", "--keys"],
        &[&["replay"], &batch[..]].concat(),
        &[&["replay", "--json"], &batch[..]].concat(),
    ];
    for door in doors {
        let said = folder.run(door);
        check(&format!("{door:?}"), &said);
        assert_eq!(said.code, 0, "{door:?}: {said:#?}");
    }
    let keys = folder.stdout(&["inspect", "kept", "--keys", "totals"]);
    let is_kept = |key: &char| {
        keys.lines().any(|line| line.parse::<Value>().unwrap()["key"]["word"].as_str().unwrap().contains(*key))
    };
    assert!(['\u{202e}', '\u{1b}', '\u{e0041}', '\u{200b}'].iter().all(is_kept), "programs read what it was: {keys}");
}

/// A program that reads what is printed gets it as it was.
#[test]
fn programs_read_rows_as_they_are() {
    let row = toml("x\u{1b}\u{202e}y");
    let printed = |style: &str| {
        let streams = format!("[streams.lines]\nqueue = {{ schema = \"line: text\", batches = [[{row}]] }}\n");
        let folder = folder(&format!("{streams}[outputs.o]\nfrom = \"lines\"\nprint = {{ style = \"{style}\" }}\n"));
        end_of(&mut folder.command(&RUN)).stdout
    };
    assert!(printed("python").contains("\nx\u{1b}\u{202e}y\n"));
    assert!(printed("scala").contains("\nx\u{1b}\u{202e}y\n"));
    let json: Value = printed("json").parse().unwrap();
    assert_eq!(json["line"], "x\u{1b}\u{202e}y");
}
