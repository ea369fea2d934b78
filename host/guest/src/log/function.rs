//! What the instances of one function may log together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_model::{limits::Limits, text::counted};

use super::{LogLevel, LogLine, LogSink};

/// The log of a function at one place of a pipeline. All its instances write to it, whatever their partitions, and may
/// write so many lines in a batch. More are dropped and counted; that is said when the next batch begins, or when the
/// log is no longer used.
pub struct FunctionLog {
    plugin: Arc<str>,
    function: String,
    place: String,
    limits: Arc<Limits>,
    sink: Arc<dyn LogSink>,
    of_batch: Mutex<OfBatch>,
}

/// What was logged in a batch.
#[derive(Debug, Default)]
struct OfBatch {
    number: u64,
    lines: u32,
    dropped: u64,
    panics: u64,
}

impl FunctionLog {
    /// Nothing was logged yet.
    pub(crate) fn new(
        plugin: Arc<str>,
        function: String,
        place: String,
        limits: Arc<Limits>,
        sink: Arc<dyn LogSink>,
    ) -> FunctionLog {
        FunctionLog { plugin, function, place, limits, sink, of_batch: Mutex::default() }
    }

    /// A batch begins. Whoever uses the log may say so: the first to say a higher number counts.
    pub fn begin_batch(&self, number: u64) {
        let mut of_batch = self.lock();
        if number > of_batch.number {
            let before = std::mem::replace(&mut *of_batch, OfBatch { number, ..OfBatch::default() });
            drop(of_batch);
            self.say_left_out(&before);
        }
    }

    /// No batch comes any more.
    pub fn end(&self) {
        let last = std::mem::take(&mut *self.lock());
        self.say_left_out(&last);
    }

    /// Whether there is room for a line. If so, it is taken; if not, the line counts as dropped.
    pub(crate) fn take_line(&self) -> bool {
        let mut of_batch = self.lock();
        let has_room = of_batch.lines < self.limits.log_lines_per_batch;
        if has_room {
            of_batch.lines += 1;
        } else {
            of_batch.dropped += 1;
        }
        has_room
    }

    /// Counts a panic. Whether it is the batch's first one: the others say the same again, as when rows are looked for that make
    /// a function fail, and are counted.
    pub(crate) fn is_first_panic(&self) -> bool {
        let mut of_batch = self.lock();
        of_batch.panics += 1;
        of_batch.panics == 1
    }

    /// Writes a line for which there is room.
    pub(crate) fn write(&self, level: LogLevel, message: &str) {
        let FunctionLog { plugin, function, place, .. } = self;
        self.sink.line(LogLine { plugin, function, place, level, message });
    }

    fn say_left_out(&self, of_batch: &OfBatch) {
        let OfBatch { lines, dropped, panics, .. } = of_batch;
        if let more @ 1.. = panics.saturating_sub(1) {
            self.write(LogLevel::Warn, &format!("{} in the same batch", counted(more, "more panic")));
        }
        if *dropped > 0 {
            let more = counted(*dropped, "more log line");
            self.write(LogLevel::Warn, &format!("dropped {more} of a batch that had {lines}"));
        }
    }

    fn lock(&self) -> MutexGuard<'_, OfBatch> {
        self.of_batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FunctionLog {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Said(Mutex<Vec<String>>);

    impl LogSink for Said {
        fn line(&self, line: LogLine<'_>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.message.to_owned());
        }
    }

    /// Instances say in any order that a batch begins, and again: only a higher number begins one.
    /// A search for the rows that make a function fail makes it panic often.
    #[test]
    fn panics_of_a_batch_are_counted_behind_the_first() {
        let said = Arc::new(Said(Mutex::default()));
        let log = FunctionLog::new("p".into(), "f".to_owned(), String::new(), Arc::default(), said.clone());
        let told = |panics: u32| (0..panics).filter(|_| log.is_first_panic()).count();
        log.begin_batch(1);
        assert_eq!(told(3), 1);
        log.begin_batch(2);
        assert_eq!(told(1), 1);
        log.begin_batch(3);
        assert_eq!(told(2), 1);
        drop(log);
        let more = ["2 more panics in the same batch", "1 more panic in the same batch"];
        assert_eq!(*said.0.lock().unwrap_or_else(PoisonError::into_inner), more);
    }

    #[test]
    fn a_batch_begins_once() {
        let limits = Arc::new(Limits { log_lines_per_batch: 2, ..Limits::default() });
        let said = Arc::new(Said(Mutex::default()));
        let log = FunctionLog::new("p".into(), "f".to_owned(), String::new(), limits, said.clone());
        let taken = |batches: &[u64]| {
            batches.iter().for_each(|&batch| log.begin_batch(batch));
            (0..3).filter(|_| log.take_line()).count()
        };
        assert_eq!([taken(&[1]), taken(&[1, 0]), taken(&[2, 1, 2]), taken(&[2])], [2, 0, 2, 0]);
        drop(log);
        let dropped = "dropped 4 more log lines of a batch that had 2";
        assert_eq!(*said.0.lock().unwrap_or_else(PoisonError::into_inner), [dropped, dropped]);
    }
}
