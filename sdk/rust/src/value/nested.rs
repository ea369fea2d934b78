//! Values that may be missing, and lists.

use crate::{bindings::tidemill::plugin::data::Column, buffer::Bits};

use super::{ColumnWriter, Columns, Malformed, Read, Value, Write, offsets, sized};

/// A column whose values may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionReader<'a, R> {
    validity: Option<&'a [u8]>,
    values: R,
}

/// A column whose values may be missing, under construction.
#[derive(Debug, Default)]
pub struct OptionWriter<W> {
    validity: Bits,
    missing: usize,
    values: W,
}

/// A column of lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListReader<'a, R> {
    /// One more than there are rows.
    pub(crate) offsets: &'a [[u8; 4]],
    pub(crate) items: R,
}

/// A column of lists under construction.
#[derive(Debug, Default)]
pub struct ListWriter<W> {
    /// Without the first, which is 0.
    offsets: Vec<u8>,
    length: u32,
    items: W,
}

// === Option ===

impl<T: Value> Value for Option<T> {
    fn kind() -> String {
        T::kind() + "?"
    }
}

impl<'a, T: Read<'a>> Read<'a> for Option<T> {
    type Reader = OptionReader<'a, T::Reader>;

    fn open(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed> {
        let bits = columns.peek()?.validity.as_deref();
        let validity = bits.map(|bits| sized(bits, rows.div_ceil(8), "validity")).transpose()?;
        Ok(OptionReader { validity, values: T::open(columns, rows)? })
    }

    #[inline]
    fn read(reader: &Self::Reader, row: usize) -> Option<T> {
        let there = reader.validity.is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1);
        there.then(|| T::read(&reader.values, row))
    }
}

impl<T: Write> Write for Option<T> {
    type Writer = OptionWriter<T::Writer>;

    #[inline]
    fn write(&self, writer: &mut Self::Writer) {
        writer.validity.push(self.is_some());
        match self {
            Some(value) => value.write(&mut writer.values),
            None => {
                writer.missing += 1;
                writer.values.write_blank();
            }
        }
    }
}

impl<W: ColumnWriter> ColumnWriter for OptionWriter<W> {
    fn reserve(&mut self, rows: usize, bytes: usize) {
        self.validity.reserve(rows);
        self.values.reserve(rows, bytes);
    }

    fn write_blank(&mut self) {
        self.validity.push(true);
        self.values.write_blank();
    }

    fn finish(self, columns: &mut Vec<Column>) {
        let place = columns.len();
        self.values.finish(columns);
        if self.missing > 0 {
            columns[place].validity = Some(self.validity.into_bytes());
        }
    }

    fn bytes(&self) -> usize {
        self.values.bytes()
    }
}

// === Vec ===

/// The offset at `at`.
#[inline]
fn offset(offsets: &[[u8; 4]], at: usize) -> usize {
    u32::from_le_bytes(offsets[at]) as usize
}

impl<T: Value> Value for Vec<T> {
    fn kind() -> String {
        format!("list<{}>", T::kind())
    }
}

impl<'a, R> ListReader<'a, R> {
    pub(crate) fn open<T: Read<'a, Reader = R>>(columns: &mut Columns<'a>, rows: usize) -> Result<Self, Malformed> {
        let offsets = offsets(columns.take()?, rows)?;
        let items = offsets.last().map_or(0, |last| u32::from_le_bytes(*last) as usize);
        Ok(ListReader { offsets, items: T::open(columns, items)? })
    }

    /// The items of row `row`.
    #[inline]
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        offset(self.offsets, row)..offset(self.offsets, row + 1)
    }
}

impl<'a, T: Read<'a>> Read<'a> for Vec<T> {
    type Reader = ListReader<'a, T::Reader>;

    fn open(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed> {
        ListReader::open::<T>(columns, rows)
    }

    fn read(reader: &Self::Reader, row: usize) -> Vec<T> {
        reader.range(row).map(|item| T::read(&reader.items, item)).collect()
    }
}

impl<T: Write> Write for Vec<T> {
    type Writer = ListWriter<T::Writer>;

    fn write(&self, writer: &mut Self::Writer) {
        writer.write_list(self.len(), |items| self.iter().for_each(|item| item.write(items)));
    }
}

impl<W: ColumnWriter> ListWriter<W> {
    /// Adds a list of `length` items, which `write` adds.
    pub(crate) fn write_list(&mut self, length: usize, write: impl FnOnce(&mut W)) {
        // Linear memory has 32-bit addresses, so a list of more items cannot be there.
        self.length += length as u32;
        write(&mut self.items);
        self.offsets.extend_from_slice(&self.length.to_le_bytes());
    }
}

impl<W: ColumnWriter> ColumnWriter for ListWriter<W> {
    fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows * 4);
        self.items.reserve(0, bytes);
    }

    fn write_blank(&mut self) {
        self.offsets.extend_from_slice(&self.length.to_le_bytes());
    }

    fn finish(self, columns: &mut Vec<Column>) {
        let mut offsets = Vec::with_capacity(self.offsets.len() + 4);
        offsets.extend_from_slice(&[0; 4]);
        offsets.extend_from_slice(&self.offsets);
        columns.push(Column { validity: None, offsets, values: Vec::new() });
        self.items.finish(columns);
    }

    fn bytes(&self) -> usize {
        self.items.bytes()
    }
}
