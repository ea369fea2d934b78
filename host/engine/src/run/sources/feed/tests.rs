//! What was logged is given before what the source has, bit by bit.
#![allow(clippy::unwrap_used, reason = "a test")]

use tidemill_model::{
    ports::{Irregularity, Repeatable},
    schema::Schema,
    testing::{Value, buffer_of},
};

use super::*;

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
