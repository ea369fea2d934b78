//! `[streams.NAME]`: sources.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use super::{Settings, run};
use crate::{feeds, hosts, kills, limit::connect, logs, producer, running::Running, tool::Folder};

pub const KEYS: &[Settings] = &[
    ("stream `socket`", &[("socket", lines_of_a_socket_are_those_of_its_settings), PREVIOUSLY]),
    ("stream `files`", &[("files", files_that_are_there_are_read_if_it_is_said), PREVIOUSLY]),
    ("stream `queue`", &[("queue", a_queue_has_its_fields_and_partitions), PREVIOUSLY]),
    ("stream `generate`", &[("generate", feeds::a_source_and_a_feed_make_the_same_lines), PREVIOUSLY]),
    (
        "`socket`",
        &[
            ("connect", lines_of_a_socket_are_those_of_its_settings),
            ("listen", lines_of_a_socket_are_those_of_its_settings),
            ("line-bytes-max", lines_of_a_socket_are_those_of_its_settings),
            ("invalid-utf8", lines_of_a_socket_are_those_of_its_settings),
            ("buffer", a_peer_waits_when_the_buffer_is_full),
            ("idle-timeout", a_connection_without_a_line_for_so_long_is_closed),
            ("acknowledge", kills::a_producer_that_is_told_what_is_durable_loses_nothing),
        ],
    ),
    (
        "`files`",
        &[
            ("path", files_that_are_there_are_read_if_it_is_said),
            ("existing", files_that_are_there_are_read_if_it_is_said),
            ("settled-after", files_are_read_when_they_have_rested_as_long_as_is_said),
            ("line-bytes-max", logs::lines_that_a_source_rejects_are_rejected_and_lines_that_it_mends_irregular),
            ("invalid-utf8", logs::lines_that_a_source_rejects_are_rejected_and_lines_that_it_mends_irregular),
        ],
    ),
    (
        "`generate`",
        &[
            ("kind", feeds::a_source_and_a_feed_make_the_same_lines),
            ("rate", lines_are_made_at_a_rate_up_to_a_number),
            ("count", lines_are_made_at_a_rate_up_to_a_number),
            ("seed", feeds::a_source_and_a_feed_make_the_same_lines),
        ],
    ),
    (
        "`queue`",
        &[
            ("schema", a_queue_has_its_fields_and_partitions),
            ("batches", a_queue_has_its_fields_and_partitions),
            ("partitions", a_queue_has_its_fields_and_partitions),
        ],
    ),
];

/// The same for all sources.
const PREVIOUSLY: (&str, fn()) = ("previously", hosts::a_source_under_another_name_is_not_read_again_unseen);

fn pipeline(source: &str) -> Folder {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[streams.rows]\n{source}\n\
         [outputs.rows]\nfrom = \"rows\"\nprint = {{ style = \"json\", rows = 100000 }}\n"
    );
    Folder::new().with("p.toml", text)
}

/// Each setting changes one line of those that are sent.
#[test]
fn lines_of_a_socket_are_those_of_its_settings() {
    const SENT: &[u8] = b"a line\nbad \xff\nthis line is longer than another one\nlast\n";
    let got = |more: &str, listens: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = producer::address();
        let (mode, address) = if listens { ("listen", own) } else { ("connect", listener.local_addr().unwrap()) };
        let folder = pipeline(&format!("socket = {{ {mode} = \"{address}\"{more} }}"));
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml", "--set", "pipeline.interval=10ms"]));
        let mut peer = if listens { connect(&own.to_string()) } else { run.accepted(&listener) };
        peer.write_all(SENT).unwrap();
        run.wait_for_printed("{\"line\":\"last\"}");
        let printed = run.printed();
        run.stop();
        ["a line", "bad \u{fffd}", "this line is longer than another one"]
            .map(|line| printed.contains(&format!("{{\"line\":\"{line}\"}}")))
    };
    for listens in [false, true] {
        assert_eq!(got("", listens), [true, true, true]);
        assert_eq!(got(", line-bytes-max = 20", listens), [true, true, false]);
        assert_eq!(got(", invalid-utf8 = \"reject\"", listens), [true, false, true]);
    }
}

/// No input is taken, because there is no room for it, and the peer goes on only as far as the buffers of the system and
/// of the source go.
#[test]
fn a_peer_waits_when_the_buffer_is_full() {
    const SENT: usize = 48 << 20;
    let taken = |more: &str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = pipeline(&format!("socket = {{ connect = \"{}\"{more} }}", listener.local_addr().unwrap()));
        let room = ["--set", "pipeline.checkpoint={folder=\"kept\", free-space=\"1000000GiB\"}"];
        let mut run = Running::start(&mut folder.command(&[&["run", "p.toml"][..], &room].concat()));
        run.wait_for("no new input is taken until there is room");
        let mut peer = run.accepted(&listener);
        // One that waits for good waits longer than this; one that only waits for its turn may count as one, too.
        if !more.is_empty() {
            peer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        }
        let lines = "a line of thirty-two bytes, too\n".repeat(1 << 12);
        for sent in (0..SENT).step_by(lines.len()) {
            match peer.write_all(lines.as_bytes()) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return sent,
                sent => sent.unwrap(),
            }
        }
        SENT
    };
    assert_eq!(taken(""), SENT);
    let with_little = taken(", buffer = \"64KiB\", line-bytes-max = \"1KiB\"");
    assert!(with_little < SENT, "{with_little}");
}

/// A source that connects comes again by itself, and one that listens waits for the next producer.
#[test]
fn a_connection_without_a_line_for_so_long_is_closed() {
    let end = |peer: &mut TcpStream| matches!(peer.read(&mut [0; 8]), Ok(0)) || peer.read(&mut [0]).is_err();
    let idle = "idle-timeout = \"200ms\"";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = pipeline(&format!("socket = {{ connect = \"{}\", {idle} }}", listener.local_addr().unwrap()));
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml", "--set", "pipeline.interval=10ms"]));
    let mut peer = run.accepted(&listener);
    peer.write_all(b"half").unwrap();
    assert!(end(&mut peer));
    run.wait_for_printed("{\"line\":\"half\"}");
    run.accepted(&listener).write_all(b"again\n").unwrap();
    run.wait_for_printed("{\"line\":\"again\"}");
    run.stop();
    let address = producer::address();
    let folder = pipeline(&format!("socket = {{ listen = \"{address}\", {idle} }}"));
    let run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    for _ in 0..2 {
        assert!(end(&mut connect(&address.to_string())));
    }
    run.stop();
}

#[test]
fn files_that_are_there_are_read_if_it_is_said() {
    let read = |files: &str| {
        let folder = pipeline(&format!("files = {files}"));
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let folder = folder.with("in/old", "an old line\n").with("one", "a line\n");
        let ended = run(&folder, &[]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout.lines().find(|line| line.starts_with('{')).unwrap_or_default().to_owned()
    };
    assert_eq!(read("\"one\""), "{\"line\":\"a line\"}");
    assert_eq!(read("{ path = \"one\" }"), "{\"line\":\"a line\"}");
    // Whoever asks for an end asks for what is there.
    assert_eq!(read("\"in\""), "{\"line\":\"an old line\"}");
    let read = |files: &str| {
        let folder = pipeline(&format!("files = {files}"));
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let folder = folder.with("in/old", "an old line\n");
        let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml", "--set", "pipeline.interval=10ms"]));
        std::fs::write(folder.path().join("draft"), "a new line\n").unwrap();
        std::fs::rename(folder.path().join("draft"), folder.path().join("in/young")).unwrap();
        run.wait_for_printed("{\"line\":\"a new line\"}");
        let printed = run.printed();
        run.stop();
        printed.contains("an old line")
    };
    assert!(!read("\"in\"") && !read("{ path = \"in\", existing = false }"));
    assert!(read("{ path = \"in\", existing = true }"));
}

#[test]
fn lines_are_made_at_a_rate_up_to_a_number() {
    let made = |more: &str| {
        let style = "outputs.rows.print.style=scala";
        let ended = run(&pipeline(&format!("generate = {{ kind = \"words\", {more} }}")), &[style]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        let batches = ended.stdout.split("Time: ").skip(1);
        batches
            .map(|batch| batch.lines().filter(|line| line.starts_with(char::is_alphabetic)).count())
            .collect::<Vec<_>>()
    };
    assert_eq!(made("count = 70").iter().sum::<usize>(), 70);
    let at_30 = made("count = 70, rate = 30");
    assert_eq!(at_30.iter().sum::<usize>(), 70);
    assert!(at_30.iter().all(|&rows| rows <= 30) && at_30.contains(&30), "{at_30:?}");
    let at_7 = made("count = 20, rate = 7");
    assert!(at_7.iter().all(|&rows| rows <= 7) && at_7.contains(&7), "{at_7:?}");
}

#[test]
fn a_queue_has_its_fields_and_partitions() {
    let queue = |more: &str| {
        format!(
            "queue = {{ schema = \"a: integer, b: text?\", batches = [[{{a = 1}}, {{a = 2, b = \"x\"}}], \"none\", [{{a = 3}}]]{more} }}"
        )
    };
    let printed = run(&pipeline(&queue("")), &[]).stdout;
    let rows: Vec<&str> = printed.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(rows, ["{\"a\":1,\"b\":null}", "{\"a\":2,\"b\":\"x\"}", "{\"a\":3,\"b\":null}"]);
    let printed = run(&pipeline(&queue("")), &["outputs.rows.print.style=scala"]).stdout;
    assert_eq!(printed.matches("Time: ").count(), 2, "{printed}");
    let parts = |more: &str| {
        let folder = pipeline(&queue(more));
        assert_eq!(run(&folder, &["outputs.rows={from=\"rows\", files=\"out\"}"]).code, 0);
        std::fs::read_dir(folder.path().join("out/batch-0000000001000")).unwrap().count()
    };
    assert_eq!((parts(""), parts(", partitions = 2")), (1, 2));
}

#[test]
fn files_are_read_when_they_have_rested_as_long_as_is_said() {
    let folder = |rests: &str| {
        let rests = if rests.is_empty() { String::new() } else { format!(", settled-after = \"{rests}\"") };
        let folder = pipeline(&format!("files = {{ path = \"in\", existing = true{rests} }}"));
        std::fs::create_dir(folder.path().join("in")).unwrap();
        folder.with("in/young", "a line\n")
    };
    let interval = ["--set", "pipeline.interval=10ms"];
    let read = |rests: &str| {
        let ended = folder(rests).run(&[&["run", "p.toml", "--batches", "20"][..], &interval].concat());
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout.contains("{\"line\":\"a line\"}")
    };
    assert!(read("10ms") && !read("24h"));
    // As long as an interval, if it is not said.
    assert!(read(""));
    // A run that ends with what is there waits for it.
    let until_done = [&["run", "p.toml", "--until-done"][..], &interval].concat();
    let ended = folder("10ms").run(&until_done);
    assert!(ended.code == 0 && ended.stdout.contains("{\"line\":\"a line\"}"), "{ended:#?}");
    let folder = folder("24h");
    let mut run = Running::start(&mut folder.command(&until_done));
    let said = run.wait_for("waiting until a file has been unchanged for a while");
    assert!(said.contains("in/young"), "{said}");
    assert!(!run.stop().stdout.contains("a line"));
}
