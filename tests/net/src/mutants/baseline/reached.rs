//! Which mutants the processes of a test reach: each tells the number of one once.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::id,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// How often it is looked whether the work is done.
const LOOK: Duration = Duration::from_millis(50);

/// How many sockets there were: a process that is being started may hold one for a moment when it has been closed here.
static SOCKETS: AtomicUsize = AtomicUsize::new(0);

/// Does something with the name of a socket, and gives what that was told meanwhile.
pub fn during<T>(work: impl FnOnce(&str) -> T) -> io::Result<(T, BTreeSet<u32>)> {
    let name = format!("tidemill-net-{}-{}", id(), SOCKETS.fetch_add(1, Ordering::Relaxed));
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    socket.set_read_timeout(Some(LOOK))?;
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let listening = scope.spawn(|| listen(&socket, &is_done));
        let done = work(&name);
        is_done.store(true, Ordering::SeqCst);
        let reached = listening.join().map_err(|_| io::Error::other("who listens has panicked"))??;
        Ok((done, reached))
    })
}

/// Until the work is done and nothing is left that was told before.
fn listen(socket: &UnixDatagram, is_done: &AtomicBool) -> io::Result<BTreeSet<u32>> {
    let (mut reached, mut told) = (BTreeSet::new(), [0; 16]);
    loop {
        let was_done = is_done.load(Ordering::SeqCst);
        match socket.recv(&mut told) {
            Ok(len) => reached.extend(std::str::from_utf8(&told[..len]).ok().and_then(|text| text.parse::<u32>().ok())),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                if was_done {
                    return Ok(reached);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn all_that_was_told_is_known_when_the_work_is_done() {
    let told = during(|name| {
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        (0..1_000u32).chain([7]).try_for_each(|number| socket.send(number.to_string().as_bytes()).map(drop))?;
        socket.send(b"no number").map(drop)
    });
    let (done, reached) = told.expect("a socket");
    done.expect("somebody listens");
    assert_eq!(reached, (0..1_000).collect());
    let (_, reached) = during(|_| ()).expect("another socket");
    assert!(reached.is_empty());
}
