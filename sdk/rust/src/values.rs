//! A run of rows: a key's new values, or the items of a list.

use std::{fmt, ops::Range};

use crate::value::{Columns, ListReader, ListWriter, Malformed, Read, Value, Write};

/// Values next to each other, in order of arrival: a key's new rows, or (as a field) the items of a list.
///
/// It borrows the batch, is as cheap to copy as a slice, and reads a value when it is asked for.
pub struct Values<'a, T: Read<'a>> {
    reader: T::Reader,
    start: usize,
    end: usize,
}

/// The iterator over [`Values`].
pub struct ValuesIter<'a, T: Read<'a>> {
    reader: T::Reader,
    rows: Range<usize>,
}

// === impl Values ===

impl<'a, T: Read<'a>> Values<'a, T> {
    /// The rows `rows` of a batch that `reader` opened.
    #[doc(hidden)]
    #[inline]
    pub fn new(reader: T::Reader, rows: Range<usize>) -> Values<'a, T> {
        Values { reader, start: rows.start, end: rows.end }
    }

    /// No values.
    #[doc(hidden)]
    pub fn none() -> Values<'a, T> {
        Values { reader: T::Reader::default(), start: 0, end: 0 }
    }

    /// Number of values.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The values, the oldest first.
    #[inline]
    pub fn iter(&self) -> ValuesIter<'a, T> {
        ValuesIter { reader: self.reader, rows: self.start..self.end }
    }

    /// The value at `place`, counted from 0.
    pub fn get(&self, place: usize) -> Option<T> {
        (place < self.len()).then(|| T::read(&self.reader, self.start + place))
    }

    /// The newest value.
    pub fn last(&self) -> Option<T> {
        self.len().checked_sub(1).and_then(|place| self.get(place))
    }
}

impl<'a, T: Read<'a>> Clone for Values<'a, T> {
    fn clone(&self) -> Values<'a, T> {
        *self
    }
}

impl<'a, T: Read<'a>> Copy for Values<'a, T> {}

impl<'a, T: Read<'a> + fmt::Debug> fmt::Debug for Values<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Read<'a> + PartialEq> PartialEq for Values<'a, T> {
    fn eq(&self, other: &Values<'a, T>) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(ours, theirs)| ours == theirs)
    }
}

impl<'a, T: Read<'a>> IntoIterator for Values<'a, T> {
    type Item = T;
    type IntoIter = ValuesIter<'a, T>;

    fn into_iter(self) -> ValuesIter<'a, T> {
        self.iter()
    }
}

// === impl ValuesIter ===

impl<'a, T: Read<'a>> Iterator for ValuesIter<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.rows.next().map(|row| T::read(&self.reader, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl<'a, T: Read<'a>> DoubleEndedIterator for ValuesIter<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.rows.next_back().map(|row| T::read(&self.reader, row))
    }
}

impl<'a, T: Read<'a>> ExactSizeIterator for ValuesIter<'a, T> {}

// === As a list ===

impl<'a, T: Read<'a>> Value for Values<'a, T> {
    fn kind() -> String {
        format!("list<{}>", T::kind())
    }
}

impl<'a, T: Read<'a>> Read<'a> for Values<'a, T> {
    type Reader = ListReader<'a, T::Reader>;

    fn open(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed> {
        ListReader::open::<T>(columns, rows)
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Values<'a, T> {
        Values::new(reader.items, reader.range(row))
    }
}

impl<'a, T: Read<'a> + Write> Write for Values<'a, T> {
    type Writer = ListWriter<T::Writer>;

    fn write(&self, writer: &mut Self::Writer) {
        writer.write_list(self.len(), |items| self.iter().for_each(|item| item.write(items)));
    }
}
