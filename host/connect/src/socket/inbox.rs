//! Lines with the time of their arrival.

use std::collections::VecDeque;

use tidemill_model::time::Timestamp;

use crate::text::{LineBuffer, TakenLines};

/// What was received and not taken, and how much of it was there when.
#[derive(Debug)]
pub(super) struct Inbox {
    pub lines: LineBuffer,
    /// For each read that ended a line: when it was, and the rows received by then, since the beginning.
    marks: VecDeque<(Timestamp, u64)>,
    /// Rows received by the last seal's time.
    sealed: u64,
    /// Lines before the first row, and those that became no rows and stood before rows that are taken.
    passed: u64,
}

impl Inbox {
    pub fn new(chunk_bytes: usize) -> Inbox {
        Inbox { lines: LineBuffer::new(chunk_bytes), marks: VecDeque::new(), sealed: 0, passed: 0 }
    }

    /// Begins to count lines, after so many.
    pub fn count_from(&mut self, lines: u64) {
        self.passed = lines;
        self.lines.gaps.get_or_insert_default();
    }

    /// Lines up to the last row that is taken, and those right behind it that became no rows.
    pub fn lines_taken(&mut self) -> u64 {
        let taken = self.lines.taken();
        if let Some(gaps) = &mut self.lines.gaps {
            while let Some((_, count)) = gaps.pop_front_if(|(row, _)| *row <= taken) {
                self.passed += count;
            }
        }
        self.passed + taken
    }

    /// Lines that have ended, taken or not.
    pub fn lines_received(&self) -> u64 {
        let gaps = self.lines.gaps.iter().flatten().map(|(_, count)| count).sum::<u64>();
        self.passed + gaps + self.lines.received()
    }

    /// Says when the lines came that were appended since it was last said.
    pub fn arrived(&mut self, at: Timestamp) {
        self.came_until(at);
        let received = self.lines.received();
        let before = self.marks.back().map_or(self.sealed, |last| last.1);
        match self.marks.back_mut() {
            Some(last) if last.0 == at => last.1 = received,
            _ if before < received => self.marks.push_back((at, received)),
            _ => {}
        }
    }

    /// Takes rows, as [`LineBuffer::take`]. Where those that are gone ended need not be known any more.
    pub fn take(&mut self, bytes_max: usize) -> TakenLines {
        let taken = self.lines.take(bytes_max);
        while let Some((_, received)) = self.marks.pop_front_if(|mark| mark.1 <= self.lines.taken()) {
            self.sealed = received;
        }
        taken
    }

    /// What was received came by `now`: where it is said to have come later, the clock was set back since. Left as it is, it would
    /// wait until ticks get there, and so would all that comes behind it.
    fn came_until(&mut self, now: Timestamp) {
        let mut cut = None;
        while let Some((_, received)) = self.marks.pop_back_if(|mark| mark.0 > now) {
            cut.get_or_insert(received);
        }
        self.marks.extend(cut.map(|received| (now, received)));
    }

    /// Ends the batch with what arrived up to `at`. It is `now`.
    pub fn seal(&mut self, at: Timestamp, now: Timestamp) {
        self.came_until(now);
        while let Some((_, received)) = self.marks.pop_front_if(|mark| mark.0 <= at) {
            self.sealed = received;
        }
        self.lines.seal(self.sealed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(inbox: &mut Inbox, at: i64) -> String {
        inbox.seal(Timestamp(at), Timestamp(i64::MAX));
        let taken = inbox.take(usize::MAX);
        assert!(taken.end);
        taken.chunks.iter().flat_map(|chunk| chunk.iter().flatten().map(str::to_owned)).collect()
    }

    #[test]
    fn a_batch_has_what_arrived_up_to_its_time() {
        let mut inbox = Inbox::new(1 << 10);
        for (at, line) in [(10, "a"), (20, "b"), (20, "c"), (15, "d"), (21, "e"), (40, "f")] {
            inbox.lines.push(line);
            inbox.arrived(Timestamp(at));
        }
        assert_eq!(batch(&mut inbox, 5), "");
        assert_eq!(batch(&mut inbox, 20), "abcd");
        assert_eq!(batch(&mut inbox, 20), "");
        inbox.lines.push("g");
        inbox.arrived(Timestamp(41));
        assert_eq!(batch(&mut inbox, 30), "e");
        assert_eq!(batch(&mut inbox, 41), "fg");
    }

    /// The clock goes ahead by half an hour and back, before, within and behind what comes.
    #[test]
    fn a_clock_that_jumps_ahead_and_back_makes_no_line_wait() {
        let mut inbox = Inbox::new(1 << 10);
        for (at, line) in [(10, "a"), (1_810, "b"), (1_811, "c"), (11, "d"), (12, "e")] {
            inbox.lines.push(line);
            inbox.arrived(Timestamp(at));
        }
        assert_eq!(batch(&mut inbox, 10), "a");
        assert_eq!(batch(&mut inbox, 11), "bcd");
        assert_eq!(batch(&mut inbox, 20), "e");
        // Nothing comes behind it.
        inbox.lines.push("f");
        inbox.arrived(Timestamp(1_821));
        inbox.seal(Timestamp(20), Timestamp(21));
        assert!(inbox.take(usize::MAX).chunks.is_empty());
        inbox.seal(Timestamp(30), Timestamp(30));
        assert_eq!(inbox.take(usize::MAX).chunks.len(), 1);
    }

    #[test]
    fn lines_that_are_no_rows_are_counted_where_they_stood() {
        let mut inbox = Inbox::new(2);
        inbox.count_from(100);
        for line in ["", "a", "", "", "b", ""] {
            if line.is_empty() { inbox.lines.pass_over() } else { inbox.lines.push(line) }
        }
        inbox.arrived(Timestamp(10));
        assert_eq!((inbox.lines_taken(), inbox.lines_received()), (101, 106));
        assert_eq!(inbox.take(1).chunks.len(), 1);
        assert_eq!((inbox.lines_taken(), inbox.lines_received()), (104, 106));
        assert_eq!(batch(&mut inbox, 10), "b");
        assert_eq!((inbox.lines_taken(), inbox.lines_received()), (106, 106));
    }

    #[test]
    fn what_was_taken_before_the_seal_belongs_to_the_batch() {
        let mut inbox = Inbox::new(2);
        for (at, line) in [(10, "a"), (20, "b"), (30, "c")] {
            inbox.lines.push(line);
            inbox.arrived(Timestamp(at));
        }
        assert_eq!(inbox.take(4).chunks.len(), 2);
        assert_eq!(batch(&mut inbox, 10), "");
        assert_eq!(batch(&mut inbox, 30), "c");
    }
}
