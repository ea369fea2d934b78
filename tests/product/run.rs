//! `tidemill run`.

use std::{io::Write, net::TcpListener};

use crate::{
    plugins,
    running::{Running, end_of, unread},
    tool::Folder,
};

/// Numbers in two batches, summed in each.
const QUEUE: &str = r#"
[pipeline]
name = "sums"
interval = "2s"

[streams.numbers]
queue = { schema = "name: text, number: integer", batches = [
    [{ name = "a", number = 1 }, { name = "b", number = 2 }, { name = "a", number = 3 }],
    [{ name = "b", number = 4 }],
] }

[streams.sums]
from = "numbers"
by = ["name"]
reduce = "sum"
fields = { value = "number" }

[streams.sorted]
from = "sums"
sort = ["name"]

[outputs.sums]
from = "sorted"
print = true
"#;

const PRINTED: &str = "\
-------------------------------------------
Time: 1970-01-01 00:00:02
-------------------------------------------
('a', 4)
('b', 2)

-------------------------------------------
Time: 1970-01-01 00:00:04
-------------------------------------------
('b', 4)

";

#[test]
fn batches_are_printed_and_only_they() {
    let folder = Folder::new().with("p.toml", QUEUE);
    let ended = folder.run(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, PRINTED), "{ended:#?}");
    assert!(ended.stderr.contains("Total delay: "), "{ended:#?}");
    for workers in ["1", "3"] {
        assert_eq!(
            folder.stdout(&["run", "p.toml", "--clock", "manual", "--batches", "2", "--workers", workers]),
            PRINTED
        );
    }
}

#[test]
pub fn logs_are_as_asked_for() {
    let folder = Folder::new().with("p.toml", QUEUE);
    let run = ["run", "p.toml", "--clock", "manual", "--until-done"];
    let quiet = folder.run(&[&run[..], &["--log-level", "warn"]].concat());
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    let quiet = end_of(folder.command(&run).env("TIDEMILL_LOG", "off"));
    assert!(quiet.stderr.is_empty());
    let json = folder.run(&[&run[..], &["--log-format", "json"]].concat());
    let lines: Vec<serde_json::Value> = json.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_report =
        |line: &&serde_json::Value| line["message"].as_str().unwrap_or_default().starts_with("Total delay: ");
    assert_eq!(lines.iter().filter(is_report).count(), 2, "{lines:#?}");
}

#[test]
fn a_run_that_would_never_end_is_refused() {
    let text = QUEUE.replace("[outputs", "[streams.more]\nsocket = \"127.0.0.1:9999\"\n\n[outputs");
    let folder = Folder::new().with("p.toml", text);
    let says = ["stream `more` is a socket and never done", "hint: ", "--batches N"];
    folder.fails(&["run", "p.toml", "--until-done"], 2, &says);
    let made = ["run", "p.toml", "--until-done", "--set", "streams.more={generate=\"words\"}"];
    folder.fails(&made, 2, &["stream `more` is generated without a count and never done", "hint: ", "--batches N"]);
}

/// Lines of a socket, every 10 ms.
fn socket(address: &str) -> String {
    format!(
        "[pipeline]\nname = \"lines\"\ninterval = \"10ms\"\n\n[streams.lines]\nsocket = \"{address}\"\n\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = {{ style = \"json\" }}\n"
    )
}

#[test]
fn a_signal_stops_after_the_batch() {
    for signal in ["INT", "TERM"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = Folder::new().with("p.toml", socket(&listener.local_addr().unwrap().to_string()));
        let mut run = Running::start(&mut folder.command(&["run", "p.toml"]));
        run.accepted(&listener).write_all(b"hello\n").unwrap();
        run.wait_for_printed("hello");
        run.signal(signal);
        run.wait_for("stopping after the running batch");
        let ended = run.end();
        assert_eq!(ended.code, 0, "{ended:#?}");
        assert!(ended.stderr.contains("done"), "{ended:#?}");
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let wasm = plugins::built("hostile");
    let pipeline = format!(
        "[pipeline]\nname = \"stuck\"\ninterval = \"10ms\"\n\n\
         [plugins.hostile]\npath = \"{}\"\nlimits = {{ fuel-per-call = {} }}\n\n\
         [streams.lines]\ngenerate = {{ kind = \"words\", rate = 1000 }}\n\n\
         [streams.stuck]\nfrom = \"lines\"\nmap = \"hostile/loop-forever\"\n\n\
         [outputs.stuck]\nfrom = \"stuck\"\nprint = true\n",
        wasm.display(),
        1_u64 << 50
    );
    let folder = Folder::new().with("p.toml", pipeline);
    let mut run = Running::start(&mut folder.command(&["run", "p.toml"]));
    // Signals are waited for before anything is said.
    run.wait_for("no checkpoint");
    run.wait_for("starting");
    run.signal("INT");
    run.wait_for("stopping after the running batch");
    run.signal("INT");
    run.wait_for("stopped at once");
    assert_eq!(run.end().code, 1);
}

#[test]
fn a_guest_that_loops_ends_the_run_with_its_verdict() {
    let wasm = plugins::built("hostile");
    let pipeline = format!(
        "[pipeline]\nname = \"stuck\"\ninterval = \"1s\"\n\n[plugins]\nhostile = \"{}\"\n\n\
         [streams.lines]\ngenerate = {{ kind = \"words\", count = 3 }}\n\n\
         [streams.stuck]\nfrom = \"lines\"\nmap = \"hostile/loop-forever\"\n\n\
         [outputs.stuck]\nfrom = \"stuck\"\nprint = true\n",
        wasm.display()
    );
    let folder = Folder::new().with("p.toml", pipeline);
    let says = [
        "error: pipeline `stuck`, stream `stuck`, partition 0, batch 1000 ms (1970-01-01T00:00:01Z): `hostile/loop-forever`: the call used up",
        "fuel-per-call=100000000 and fuel-per-row=100000 for 3 rows",
        "hint: if the function needs more, give plugin `hostile` more: limits = { fuel-per-call = 200000000 }\n",
    ];
    folder.fails(&["run", "p.toml", "--clock", "manual", "--until-done"], 1, &says);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_run() {
    let folder = Folder::new().with("p.toml", QUEUE);
    let mut command = folder.command(&["run", "p.toml", "--clock", "manual", "--log-level", "warn"]);
    let ended = Running::start(command.stdout(unread())).end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn a_closed_standard_output_is_an_error() {
    let files = QUEUE.replace("print = true", "files = \"out\"");
    let folder = Folder::new().with("p.toml", QUEUE).with("files.toml", files);
    let sh = |arguments: &str| {
        let script = format!("exec \"$0\" {arguments} >&-");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_tidemill")]).current_dir(folder.path());
        end_of(&mut command)
    };
    for arguments in ["run p.toml --clock manual --until-done", "check p.toml", "generate words --count 1"] {
        let ended = sh(arguments);
        assert_eq!(ended.code, 1, "{arguments}: {ended:#?}");
        assert!(ended.stderr.starts_with("error: standard output is closed"), "{arguments}: {ended:#?}");
    }
    let files = sh("run files.toml --clock manual --until-done");
    assert_eq!(files.code, 0, "{files:#?}");
}

#[test]
fn a_folder_that_is_a_file_is_said() {
    let text = QUEUE.replace("print = true", "files = \"p.toml\"");
    let folder = Folder::new().with("p.toml", text);
    let says = ["error: output `sums`: p.toml is a file, or in one: choose a folder\n"];
    folder.fails(&["run", "p.toml", "--clock", "manual", "--until-done"], 1, &says);
}

#[test]
fn what_the_world_refuses_ends_with_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let text = socket(&address).replace(&format!("\"{address}\""), &format!("{{ listen = \"{address}\" }}"));
    let folder = Folder::new().with("p.toml", text);
    folder.fails(&["run", "p.toml"], 1, &["lines", &address]);
}
