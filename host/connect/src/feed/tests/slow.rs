//! Clients of a feed that are slow, or do not read at all.

use super::*;

/// A feed that has a block of lines whenever it is asked, and the clients that it has.
struct Flood(Vec<u8>);

impl Feed for Flood {
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        Ok(Some(&self.0))
    }
}

/// One that never reads is there first, or comes last; one that only trickles is no better.
#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_others() {
    for trickles in [false, true] {
        for is_first in [true, false] {
            let clock = Arc::new(ManualClock::new(Timestamp(0)));
            let listener = listen(&Address { host: "127.0.0.1".to_owned(), port: 0 }).unwrap();
            let address = listener.local_addr().unwrap();
            let feeding = clock.clone();
            let feed = begin("the feed ends", move || {
                to_clients(&mut Flood(b"0123456789abcde\n".repeat(1 << 12)), listener, true, &*feeding)
            });
            let mut silent = is_first.then(|| connect(address).unwrap());
            if let Some(silent) = &silent {
                // All that there is room for is on its way when the other one comes.
                silent.peek(&mut [0]).unwrap();
                let (_never, nothing) = mpsc::channel::<()>();
                let _ = nothing.recv_timeout(Duration::from_millis(1_000));
            }
            let mut reader = connect(address).unwrap();
            let silent = silent.get_or_insert_with(|| connect(address).unwrap());
            for client in [&reader, silent] {
                client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            }
            let (mut got, mut buffer) = (0_usize, vec![0; 1 << 20]);
            // Far more than the system and the feed have room for.
            until("the one that reads has got much", |_| {
                match reader.read(&mut buffer) {
                    Ok(bytes) => {
                        assert!(bytes > 0, "the one that reads is let go");
                        got += bytes;
                    }
                    // It waits for the other one.
                    Err(_) => clock.advance_to(Timestamp(clock.now().0 + 500_000)),
                }
                if trickles {
                    let _ = silent.read(&mut [0]);
                }
                (got > 64 << 20).then_some(())
            });
            // The feed has no end of its own; it ends with the test's process.
            drop(feed);
        }
    }
}

/// A client that is slow, and goes on, misses nothing, and neither does one that is alone and pauses.
#[test]
fn a_slow_client_misses_nothing() {
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let listener = listen(&Address { host: "127.0.0.1".to_owned(), port: 0 }).unwrap();
    let address = listener.local_addr().unwrap();
    let feeding = clock.clone();
    let line = b"0123456789abcde\n".repeat(1 << 12);
    let sent = line.repeat(256);
    let text = sent.clone();
    let feed = begin("the feed ends", move || to_clients(&mut CopiedLines::new(&text[..]), listener, true, &*feeding));
    let mut client = connect(address).unwrap();
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(Duration::from_millis(200));
    clock.advance_to(Timestamp(3_600_000_000));
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
    feed.end().unwrap();
}
