//! Rows in order of arrival to runs by group.

use std::ops::Range;

use tidemill_model::columns::{Column, Rows, RowsBuffer};

use crate::failure::Cause;

/// The rows of a batch by group, given out for so many groups at a time.
pub(super) struct Runs<'a> {
    rows: Rows<'a>,
    /// Rows in order of their groups, unless they lie like that already.
    order: Option<Vec<u32>>,
    /// For each group the end of its run.
    ends: Vec<u32>,
    next_group: usize,
    /// The next row of the order: the first of the next group, or one in the middle of it.
    next_row: u32,
    buffer: RowsBuffer,
    relative_ends: Vec<u32>,
}

/// The runs of some groups.
pub(super) struct Arranged<'a> {
    pub(super) rows: Rows<'a>,
    /// For each group the end of its run in `rows`.
    pub(super) ends: &'a [u32],
    /// The place of each row in the order of arrival.
    pub(super) numbers: Numbers<'a>,
}

/// Where arranged rows stood before.
#[derive(Clone, Copy)]
pub(super) enum Numbers<'a> {
    /// One after the other, from this place on.
    From(u32),
    /// As given.
    At(&'a [u32]),
}

impl Numbers<'_> {
    /// The place of a row.
    pub(super) fn of(&self, row: usize) -> u64 {
        match self {
            Numbers::From(first) => u64::from(*first) + row as u64,
            Numbers::At(numbers) => numbers[row].into(),
        }
    }
}

impl Arranged<'_> {
    /// For each group its number of rows.
    pub(super) fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        let mut start = 0;
        self.ends.iter().map(move |&end| end - std::mem::replace(&mut start, end))
    }

    /// Where the rows of some of the groups are.
    pub(super) fn rows_of(&self, groups: Range<usize>) -> Range<usize> {
        let end_of = |group: usize| group.checked_sub(1).map_or(0, |last| self.ends[last] as usize);
        end_of(groups.start)..end_of(groups.end)
    }

    /// For each of some of the groups the end of its run, if they were alone.
    pub(super) fn ends_of(&self, groups: Range<usize>) -> Vec<u32> {
        let first = self.rows_of(groups.clone()).start as u32;
        self.ends[groups].iter().map(|end| end - first).collect()
    }

    /// For each row its group, counted from the first of these.
    pub(super) fn groups(&self) -> Vec<u32> {
        let groups = (0u32..).zip(self.counts());
        groups.flat_map(|(group, count)| std::iter::repeat_n(group, count as usize)).collect()
    }
}

/// Where the rows of each group are.
pub(super) struct Places {
    /// Rows in order of their groups, unless they lie like that already.
    order: Option<Vec<u32>>,
    /// For each group the end of its run.
    ends: Vec<u32>,
}

impl Places {
    /// `groups` has each row's group, below `count`.
    pub(super) fn new(groups: &[u32], count: usize) -> Places {
        let ends = ends_of(groups, count);
        Places { order: (!groups.is_sorted()).then(|| by_group(groups, &ends)), ends }
    }

    /// The places of a group's rows, in order of arrival.
    pub(super) fn of(&self, group: usize) -> impl ExactSizeIterator<Item = u32> + Clone + '_ {
        let start = group.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        let at = |place: usize| self.order.as_ref().map_or(place as u32, |order| order[place]);
        (start..self.ends[group] as usize).map(at)
    }
}

impl<'a> Runs<'a> {
    /// `groups` has each row's group, below `count`.
    pub(super) fn new(rows: Rows<'a>, groups: &[u32], count: usize) -> Runs<'a> {
        let Places { order, ends } = Places::new(groups, count);
        Runs {
            buffer: RowsBuffer::new(rows.schema),
            rows,
            order,
            ends,
            next_group: 0,
            next_row: 0,
            relative_ends: Vec::new(),
        }
    }

    /// How many of the next groups have no more than so many rows, of about so many bytes; one at least, of those that
    /// are left.
    pub(super) fn groups_within(&self, rows_max: usize, bytes_max: usize) -> usize {
        let rows_max = rows_max.min(bytes_max / self.row_bytes()).max(1);
        let first = self.next_row as usize;
        let left = &self.ends[self.next_group..];
        let mut count = left.partition_point(|&end| end as usize - first <= rows_max).max(1).min(left.len());
        // Some rows have more than most.
        while count > 1 && self.bytes_of(first..left[count - 1] as usize) > bytes_max {
            count /= 2;
        }
        count
    }

    /// How many of the rows that are left of the next group are no more than so many, of no more than so many bytes; one at
    /// least, if there is one.
    fn rows_within(&self, rows_max: usize, bytes_max: usize) -> usize {
        let first = self.next_row as usize;
        let left = self.ends[self.next_group] as usize - first;
        let mut count = left.min(rows_max);
        while count > 1 && self.bytes_of(first..first + count).max(count * self.row_bytes()) > bytes_max {
            count /= 2;
        }
        count
    }

    /// Bytes of a row, about.
    fn row_bytes(&self) -> usize {
        (self.rows.bytes() / self.rows.len.max(1)).max(1)
    }

    /// Bytes of the rows at some places of the order, where rows differ in them.
    fn bytes_of(&self, range: Range<usize>) -> usize {
        match &self.order {
            _ if self.rows.columns.iter().all(|column| column.offsets.is_empty()) => 0,
            None => self.rows.bytes_in(range),
            Some(order) => order[range].iter().map(|&row| self.rows.bytes_in(row as usize..row as usize + 1)).sum(),
        }
    }

    /// The runs of the next `count` groups.
    pub(super) fn next(&mut self, count: usize) -> Result<ArrangedBuffers<'_>, Cause> {
        let first = self.next_row;
        let ends = &self.ends[self.next_group..self.next_group + count];
        let last = ends.last().copied().unwrap_or(first);
        self.next_group += count;
        self.relative_ends.clear();
        self.relative_ends.extend(ends.iter().map(|end| end - first));
        self.arrange_until(last)
    }

    /// The next rows of the next group as a run, so many at most of so many bytes, but one at least; and whether these were
    /// the last ones of it.
    pub(super) fn next_rows(
        &mut self,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<(ArrangedBuffers<'_>, bool), Cause> {
        let count = self.rows_within(rows_max, bytes_max) as u32;
        let last = self.next_row + count;
        let is_last = last == self.ends[self.next_group];
        self.next_group += usize::from(is_last);
        self.relative_ends.clear();
        self.relative_ends.push(count);
        Ok((self.arrange_until(last)?, is_last))
    }

    /// The rows up to place `last` of the order.
    fn arrange_until(&mut self, last: u32) -> Result<ArrangedBuffers<'_>, Cause> {
        let first = std::mem::replace(&mut self.next_row, last);
        self.buffer.clear();
        match &self.order {
            Some(order) => self.buffer.take(&self.rows, &order[first as usize..last as usize])?,
            None => self.buffer.extend_range(&self.rows, first as usize..last as usize)?,
        }
        Ok(ArrangedBuffers {
            columns: self.buffer.columns(),
            buffer: &self.buffer,
            ends: &self.relative_ends,
            numbers: match &self.order {
                Some(order) => Numbers::At(&order[first as usize..last as usize]),
                None => Numbers::From(first),
            },
        })
    }
}

/// What [`Runs::next`] gives: an [`Arranged`] over buffers that it owns.
pub(super) struct ArrangedBuffers<'a> {
    columns: Vec<Column<'a>>,
    buffer: &'a RowsBuffer,
    ends: &'a [u32],
    numbers: Numbers<'a>,
}

impl ArrangedBuffers<'_> {
    /// The runs.
    pub(super) fn arranged(&self) -> Arranged<'_> {
        Arranged { rows: self.buffer.with_columns(&self.columns), ends: self.ends, numbers: self.numbers }
    }
}

/// For each of `count` groups the end of its run, if rows lie by group.
pub(super) fn ends_of(groups: &[u32], count: usize) -> Vec<u32> {
    let mut ends = vec![0; count];
    groups.iter().for_each(|&group| ends[group as usize] += 1);
    let mut end = 0;
    for run in &mut ends {
        end += *run;
        *run = end;
    }
    ends
}

/// Rows by group, in order of arrival within each: a counting sort.
pub(super) fn by_group(groups: &[u32], ends: &[u32]) -> Vec<u32> {
    let mut next: Vec<u32> = std::iter::once(0).chain(ends.iter().copied()).take(ends.len()).collect();
    let mut order = vec![0; groups.len()];
    for (row, &group) in (0u32..).zip(groups) {
        let at = &mut next[group as usize];
        order[*at as usize] = row;
        *at += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use tidemill_model::testing::{Value, buffer_of, values_of};

    use super::*;

    #[test]
    fn groups_are_given_out_by_what_their_rows_take() {
        let texts = [3_000, 1, 300, 1, 3_000, 1].map(|length| vec![Value::Text("x".repeat(length))]);
        let buffer = buffer_of(&"t: text".parse().unwrap(), &texts);
        let columns = buffer.columns();
        let mut given = Vec::new();
        let mut runs = Runs::new(buffer.with_columns(&columns), &[1, 0, 2, 0, 3, 2], 4);
        while given.iter().sum::<usize>() < 4 {
            let count = runs.groups_within(usize::MAX, 3_200);
            let arranged = runs.next(count).unwrap();
            let lengths = values_of(&arranged.arranged().rows);
            assert_eq!(lengths.len(), arranged.arranged().groups().len());
            given.push(count);
        }
        assert_eq!(given, [2, 1, 1]);
    }

    /// Groups of so many rows each, in how many at a time they are given out.
    fn given(rows: &[usize], rows_max: usize, bytes_max: usize) -> Vec<usize> {
        let groups: Vec<u32> = (0u32..).zip(rows).flat_map(|(group, &rows)| std::iter::repeat_n(group, rows)).collect();
        let values: Vec<Vec<Value>> = groups.iter().map(|_| vec![Value::Integer(7)]).collect();
        let buffer = buffer_of(&"n: integer".parse().unwrap(), &values);
        let columns = buffer.columns();
        let mut runs = Runs::new(buffer.with_columns(&columns), &groups, rows.len());
        let mut given = Vec::new();
        while given.iter().sum::<usize>() < rows.len() {
            given.push(runs.groups_within(rows_max, bytes_max));
            runs.next(given[given.len() - 1]).unwrap();
        }
        given
    }

    #[test]
    fn groups_are_given_out_by_their_rows() {
        // Rows of 8 bytes.
        for (rows, rows_max, bytes_max, expect) in [
            (&[1, 1, 1, 1, 1][..], 1, usize::MAX, &[1, 1, 1, 1, 1][..]),
            (&[1, 1, 1, 1, 1], 2, usize::MAX, &[2, 2, 1]),
            (&[1, 1, 1, 1, 1], 3, usize::MAX, &[3, 2]),
            (&[1, 1, 1, 1, 1], 9, usize::MAX, &[5]),
            (&[1, 1, 1, 1, 1], 0, usize::MAX, &[1, 1, 1, 1, 1]),
            (&[1, 1, 1, 1, 1], usize::MAX, 0, &[1, 1, 1, 1, 1]),
            (&[1, 1, 1, 1, 1], usize::MAX, 7, &[1, 1, 1, 1, 1]),
            (&[1, 1, 1, 1, 1], usize::MAX, 15, &[1, 1, 1, 1, 1]),
            (&[1, 1, 1, 1, 1], usize::MAX, 16, &[2, 2, 1]),
            (&[1, 1, 1, 1, 1], 2, 24, &[2, 2, 1]),
            (&[1, 1, 1, 1, 1], 3, 16, &[2, 2, 1]),
            (&[9, 1, 2, 1, 9], 3, usize::MAX, &[1, 2, 1, 1]),
            (&[2, 2, 2], 3, usize::MAX, &[1, 1, 1]),
            (&[2, 2, 2], 4, usize::MAX, &[2, 1]),
            (&[0, 0, 3, 0], 2, usize::MAX, &[2, 1, 1]),
        ] {
            assert_eq!(given(rows, rows_max, bytes_max), expect, "{rows:?}, {rows_max} rows, {bytes_max} bytes");
        }
    }

    /// Texts whose lengths differ: no more are given out at a time than the bounds say, unless one alone is more.
    #[test]
    fn no_more_is_given_out_than_the_bounds_say() {
        for (seed, bytes_max) in (0..40usize).flat_map(|seed| [60, 200, 1_000].map(|bytes_max| (seed, bytes_max))) {
            let lengths: Vec<usize> = (0..60).map(|row| (row * 31 + seed * 17) % 97 * (row % 7 / 5 * 9 + 1)).collect();
            let values: Vec<Vec<Value>> =
                lengths.iter().map(|&length| vec![Value::text(&"x".repeat(length))]).collect();
            let groups: Vec<u32> = (0..60).map(|row: usize| (row * (seed + 1) % 13) as u32).collect();
            let buffer = buffer_of(&"t: text".parse().unwrap(), &values);
            let columns = buffer.columns();
            let rows_max = seed % 5 * 4 + 1;
            let mut runs = Runs::new(buffer.with_columns(&columns), &groups, 13);
            let mut left = 13;
            while left > 0 {
                let count = runs.groups_within(rows_max, bytes_max);
                assert!((1..=left).contains(&count));
                let first = runs.next_row as usize;
                let given = runs.next(count).unwrap();
                let arranged = given.arranged();
                let (rows, bytes) = (arranged.rows.len, arranged.rows.bytes());
                assert!(count == 1 || (rows <= rows_max && bytes <= bytes_max), "{count} groups, {rows} rows, {bytes}");
                assert_eq!(arranged.ends.last().copied(), Some(rows as u32));
                assert_eq!(runs.next_row as usize, first + rows);
                left -= count;
            }
        }
    }

    /// Of a group that is too large its rows are given out, as many at a time as the bounds say.
    #[test]
    fn rows_of_a_group_are_given_out_by_what_they_take() {
        let check = |rows_max: usize, bytes_max: usize, expect: &[(usize, bool)]| {
            let values: Vec<Vec<Value>> = (0..5).map(|n| vec![Value::Integer(n)]).collect();
            let buffer = buffer_of(&"n: integer".parse().unwrap(), &values);
            let columns = buffer.columns();
            let mut runs = Runs::new(buffer.with_columns(&columns), &[0, 0, 1, 0, 0], 2);
            let (mut given, mut numbers) = (Vec::new(), Vec::new());
            while numbers.len() < 5 {
                let (rows, is_last) = runs.next_rows(rows_max, bytes_max).unwrap();
                let arranged = rows.arranged();
                numbers.extend((0..arranged.rows.len).map(|row| arranged.numbers.of(row)));
                given.push((arranged.rows.len, is_last));
            }
            assert_eq!(numbers, [0, 1, 3, 4, 2]);
            assert_eq!(given, expect, "{rows_max} rows, {bytes_max} bytes");
        };
        check(4, usize::MAX, &[(4, true), (1, true)]);
        check(3, usize::MAX, &[(3, false), (1, true), (1, true)]);
        check(2, usize::MAX, &[(2, false), (2, true), (1, true)]);
        check(1, usize::MAX, &[(1, false), (1, false), (1, false), (1, true), (1, true)]);
        check(9, 31, &[(2, false), (2, true), (1, true)]);
        check(9, 32, &[(4, true), (1, true)]);
        check(9, 0, &[(1, false), (1, false), (1, false), (1, true), (1, true)]);
    }

    #[test]
    fn rows_keep_their_order_within_a_group() {
        let groups = [0, 1, 0, 2, 1, 0];
        assert_eq!(by_group(&groups, &[3, 5, 6]), [0, 2, 5, 1, 4, 3]);
    }
}
