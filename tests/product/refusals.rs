//! What `run` refuses before it has an effect, `check` refuses in the same words, and changes nothing by it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{plugins::built, tool::Folder};

/// A queue, a map, states and files, with a checkpoint.
const PIPELINE: &str = r#"
[pipeline]
name = "p"
interval = "1s"
checkpoint = "kept"

[plugins]
hostile = "PLUGIN"

[streams.rows]
queue = { schema = "k: text, n: integer, value: integer", batches = [[{ k = "a", n = 1, value = 1 }], [{ k = "b", n = 2, value = 2 }]] }

[streams.sums]
from = "rows"
by = "k"
update-state = "hostile/total-emitted"
fields = { value = "value" }

[outputs.sums]
from = "sums"
files = { folder = "out", format = "jsonl" }
"#;

const ONE_BATCH: [&str; 6] = ["run", "p.toml", "--clock", "manual", "--batches", "1"];

/// Makes something of a folder in which the pipeline has run for a batch; gives what is set then.
type Made = fn(&Folder) -> &'static [&'static str];

/// What is set where there is another source of lines, with a checkpoint of its own.
macro_rules! another {
    ($source:literal) => {
        &[
            concat!("streams.rows={", $source, "}"),
            "streams.sums={from=\"rows\", map=\"hostile/identity\"}",
            "pipeline.checkpoint=other",
            "outputs.sums.files.folder=new",
        ]
    };
}

fn another_source(folder: &Folder, source: &str) {
    let source = format!("streams.rows={{{source}}}");
    let changed: &[&str; 4] = another!("");
    folder.stdout(&set(&ONE_BATCH, &[&[source.as_str()], &changed[1..]].concat()));
}

/// The last batch is committed, and nobody knows whether it was delivered.
fn undelivered(folder: &Folder) {
    fs::remove_file(folder.path().join("kept/log/00000000000000000004")).unwrap();
}

/// Everything that a run looks at before it takes, makes or changes something, and how it can be wrong.
const REFUSED: [(&str, Made); 31] = [
    ("reads none.txt: there is no such file or folder", |_| {
        &[
            "streams.rows={files={path=\"none.txt\"}}",
            "streams.sums.by=\"line\"",
            "streams.sums={from=\"rows\", map=\"hostile/identity\"}",
            "pipeline.checkpoint=other",
        ]
    }),
    ("is a file", |folder| {
        fs::write(folder.path().join("file"), "").unwrap();
        &["outputs.sums.files.folder=file"]
    }),
    ("output `sums`", |folder| {
        fs::write(folder.path().join("file"), "").unwrap();
        &["outputs.sums.files.folder=file/below"]
    }),
    ("is the checkpoint of the pipeline `p`, not of `other`", |_| {
        &["pipeline.name=other", "outputs.sums.files.folder=new"]
    }),
    ("is of version 2", |folder| {
        let newer = [
            &ONE_BATCH[..],
            &[
                "--set",
                "streams.sums.update-state=hostile/sum-migrated",
                "--set",
                "pipeline.checkpoint=newer",
                "--set",
                "outputs.sums.files.folder=newest",
            ],
        ]
        .concat();
        folder.stdout(&newer);
        &["pipeline.checkpoint=newer", "outputs.sums.files.folder=newest"]
    }),
    ("keys cannot change", |_| &["streams.sums.by=\"n\""]),
    ("has no such stream with state", |_| &["streams.sums={from=\"rows\", sort=\"k\"}"]),
    ("has the source `rows`, the pipeline has not", |_| {
        &[
            "streams.rows={from=\"come\", sort=\"k\"}",
            "streams.come={queue={schema=\"k: text, n: integer, value: integer\", batches=[]}}",
        ]
    }),
    ("kept", |folder| {
        fs::remove_dir_all(folder.path().join("kept")).unwrap();
        fs::write(folder.path().join("kept"), "").unwrap();
        &[]
    }),
    ("kept", |folder| {
        fs::remove_dir_all(folder.path().join("kept")).unwrap();
        fs::create_dir(folder.path().join("kept")).unwrap();
        fs::write(folder.path().join("kept/letter"), "from mother").unwrap();
        &[]
    }),
    ("is not a file of a Tidemill checkpoint", |folder| {
        for record in fs::read_dir(folder.path().join("kept/log")).unwrap() {
            fs::write(record.unwrap().path(), "no record at all, and long enough to be seen as none").unwrap();
        }
        &[]
    }),
    ("has the batch", |folder| {
        let kept = files(folder);
        folder.stdout(&ONE_BATCH);
        fs::remove_dir_all(folder.path().join("kept")).unwrap();
        for (path, bytes) in kept.into_iter().filter(|(path, _)| path.starts_with("kept")) {
            match bytes.as_slice() {
                FOLDER => fs::create_dir(folder.path().join(path)).unwrap(),
                bytes => fs::write(folder.path().join(path), bytes).unwrap(),
            }
        }
        &[]
    }),
    ("has the batch", |folder| {
        fs::remove_dir_all(folder.path().join("kept")).unwrap();
        &[]
    }),
    // The newest record is damaged where its beginning does not say so.
    ("has the batch", |folder| {
        undelivered(folder);
        let commit = folder.path().join("kept/log/00000000000000000003");
        let mut bytes = fs::read(&commit).unwrap();
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        fs::write(commit, bytes).unwrap();
        &[]
    }),
    ("its place is not there any more", |folder| {
        fs::remove_dir_all(folder.path().join("out")).unwrap();
        &[]
    }),
    ("and the pipeline no longer has it", |folder| {
        undelivered(folder);
        let text = fs::read_to_string(folder.path().join("p.toml")).unwrap();
        fs::write(folder.path().join("p.toml"), text.replace("[outputs.sums]", "[outputs.other]")).unwrap();
        &["outputs.other.files.folder=new"]
    }),
    ("and its rows now have other fields", |folder| {
        undelivered(folder);
        &["outputs.sums.from=rows"]
    }),
    ("output `sums`", |_| &["pipeline.name=other", "pipeline.checkpoint=other"]),
    ("of the kind `words` made with the seed 1", |folder| {
        another_source(folder, "generate={kind=\"words\", rate=1, seed=1}");
        another!("generate={kind=\"words\", rate=1, seed=2}")
    }),
    ("was read from a source of kind `generate`", |folder| {
        another_source(folder, "generate={kind=\"words\", rate=1}");
        another!("queue={schema=\"line: text\", batches=[]}")
    }),
    ("was read from a source of kind `generate`", |folder| {
        another_source(folder, "generate={kind=\"words\", rate=1}");
        another!("socket={listen=\"127.0.0.1:0\", acknowledge=true}")
    }),
    ("was read from a.txt when", |folder| {
        ["a.txt", "b.txt"].iter().for_each(|name| fs::write(folder.path().join(name), "a\n").unwrap());
        another_source(folder, "files=\"a.txt\"");
        another!("files=\"b.txt\"")
    }),
    ("was read from a socket when", |folder| {
        another_source(folder, "socket={listen=\"127.0.0.1:0\"}");
        another!("generate=\"words\"")
    }),
    ("`rows` and `listen` listen at the same address", |_| {
        &[
            "streams.rows={socket={listen=\"127.0.0.1:47113\"}}",
            "streams.listen={socket={listen=\"0.0.0.0:47113\"}}",
            "streams.sums={from=[\"rows\", \"listen\"], union=true}",
            "pipeline.checkpoint=other",
            "outputs.sums.files.folder=new",
        ]
    }),
    ("is a link to what is not there", |folder| {
        symlink("nowhere", folder.path().join("link")).unwrap();
        &["outputs.sums.files.folder=link"]
    }),
    ("folder /proc/out cannot be written to", |_| &["outputs.sums.files.folder=/proc/out"]),
    ("/proc", |_| &["outputs.sums.files.folder=new", "pipeline.checkpoint=/proc/kept"]),
    ("link", |folder| {
        symlink("nowhere", folder.path().join("link")).unwrap();
        &["outputs.sums.files.folder=new", "pipeline.checkpoint=link"]
    }),
    ("below", |folder| {
        fs::write(folder.path().join("file"), "").unwrap();
        &["outputs.sums.files.folder=new", "pipeline.checkpoint=file/below"]
    }),
    ("the checkpoint lies in the folder of output `sums`", |_| {
        &["pipeline.checkpoint=new/kept", "outputs.sums.files.folder=new"]
    }),
    ("write to the same folder", |folder| {
        symlink("out", folder.path().join("link")).unwrap();
        &["outputs.more={from=\"sums\", files=\"link\"}"]
    }),
];

/// In place of what is in a file.
const FOLDER: &[u8] = b"a folder";

/// Every file, and what is in it.
fn files(folder: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(base: &Path, folder: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(base).unwrap().to_owned();
            if path.is_dir() && !path.is_symlink() {
                all.insert(name, FOLDER.to_vec());
                add(base, &path, all);
            } else {
                all.insert(name, fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut all = BTreeMap::new();
    add(folder.path(), folder.path(), &mut all);
    all
}

/// The records of all checkpoints.
fn records(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<&PathBuf> {
    files.keys().filter(|path| path.parent().is_some_and(|folder| folder.ends_with("log"))).collect()
}

/// A folder in which the pipeline has run for a batch.
fn ran() -> Folder {
    let folder = Folder::new().with("p.toml", PIPELINE.replace("PLUGIN", built("hostile").to_str().unwrap()));
    folder.stdout(&ONE_BATCH);
    folder
}

fn set<'a>(command: &[&'a str], set: &[&'a str]) -> Vec<&'a str> {
    command.iter().copied().chain(set.iter().flat_map(|value| ["--set", value])).collect()
}

#[test]
fn check_refuses_what_run_refuses() {
    let mut wrong = Vec::new();
    for (says, make) in REFUSED {
        let folder = ran();
        let changed = make(&folder);
        let before = files(&folder);
        let checked = folder.run(&set(&["check", "p.toml"], changed));
        if files(&folder) != before {
            wrong.push(format!("{says}: a check changes nothing"));
        }
        let run = folder.run(&set(&ONE_BATCH, changed));
        // A host that is at work there goes on.
        if records(&files(&folder)) != records(&before) {
            wrong.push(format!("{says}: a run that is refused takes nothing over"));
        }
        // Both say other things on their way.
        let why = |said: &str| said.find("error: ").map(|at| said[at..].to_owned());
        let (is_refused, is_said) = (run.code != 0 && checked.code == run.code, run.stderr.contains(says));
        if !is_refused || !is_said || why(&checked.stderr) != why(&run.stderr) {
            wrong.push(format!("{says}: {run:#?}\n{checked:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn check_says_what_a_run_would_do_first() {
    let folder = ran();
    let before = files(&folder);
    let ahead = |changed: &[&str]| {
        let said = folder.stdout(&set(&["check", "p.toml"], changed));
        said.lines().filter(|line| line.starts_with("a run would")).map(str::to_owned).collect::<Vec<_>>()
    };
    let behind = "a run would go on behind the batch 1000 ms (1970-01-01T00:00:01Z)";
    assert_eq!(ahead(&[]), [behind]);
    let migrates = "a run would migrate the states of stream `sums` from version 1 to 2";
    assert_eq!(ahead(&["streams.sums.update-state=hostile/sum-migrated"]), [migrates, behind]);
    assert!(ahead(&["pipeline.checkpoint=none", "outputs.sums.files.folder=nowhere"]).is_empty());
    assert_eq!(files(&folder), before);
}
