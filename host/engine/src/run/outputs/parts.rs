//! What stages left for a sink, as the parts of its batch.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use tidemill_model::columns::RowsBuffer;

use crate::{arrival::Arrival, pieces::Piece};

/// A part with so many bytes gets no more pieces.
const PART_BYTES: usize = 64 << 20;

/// Pieces of fewer bytes are put together: many small batches cost more than a copy.
const SMALL_BYTES: usize = 32 << 10;

/// And no more of them once there are so many bytes.
const FEW_BYTES_MAX: usize = 1 << 20;

/// How the rows of an output are put into parts. Parts one after the other are the order in which the rows came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsBy {
    /// A part for each of so many partitions of the stream, which makes its rows anew in each.
    Partition(usize),
    /// A part for each lane of a source, or several if it has many bytes.
    Place,
}

/// A piece that a stage left.
pub(super) struct Kept {
    stage: usize,
    arrival: Arrival,
    /// Of the rows.
    bytes: usize,
    /// All that it holds.
    held_bytes: usize,
    rows: KeptRows,
}

/// The rows of a piece: as the sink takes them, unless they are so few that they are put to others.
enum KeptRows {
    Few(RowsBuffer),
    Batch(RecordBatch),
}

impl Kept {
    pub(super) fn try_new(stage: usize, piece: Piece, arrow: &SchemaRef) -> Result<Kept, ArrowError> {
        let (arrival, bytes, held_bytes) = (piece.arrival(), piece.rows.bytes(), piece.held_bytes());
        let rows = match bytes < SMALL_BYTES {
            true => KeptRows::Few(piece.rows),
            false => KeptRows::Batch(piece.rows.to_batch(arrow)?),
        };
        Ok(Kept { stage, arrival, bytes, held_bytes, rows })
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }
}

/// The parts of an output's batch, as far as rows have come. They can be written before all rows are there: within a place rows
/// come in their order, and of places it is known at the end which one comes before which.
pub(super) struct Parts {
    by: PartsBy,
    arrow: SchemaRef,
    /// For each place what its parts are called, in order, and the bytes of the last one.
    places: BTreeMap<Place, (Vec<u32>, usize)>,
    /// How many there are.
    count: u32,
}

/// A stage, an origin and a lane.
type Place = (usize, u32, u32);

impl Parts {
    pub(super) fn new(by: PartsBy, arrow: SchemaRef) -> Parts {
        Parts { by, arrow, places: BTreeMap::new(), count: 0 }
    }

    /// Puts pieces behind those that were added before. Gives their rows, each with its part; where a batch is added at once the
    /// parts are numbered as they come.
    pub(super) fn add(&mut self, mut kept: Vec<Kept>) -> Result<Vec<(u32, RecordBatch)>, ArrowError> {
        kept.sort_by_key(|kept| (kept.stage, kept.arrival));
        let mut together = Together { arrow: &self.arrow, open: None, done: Vec::new() };
        for kept in kept {
            let Arrival { origin, lane, .. } = kept.arrival;
            let part = match self.by {
                PartsBy::Partition(_) => lane,
                PartsBy::Place => {
                    let (parts, bytes) = self.places.entry((kept.stage, origin, lane)).or_default();
                    if parts.is_empty() || *bytes >= PART_BYTES {
                        parts.push(self.count);
                        (self.count, *bytes) = (self.count + 1, 0);
                    }
                    *bytes += kept.bytes;
                    parts[parts.len() - 1]
                }
            };
            together.add(part, kept.rows)?;
        }
        together.close()?;
        Ok(together.done)
    }

    /// All parts in order; one at least, so that there is a place to say that there are no rows.
    pub(super) fn order(&self) -> Vec<u32> {
        match self.by {
            PartsBy::Partition(count) => (0..count as u32).collect(),
            PartsBy::Place if self.places.is_empty() => vec![0],
            PartsBy::Place => self.places.values().flat_map(|(parts, _)| parts).copied().collect(),
        }
    }

    /// A new batch.
    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.count = 0;
    }
}

/// Drops all rows but the first ones.
pub(super) fn keep_first(parts: &mut [Vec<RecordBatch>], rows_max: Option<usize>) {
    let Some(mut left) = rows_max else { return };
    for batch in parts.iter_mut().flatten() {
        *batch = batch.slice(0, left.min(batch.num_rows()));
        left -= batch.num_rows();
    }
    parts.iter_mut().for_each(|part| part.retain(|batch| batch.num_rows() > 0));
}

/// Few rows of a part that come one after the other, put together.
struct Together<'a> {
    arrow: &'a SchemaRef,
    open: Option<(u32, RowsBuffer)>,
    done: Vec<(u32, RecordBatch)>,
}

impl Together<'_> {
    fn add(&mut self, part: u32, rows: KeptRows) -> Result<(), ArrowError> {
        if self.open.as_ref().is_some_and(|(open, _)| *open != part) {
            self.close()?;
        }
        match (rows, &mut self.open) {
            (KeptRows::Few(rows), Some((_, open))) => {
                let extended = open.extend(&rows.with_columns(&rows.columns()));
                extended.map_err(|full| ArrowError::from_external_error(Box::new(full)))?;
                if open.bytes() >= FEW_BYTES_MAX {
                    self.close()?;
                }
            }
            (KeptRows::Few(rows), none) => *none = Some((part, rows)),
            (KeptRows::Batch(batch), _) => {
                self.close()?;
                self.done.push((part, batch));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), ArrowError> {
        if let Some((part, rows)) = self.open.take() {
            self.done.push((part, rows.to_batch(self.arrow)?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

    use tidemill_model::{
        columns::{Rows, columns_of},
        schema::Schema,
        testing::{Value, buffer_of, values_of},
    };

    use super::*;
    use crate::pieces::{Cut, Pieces};

    fn schema() -> Schema {
        "t: text".parse().unwrap()
    }

    /// A piece of a stage at a place, with a text.
    fn kept(stage: usize, (origin, lane, index): (u32, u32, u32), text: &str) -> Kept {
        let rows = buffer_of(&schema(), &[vec![Value::text(text)]]);
        let mut pieces = Pieces::new(&schema(), Cut::Apart);
        pieces.extend(Arrival { origin, lane, index }, &rows.with_columns(&rows.columns()), 1).unwrap();
        Kept::try_new(stage, pieces.take().next().unwrap(), &schema().to_arrow()).unwrap()
    }

    /// The first letters of the texts of each part, and how many batches it is.
    fn shown(parts: &[Vec<RecordBatch>]) -> Vec<(String, usize)> {
        let letters = |batch: &RecordBatch| -> String {
            let rows = values_of(&Rows { schema: &schema(), len: batch.num_rows(), columns: &columns_of(batch) });
            rows.iter().map(|row| if let Value::Text(text) = &row[0] { &text[..1] } else { "?" }).collect()
        };
        parts.iter().map(|part| (part.iter().map(letters).collect(), part.len())).collect()
    }

    /// Parts in order, of pieces that are added in several steps.
    fn added(by: PartsBy, steps: Vec<Vec<Kept>>) -> Vec<Vec<RecordBatch>> {
        let mut parts = Parts::new(by, schema().to_arrow());
        let mut rows: BTreeMap<u32, Vec<RecordBatch>> = BTreeMap::new();
        for kept in steps {
            parts.add(kept).unwrap().into_iter().for_each(|(part, batch)| rows.entry(part).or_default().push(batch));
        }
        let ordered = parts.order().iter().map(|part| rows.remove(part).unwrap_or_default()).collect();
        assert!(rows.is_empty(), "every part is in the order");
        ordered
    }

    fn parts(by: PartsBy, kept: Vec<Kept>) -> Vec<(String, usize)> {
        shown(&added(by, vec![kept]))
    }

    #[test]
    fn parts_one_after_the_other_are_the_order_in_which_rows_came() {
        let all = || {
            vec![
                kept(1, (0, 0, 0), "g"),
                kept(0, (1, 2, 0), "f"),
                kept(0, (0, 1, 4), "d"),
                kept(0, (0, 0, 3), "c"),
                kept(0, (0, 0, 1), "a"),
                kept(0, (0, 0, 2), "b"),
                kept(0, (1, 1, 0), "e"),
            ]
        };
        let expect = [("abc", 1), ("d", 1), ("e", 1), ("f", 1), ("g", 1)].map(|(rows, count)| (rows.to_owned(), count));
        assert_eq!(parts(PartsBy::Place, all()), expect);
        let mut turned = all();
        turned.reverse();
        assert_eq!(parts(PartsBy::Place, turned), expect);
    }

    /// Several stages leave rows round by round, each of its lanes in order; which place comes first is known at the end.
    #[test]
    fn parts_are_the_same_when_rows_are_added_as_they_come() {
        let half = |letter: &str| letter.repeat(PART_BYTES / 2);
        let rounds = || {
            vec![
                vec![kept(1, (0, 0, 0), "m"), kept(0, (1, 0, 0), "j"), kept(0, (0, 3, 1), "f")],
                Vec::new(),
                vec![kept(0, (0, 0, 4), &half("b")), kept(0, (0, 0, 2), &half("a")), kept(0, (0, 3, 3), "g")],
                vec![kept(0, (0, 0, 9), "c"), kept(1, (0, 0, 1), "n"), kept(0, (0, 1, 5), "e")],
                vec![kept(0, (0, 0, 11), "d"), kept(0, (1, 1, 0), "k"), kept(0, (1, 0, 0), "j")],
            ]
        };
        let letters = |parts: Vec<Vec<RecordBatch>>| -> Vec<String> {
            shown(&parts).into_iter().map(|(letters, _)| letters).collect()
        };
        let expect = ["ab", "cd", "e", "fg", "jj", "k", "mn"];
        assert_eq!(letters(added(PartsBy::Place, rounds())), expect);
        assert_eq!(letters(added(PartsBy::Place, vec![rounds().into_iter().flatten().collect()])), expect);
        let anew = || vec![vec![kept(3, (0, 2, 0), "c")], vec![kept(3, (0, 0, 0), "a"), kept(3, (0, 2, 0), "d")]];
        assert_eq!(letters(added(PartsBy::Partition(4), anew())), ["a", "", "cd", ""]);
    }

    #[test]
    fn there_is_a_part_for_every_partition_that_makes_rows_anew() {
        let expect =
            |rows: &[(&str, usize)]| rows.iter().map(|&(rows, count)| (rows.to_owned(), count)).collect::<Vec<_>>();
        let kept = || vec![kept(3, (0, 2, 0), "c"), kept(3, (0, 0, 0), "a"), kept(3, (0, 0, 0), "b")];
        assert_eq!(parts(PartsBy::Partition(4), kept()), expect(&[("ab", 1), ("", 0), ("c", 1), ("", 0)]));
        assert_eq!(parts(PartsBy::Partition(2), Vec::new()), expect(&[("", 0), ("", 0)]));
        assert_eq!(
            parts(PartsBy::Place, Vec::new()),
            expect(&[("", 0)]),
            "there is a place to say that there is nothing"
        );
    }

    #[test]
    fn few_rows_are_put_together_and_many_are_not() {
        let many = |letter: &str| letter.repeat(SMALL_BYTES);
        let place = |index| (0, 0, index);
        let all = vec![
            kept(0, place(0), "a"),
            kept(0, place(1), "b"),
            kept(0, place(2), &many("c")),
            kept(0, place(3), &many("d")),
            kept(0, place(4), "e"),
        ];
        assert_eq!(parts(PartsBy::Place, all), [("abcde".to_owned(), 4)]);
        // Of pieces that are few for themselves there is an end, too.
        let half = "x".repeat(SMALL_BYTES / 2);
        let count = 2 * FEW_BYTES_MAX / half.len();
        let all = (0..count as u32).map(|index| kept(0, place(index), &half)).collect();
        let [(rows, batches)] = &parts(PartsBy::Place, all)[..] else { panic!("one part") };
        assert_eq!((rows.len(), *batches), (count, 2));
    }

    #[test]
    fn a_part_ends_when_it_has_many_bytes() {
        let large = "x".repeat(PART_BYTES / 2);
        let all = (0..5).map(|index| kept(0, (0, 0, index), &large)).collect();
        let lengths: Vec<usize> = parts(PartsBy::Place, all).iter().map(|(rows, _)| rows.len()).collect();
        assert_eq!(lengths, [2, 2, 1]);
    }

    #[test]
    fn only_the_first_rows_are_kept_where_no_more_are_looked_at() {
        let all = || {
            let kept = vec![kept(3, (0, 0, 0), "a"), kept(3, (0, 0, 0), "b"), kept(3, (0, 2, 0), "c")];
            added(PartsBy::Partition(3), vec![kept])
        };
        for (rows_max, expect) in [
            (None, "ab,,c"),
            (Some(9), "ab,,c"),
            (Some(3), "ab,,c"),
            (Some(2), "ab,,"),
            (Some(1), "a,,"),
            (Some(0), ",,"),
        ] {
            let mut parts = all();
            keep_first(&mut parts, rows_max);
            let rows: Vec<String> = shown(&parts).into_iter().map(|(rows, _)| rows).collect();
            assert_eq!(rows.join(","), expect, "{rows_max:?}");
        }
    }
}
