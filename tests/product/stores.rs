//! Checkpoints in an object store: the real program against a store that speaks S3.

use std::{
    io::Write,
    process::Command,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{
    limit::{self, wait_until},
    producer,
    records::{self, Delivered},
    running::{Running, end_of},
    s3::{BUCKET, Fault, KEY, S3, SECRET, STRANGER},
    tool::Folder,
};

/// Lines that come at a time.
const FEW: u64 = 50;

/// Between two files of the feed.
const PAUSE: Duration = Duration::from_millis(15);

/// How often the program is killed.
const KILLS: u64 = 12;

const SET: &str = "pipeline.checkpoint=s3://tides/words/a b";
pub const URL: &str = "s3://tides/words/a b";
/// An eighth of it makes a snapshot.
pub const SMALL_BUDGET: [&str; 2] = ["--set", "pipeline.checkpoint.budget=2MiB"];
pub const RUN: [&str; 4] = ["run", "pipeline.toml", "--set", SET];

fn start(folder: &Folder, store: &S3) -> Running {
    Running::start_ready(store.known_to(&mut folder.command(&RUN)))
}

#[track_caller]
fn stdout(folder: &Folder, store: &S3, arguments: &[&str]) -> String {
    let ended = end_of(store.known_to(&mut folder.command(arguments)));
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:#?}");
    ended.stdout
}

/// Adds lines, and waits until they have come out.
#[track_caller]
pub fn feed(folder: &Folder, lines: &mut u64) {
    *lines += records::add(folder.path(), *lines, FEW);
    wait_until("all lines have come out", || Delivered::read(folder.path()).lines.len() as u64 >= *lines);
}

#[test]
fn a_run_goes_on_from_a_store_and_can_be_looked_at_and_replayed() {
    let (folder, store) = (records::folder(), S3::start());
    let mut lines = 0;
    for _ in 0..2 {
        let run = start(&folder, &store);
        feed(&folder, &mut lines);
        feed(&folder, &mut lines);
        run.stop();
    }
    Delivered::read(folder.path()).check(lines);
    assert!(!folder.path().join("checkpoint").exists());
    let objects = store.objects();
    assert!(objects.keys().all(|key| key.starts_with("words/a b/")), "{:?}", objects.keys());
    assert!(stdout(&folder, &store, &["inspect", URL]).contains("kills"));
    let found: Value = serde_json::from_str(&stdout(&folder, &store, &["inspect", URL, "--json"])).unwrap();
    assert_eq!(found["place"], URL, "{found:#}");
    let keys = stdout(&folder, &store, &["inspect", URL, "--keys", "totals"]);
    assert_eq!(keys.lines().filter(|line| line.contains("\"word\":\"k")).count(), 7, "{keys}");
    let replayed = stdout(&folder, &store, &["replay", "pipeline.toml", "--set", SET, "--batch", "last", "--json"]);
    assert!(replayed.contains("kills"), "{replayed}");
    assert_eq!(store.objects(), objects, "looking writes nothing");
}

/// Numbers that differ from run to run; faults need be no better than xorshift64.
fn random(seed: u32) -> impl FnMut() -> u64 + Clone {
    let mut random = u64::from(seed) | 1;
    move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    }
}

/// A store with trouble now and then.
fn troubled() -> S3 {
    let store = S3::start();
    let mut faults = random(!seed());
    store.set_faults(move || match faults() % 40 {
        0 => Fault::Trouble,
        1 => Fault::TroubleAfter,
        2 => Fault::Silence,
        3 => Fault::Delay(Duration::from_millis(200)),
        4 => Fault::Cut,
        _ => Fault::None,
    });
    store
}

fn seed() -> u32 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()
}

/// Kills the program again and again over a store, of which `know` tells a command, while it is fed; lets it come to an end, and looks
/// at what it has written. `feed` is to stop when it is told to, and gives the number of lines.
pub fn kill_often(
    folder: &Folder,
    know: impl Fn(&mut Command),
    set: &[&str],
    feed: impl FnOnce(Receiver<()>) -> u64 + Send + 'static,
) {
    let seed = seed();
    let mut lives = random(seed);
    let (stop, stopped) = channel();
    let feed = limit::begin("all that it is fed with is durable", move || feed(stopped));
    let (_never, nothing) = channel::<()>();
    let run = || {
        let mut command = folder.command(&[&RUN, set].concat());
        know(&mut command);
        command
    };
    for _ in 0..KILLS {
        let run = Running::start(&mut run());
        let _ = nothing.recv_timeout(Duration::from_millis(100 + lives() % 900));
        run.kill();
    }
    let mut run = Running::start_ready(&mut run());
    drop(stop);
    run.wait_until("all that it is fed with is taken", |_| feed.has_ended());
    let lines = feed.end();
    run.wait_until("all lines have come out", |_| Delivered::read(folder.path()).lines.len() >= lines as usize);
    run.stop();
    let told = Delivered::read(folder.path()).check(lines);
    let _ = writeln!(std::io::stderr(), "seed {seed}: {KILLS} kills, {told}");
}

/// Lines in files, until it is told to stop.
pub fn feed_files(folder: &Folder) -> impl FnOnce(Receiver<()>) -> u64 + Send + 'static {
    let fed = folder.path().to_owned();
    move |stopped| {
        let mut lines = 0;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PAUSE) {
            lines += records::add(&fed, lines, FEW);
        }
        lines
    }
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_and_a_store_with_trouble() {
    let (folder, store) = (records::folder(), troubled());
    kill_often(&folder, |command| _ = store.known_to(command), &SMALL_BUDGET, feed_files(&folder));
}

#[test]
fn lines_that_were_logged_in_a_store_are_not_lost() {
    let (folder, store) = (records::folder(), troubled());
    let address = producer::address();
    let socket = producer_at(&address.to_string());
    let feed = move |stopped: Receiver<()>| producer::feed(address, &stopped);
    kill_often(&folder, |command| _ = store.known_to(command), &["--set", &socket], feed);
}

/// A source that acknowledges.
pub fn producer_at(address: &str) -> String {
    format!("streams.lines={{socket={{listen=\"{address}\", acknowledge=true}}}}")
}

#[test]
fn snapshots_are_made_and_what_is_not_needed_is_deleted() {
    let (folder, store) = (records::folder(), S3::start());
    let set = ["--set", "pipeline.checkpoint.budget=2MiB", "--set", "pipeline.checkpoint.keep-batches=0"];
    let arguments = [&RUN[..], &set].concat();
    let mut lines = 0;
    for _ in 0..2 {
        let deleted = store.requests("DELETE");
        let mut run = Running::start_ready(store.known_to(&mut folder.command(&arguments)));
        run.wait_until("something is deleted", |_| {
            (0..9).for_each(|_| lines += records::add(folder.path(), lines, FEW));
            feed(&folder, &mut lines);
            store.requests("DELETE") > deleted
        });
        run.stop();
    }
    Delivered::read(folder.path()).check(lines);
    assert!(store.objects().keys().any(|key| key.contains("/state/")));
    let keys = stdout(&folder, &store, &["inspect", URL, "--keys", "totals"]);
    assert_eq!(keys.lines().count() as u64, 7 + lines);
}

/// A batch whose record is longer than an object gets.
#[test]
fn long_records_lie_in_parts() {
    const LINES: usize = 12_000;
    let pipeline = r#"
        [pipeline]
        name = "long"
        interval = "50ms"
        checkpoint = "s3://tides/long"
        [streams.lines]
        files = { path = "in", existing = true }
        [outputs.lines]
        from = "lines"
        files = { folder = "lines", format = "text" }
    "#;
    let (folder, store) = (Folder::new().with("pipeline.toml", pipeline), S3::start());
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let text: String = (0..LINES).map(|n| format!("n{n} {}\n", "x".repeat(1_000))).collect();
    std::fs::write(folder.path().join("in/1"), text).unwrap();
    for _ in 0..2 {
        stdout(&folder, &store, &["run", "pipeline.toml", "--batches", "3"]);
        assert_eq!(Delivered::read(folder.path()).lines.len(), LINES);
    }
    let parts = store.objects().into_keys().filter(|key| key.starts_with("long/log/") && key.ends_with("/00000001"));
    assert_eq!(parts.count(), 1, "{:?}", store.objects().keys());
    stdout(&folder, &store, &["inspect", "s3://tides/long"]);
    stdout(&folder, &store, &["replay", "pipeline.toml", "--batch", "last"]);
}

#[test]
fn a_batch_takes_two_puts_one_get_and_no_list() {
    let count = |batches: &str| {
        let (folder, store) = (records::folder(), S3::start());
        records::add(folder.path(), 0, FEW);
        let run = ["run", "pipeline.toml", "--clock", "manual", "--set", SET, "--batches", batches];
        stdout(&folder, &store, &run);
        ["PUT", "GET", "LIST", "HEAD", "DELETE"].map(|method| store.requests(method))
    };
    let (few, many) = (count("10"), count("60"));
    let for_batches: Vec<u64> = many.iter().zip(few).map(|(many, few)| many - few).collect();
    assert_eq!(for_batches, [2 * 50, 50, 0, 0, 0]);
}

#[test]
fn no_secret_reaches_logs_or_objects() {
    const TOKEN: &str = "a-token-that-nobody-is-to-read";
    let (folder, store) = (records::folder(), S3::start());
    records::add(folder.path(), 0, FEW);
    let arguments = ["run", "pipeline.toml", "--log-level", "trace", "--set", SET, "--batches", "2"];
    let mut command = folder.command(&arguments);
    store.known_to(&mut command).env("AWS_SESSION_TOKEN", TOKEN).env("XDG_CACHE_HOME", folder.path().join("caches"));
    let ended = end_of(&mut command);
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.len() > 100);
    for secret in [SECRET, TOKEN, KEY] {
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret), "{secret}: {}", ended.stderr);
        let holds = |object: &Vec<u8>| object.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        assert!(!store.objects().values().any(holds), "{secret}");
    }
}

/// The libraries below say much at the lowest levels, and nothing that an operator wants to know.
#[test]
fn libraries_are_quiet_at_any_level() {
    let (folder, store) = (records::folder(), S3::start());
    let arguments =
        ["run", "pipeline.toml", "--log-level", "trace", "--log-format", "json", "--set", SET, "--batches", "2"];
    let ended = end_of(store.known_to(&mut folder.command(&arguments)));
    assert_eq!(ended.code, 0, "{ended:#?}");
    for line in ended.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (target, level) = (line["target"].as_str().unwrap(), line["level"].as_str().unwrap());
        let is_low = ["TRACE", "DEBUG"].contains(&level);
        assert!(!is_low || target.starts_with("tidemill") || target == "guest", "{line:#}");
    }
}

#[test]
fn of_two_hosts_on_one_prefix_the_later_one_has_it() {
    let (folder, store) = (records::folder(), S3::start());
    let mut lines = 0;
    let first = start(&folder, &store);
    feed(&folder, &mut lines);
    let second = start(&folder, &store);
    let ended = first.end();
    assert!(ended.code == 1 && ended.stderr.contains("has taken this checkpoint over"), "{ended:#?}");
    feed(&folder, &mut lines);
    second.stop();
    Delivered::read(folder.path()).check(lines);
}

/// Looks how a run fails: with this exit code, saying all of this and no secret.
#[track_caller]
fn fails(folder: &Folder, store: &S3, url: &str, key: &str, says: &[&str]) {
    let set = format!("pipeline.checkpoint={url}");
    for arguments in [vec!["run", "pipeline.toml", "--log-level", "trace", "--set", &set], vec!["inspect", url]] {
        let ended = end_of(store.known_with(&mut folder.command(&arguments), key));
        assert!(ended.code != 0 && says.iter().all(|text| ended.stderr.contains(text)), "{arguments:?}: {ended:#?}");
        assert!(!ended.stderr.contains(SECRET) && !ended.stderr.contains("panicked"), "{ended:#?}");
    }
}

#[test]
fn what_is_wrong_with_a_store_is_said_with_what_to_do() {
    let (folder, store) = (records::folder(), S3::start());
    fails(&folder, &store, "s3://tide/words", KEY, &["s3://tide/words", "NoSuchBucket", "there is no such bucket"]);
    fails(&folder, &store, "s3://tides/words", STRANGER, &["AccessDenied", "allow s3:GetObject"]);
    fails(&folder, &store, "s3://tides/words", "nobody", &["InvalidAccessKeyId", "set AWS_ACCESS_KEY_ID"]);
    assert!(store.objects().is_empty());
    let old = S3::old();
    let set = format!("pipeline.checkpoint=s3://{BUCKET}/words");
    let run = ["run", "pipeline.toml", "--set", &set];
    let ended = end_of(old.known_to(&mut folder.command(&run)));
    assert!(ended.code == 1 && ended.stderr.contains("If-None-Match"), "{ended:#?}");
}

/// A store that does not know conditional writes is asked once, and not for 45 seconds.
#[test]
fn a_store_that_refuses_conditions_is_refused_at_once_with_what_it_lacks() {
    let folder = records::folder();
    let refusals = [
        ("501 Not Implemented", "NotImplemented"),
        ("400 Bad Request", "InvalidArgument"),
        ("400 Bad Request", "InvalidRequest"),
        ("405 Method Not Allowed", "MethodNotAllowed"),
        ("501 Not Implemented", ""),
    ];
    for (status, code) in refusals {
        let store = S3::refusing(status, code);
        let ended = end_of(store.known_to(&mut folder.command(&RUN)));
        assert!(ended.code == 1 && ended.stderr.contains("If-None-Match"), "{status} {code}: {ended:#?}");
        assert!(ended.stderr.contains(code), "{status} {code}: {ended:#?}");
        assert_eq!(store.requests("PUT"), 1, "{status} {code}");
        assert!(store.objects().is_empty());
    }
}

/// Whatever breaks off midway is asked for again: lists too, of which every page may break off.
#[test]
fn answers_that_break_off_are_asked_for_again() {
    let (folder, store) = (records::folder(), S3::start());
    let (mut lines, mut requests) = (0, 0);
    // Never two in a row, so that no call fails for good.
    store.set_faults(move || {
        requests += 1;
        if requests % 3 == 0 { Fault::Cut } else { Fault::None }
    });
    for _ in 0..2 {
        let run = start(&folder, &store);
        feed(&folder, &mut lines);
        run.stop();
    }
    stdout(&folder, &store, &["inspect", URL]);
    Delivered::read(folder.path()).check(lines);
    assert!(store.requests("LIST") > 20, "{} lists", store.requests("LIST"));
}

#[test]
pub fn settings_that_are_missing_are_named() {
    let folder = records::folder();
    let check = |settings: &[(&str, &str)], says: &str| {
        let mut command = folder.command(&RUN);
        command.envs(settings.iter().copied());
        let ended = end_of(&mut command);
        assert!(ended.code == 1 && ended.stderr.contains(says), "{settings:?}: {ended:#?}");
        assert!(!ended.stderr.contains(SECRET), "{ended:#?}");
    };
    let key = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    let with = |settings: &[(&'static str, &'static str)]| [&key[..], settings].concat();
    check(&[("AWS_EC2_METADATA_DISABLED", "true")], "set AWS_ACCESS_KEY_ID");
    check(&key[1..], "set AWS_ACCESS_KEY_ID");
    check(&with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]), "AWS_ALLOW_HTTP=true");
    let secret: &'static str = "https://name:correct-horse-battery-staple@127.0.0.1";
    check(&with(&[("AWS_ENDPOINT_URL", secret)]), "has credentials in it");
}

#[test]
fn a_damaged_store_is_told_from_a_whole_one() {
    let (folder, store) = (records::folder(), S3::start());
    let mut lines = 0;
    for _ in 0..2 {
        let run = start(&folder, &store);
        feed(&folder, &mut lines);
        run.stop();
    }
    let key = store.objects().into_keys().find(|key| key.ends_with("/log/00000000000000000003")).unwrap();
    store.remove(&key);
    let ended = end_of(store.known_to(&mut folder.command(&["inspect", URL])));
    assert!(ended.code == 1 && ended.stdout.contains("log/00000000000000000003"), "{ended:#?}");
}
