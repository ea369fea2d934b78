//! Whose place a folder of batches is: what shares one is told so, by whatever spelling, before anything is lost.
#![cfg(unix)]

use std::{fs, os::unix::fs::symlink};

use crate::{
    limit::wait_until,
    plugins,
    records::{self, Delivered},
    running::Running,
    tool::{Folder, repository},
};

const RUN: [&str; 5] = ["run", "p.toml", "--clock", "manual", "--until-done"];

/// What an output's folder is marked with.
const MARK: &str = ".tidemill-output";

/// Hosts that are started at once.
const HOSTS: usize = 4;

/// A pipeline of a queue, with a checkpoint or none.
fn pipeline(name: &str, checkpoint: &str, outputs: &str) -> String {
    format!(
        r#"
[pipeline]
name = "{name}"
interval = "1s"
{checkpoint}
[streams.lines]
queue = {{ schema = "line: text", batches = [["a", "b"], ["c"]] }}

[streams.counts]
from = "lines"
count = true

{outputs}
"#
    )
}

fn output(name: &str, from: &str, folder: &str) -> String {
    format!("[outputs.{name}]\nfrom = \"{from}\"\nfiles = \"{folder}\"\n")
}

/// A folder with `out`, `sub`, and `link`, which is `out`.
fn folder() -> Folder {
    let folder = Folder::new();
    let _ = ["out", "sub"].map(|name| fs::create_dir(folder.path().join(name)).unwrap());
    symlink("out", folder.path().join("link")).unwrap();
    folder
}

/// Ways to write a folder's name.
fn spellings(folder: &Folder, name: &str) -> Vec<String> {
    let absolute = folder.path().join(name).display().to_string();
    vec![name.to_owned(), format!("./{name}/"), format!("sub/../{name}"), absolute, format!("none/../{name}")]
}

/// Every file of the delivered batches in a folder, with what it has.
fn delivered(folder: &Folder, name: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for batch in fs::read_dir(folder.path().join(name)).unwrap().map(|entry| entry.unwrap().path()) {
        let name = batch.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("batch-") {
            for part in fs::read_dir(&batch).unwrap().map(|entry| entry.unwrap().path()) {
                files.push((name.clone(), fs::read_to_string(part).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn two_outputs_of_a_pipeline_have_no_place_in_common() {
    let folder = folder();
    let with_link = |name| spellings(&folder, name).into_iter().chain(["link".to_owned(), "link/../link".to_owned()]);
    // A folder that is there, and one that is not yet.
    for place in with_link("out")
        .map(|place| ("out", place))
        .chain(spellings(&folder, "new").into_iter().map(|place| ("new", place)))
    {
        let (first, second) = place;
        for checkpoint in ["", "checkpoint = \"ck\""] {
            let outputs = output("first", "lines", first) + &output("second", "counts", &second);
            fs::write(folder.path().join("p.toml"), pipeline("t", checkpoint, &outputs)).unwrap();
            let says = ["error: outputs `first` and `second` write to the same folder", "give each its own folder"];
            folder.fails(&["check", "p.toml"], 2, &says);
            folder.fails(&RUN, 2, &says);
        }
    }
    assert_eq!(delivered(&folder, "out"), []);
    assert!(!folder.path().join("ck").exists() && !folder.path().join("new").exists());
}

#[test]
fn two_pipelines_have_no_place_in_common() {
    let folder = folder();
    let write = |name: &str, place: &str| {
        let checkpoint = format!("checkpoint = \"checkpoint-{name}\"");
        fs::write(folder.path().join("p.toml"), pipeline(name, &checkpoint, &output("lines", "lines", place))).unwrap();
    };
    write("first", "out");
    assert_eq!(folder.run(&RUN).code, 0);
    let before = delivered(&folder, "out");
    assert_eq!(before.len(), 2);
    for place in ["link".to_owned()].into_iter().chain(spellings(&folder, "out")) {
        write("second", &place);
        let says = ["error: output `lines`", "output `lines` of the pipeline `first`", "its own folder", MARK];
        folder.fails(&RUN, 2, &says);
        // Where a folder above must be made first, it is known when the run begins.
        let log = fs::read_dir(folder.path().join("checkpoint-second/log")).unwrap();
        assert!(log.count() == 0 || place.starts_with("none"), "{place}: it is claimed");
    }
    assert_eq!(delivered(&folder, "out"), before);
    write("first", "link");
    assert_eq!(folder.run(&RUN).code, 0);
}

#[test]
fn dead_letters_of_two_pipelines_have_no_place_in_common() {
    let hostile = plugins::built("hostile");
    let folder = Folder::new();
    let write = |name: &str| {
        let text = format!(
            r#"
[pipeline]
name = "{name}"
interval = "1s"
dead-letters = "dead"

[plugins]
hostile = "{}"

[streams.lines]
queue = {{ schema = "line: text", batches = [["a", "poison"]] }}

[streams.taken]
from = "lines"
map = "hostile/touchy"
on-error = "dead-letter"

{}
"#,
            hostile.display(),
            output("taken", "taken", name)
        );
        fs::write(folder.path().join("p.toml"), text).unwrap();
    };
    write("first");
    assert_eq!(folder.run(&RUN).code, 0);
    write("second");
    let of = |name| format!("output `dead letters of taken`{name}");
    folder.fails(&RUN, 2, &["error: ", &of(""), &of(" of the pipeline `first`")]);
}

#[test]
fn two_runs_without_a_checkpoint_do_not_lose_batches_in_each_other() {
    let folder = folder();
    fs::write(folder.path().join("p.toml"), pipeline("t", "", &output("lines", "lines", "out"))).unwrap();
    assert_eq!(folder.run(&RUN).code, 0);
    let before = delivered(&folder, "out");
    let says = ["output `lines`", "batch-0000000001000", "is there already", "take"];
    folder.fails(&RUN, 1, &says);
    assert_eq!(delivered(&folder, "out"), before);
    // What somebody has taken away is no hindrance.
    before.iter().for_each(|(batch, _)| fs::remove_dir_all(folder.path().join("out").join(batch)).unwrap());
    assert_eq!(folder.run(&RUN).code, 0);
    assert_eq!(delivered(&folder, "out"), before);
}

#[test]
fn an_output_lies_in_no_checkpoint() {
    let folder = folder();
    for exists in [false, true] {
        if exists {
            fs::create_dir(folder.path().join("ck")).unwrap();
            symlink("ck", folder.path().join("other")).unwrap();
        }
        let others = ["other/log", "other"].into_iter().filter(|_| exists).map(str::to_owned);
        for place in spellings(&folder, "ck").into_iter().chain(spellings(&folder, "ck/a/b")).chain(others) {
            let text = pipeline("t", "checkpoint = \"ck\"", &output("lines", "lines", &place));
            fs::write(folder.path().join("p.toml"), text).unwrap();
            let says = ["error: output `lines` writes into the folder of the checkpoint", "give each its own folder"];
            folder.fails(&["check", "p.toml"], 2, &says);
            folder.fails(&RUN, 2, &says);
        }
        assert_eq!(folder.path().join("ck").exists(), exists);
    }
    let text = pipeline("t", "checkpoint = \"ck\"", &output("lines", "lines", "ck-out"));
    fs::write(folder.path().join("p.toml"), text).unwrap();
    assert_eq!(folder.run(&RUN).code, 0);
}

#[test]
fn of_hosts_that_start_at_once_one_lives() {
    for _ in 0..3 {
        let folder = records::folder();
        let mut runs: Vec<Running> =
            (0..HOSTS).map(|_| Running::start(&mut folder.command(&["run", "pipeline.toml"]))).collect();
        let mut ended = Vec::new();
        wait_until("all hosts but one have ended", || {
            let mut at_work = Vec::new();
            for mut run in runs.drain(..) {
                if run.has_ended() { ended.push(run.end()) } else { at_work.push(run) }
            }
            runs = at_work;
            ended.len() >= HOSTS - 1
        });
        for ended in &ended {
            assert_eq!(ended.code, 1, "{ended:#?}");
            assert!(ended.stderr.contains("` has taken this checkpoint over (generation "), "{ended:#?}");
        }
        let lines = records::add(folder.path(), 0, 50);
        let run = runs.pop().unwrap_or_else(|| panic!("no host lives: {ended:#?}"));
        wait_until("the lines have come out", || Delivered::read(folder.path()).lines.len() as u64 >= lines);
        run.stop();
        Delivered::read(folder.path()).check(lines);
    }
}

/// Long before the first tick, one ends that has been overtaken; only then the other one goes on to its first batch.
#[test]
fn a_host_that_was_overtaken_takes_no_empty_folder_away() {
    let folder = records::folder();
    let start = || {
        let run = ["run", "pipeline.toml", "--set", "pipeline.interval=1h"];
        Running::start_ready(&mut folder.command(&run))
    };
    let (first, second) = (start(), start());
    let end = |run: Running| {
        run.signal("INT");
        run.end()
    };
    let ended = end(first);
    assert!(ended.stderr.contains("` has taken this checkpoint over (generation "), "{ended:#?}");
    let ended = end(second);
    assert_eq!(ended.code, 0, "{ended:#?}");
}

/// A folder of version 0.1.0 has no mark.
#[test]
fn a_folder_without_a_mark_is_taken_over_with_what_the_checkpoint_knows() {
    let folder = folder();
    let write = |batches: &str| {
        let text = pipeline("t", "checkpoint = \"ck\"", &output("lines", "lines", "out"));
        fs::write(folder.path().join("p.toml"), text.replace("[[\"a\", \"b\"], [\"c\"]]", batches)).unwrap();
    };
    write("[[\"a\"]]");
    assert_eq!(folder.run(&RUN).code, 0);
    fs::remove_file(folder.path().join("out").join(MARK)).unwrap();
    write("[[\"a\"], [\"b\"]]");
    let ended = folder.run(&RUN);
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(folder.path().join("out").join(MARK).exists());
    assert_eq!(delivered(&folder, "out").len(), 2);
    // Batches that it does not know are another's, with a mark or without one.
    fs::create_dir(folder.path().join("out/batch-9999999999000")).unwrap();
    folder.fails(&RUN, 1, &["output `lines` has the batch ", "another run's"]);
}

/// It is what users see in every folder, so the page says what it is.
#[test]
fn the_mark_says_whose_the_place_is() {
    let folder = folder();
    fs::write(folder.path().join("p.toml"), pipeline("t", "", &output("lines", "lines", "out"))).unwrap();
    assert_eq!(folder.run(&RUN).code, 0);
    let mark: serde_json::Value = serde_json::from_str(&folder.read(&format!("out/{MARK}"))).unwrap();
    assert_eq!((&mark["pipeline"], &mark["output"], &mark["newest"]), (&"t".into(), &"lines".into(), &2_000.into()));
    let page = fs::read_to_string(repository().join("host/connect/connectors/files-sink.md")).unwrap();
    assert!(page.contains(MARK));
    fs::write(folder.path().join("out").join(MARK), "{").unwrap();
    folder.fails(&RUN, 1, &["output `lines`", MARK, "cannot be read"]);
}
