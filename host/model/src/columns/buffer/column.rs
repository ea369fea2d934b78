//! One column that owns its buffers and grows.

use super::super::{Column, bit};
use crate::schema::Kind;

/// One node's buffers while they grow.
#[derive(Clone, Debug, Default)]
pub struct ColumnBuffer {
    pub(super) len: usize,
    /// Bits; there from the first missing value on.
    pub(super) validity: Option<Vec<u8>>,
    /// For text, bytes and lists; begins with 0.
    pub(super) offsets: Vec<i32>,
    /// For text and bytes their bytes, for boolean the bitmap.
    pub(super) bytes: Vec<u8>,
    /// For integer, timestamp and float, as bits.
    pub(super) words: Vec<u64>,
}

/// More text, bytes or list items than 32-bit offsets can number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than 2 GiB of text in one column of one partition's batch; use more partitions or a shorter interval")]
pub struct ColumnFull;

/// Whether a node of this kind has offsets.
pub(super) fn has_offsets(kind: &Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Bytes | Kind::List(_))
}

impl ColumnBuffer {
    pub(super) fn new(kind: &Kind) -> ColumnBuffer {
        let offsets = if has_offsets(kind) { vec![0] } else { Vec::new() };
        ColumnBuffer { offsets, ..ColumnBuffer::default() }
    }

    /// The column as it is now.
    pub fn column(&self) -> Column<'_> {
        let values = if self.words.is_empty() { &self.bytes[..] } else { bytemuck::cast_slice(&self.words) };
        Column { validity: self.validity.as_deref(), offsets: &self.offsets, values }
    }

    /// Appends a number that is there.
    pub fn push_word(&mut self, word: u64) {
        self.words.push(word);
        self.push_validity(true);
    }

    /// Appends a text or bytes that is there.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), ColumnFull> {
        self.bytes.extend_from_slice(bytes);
        self.end_bytes()
    }

    /// Appends 0; marked as missing if `missing`.
    pub fn push_no_word(&mut self, missing: bool) {
        self.words.push(0);
        self.push_validity(!missing);
    }

    /// Appends no bytes; marked as missing if `missing`.
    pub fn push_no_bytes(&mut self, missing: bool) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ColumnFull)?);
        self.push_validity(!missing);
        Ok(())
    }

    /// Appends a truth value that is there.
    pub fn push_boolean(&mut self, value: bool) {
        push_bit(&mut self.bytes, self.len, value);
        self.push_validity(true);
    }

    /// Appends a list of the items that its child got since the last row; `items` is how many the child has in all.
    pub fn end_list(&mut self, items: usize) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(items).map_err(|_| ColumnFull)?);
        self.push_validity(true);
        Ok(())
    }

    /// Appends a record that is there; its fields are pushed to its children.
    pub fn end_record(&mut self) {
        self.push_validity(true);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes in its buffers.
    pub(super) fn bytes(&self) -> usize {
        let validity = self.validity.as_ref().map_or(0, Vec::len);
        validity + self.offsets.len() * 4 + self.bytes.len() + self.words.len() * 8
    }

    /// Bytes of the text or bytes that [`ColumnBuffer::end_bytes`] will end.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Counts a text or bytes whose bytes were appended.
    pub(crate) fn end_bytes(&mut self) -> Result<(), ColumnFull> {
        self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| ColumnFull)?);
        self.push_validity(true);
        Ok(())
    }

    /// Counts a row, and says whether its value is there.
    pub(super) fn push_validity(&mut self, there: bool) {
        match &mut self.validity {
            Some(bits) => push_bit(bits, self.len, there),
            None if there => {}
            None => {
                let mut bits = vec![0xff; self.len.div_ceil(8)];
                clear_above(&mut bits, self.len);
                push_bit(&mut bits, self.len, false);
                self.validity = Some(bits);
            }
        }
        self.len += 1;
    }

    pub(super) fn extend_validity(&mut self, from: Option<&[u8]>, rows: impl Iterator<Item = usize>, count: usize) {
        if from.is_none() && self.validity.is_none() {
            self.len += count;
            return;
        }
        for row in rows {
            self.push_validity(from.is_none_or(|bits| bit(bits, row)));
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.validity = None;
        self.offsets.truncate(1);
        self.bytes.clear();
        self.words.clear();
    }
}

pub(super) fn push_bit(bits: &mut Vec<u8>, at: usize, set: bool) {
    if at.is_multiple_of(8) {
        bits.push(0);
    }
    bits[at / 8] |= u8::from(set) << (at % 8);
}

/// Bits beyond the rows are 0, so that equal rows have equal bytes.
fn clear_above(bits: &mut [u8], len: usize) {
    if let (Some(last), 1..) = (bits.last_mut(), len % 8) {
        *last &= (1 << (len % 8)) - 1;
    }
}
