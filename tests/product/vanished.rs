//! Peers that vanish without a word: the system asks each of them whether it is still there, whichever side it is on and whoever
//! opened the connection. Whether it does stands in what the system says of its connections.
#![cfg(target_os = "linux")]

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    time::Duration,
};

use crate::{
    limit::{connect, wait_until},
    plugins::built,
    producer,
    running::Running,
    tool::Folder,
};

/// A connection that says nothing is asked about after so long at most.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

fn source(socket: &str) -> Folder {
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"10ms\"\ncheckpoint = \"kept\"\n[streams.lines]\nsocket = {{ {socket} }}\n\
         [outputs.lines]\nfrom = \"lines\"\nprint = true\n"
    );
    Folder::new().with("p.toml", text)
}

/// The system's timer of the other side of a connection, while nothing is on its way: what it is for, and what is left of it.
fn timer(peer: &TcpStream) -> Option<(String, Duration)> {
    let shown = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { unreachable!("an IPv4 address") };
        format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port())
    };
    let (local, remote) = (shown(peer.peer_addr().unwrap()), shown(peer.local_addr().unwrap()));
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let its = connections.lines().map(columns).find(|columns| columns[1] == local && columns[2] == remote)?;
    let (kind, left) = its[5].split_once(':').unwrap();
    Some((kind.to_owned(), Duration::from_millis(10 * u64::from_str_radix(left, 16).unwrap())))
}

#[track_caller]
fn is_asked(what: &str, peer: &TcpStream) {
    wait_until(&format!("the system asks for the peer of {what}"), || {
        // Another timer is there while something is on its way.
        timer(peer).is_some_and(|(kind, left)| kind == "02" && left <= ASKED_WITHIN)
    });
}

/// Of what comes once only, and is in no batch when a run without a checkpoint ends, it is told how much that was.
#[test]
fn what_is_lost_without_a_checkpoint_is_told() {
    let address = producer::address();
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"100ms\"\n[plugins]\nhostile = \"{}\"\n\
         [streams.lines]\nsocket = {{ listen = \"{address}\" }}\n[streams.out]\nfrom = \"lines\"\nmap = \"hostile/touchy\"\n\
         [outputs.out]\nfrom = \"out\"\nprint = true\n",
        built("hostile").display()
    );
    let folder = Folder::new().with("p.toml", text);
    let run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    let mut peer = connect(&address.to_string());
    // Of one write, so that one batch has them.
    peer.write_all(b"panic\nb\nc\n").unwrap();
    let ended = run.end();
    assert_eq!(ended.code, 1, "{ended:#?}");
    let told: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("received and lost")).collect();
    assert!(told.len() == 1 && told[0].contains("in no batch: 3 rows;"), "{ended:#?}");
}

#[test]
pub fn whoever_is_connected_is_asked_whether_it_is_still_there() {
    for more in ["", ", acknowledge = true"] {
        let address = producer::address();
        let folder = source(&format!("listen = \"{address}\"{more}"));
        let run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
        is_asked("a source that listens", &connect(&address.to_string()));
        run.stop();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = source(&format!("connect = \"{address}\""));
    let mut run = Running::start_ready(&mut folder.command(&["run", "p.toml"]));
    is_asked("a source that connects", &run.accepted(&listener));
    run.stop();
    let (folder, port) = (Folder::new(), address.port().to_string());
    let sends: [&[&str]; 2] =
        [&["nc", "127.0.0.1", &port], &["generate", "words", "--rate", "1", "--connect", &address.to_string()]];
    for arguments in sends {
        let mut feed = Running::start(folder.command(arguments).stdin(Stdio::piped()));
        is_asked(arguments[0], &feed.accepted(&listener));
        feed.kill();
    }
    let listens: [&[&str]; 2] = [&["nc", "-lk", "0"], &["generate", "words", "--rate", "1", "--listen", "127.0.0.1:0"]];
    for arguments in listens {
        let mut feed = Running::start(folder.command(arguments).stdin(Stdio::piped()));
        let address = feed.wait_for("listening on ");
        is_asked(arguments[0], &connect(&address));
        feed.kill();
    }
}
