//! A limit for what a test waits for: a defect is a failure with a reason, and no test that never ends.

use std::{
    panic,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often it is looked whether something has happened, and how long a look may take: some ten minutes, because all
/// cores may be taken for a while. Looks are counted and no clock is read, so that a machine that stands still takes
/// nothing of the limit.
const LOOKS: u32 = 6_000;
const PAUSE: Duration = Duration::from_millis(100);

/// Looks for something until it is there. A look waits for it as long as it is told, and no longer.
///
/// # Panics
/// It does not happen within some minutes; `what` is said then.
#[track_caller]
#[allow(clippy::panic, reason = "part of tests, and no part of a pipeline")]
pub fn until<T>(what: &str, mut look: impl FnMut(Duration) -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look(PAUSE) {
            return found;
        }
    }
    panic!("it does not happen: {what}");
}

/// Work on a thread of its own, which may block.
#[derive(Debug)]
pub struct Work<T> {
    what: String,
    result: Receiver<T>,
    thread: JoinHandle<()>,
}

/// Begins it. `what` is said if it has no end.
#[allow(clippy::disallowed_methods, reason = "part of tests, and no part of a pipeline")]
pub fn begin<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> Work<T> {
    let (done, result) = channel();
    // Nobody is there to take it if the limit has been reached.
    let thread = thread::spawn(move || done.send(work()).unwrap_or_default());
    Work { what: what.to_owned(), result, thread }
}

/// What comes of work that may block, done on a thread of its own. A panic of the work goes on here.
///
/// # Panics
/// It does not end within some minutes; `what` is said then.
#[track_caller]
pub fn within<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    begin(what, work).end()
}

impl<T> Work<T> {
    /// Whether it has ended, in whatever way.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for its end, and gives what came of it; a panic goes on here.
    ///
    /// # Panics
    /// It does not end within some minutes.
    #[track_caller]
    #[allow(clippy::panic, reason = "part of tests, and no part of a pipeline")]
    pub fn end(self) -> T {
        let ended = until(&self.what, |pause| match self.result.recv_timeout(pause) {
            Ok(result) => Some(Some(result)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(None),
        });
        // Without a result it has ended all the same.
        ended.unwrap_or_else(|| match self.thread.join() {
            Err(reason) => panic::resume_unwind(reason),
            Ok(()) => panic!("no result comes of it: {}", self.what),
        })
    }
}

#[test]
fn work_gives_its_result_or_its_panic() {
    assert_eq!(within("a sum", || 1 + 1), 2);
    let failed = panic::catch_unwind(|| within("a failure", || assert_eq!(1, 2, "they differ")));
    let reason = *failed.expect_err("it fails").downcast::<String>().expect("a text");
    assert!(reason.contains("they differ"), "{reason}");
}
