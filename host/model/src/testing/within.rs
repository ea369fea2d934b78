//! A limit for what a test waits for: a defect is a failure with a reason, and no test that never ends.

use std::{
    panic,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// How often it is looked whether something has happened, and how long between two looks: some ten minutes, because all
/// cores may be taken for a while. Looks are counted and no clock is read, so that a machine that stands still takes
/// nothing of the limit.
const LOOKS: u32 = 6_000;
const PAUSE: Duration = Duration::from_millis(100);

/// What comes of work that may block, done on a thread of its own. A panic of the work goes on here.
///
/// # Panics
/// It does not end within some minutes; `what` is said then.
#[track_caller]
#[allow(clippy::disallowed_methods, clippy::panic, reason = "part of tests, and no part of a pipeline")]
pub fn within<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    // Nobody is there to take it if the limit has been reached.
    let worker = thread::spawn(move || done.send(work()).unwrap_or_default());
    for _ in 0..LOOKS {
        match result.recv_timeout(PAUSE) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(reason) => panic::resume_unwind(reason),
                Ok(()) => panic!("no result comes of it: {what}"),
            },
        }
    }
    panic!("it does not end: {what}");
}

#[test]
fn work_gives_its_result_or_its_panic() {
    assert_eq!(within("a sum", || 1 + 1), 2);
    let failed = panic::catch_unwind(|| within("a failure", || assert_eq!(1, 2, "they differ")));
    assert!(failed.is_err());
}
