//! Signals end a run in good order, whatever it waits for.

use std::{process::Command, time::Duration};

use crate::{
    plugins::built,
    producer, records,
    running::Running,
    s3::{Fault, S3},
    stores,
    tool::Folder,
};

/// Those that end a run in good order.
const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// An interval whose next tick is an hour away at least: no test waits so long.
#[allow(clippy::disallowed_methods, reason = "what is far away depends on the time of the day")]
fn far_interval() -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let hours = [24, 25, 29].into_iter().find(|hours| hours * 3_600 - now % (hours * 3_600) > 3_600);
    format!("{}h", hours.unwrap())
}

#[test]
fn a_run_that_waits_for_a_tick_that_is_far_away_ends_at_a_signal() {
    let nobody = producer::address();
    let sources = [
        "socket = { listen = \"127.0.0.1:0\" }".to_owned(),
        format!("socket = \"{nobody}\""),
        "files = \"in\"".to_owned(),
        "generate = { kind = \"words\", rate = 1 }".to_owned(),
        "queue = { schema = \"line: text\", batches = [] }".to_owned(),
    ];
    for source in sources {
        let text = format!(
            "[pipeline]\nname = \"p\"\ninterval = \"{}\"\n[streams.lines]\n{source}\n\
             [outputs.lines]\nfrom = \"lines\"\nprint = true\n",
            far_interval()
        );
        let folder = Folder::new().with("p.toml", text);
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
        run.wait_until_idle();
        let ended = run.stop();
        assert!(ended.stderr.contains("stopping after the running batch"), "{source}: {ended:#?}");
        assert!(ended.stderr.contains("done batches=1 "), "{source}: {ended:#?}");
    }
}

/// A store that does not answer holds a run up before it has begun.
#[test]
fn a_signal_that_comes_before_the_first_batch_ends_a_run_in_good_order() {
    for signal in SIGNALS {
        let (folder, store) = (records::folder(), S3::start());
        store.set_faults(|| Fault::Delay(Duration::from_secs(3_600)));
        let set = format!("pipeline.checkpoint={}", stores::URL);
        let mut run = Running::start(store.known_to(&mut folder.command(&["run", "pipeline.toml", "--set", &set])));
        run.wait_until("it asks the store", |_| ["GET", "LIST", "PUT"].iter().any(|method| store.requests(method) > 0));
        run.signal(signal);
        let ended = run.end();
        assert!(ended.code == 0 && ended.stderr.contains("stopped before the first batch"), "{ended:#?}");
    }
}

/// A run that waits for a tick that is far away, and is said to be ready.
fn waiting(command: impl FnOnce(&Folder, &[&str]) -> Command) -> (Folder, Running) {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"{}\"\n[streams.lines]\nqueue = {{ schema = \"line: text\", batches = [] }}\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = true\n",
        far_interval()
    );
    let folder = Folder::new().with("p.toml", text);
    let mut run = Running::start_ready(&mut command(&folder, &["run", "p.toml"]));
    run.wait_until_idle();
    (folder, run)
}

#[test]
fn every_signal_ends_a_run_behind_its_batch() {
    for signal in SIGNALS {
        let (_folder, run) = waiting(Folder::command);
        run.signal(signal);
        let ended = run.end();
        assert!(ended.code == 0 && ended.stderr.contains("done batches=1 "), "{signal}: {ended:#?}");
    }
}

/// Who starts the tests may have them ignore signals.
#[test]
fn what_the_tests_are_started_with_does_not_matter() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' INT TERM HUP; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", "stops::every_signal_ends_a_run_behind_its_batch"]);
    let ended = crate::running::end_of(&mut shell);
    assert!(ended.code == 0 && ended.stdout.contains("1 passed"), "{ended:#?}");
}

/// As `nohup` starts it.
#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let (_folder, mut run) = waiting(|folder, arguments| {
        let program = folder.command(arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(program.get_program()).args(program.get_args());
        shell.current_dir(folder.path()).envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))));
        shell
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        shell
    });
    run.signal("HUP");
    run.wait_until_idle();
    run.signal("INT");
    let ended = run.end();
    assert!(ended.code == 0 && ended.stderr.contains("done batches=1 "), "{ended:#?}");
}

/// A batch whose calls use up much fuel each, again and again: it takes minutes.
fn endless(within: &str) -> (Folder, Running) {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"100ms\"\npartitions = 1\ncheckpoint = \"kept\"\nstop-within = \"{within}\"\n\
         [plugins]\nhostile = {{ path = \"{}\", limits = {{ fuel-per-call = 1_000_000_000 }} }}\n\
         [streams.lines]\nqueue = {{ schema = \"line: text\", batches = [[\"a\", \"b\"], [\"c\"]] }}\n\
         [streams.out]\nfrom = \"lines\"\nmap = \"hostile/loop-forever\"\n\
         on-error = {{ retry = 100, delay = \"1ms\", then = \"skip-batch\" }}\n\
         [outputs.out]\nfrom = \"out\"\nprint = {{ style = \"json\" }}\n",
        built("hostile").display()
    );
    let folder = Folder::new().with("p.toml", text);
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    run.wait_until("it computes", |run| run.threads().is_none_or(|threads| threads > 1));
    (folder, run)
}

#[test]
pub fn a_batch_that_does_not_end_is_undone_in_time_and_run_again() {
    let (folder, run) = endless("200ms");
    run.signal("TERM");
    let ended = run.end();
    assert_eq!(ended.code, 1, "{ended:#?}");
    for says in ["did not end within 200ms of the stop", "the next run begins with it", "hint: ", "stop-within"] {
        assert!(ended.stderr.contains(says), "{says}: {ended:#?}");
    }
    assert!(!ended.stdout.contains("\"line\""), "{ended:#?}");
    let mended = ["run", "p.toml", "--clock", "manual", "--until-done", "--set", "streams.out.map=hostile/identity"];
    let mended = folder.run(&mended);
    assert_eq!(mended.code, 0, "{mended:#?}");
    let rows: Vec<&str> = mended.stdout.lines().filter(|line| line.contains("line")).collect();
    assert_eq!(rows, ["{\"line\":\"a\"}", "{\"line\":\"b\"}", "{\"line\":\"c\"}"], "{mended:#?}");
}

#[test]
fn a_second_signal_ends_a_run_at_once_but_for_a_terminal_that_goes() {
    for first in SIGNALS {
        for second in ["INT", "TERM"] {
            let (_folder, mut run) = endless("1h");
            run.signal(first);
            run.wait_for("stopping after the running batch");
            run.signal("HUP");
            run.wait_for("the terminal is gone");
            run.signal(second);
            let ended = run.end();
            assert!(ended.code == 1 && ended.stderr.contains("stopped at once"), "{first}, {second}: {ended:#?}");
        }
    }
}
