//! What `tidemill run` says on standard error while it runs.

use crate::{
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
        "1 lines longer than 8 bytes, rejected in batch 1000 ms stream=lines\n",
        "2 lines that are not UTF-8, bad bytes replaced by U+FFFD in batch 1000 ms stream=lines\n",
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
