//! `tidemill generate` and `tidemill nc`.

use std::{
    io::{BufRead, BufReader, Read, Write, pipe},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

use crate::{
    limit::{accept, connect, within},
    producer,
    running::Running,
    tool::Folder,
};

#[test]
pub fn the_same_seed_gives_the_same_lines() {
    let folder = Folder::new();
    let lines = |seed: &str| folder.stdout(&["generate", "words", "--count", "20", "--seed", seed]);
    assert_eq!(lines("7"), lines("7"));
    assert_ne!(lines("7"), lines("8"));
    assert_eq!(lines("7").lines().count(), 20);
    for kind in ["orders", "points", "activity"] {
        assert_eq!(folder.stdout(&["generate", kind, "--count", "3"]).lines().count(), 3, "{kind}");
    }
    let few = folder.stdout(&["generate", "words", "--count", "100", "--vocabulary", "2"]);
    let different: std::collections::BTreeSet<&str> = few.split_whitespace().collect();
    assert_eq!(different.len(), 2);
    assert_eq!(folder.stdout(&["generate", "words", "--count", "0"]), "");
}

#[test]
pub fn a_source_and_a_feed_make_the_same_lines() {
    let pipeline = "[pipeline]\nname = \"lines\"\ninterval = \"1s\"\n\n[streams.lines]\n\
                    generate = { kind = \"orders\", count = 5 }\n\n[outputs.lines]\nfrom = \"lines\"\nprint = true\n";
    let folder = Folder::new().with("p.toml", pipeline);
    let check = |set: &[&str], seed: &[&str]| {
        let run = ["run", "p.toml", "--clock", "manual", "--until-done"];
        let printed = folder.stdout(&[&run[..], set].concat());
        let lines = folder.stdout(&[&["generate", "orders", "--count", "5"][..], seed].concat());
        assert!(printed.contains(&lines), "{printed}{lines}");
    };
    check(&[], &[]);
    check(&["--set", "streams.lines.generate.seed=7"], &["--seed", "7"]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_feed() {
    let folder = Folder::new();
    let (reader, writer) = pipe().unwrap();
    let feed = Running::start(folder.command(&["generate", "words"]).stdout(writer));
    let first = within("the first line comes", move || {
        let mut first = String::new();
        BufReader::new(reader).read_line(&mut first).map(|_| first)
    });
    assert!(!first.unwrap().is_empty());
    let ended = feed.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
pub fn a_feed_waits_for_its_consumer() {
    let folder = Folder::new();
    let mut feed =
        Running::start(&mut folder.command(&["generate", "orders", "--count", "5", "--listen", "127.0.0.1:0"]));
    let address = feed.wait_for("listening on ");
    let mut got = String::new();
    connect(&address).read_to_string(&mut got).unwrap();
    assert_eq!(got, folder.stdout(&["generate", "orders", "--count", "5"]));
    assert_eq!(feed.end().code, 0);
}

#[test]
pub fn a_feed_connects_to_its_consumer() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut feed = Running::start(&mut folder.command(&["generate", "points", "--count", "5", "--connect", &address]));
    let mut got = String::new();
    feed.accepted(&listener).read_to_string(&mut got).unwrap();
    assert_eq!(got.lines().count(), 5);
    assert_eq!(feed.end().code, 0);
}

#[test]
fn a_port_in_use_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    folder.fails(&["generate", "words", "--listen", &format!("127.0.0.1:{port}")], 1, &[&port]);
    folder.fails(&["nc", "-lk", &port], 1, &[&port]);
}

#[test]
fn a_peer_that_is_not_there_is_said_at_once() {
    let folder = Folder::new();
    // Nobody listens there, and no other test will.
    let nobody = producer::address();
    let (host, port) = (nobody.ip().to_string(), nobody.port().to_string());
    let says = [&format!("error: {nobody}"), "nobody answers there: Connection refused"];
    folder.fails(&["nc", &host, &port], 1, &says);
    folder.fails(&["nc", "no-such-host.invalid", "1"], 1, &["no-such-host.invalid:1: the host name is not known here"]);
    folder.fails(&["nc", "-l", "no-such-host.invalid", "1"], 1, &["the host name `no-such-host.invalid` is not known"]);
    for (address, says) in
        [(nobody.to_string(), "nobody answers there"), ("no-such-host.invalid:1".into(), "is not known here")]
    {
        let mut feed = Running::start(&mut folder.command(&["generate", "words", "--connect", &address]));
        assert!(feed.wait_for(says).starts_with("; trying on"));
    }
}

#[test]
pub fn netcat_sends_what_is_typed() {
    let folder = Folder::new();
    let mut listening = Running::start(folder.command(&["nc", "-l", "0"]).stdin(Stdio::piped()));
    let address = listening.wait_for("listening on ");
    assert!(address.starts_with("127.0.0.1:"), "for nobody outside: {address}");
    let mut client = BufReader::new(connect(&address));
    let mut stdin = listening.stdin();
    for line in ["hello\n", "world\n"] {
        stdin.write_all(line.as_bytes()).unwrap();
        let mut got = String::new();
        client.read_line(&mut got).unwrap();
        assert_eq!(got, line);
    }
    drop(stdin);
    assert_eq!(listening.end().code, 0);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let sent = folder.fed(&["nc", "127.0.0.1", &port], "one\ntwo\n");
    assert_eq!(sent.code, 0, "{sent:#?}");
    let mut got = String::new();
    accept(&listener).unwrap().read_to_string(&mut got).unwrap();
    assert_eq!(got, "one\ntwo\n");
}

/// The last line comes when the time of all before it is over: on a slow machine later, but never sooner.
#[test]
#[allow(clippy::disallowed_methods, reason = "that time has passed is what it promises")]
pub fn a_feed_has_a_rate() {
    let began = std::time::Instant::now();
    let folder = Folder::new();
    assert_eq!(folder.stdout(&["generate", "words", "--rate", "10", "--count", "6"]).lines().count(), 6);
    assert!(began.elapsed() >= std::time::Duration::from_millis(450), "{:?}", began.elapsed());
}

#[test]
pub fn netcat_waits_for_the_next_one() {
    let folder = Folder::new();
    let mut listening = Running::start(folder.command(&["nc", "-l", "-k", "0"]).stdin(Stdio::piped()));
    let address = listening.wait_for("listening on ");
    let mut stdin = listening.stdin();
    for line in ["first\n", "second\n"] {
        let mut client = BufReader::new(connect(&address));
        let mut got = String::new();
        // Lines go to those who are there, and one that has gone is found out by what it is sent.
        listening.wait_until("a line comes", |_| {
            stdin.write_all(line.as_bytes()).unwrap();
            client.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            client.read_line(&mut got).is_ok()
        });
        assert!(got.ends_with('\n'), "{got}");
    }
    drop(stdin);
    assert_eq!(listening.end().code, 0);
}

#[test]
fn a_feed_goes_on_for_the_next_consumer() {
    let folder = Folder::new();
    let mut feed = Running::start(&mut folder.command(&["generate", "words", "--listen", "127.0.0.1:0"]));
    let address = feed.wait_for("listening on ");
    for _ in 0..3 {
        let mut line = String::new();
        BufReader::new(connect(&address)).read_line(&mut line).unwrap();
        assert_eq!(line.split_whitespace().count(), 10, "{line}");
    }
}
