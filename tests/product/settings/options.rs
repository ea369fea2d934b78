//! What can be typed, and the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use super::Settings;
use crate::{
    bombs, checkpoints, feeds,
    plugins::built,
    project, replays, run,
    running::{Running, end_of},
    tool::{Folder, repository},
    usage,
};

const OPTIONS: &[Settings] = &[
    ("new", &[("--sdk", project::a_project_can_use_the_sdk_of_the_repository)]),
    (
        "build",
        &[
            ("--no-cache", compiled_code_is_kept_unless_it_is_said),
            ("--limit", a_plugin_is_built_within_the_limits_that_are_typed),
            ("-o", project::a_project_is_built_again_when_it_changes),
            ("--output", project::a_project_is_built_again_when_it_changes),
            ("--watch", project::a_project_is_built_again_when_it_changes),
        ],
    ),
    (
        "check",
        &[
            ("--set", crate::check::a_good_pipeline_is_shown_with_its_types),
            ("--json", crate::check::a_good_pipeline_is_shown_with_its_types),
            ("--no-cache", compiled_code_is_kept_unless_it_is_said),
        ],
    ),
    (
        "run",
        &[
            ("--set", values_are_replaced_for_a_run),
            ("--no-cache", compiled_code_is_kept_unless_it_is_said),
            ("--batches", so_many_batches_are_run),
            ("--until-done", so_many_batches_are_run),
            ("--workers", so_many_threads_are_at_work),
            ("--clock", the_clock_is_the_one_that_is_named),
            ("--fresh-instances", instances_are_new_for_every_batch_if_it_is_said),
        ],
    ),
    (
        "inspect",
        &[
            ("--json", checkpoints::a_checkpoint_is_shown_and_left_as_it_is),
            ("--keys", checkpoints::keys_are_lines_of_json_in_their_order),
            ("--limit", bombs::limits_can_be_typed),
            ("--no-cache", compiled_code_is_kept_unless_it_is_said),
        ],
    ),
    (
        "replay",
        &[
            ("--set", replays::values_are_replaced_for_a_replay),
            ("--no-cache", compiled_code_is_kept_unless_it_is_said),
            ("--batch", replays::a_batch_comes_out_as_it_was_committed),
            ("--plugin", replays::another_plugin_shows_what_differs),
            ("--json", replays::another_plugin_shows_what_differs),
            ("--workers", so_many_threads_are_at_a_replay),
        ],
    ),
    (
        "generate",
        &[
            ("--listen", feeds::a_feed_waits_for_its_consumer),
            ("--connect", feeds::a_feed_connects_to_its_consumer),
            ("--rate", feeds::a_feed_has_a_rate),
            ("--count", feeds::the_same_seed_gives_the_same_lines),
            ("--seed", feeds::the_same_seed_gives_the_same_lines),
            ("--vocabulary", feeds::the_same_seed_gives_the_same_lines),
        ],
    ),
    ("completions", &[]),
    ("nc", &[("-l", feeds::netcat_sends_what_is_typed), ("-k", feeds::netcat_waits_for_the_next_one)]),
    (
        "every command",
        &[
            ("--log-level", run::logs_are_as_asked_for),
            ("--log-format", run::logs_are_as_asked_for),
            ("--quiet", logs_are_as_loud_as_it_is_said),
            ("--verbose", logs_are_as_loud_as_it_is_said),
            ("--help", usage::help_and_version_go_to_standard_output),
            ("--version", usage::help_and_version_go_to_standard_output),
        ],
    ),
    (
        "environment",
        &[
            ("TIDEMILL_LOG", run::logs_are_as_asked_for),
            ("XDG_CACHE_HOME", compiled_code_is_kept_unless_it_is_said),
            ("HOME", compiled_code_is_kept_unless_it_is_said),
            ("AWS_", crate::stores::settings_that_are_missing_are_named),
            ("TZ", printed_times_are_those_of_the_time_zone),
            ("NO_COLOR", colors_are_for_terminals_and_those_who_want_them),
            ("TERM", colors_are_for_terminals_and_those_who_want_them),
        ],
    ),
];

/// The options of a command, as its help shows them.
fn options(command: &str) -> BTreeSet<String> {
    let help = Folder::new().stdout(&[command, "--help"]);
    let words = help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(|line| {
        let shown = line.trim_start().split("  ").next().unwrap_or_default();
        let words = shown.split([' ', ',']).filter(|word| word.starts_with('-'));
        words.map(|word| word.trim_end_matches('.').to_owned()).collect::<Vec<_>>()
    });
    // The text of a value's description begins with one, too.
    words.filter(|word| word.len() > 1).collect()
}

#[test]
fn every_option_has_a_test_of_its_effect() {
    let help = Folder::new().stdout(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    let commands = commands.map(|line| line.split(' ').next().unwrap()).filter(|&name| name != "help");
    let of_all = ["--log-level", "--log-format", "--quiet", "-q", "--verbose", "-v", "--help", "-h", "--version", "-V"];
    let of_all: BTreeSet<String> = of_all.map(str::to_owned).into();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for command in commands {
        let options = options(command);
        assert!(of_all.is_subset(&options), "{command}: {options:?}");
        known.insert(command.to_owned(), &options - &of_all);
    }
    assert_eq!(known.len(), 9, "{known:?}");
    let of_commands: Vec<Settings> =
        OPTIONS.iter().copied().filter(|(name, _)| !["every command", "environment"].contains(name)).collect();
    super::check(&known, &of_commands);
}

/// The variables that the program reads by their names are those of its two sources that may.
#[test]
fn every_variable_has_a_test_of_its_effect() {
    let read = |file: &str| std::fs::read_to_string(repository().join("host/cli/src").join(file)).unwrap();
    let (environment, arguments) = (read("environment.rs"), read("arguments.rs"));
    let quoted = |text: &str, before: &str| {
        let names = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut known: BTreeSet<String> = quoted(&environment, "folder(\"").into_iter().collect();
    known.extend(quoted(&environment, "starts_with(\""));
    known.extend(quoted(&environment, "(env::var_os(\""));
    known.extend(quoted(&environment, ", env::var_os(\""));
    known.extend(quoted(&arguments, "env = \""));
    // It is read by the library for times.
    known.insert("TZ".to_owned());
    let of_environment: Vec<Settings> = OPTIONS.iter().copied().filter(|(name, _)| *name == "environment").collect();
    super::check(&BTreeMap::from([("environment".to_owned(), known)]), &of_environment);
}

const LINES: &str = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nhostile = \"PLUGIN\"\n\
                     [streams.lines]\nqueue = { schema = \"line: text\", batches = [[\"a\"], [\"b\"], [\"c\"]] }\n\
                     [streams.out]\nfrom = \"lines\"\nmap = \"hostile/identity\"\n\
                     [outputs.out]\nfrom = \"out\"\nprint = true\n";

fn logs_are_as_loud_as_it_is_said() {
    let said = |options: &[&str]| {
        let ended = lines().run(&[&["run", "p.toml", "--clock", "manual", "--until-done"], options].concat());
        assert_eq!(ended.code, 0, "{ended:#?}");
        ["DEBUG", " INFO"].map(|level| ended.stderr.contains(level))
    };
    for (options, expect) in [
        (&[][..], [false, true]),
        (&["-q"], [false, false]),
        (&["--quiet", "--quiet"], [false, false]),
        (&["-v"], [true, true]),
        (&["-vv"], [true, true]),
        (&["--verbose"], [true, true]),
    ] {
        assert_eq!(said(options), expect, "{options:?}");
    }
    for wrong in [&["-q", "-v"][..], &["-q", "--log-level", "info"], &["-v", "--log-level", "debug"]] {
        lines().fails(&[&["run", "p.toml"], wrong].concat(), 2, &["cannot be used with"]);
    }
}

fn lines() -> Folder {
    Folder::new().with("p.toml", LINES.replace("PLUGIN", built("hostile").to_str().unwrap()))
}

#[test]
fn values_are_replaced_for_a_run() {
    let folder = lines();
    let rows = |set: &[&str]| {
        let run = [&["run", "p.toml", "--clock", "manual", "--until-done"], set].concat();
        let printed = folder.stdout(&run);
        printed.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect::<Vec<_>>()
    };
    let shown = ["--set", "outputs.out.print={style=\"json\"}"];
    let others = ["--set", "streams.lines.queue={schema=\"line: text\", batches=[[\"d\"]]}"];
    assert_eq!(rows(&[]), Vec::<String>::new());
    assert_eq!(rows(&shown), ["a", "b", "c"].map(|line| format!("{{\"line\":\"{line}\"}}")));
    assert_eq!(rows(&[shown, others].concat()), ["{\"line\":\"d\"}"]);
    assert_eq!(rows(&shown).len(), 3, "for that run alone");
}

#[test]
fn so_many_batches_are_run() {
    let folder = lines();
    for batches in 1..=4 {
        let run = ["run", "p.toml", "--clock", "manual", "--batches", &batches.to_string()];
        let ended = folder.run(&run);
        // A batch without rows is one, too.
        let rows = batches.min(3);
        let done = format!("done batches={batches} rows={rows} rejected=0 irregular=0 skipped=0\n");
        assert!(ended.code == 0 && ended.stderr.contains(&done), "{ended:#?}");
        assert_eq!(ended.stdout.matches("Time: ").count(), batches, "{ended:#?}");
    }
    let ended = folder.run(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    assert!(ended.stderr.contains("done batches=3 rows=3 "), "{ended:#?}");
}

/// A run that waits, and the threads that the system says it has.
#[test]
fn so_many_threads_are_at_work() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1h\"\n[streams.lines]\nsocket = \"{}\"\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = true\n",
        listener.local_addr().unwrap()
    );
    let folder = Folder::new().with("p.toml", text);
    let threads = |workers: &str| {
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml", "--workers", workers]));
        // Its sources have begun, and so has all that it starts.
        let _peer = run.accepted(&listener);
        let threads = run.threads();
        run.stop();
        threads
    };
    // Where the system does not say it, it cannot be seen; results do not depend on it.
    if let (Some(one), Some(six)) = (threads("1"), threads("6")) {
        assert_eq!(six - one, 5);
    }
}

/// A replay of a function that does not end, and the threads that the system says it has.
#[test]
fn so_many_threads_are_at_a_replay() {
    let text = LINES.replace("\"PLUGIN\"", "{ path = \"PLUGIN\", limits = { fuel-per-call = 1_000_000_000_000 } }");
    let text = text.replace("interval = \"1s\"", "interval = \"1s\"\ncheckpoint = \"checkpoint\"");
    let folder = Folder::new().with("p.toml", text.replace("PLUGIN", built("hostile").to_str().unwrap()));
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done"]);
    let threads = |workers: &str| {
        let set = "streams.out.map=hostile/loop-forever";
        let replay = ["replay", "p.toml", "--batch", "1000", "--set", set, "--workers", workers];
        let mut replay = Running::start(&mut folder.command(&replay));
        // What it does before takes far less.
        replay.wait_until("it works", |replay| replay.worked_ticks().is_none_or(|ticks| ticks > 200));
        replay.threads()
    };
    if let (Some(one), Some(six)) = (threads("1"), threads("6")) {
        assert_eq!(six - one, 5);
    }
}

#[test]
fn the_clock_is_the_one_that_is_named() {
    let folder = lines();
    let year = |clock: &[&str]| {
        let run = [&["run", "p.toml", "--batches", "1", "--set", "pipeline.interval=10ms"], clock].concat();
        let printed = folder.stdout(&run);
        printed.lines().nth(1).unwrap().strip_prefix("Time: ").unwrap()[..4].parse::<u32>().unwrap()
    };
    assert_eq!(year(&["--clock", "manual"]), 1970);
    assert!(year(&["--clock", "system"]) > 2020);
    assert!(year(&[]) > 2020);
}

/// A function whose memory grows from call to call is found out.
#[test]
fn instances_are_new_for_every_batch_if_it_is_said() {
    let rows = |more: &[&str]| {
        let batches = (0..30).map(|_| "[\"a\"]").collect::<Vec<_>>().join(", ");
        let set = format!("streams.lines.queue={{schema=\"line: text\", batches=[{batches}]}}");
        let run = ["run", "p.toml", "--clock", "manual", "--until-done", "--set", &set];
        // A megabyte a call is lost, and eight are there.
        let more = [
            &run[..],
            &["--set", "streams.out.map=hostile/leaks", "--set", "plugins.hostile.limits.memory=8MiB"],
            more,
        ];
        lines_with_limits().run(&more.concat()).code
    };
    assert_eq!((rows(&[]), rows(&["--fresh-instances"])), (1, 0));
}

fn lines_with_limits() -> Folder {
    let plugin = format!("hostile = {{ path = \"{}\", limits = {{ memory = \"1GiB\" }} }}", built("hostile").display());
    Folder::new().with("p.toml", LINES.replace("hostile = \"PLUGIN\"", &plugin))
}

#[test]
fn a_plugin_is_built_within_the_limits_that_are_typed() {
    let folder = repository().join("plugins/wordcount");
    let build = ["build", folder.to_str().unwrap(), "--no-cache", "--limit", "compiled-bytes=100KiB"];
    Folder::new().fails(
        &build,
        1,
        &["cannot be compiled within its limit compiled-bytes=102400", "--limit compiled-bytes="],
    );
}

#[test]
fn compiled_code_is_kept_unless_it_is_said() {
    let wasm = built("wordcount");
    let text = LINES.replace("PLUGIN", wasm.to_str().unwrap()).replace("hostile/identity", "hostile/split");
    let folder = Folder::new().with("p.toml", text);
    let replayed = ["replay", "p.toml", "--batch", "last", "--set", "pipeline.checkpoint=kept"];
    folder.stdout(&["run", "p.toml", "--clock", "manual", "--until-done", "--set", "pipeline.checkpoint=kept"]);
    let kept = |arguments: &[&str], is_home: bool| {
        let place = tempfile::tempdir().unwrap();
        let mut command = folder.command(arguments);
        if is_home {
            command.env("HOME", place.path()).env_remove("XDG_CACHE_HOME");
        } else {
            command.env("XDG_CACHE_HOME", place.path());
        }
        let ended = end_of(&mut command);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:#?}");
        let caches = if is_home { place.path().join(".cache") } else { place.path().to_owned() };
        caches.join("tidemill/compiled").read_dir().is_ok_and(|found| found.count() > 0)
    };
    let wasm = wasm.to_str().unwrap();
    let project = repository().join("plugins/wordcount");
    let build = ["build", project.to_str().unwrap()];
    assert!(kept(&build, false) && !kept(&[&build[..], &["--no-cache"]].concat(), false));
    for arguments in [
        &["run", "p.toml", "--clock", "manual", "--until-done"][..],
        &["check", "p.toml"],
        &["inspect", wasm],
        &replayed,
    ] {
        assert!(kept(arguments, true), "{arguments:?}");
        assert!(!kept(&[arguments, &["--no-cache"]].concat(), true), "{arguments:?}");
    }
    assert!(kept(&["check", "p.toml"], false));
    // One that hangs on where the program is run is none.
    let home = tempfile::tempdir().unwrap();
    let mut command = folder.command(&["check", "p.toml"]);
    assert_eq!(end_of(command.env("HOME", home.path()).env("XDG_CACHE_HOME", "relative")).code, 0);
    assert!(home.path().join(".cache/tidemill/compiled").is_dir() && !folder.path().join("relative").exists());
}

/// On a terminal, which the program `script` makes; without it there is nothing to look at.
#[test]
fn colors_are_for_terminals_and_those_who_want_them() {
    let folder = Folder::new().with("p.toml", "[pipeline]\nname = 1\n");
    let program = env!("CARGO_BIN_EXE_tidemill");
    let is_colored = |variables: &[(&str, &str)]| {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("{program} check p.toml"), "/dev/null"]);
        command.current_dir(folder.path()).env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
        let said = end_of(&mut command);
        assert!(said.stdout.contains("`p.toml` has"), "{said:#?}");
        said.stdout.contains('\u{1b}')
    };
    if ["/usr/bin/script", "/bin/script"].iter().any(|program| std::path::Path::new(program).exists()) {
        assert!(is_colored(&[]));
        assert!(is_colored(&[("NO_COLOR", "")]));
        assert!(!is_colored(&[("NO_COLOR", "1")]));
        assert!(!is_colored(&[("TERM", "dumb")]));
    }
    let piped = folder.run(&["check", "p.toml"]);
    assert!(!piped.stderr.contains('\u{1b}'), "{piped:#?}");
}

#[test]
fn printed_times_are_those_of_the_time_zone() {
    let folder = lines();
    let hour = |zone: &str| {
        let mut command = folder.command(&["run", "p.toml", "--clock", "manual", "--batches", "1"]);
        end_of(command.env("TZ", zone)).stdout.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(hour("UTC"), "Time: 1970-01-01 00:00:01");
    assert_eq!(hour("XST-3"), "Time: 1970-01-01 03:00:01");
    // A name leads to what the machine knows of it.
    let berlin = if std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() { "01" } else { "00" };
    assert_eq!(hour("Europe/Berlin"), format!("Time: 1970-01-01 {berlin}:00:01"));
    let mut command = folder.command(&["run", "p.toml", "--clock", "manual", "--batches", "1"]);
    let unknown = end_of(command.env("TZ", "Nowhere/Town"));
    assert!(
        unknown.stdout.contains("Time: 1970-01-01 00:00:01") && unknown.stderr.contains(" TZ names"),
        "{unknown:#?}"
    );
}
