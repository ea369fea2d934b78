//! What was logged is given before what the source has, bit by bit.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{sync::Arc, time::Duration};

use tidemill_checkpoint::{Log, MemoryStorage};
use tidemill_connect::system::ManualClock;
use tidemill_model::{
    ports::{Irregularity, Repeatable, Wake},
    schema::Schema,
    testing::{Value, buffer_of},
};

use super::super::Sources;
use super::*;
use crate::checkpoint::Renames;

/// A source that has a chunk of one row whenever it is asked, and cannot give it again.
struct Live(Schema);

impl Source for Live {
    fn schema(&self) -> &Schema {
        &self.0
    }

    fn take(&mut self, _: usize) -> Result<Taken, PortError> {
        Ok(Taken { chunks: vec![chunk(1)], bytes: 8, end: false })
    }

    fn seal(&mut self, _: Timestamp) -> Result<Sealed, PortError> {
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}

    fn repeatable(&mut self) -> Option<&mut dyn Repeatable> {
        None
    }
}

fn chunk(rows: usize) -> Chunk {
    let schema: Schema = "n: integer".parse().unwrap();
    let rows = buffer_of(&schema, &vec![vec![Value::Integer(7)]; rows]).to_batch(&schema.to_arrow()).unwrap();
    Chunk { partition: None, rows }
}

/// A feed of the stream `s` in so many partitions, before which chunks of so many rows were logged.
fn feed(partitions: u32, planned: Option<&[usize]>, open: &[usize]) -> SourceFeed {
    let mut feed =
        SourceFeed::new(("s", None), NodeId(0), 0, partitions, Box::new(Live("n: integer".parse().unwrap())));
    let logged = |rows: &[usize]| [("s".to_owned(), rows.iter().map(|&rows| chunk(rows)).collect())].into();
    let mut pending = Pending { planned: planned.map(logged).unwrap_or_default(), open: logged(open) };
    feed.resume_logged(&mut pending, planned.is_some(), None, None).unwrap();
    feed
}

/// The rows of each chunk that is taken, by partition; and whether the batch ends.
fn take(feed: &mut SourceFeed, bytes_max: usize) -> (Vec<Vec<usize>>, bool) {
    let (chunks, end) = feed.take(bytes_max, None).unwrap();
    (chunks.iter().map(|chunks| chunks.iter().map(Arrived::rows).collect()).collect(), end)
}

#[test]
fn what_was_logged_comes_first_so_many_bytes_at_a_time() {
    let bytes = chunk(10).rows.get_array_memory_size();
    for (bytes_max, expect) in [
        (1, vec![vec![10], vec![10], vec![10], vec![1]]),
        (bytes, vec![vec![10], vec![10], vec![10], vec![1]]),
        (bytes + 1, vec![vec![10, 10], vec![10], vec![1]]),
        (2 * bytes, vec![vec![10, 10], vec![10], vec![1]]),
        (2 * bytes + 1, vec![vec![10, 10, 10], vec![1]]),
        (usize::MAX, vec![vec![10, 10, 10], vec![1]]),
    ] {
        let mut feed = feed(1, None, &[10; 3]);
        for expect in expect {
            assert_eq!(take(&mut feed, bytes_max), (vec![expect], false), "{bytes_max}");
        }
    }
}

/// A planned batch has what was logged of it and nothing else. The next one begins with what was logged behind.
#[test]
fn a_batch_that_is_run_again_has_its_chunks_alone() {
    for bytes_max in [1, usize::MAX] {
        let mut feed = feed(2, Some(&[1, 2, 3]), &[4, 5]);
        let mut taken: Vec<Vec<usize>> = vec![Vec::new(); 2];
        let mut looks = 0;
        let mut gather = |feed: &mut SourceFeed, is_sealed: bool| loop {
            let (chunks, end) = take(feed, bytes_max);
            let is_empty = chunks.iter().all(Vec::is_empty);
            taken.iter_mut().zip(chunks).for_each(|(all, chunks)| all.extend(chunks));
            looks += 1;
            assert!(looks < 10);
            if end || is_empty && !is_sealed {
                return end;
            }
        };
        assert!(!gather(&mut feed, false), "a batch has no end before it is sealed");
        let sealed = feed.seal(Timestamp(1)).unwrap();
        assert_eq!((sealed.present, sealed.last), (true, false));
        assert!(gather(&mut feed, true) && !feed.sealed);
        assert_eq!(taken, [vec![1, 3], vec![2]]);
        // Partitions have their turns from the first one on.
        assert_eq!(take(&mut feed, usize::MAX), (vec![vec![4], vec![5]], false));
        assert_eq!(take(&mut feed, usize::MAX), (vec![vec![1], vec![]], false));
        assert_eq!(take(&mut feed, usize::MAX), (vec![vec![], vec![1]], false));
    }
}

#[test]
fn a_source_that_was_not_planned_has_no_batch_then() {
    let mut feed = feed(1, None, &[4]);
    feed.stay_away();
    assert_eq!(take(&mut feed, usize::MAX), (vec![vec![]], false));
    assert!(!feed.seal(Timestamp(1)).unwrap().present && !feed.has_pin());
    assert_eq!(take(&mut feed, usize::MAX), (vec![vec![]], true));
    assert_eq!(take(&mut feed, usize::MAX), (vec![vec![4]], false));
    assert!(feed.seal(Timestamp(2)).unwrap().present && feed.has_pin());
}

/// A source that has chunks of some rows, one at a time, and of which a batch is sealed once.
struct Strict {
    schema: Schema,
    sealed: Option<Vec<usize>>,
    received: Vec<usize>,
    is_broken: bool,
    takes: usize,
    can_begin: bool,
}

impl Strict {
    fn new(received: &[usize]) -> Strict {
        let (schema, received) = ("n: integer".parse().unwrap(), received.to_vec());
        Strict { schema, sealed: None, received, is_broken: false, takes: 0, can_begin: true }
    }

    fn feed(self) -> SourceFeed {
        SourceFeed::new(("s", None), NodeId(0), 0, 1, Box::new(self))
    }
}

impl Source for Strict {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn begin(&mut self, _: &Owner<'_>) -> Result<(), PortError> {
        if self.can_begin { Ok(()) } else { Err(PortError::refused("the port is another's")) }
    }

    fn take(&mut self, _: usize) -> Result<Taken, PortError> {
        self.takes += 1;
        assert!(!self.is_broken && self.takes < 100, "it is asked again and again");
        let rows = self.sealed.as_mut().filter(|sealed| !sealed.is_empty()).map(|sealed| sealed.remove(0));
        let end = self.sealed.take_if(|sealed| sealed.is_empty()).is_some();
        Ok(Taken { chunks: rows.map(chunk).into_iter().collect(), bytes: 8, end })
    }

    fn seal(&mut self, _: Timestamp) -> Result<Sealed, PortError> {
        assert!(self.sealed.is_none() && !self.is_broken, "a batch is sealed once");
        self.is_broken = self.received == [0];
        if self.is_broken {
            return Err(PortError::refused("it is broken"));
        }
        self.sealed = Some(std::mem::take(&mut self.received));
        Ok(Sealed { present: true, last: false })
    }

    fn irregularities(&mut self) -> Vec<Irregularity> {
        Vec::new()
    }

    fn stop(&mut self) {}
}

/// Whatever the feed is at when the run ends.
#[test]
fn what_was_received_and_not_taken_is_logged_once() {
    let check = |logged: Option<&[usize]>, seals: bool, takes: usize, expect: &[usize]| {
        let mut feed = Strict::new(&[1, 2, 3]).feed();
        let planned = logged.map(|rows| [("s".to_owned(), rows.iter().map(|&rows| chunk(rows)).collect())].into());
        let mut pending = Pending { planned: planned.unwrap_or_default(), ..Pending::default() };
        feed.resume_logged(&mut pending, logged.is_some(), None, None).unwrap();
        let storage = Arc::new(MemoryStorage::new());
        let open = || {
            let (log, _) = Log::open(storage.clone(), "p", "host", Timestamp(0)).unwrap();
            InputKeeper::open(storage.clone(), log.fence(), (None, None), &[], 1 << 20, &Renames::default()).unwrap()
        };
        let (mut input, _) = open();
        if seals {
            feed.seal(Timestamp(1)).unwrap();
        }
        (0..takes).for_each(|_| drop(feed.take(1, Some(&mut input)).unwrap()));
        feed.keep_received(Timestamp(2), &mut input).unwrap();
        input.sync().unwrap();
        let (_, Pending { open: kept, .. }) = open();
        let rows: Vec<usize> = kept.values().flatten().map(|chunk| chunk.rows.num_rows()).collect();
        assert_eq!(rows, expect, "{logged:?}, {seals}, {takes}");
    };
    check(None, false, 0, &[1, 2, 3]);
    for takes in 0..=3 {
        check(None, true, takes, &[1, 2, 3]);
    }
    // A batch that is run again is in the log: none of it, all of it, or more than that was taken.
    for takes in 0..=1 {
        check(Some(&[7]), false, takes, &[1, 2, 3]);
        check(Some(&[7]), true, takes, &[1, 2, 3]);
    }
}

#[test]
fn a_source_that_has_failed_is_asked_for_nothing_more() {
    let mut feed = Strict::new(&[0]).feed();
    feed.seal(Timestamp(1)).unwrap_err();
    let storage = Arc::new(MemoryStorage::new());
    let (log, _) = Log::open(storage.clone(), "p", "host", Timestamp(0)).unwrap();
    let (mut input, _) =
        InputKeeper::open(storage, log.fence(), (None, None), &[], 1 << 20, &Renames::default()).unwrap();
    feed.keep_received(Timestamp(2), &mut input).unwrap();
}

/// Of several sources one cannot begin, or cannot say what it has.
#[test]
fn a_source_that_fails_keeps_no_other_from_being_logged() {
    let check = |middle: Strict, expect: &[usize]| {
        let [first, last] = [&[1, 2][..], &[3]].map(|rows| Strict::new(rows).feed());
        let storage = Arc::new(MemoryStorage::new());
        let open = || {
            let (log, _) = Log::open(storage.clone(), "p", "host", Timestamp(0)).unwrap();
            InputKeeper::open(storage.clone(), log.fence(), (None, None), &[], 1 << 20, &Renames::default()).unwrap()
        };
        let (fails, input) = (!middle.can_begin, Some(open().0));
        let mut sources = Sources { feeds: vec![first, middle.feed(), last], input, away: Vec::new() };
        let stopper = Stopper::new(Wake::default(), Arc::new(ManualClock::new(Timestamp(0))), Duration::ZERO);
        let begun = sources.begin(&Owner { pipeline: "p", generation: None, is_held: &|| true }, &stopper);
        assert_eq!((begun.is_err(), sources.keep_received(Timestamp(2)).is_err()), (fails, !fails));
        // What was not made durable is gone with the machine.
        storage.restart(|_, _| 0);
        let (_, Pending { open: kept, .. }) = open();
        let rows: Vec<usize> = kept.values().flatten().map(|chunk| chunk.rows.num_rows()).collect();
        assert_eq!(rows, expect);
    };
    check(Strict::new(&[0]), &[1, 2, 3]);
    // Those behind it do not begin, and are not asked.
    check(Strict { can_begin: false, ..Strict::new(&[7]) }, &[1, 2]);
}
