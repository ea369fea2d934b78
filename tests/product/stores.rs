//! Checkpoints in an object store: the real program against a store that speaks S3.

use std::{
    io::Write,
    sync::mpsc::channel,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::{
    records::{self, Delivered},
    s3::{BUCKET, Fault, KEY, S3, SECRET, STRANGER},
    tool::{Ended, Folder, Running, wait_until},
};

/// Lines that come at a time.
const FEW: u64 = 50;

/// How often the program is killed.
const KILLS: u64 = 12;

const SET: &str = "pipeline.checkpoint=s3://tides/words/a b";
const URL: &str = "s3://tides/words/a b";
const RUN: [&str; 6] = ["run", "pipeline.toml", "--log-level", "error", "--set", SET];

fn start(folder: &Folder, store: &S3) -> Running {
    Running::start(store.known_to(&mut folder.command(&RUN)))
}

#[track_caller]
fn stdout(folder: &Folder, store: &S3, arguments: &[&str]) -> String {
    let ended: Ended = store.known_to(&mut folder.command(arguments)).output().unwrap().into();
    assert_eq!(ended.code, 0, "{arguments:?}: {ended:#?}");
    ended.stdout
}

/// Adds lines, and waits until they have come out.
#[track_caller]
fn feed(folder: &Folder, lines: &mut u64) {
    *lines += records::add(folder.path(), *lines, FEW);
    wait_until("all lines have come out", || Delivered::read(folder.path()).lines.len() as u64 >= *lines);
}

#[track_caller]
fn stop(run: Running) {
    run.signal("INT");
    let ended = run.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn a_run_goes_on_from_a_store_and_can_be_looked_at_and_replayed() {
    let (folder, store) = (records::folder(), S3::start());
    let mut lines = 0;
    for _ in 0..2 {
        let run = start(&folder, &store);
        feed(&folder, &mut lines);
        feed(&folder, &mut lines);
        stop(run);
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

#[test]
fn nothing_is_lost_or_doubled_by_kills_and_a_store_with_trouble() {
    let (folder, store) = (records::folder(), S3::start());
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    let mut random = u64::from(seed) | 1;
    let mut next = move || {
        // xorshift64: faults need be no better.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut drawn = next;
    store.set_faults(move || match drawn() % 40 {
        0 => Fault::Trouble,
        1 => Fault::TroubleAfter,
        2 => Fault::Silence,
        _ => Fault::None,
    });
    let (_never, nothing) = channel::<()>();
    let mut lines = 0;
    for _ in 0..KILLS {
        lines += records::add(folder.path(), lines, FEW);
        let run = start(&folder, &store);
        let _ = nothing.recv_timeout(Duration::from_millis(100 + next() % 500));
        run.signal("KILL");
        let ended = run.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (-1, ""), "seed {seed}: it ended before it was killed");
    }
    let run = start(&folder, &store);
    feed(&folder, &mut lines);
    stop(run);
    let told = Delivered::read(folder.path()).check(lines);
    let _ = writeln!(std::io::stderr(), "seed {seed}: {KILLS} kills, {told}");
}

#[test]
fn of_two_hosts_on_one_prefix_the_later_one_has_it() {
    let (folder, store) = (records::folder(), S3::start());
    let mut lines = 0;
    let mut first = start(&folder, &store);
    feed(&folder, &mut lines);
    let second = start(&folder, &store);
    wait_until("the earlier host ends", || first.child().try_wait().unwrap().is_some());
    let ended = first.end();
    assert!(ended.code == 1 && ended.stderr.contains("has taken this checkpoint over"), "{ended:#?}");
    feed(&folder, &mut lines);
    stop(second);
    Delivered::read(folder.path()).check(lines);
}

/// Looks how a run fails: with this exit code, saying all of this and no secret.
#[track_caller]
fn fails(folder: &Folder, store: &S3, url: &str, key: &str, says: &[&str]) {
    let set = format!("pipeline.checkpoint={url}");
    for arguments in [vec!["run", "pipeline.toml", "--log-level", "trace", "--set", &set], vec!["inspect", url]] {
        let ended: Ended = store.known_with(&mut folder.command(&arguments), key).output().unwrap().into();
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
    let ended: Ended = old.known_to(&mut folder.command(&run)).output().unwrap().into();
    assert!(ended.code == 1 && ended.stderr.contains("If-None-Match"), "{ended:#?}");
}

#[test]
fn settings_that_are_missing_are_named() {
    let folder = records::folder();
    let check = |settings: &[(&str, &str)], says: &str| {
        let mut command = folder.command(&RUN);
        command.envs(settings.iter().copied());
        let ended: Ended = command.output().unwrap().into();
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
        stop(run);
    }
    let key = store.objects().into_keys().find(|key| key.ends_with("/log/00000000000000000003")).unwrap();
    store.remove(&key);
    let ended: Ended = store.known_to(&mut folder.command(&["inspect", URL])).output().unwrap().into();
    assert!(ended.code == 1 && ended.stdout.contains("log/00000000000000000003"), "{ended:#?}");
}
