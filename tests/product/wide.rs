//! Rows of few bytes that are long as text: whoever writes them takes no more memory for that. And many partitions without rows.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::{bombs::measured, plugins::built, records, tool::Folder};

/// Items of the list of a row: a bit each in columns, and ten bytes and more as text.
const ITEMS: usize = 3 << 20;

/// What a program may take for it: most of it is the program, and its plugin. As text a row has 39 MiB, and as a tree of values
/// 300 MiB and more.
const KIB_MAX: u64 = 64 << 10;

fn pipeline(checkpoint: &str, output: &str) -> String {
    format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\npartitions = 1\n{checkpoint}\n\
         [plugins]\nhostile = \"{0}\"\nstrict = {{ path = \"{0}\", limits = {{ result-bytes = 1000 }} }}\n\
         [streams.rows.queue]\nschema = \"line: text, n: integer\"\nbatches = [[{{ line = \"{ITEMS}\", n = {ITEMS} }}]]\n\
         [streams.out]\nfrom = \"rows\"\nmap = \"hostile/bits\"\n{output}",
        built("hostile").display()
    )
}

/// Runs a command of a folder, with its standard output in a file of it, and sees that it stays small.
#[track_caller]
fn stays_small(folder: &Folder, arguments: &[&str], stdout: &str) {
    let mut command = folder.command(arguments);
    command.stdout(File::create(folder.path().join(stdout)).unwrap());
    let (ended, peak) = measured(&mut command);
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:#?}");
    assert!(peak < KIB_MAX, "{arguments:?} took {peak} KiB");
}

const RUN: &[&str] = &["run", "p.toml", "--clock", "manual", "--until-done"];

/// The length of a file, and its beginning and end.
fn ends(path: &Path) -> (usize, String, String) {
    let mut file = File::open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let mut part = |from: u64, bytes: usize| {
        let mut part = vec![0; bytes];
        file.seek(SeekFrom::Start(from)).unwrap();
        file.read_exact(&mut part).unwrap();
        String::from_utf8(part).unwrap()
    };
    (length as usize, part(0, 400.min(length as usize)), part(length.saturating_sub(40), 40.min(length as usize)))
}

#[test]
fn a_row_is_printed_piece_by_piece() {
    for (style, begins, item, end) in [
        ("python", "[(False,), (False,), (False,)", "(False,), ", "(False,)]\n\n"),
        ("scala", "List((false), (false), (false)", "(false), ", "(false))\n\n"),
        ("json", r#"{"bits":[{"on":false},{"on":false},"#, r#"{"on":false},"#, "{\"on\":false}]}\n"),
    ] {
        let output = format!("[outputs.out]\nfrom = \"out\"\nprint = {{ style = \"{style}\" }}\n");
        let folder = Folder::new().with("p.toml", pipeline("", &output));
        stays_small(&folder, RUN, "printed");
        let (length, head, tail) = ends(&folder.path().join("printed"));
        assert!(head.contains(begins) && tail.ends_with(end), "{style}: {head} ... {tail}");
        assert!(length > ITEMS * item.len() && length < ITEMS * item.len() + 500, "{style}: {length}");
    }
}

#[test]
fn a_row_is_written_to_files_piece_by_piece() {
    for format in ["jsonl", "text"] {
        let output =
            format!("[outputs.out]\nfrom = \"out\"\nfiles = {{ folder = \"written\", format = \"{format}\" }}\n");
        let folder = Folder::new().with("p.toml", pipeline("", &output));
        stays_small(&folder, RUN, "printed");
        let batch = records::sorted(&folder.path().join("written")).remove(0);
        let file = records::sorted(&batch).remove(0);
        let (length, head, tail) = ends(&file);
        assert!(
            head.contains(r#"[{"on":false},{"on":false},"#) && tail.contains(r#"{"on":false}]"#),
            "{head} ... {tail}"
        );
        assert!(length > ITEMS * 13 && length < ITEMS * 13 + 100, "{format}: {length}");
    }
}

#[test]
fn a_row_is_set_aside_piece_by_piece() {
    let streams = "[streams.again]\nfrom = \"out\"\nmap = \"strict/anything\"\nfields = { value = \"bits\" }\n\
                   on-error = \"dead-letter\"\n[outputs.again]\nfrom = \"again\"\nprint = true\n";
    let folder = Folder::new().with("p.toml", pipeline("", streams));
    stays_small(&folder, RUN, "printed");
    let batch = records::sorted(&folder.path().join("dead-letters/p/again")).remove(0);
    let (length, head, _) = ends(&records::sorted(&batch).remove(0));
    assert!(head.contains("result-bytes=1000"), "{head}");
    assert!(length > ITEMS * 13 && length < ITEMS * 13 + 1_000, "{length}");
}

#[test]
fn a_state_is_shown_and_replayed_piece_by_piece() {
    let streams = "[streams.kept]\nfrom = \"rows\"\nby = \"line\"\nupdate-state = \"hostile/bits-kept\"\n\
                   fields = { value = \"n\" }\n[outputs.kept]\nfrom = \"kept\"\nfiles = \"written\"\n";
    let folder = Folder::new().with("p.toml", pipeline("checkpoint = \"kept\"", streams));
    stays_small(&folder, RUN, "printed");
    stays_small(&folder, &["inspect", "kept", "--keys", "kept"], "keys");
    let (length, head, tail) = ends(&folder.path().join("keys"));
    let begin =
        format!("{{\"stream\":\"kept\",\"key\":{{\"line\":\"{ITEMS}\"}},\"state\":{{\"bits\":[{{\"on\":false}},");
    assert!(head.starts_with(&begin) && tail.ends_with("{\"on\":false}]}}\n"), "{head} ... {tail}");
    assert!(length > ITEMS * 13 && length < ITEMS * 13 + 200, "{length}");
    stays_small(&folder, &["replay", "p.toml", "--batch", "last"], "replayed");
    let replayed = folder.read("replayed");
    assert!(replayed.len() < 20_000 && replayed.contains("... (--json has all)"), "{} bytes", replayed.len());
    assert!(replayed.contains("same as committed"), "{replayed}");
    stays_small(&folder, &["replay", "p.toml", "--batch", "last", "--json"], "replayed.json");
    // The row, the state of then and that of now.
    assert!(fs::metadata(folder.path().join("replayed.json")).unwrap().len() > 3 * 13 * ITEMS as u64);
}

/// Partitions squared, ten times: places for all that could go from one to another would take more than eight gigabytes.
#[test]
fn partitions_that_get_no_rows_take_little() {
    const KIB_OF_ALL: u64 = 600 << 10;
    let mut text = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\npartitions = 4096\n\
                    [streams.rows.queue]\nschema = \"word: text\"\nbatches = [[\"a\", \"b\"]]\n"
        .to_owned();
    for n in 0..10 {
        text += &format!("[streams.d{n}]\nfrom = \"rows\"\ndistinct = true\n");
        text += &format!("[outputs.d{n}]\nfrom = \"d{n}\"\nprint = {{ style = \"json\" }}\n");
    }
    let folder = Folder::new().with("p.toml", text);
    let mut command = folder.command(RUN);
    command.stdout(File::create(folder.path().join("printed")).unwrap());
    let (ended, peak) = measured(&mut command);
    assert_eq!((ended.code, folder.read("printed").matches("{\"word\":").count()), (0, 20), "{ended:#?}");
    assert!(peak < KIB_OF_ALL, "{peak} KiB");
}
