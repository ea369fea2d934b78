//! Components that ask for much of who compiles them: the program says which limit was in the way, and stays small itself.

mod components;

use std::{fs, process::Command};

use components::{bombs, chain, loops};

use crate::{
    limit,
    plugins::built,
    running::Running,
    tool::{Ended, Folder},
};

/// What the program itself may take for any component: most of it is the program.
const HOST_KIB_MAX: u64 = 150 << 10;

/// Runs to the end, and gives with it how much memory the program itself had at most, in KiB.
pub fn measured(command: &mut Command) -> (Ended, u64) {
    let mut running = Running::start(command);
    let (mut peak, status) = (0, format!("/proc/{}/status", running.id()));
    running.wait_until("it ends", |running| {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = high.unwrap_or(0).max(peak);
        running.has_ended()
    });
    (running.end(), peak)
}

fn inspect(folder: &Folder, limits: &[&str]) -> Command {
    let limits = limits.iter().flat_map(|limit| ["--limit", limit]);
    folder.command(&["inspect", "bomb.wasm", "--no-cache"].into_iter().chain(limits).collect::<Vec<_>>())
}

#[test]
fn every_bomb_ends_with_a_verdict_and_the_host_stays_small() {
    for (what, bomb) in bombs() {
        let folder = Folder::new().with("bomb.wasm", bomb);
        let (ended, peak) = measured(&mut inspect(&folder, &["compile-time=2s", "compile-memory=128MiB"]));
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{what}: {ended:#?}");
        let verdicts = [
            "error: plugin `bomb` cannot be compiled within its limit compile-time=2s\n",
            "error: plugin `bomb` cannot be compiled within its limit compile-memory=134217728\n",
            // It was no bomb after all.
            "error: plugin `bomb` is no Wasm component: it cannot be compiled (",
            "error: plugin `bomb` does not export `tidemill:plugin/operators@0.1.0`",
        ];
        assert!(verdicts.iter().any(|verdict| ended.stderr.contains(verdict)), "{what}: {ended:#?}");
        assert!(!ended.stderr.contains("panicked"), "{what}: {ended:#?}");
        assert!(peak < HOST_KIB_MAX, "{what}: {peak} KiB");
    }
}

/// For each limit a component that takes more, and what is said of it.
fn stops() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let honest = fs::read(built("wordcount")).unwrap();
    vec![
        (loops(500, 500), "compile-time=1s", "compile-time=1s"),
        (loops(500, 500), "compile-wait=1s", "compile-wait=1s"),
        (chain(30, 2), "compile-memory=64MiB", "compile-memory=67108864"),
        (honest, "compiled-bytes=100KiB", "compiled-bytes=102400"),
    ]
}

#[test]
pub fn each_limit_of_compiling_is_that_of_the_pipeline() {
    for (component, limit, says) in stops() {
        let (key, value) = limit.split_once('=').unwrap();
        let text = format!(
            "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nbomb = {{ path = \"bomb.wasm\", limits = {{ {key} = \"{value}\" }} }}\n\
             [streams.in]\ngenerate = \"words\"\n[streams.out]\nfrom = \"in\"\nmap = \"bomb/split\"\n\
             [outputs.out]\nfrom = \"out\"\nprint = true\n"
        );
        let folder = Folder::new().with("p.toml", text).with("bomb.wasm", component);
        let says = format!("plugin `bomb` cannot be used: it cannot be compiled within its limit {says}");
        for command in ["check", "run"] {
            folder.fails(&[command, "p.toml", "--no-cache"], 2, &[&says]);
        }
    }
}

#[test]
pub fn limits_can_be_typed() {
    for (component, limit, says) in stops() {
        let folder = Folder::new().with("bomb.wasm", component);
        let ended = crate::running::end_of(&mut inspect(&folder, &[limit]));
        let key = limit.split_once('=').unwrap().0;
        let says = format!(
            "error: plugin `bomb` cannot be compiled within its limit {says}\n  hint: if you trust it, give it more: \
             --limit {key}=VALUE here, `limits = {{ {key} = ... }}` in a pipeline\n"
        );
        assert!(ended.code == 2 && ended.stderr.ends_with(&says), "{ended:#?}");
    }
    let folder = Folder::new().with("bomb.wasm", "");
    for (limit, says) in [
        ("compile-memory", "--limit `compile-memory` is not LIMIT=VALUE"),
        ("compile-memory=1KiB", "`compile-memory` is from 64MiB to 64GiB"),
        ("compile-memori=1GiB", "unknown key `compile-memori` in the limits\n  hint: did you mean `compile-memory`?"),
    ] {
        folder.fails(&["inspect", "bomb.wasm", "--limit", limit], 2, &[says]);
    }
}

/// The number of the process that a program has started, once there is one.
fn compiling_child(running: &mut Running) -> u32 {
    let mut child = None;
    running.wait_until("it has started a process", |running| {
        let processes =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        child = processes.into_iter().find(|&id| parent(id) == Some(running.id()));
        child.is_some()
    });
    child.unwrap()
}

/// Who started a process, while there is one.
fn parent(id: u32) -> Option<u32> {
    status(id, 1)?.try_into().ok()
}

/// The processor's time that a process has taken, in hundredths of a second.
fn ticks(id: u32) -> u64 {
    status(id, 11).unwrap_or(0)
}

/// What the system says of a process, in this place behind its name, which may have anything in it.
fn status(id: u32, place: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(place)?.parse().ok()
}

/// A process, unless it has ended or is another program by now.
fn is_compiling(id: u32) -> bool {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    line.windows(b"compile-component".len()).any(|word| word == b"compile-component")
}

/// A process that is ended takes no more time than this.
const TICKS_LEFT: u64 = 500;

#[test]
fn who_compiles_ends_with_the_host_and_knows_no_secrets() {
    let folder = Folder::new().with("bomb.wasm", loops(500, 500));
    for signal in ["KILL", "INT", "TERM"] {
        let mut command = inspect(&folder, &[]);
        command.env("AWS_SECRET_ACCESS_KEY", "secret").env("HOME", folder.path());
        let mut running = Running::start(&mut command);
        let child = compiling_child(&mut running);
        running.wait_until("it compiles", |_| is_compiling(child));
        let environment = fs::read(format!("/proc/{child}/environ")).unwrap();
        let names = environment.split(|&byte| byte == 0).filter(|pair| !pair.is_empty());
        let names: Vec<_> =
            names.map(|pair| String::from_utf8_lossy(pair.split(|&byte| byte == b'=').next().unwrap())).collect();
        assert!(names.iter().all(|name| name.starts_with("TIDEMILL_") || name == "RAYON_NUM_THREADS"), "{names:?}");
        running.signal(signal);
        running.end();
        let used = ticks(child);
        limit::wait_until("it ends too", || {
            assert!(ticks(child) < used + TICKS_LEFT, "it goes on without the host");
            !is_compiling(child)
        });
    }
}

/// Of each limit what the process may have, and what it may give itself.
fn limits_of(id: u32) -> Vec<(String, [String; 2])> {
    let text = fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let limit = |line: &str| {
        let (name, rest) = (line.get(..26)?.trim().to_owned(), line.get(26..)?.split_whitespace().collect::<Vec<_>>());
        Some((name, [(*rest.first()?).to_owned(), (*rest.get(1)?).to_owned()]))
    };
    text.lines().filter_map(limit).collect()
}

/// It has them before it sees a byte of the component, and none that is wider than those of who started it.
#[test]
fn who_compiles_can_write_no_file_and_take_no_more_than_it_is_given() {
    let folder = Folder::new().with("bomb.wasm", loops(500, 500));
    for files_max in ["64", "40"] {
        let inspect = inspect(&folder, &["compile-time=50s", "compile-memory=300MiB"]);
        let mut command = Command::new("sh");
        command.args(["-c", "test \"$0\" = 64 || ulimit -n \"$0\"; exec \"$@\"", files_max]).arg(inspect.get_program());
        command.args(inspect.get_args()).current_dir(folder.path());
        command.envs(inspect.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut running = Running::start(&mut command);
        let child = compiling_child(&mut running);
        // By then it has begun.
        running.wait_until("it compiles", |_| is_compiling(child) && ticks(child) > 10);
        let limits = limits_of(child);
        for (name, soft, hard) in [
            ("Max cpu time", "50", "51"),
            ("Max data size", "314572800", "314572800"),
            ("Max file size", "0", "0"),
            ("Max core file size", "0", "0"),
            ("Max open files", files_max, files_max),
        ] {
            let found = limits.iter().find(|(found, _)| found == name).map(|(_, limits)| limits.clone());
            assert_eq!(found, Some([soft, hard].map(str::to_owned)), "{name}: {limits:?}");
        }
        running.signal("KILL");
        running.end();
    }
}

#[test]
fn nothing_is_started_for_what_was_compiled_before() {
    const STARTS: &str = "starting a process that compiles";
    let folder = Folder::new();
    let caches = folder.path().join("caches");
    let wasm = built("wordcount");
    let inspect = || {
        let mut command = folder.command(&["inspect", wasm.to_str().unwrap(), "--log-level", "debug"]);
        let ended = crate::running::end_of(command.env("XDG_CACHE_HOME", &caches));
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stderr.matches(STARTS).count()
    };
    assert_eq!(inspect(), 1);
    assert_eq!(inspect(), 0);
    // What lies there in its place is neither waited for nor believed.
    let compiled = caches.join("tidemill/compiled");
    let file = fs::read_dir(&compiled).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    assert_eq!(crate::running::end_of(Command::new("mkfifo").arg(&file)).code, 0);
    assert_eq!(inspect(), 1);
    assert_eq!(inspect(), 0);
}

#[test]
fn a_pipe_in_the_place_of_a_component_is_not_waited_for() {
    let text = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\nbomb = \"bomb.wasm\"\n[streams.in]\ngenerate = \"words\"\n\
         [outputs.out]\nfrom = \"in\"\nprint = true\n";
    let folder = Folder::new().with("p.toml", text);
    let made = crate::running::end_of(Command::new("mkfifo").arg(folder.path().join("bomb.wasm")));
    assert_eq!(made.code, 0);
    folder.fails(&["inspect", "bomb.wasm"], 2, &["cannot read the component `bomb.wasm`: it is no file"]);
    for command in ["check", "run"] {
        folder.fails(
            &[command, "p.toml"],
            2,
            &["plugin `bomb` cannot be used: cannot read `bomb.wasm`: it is no file"],
        );
    }
}
