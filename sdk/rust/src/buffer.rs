//! Buffers of columns under construction. One of the two modules with `unsafe`: text is not checked again, and short
//! values are copied a vector at a time.

use crate::value::{Columns, Malformed, offsets};

/// A bitmap, least significant bit first.
#[derive(Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

/// Text or bytes values one after the other, and where each ends.
#[derive(Debug)]
pub struct Slices {
    /// With the first, which is 0.
    offsets: Vec<u8>,
    values: Vec<u8>,
    /// The last address at which [`SHORT`] bytes may be read.
    read_last: usize,
}

/// Values up to this length are copied without a call.
const SHORT: usize = 16;

// === impl Bits ===

impl Bits {
    /// Room for so many more bits.
    pub fn reserve(&mut self, bits: usize) {
        self.bytes.reserve(bits.div_ceil(8));
    }

    /// Adds one bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        if self.length.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (self.length % 8);
        }
        self.length += 1;
    }

    /// The bitmap.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

// === impl Slices ===

impl Default for Slices {
    fn default() -> Slices {
        Slices { offsets: vec![0; 4], values: Vec::new(), read_last: memory_end().saturating_sub(SHORT) }
    }
}

impl Slices {
    /// Room for so many more values, and so many more bytes in them.
    pub fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows * 4);
        self.values.reserve(bytes + SHORT);
    }

    /// Adds a value.
    #[inline(always)]
    pub fn push(&mut self, value: &[u8]) {
        let start = self.values.len();
        let is_short = value.len() <= SHORT && value.as_ptr().addr() <= self.read_last;
        let has_room = self.values.capacity() - start >= SHORT && self.offsets.capacity() - self.offsets.len() >= 4;
        if !is_short || !has_room {
            return self.push_slowly(value);
        }
        self.push_end(start + value.len());
        // SAFETY: 16 bytes from the value's start lie in linear memory, every byte of which can be read (natively
        // `read_last` is 0, and this is never reached). There is room for 16 bytes after `start`, and the first
        // `value.len()` of them, at most 16, are initialised by the copy.
        unsafe {
            let bytes = value.as_ptr().cast::<u128>().read_unaligned();
            self.values.as_mut_ptr().add(start).cast::<u128>().write_unaligned(bytes);
            self.values.set_len(start + value.len());
        }
    }

    /// A value that is long, or for which there is no room yet, or which ends linear memory. A function of its own: a copy
    /// of a length that is not known before is a call, and one in a loop makes the whole loop slower.
    #[cold]
    #[inline(never)]
    fn push_slowly(&mut self, value: &[u8]) {
        self.values.extend_from_slice(value);
        self.push_end(self.values.len());
        self.reserve(1, 0);
    }

    #[inline(always)]
    fn push_end(&mut self, end: usize) {
        // Linear memory has 32-bit addresses, so more bytes cannot be there.
        self.offsets.extend_from_slice(&(end as u32).to_le_bytes());
    }

    /// Bytes in the values.
    pub fn bytes(&self) -> usize {
        self.values.len()
    }

    /// The offsets and the values.
    pub fn into_buffers(self) -> (Vec<u8>, Vec<u8>) {
        (self.offsets, self.values)
    }
}

/// Where linear memory ends. It only grows, so an earlier answer stays right. Natively no byte behind a value may be
/// read, and the answer is 0.
#[inline]
pub fn memory_end() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size::<0>().saturating_mul(1 << 16);
    #[cfg(not(target_arch = "wasm32"))]
    0
}

// === columns that are read ===

/// A column of bytes values.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesReader<'a> {
    /// One more than there are rows.
    offsets: &'a [[u8; 4]],
    values: &'a [u8],
}

/// A column of text values. Whoever has one holds values that are UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextReader<'a>(BytesReader<'a>);

impl<'a> BytesReader<'a> {
    /// Takes the column.
    pub fn open(columns: &mut Columns<'a>, rows: usize) -> Result<BytesReader<'a>, Malformed> {
        let column = columns.take()?;
        Ok(BytesReader { offsets: offsets(column, rows)?, values: &column.values })
    }

    /// The value of row `row`.
    #[inline]
    pub fn slice(&self, row: usize) -> &'a [u8] {
        let end = |at: usize| u32::from_le_bytes(self.offsets[at]) as usize;
        &self.values[end(row)..end(row + 1)]
    }
}

impl<'a> TextReader<'a> {
    /// Takes the column. In a guest the host has checked that every value is UTF-8; natively it is done here.
    pub fn open(columns: &mut Columns<'a>, rows: usize) -> Result<TextReader<'a>, Malformed> {
        let reader = BytesReader::open(columns, rows)?;
        let not_text = |row: &usize| std::str::from_utf8(reader.slice(*row)).is_err();
        if cfg!(not(target_arch = "wasm32")) && (0..rows).any(|row| not_text(&row)) {
            return Err(Malformed("a text column is not UTF-8".to_owned()));
        }
        Ok(TextReader(reader))
    }

    /// The value of row `row`.
    #[inline]
    pub fn text(&self, row: usize) -> &'a str {
        // SAFETY: every value is UTF-8 where a `TextReader` could be opened.
        unsafe { std::str::from_utf8_unchecked(self.0.slice(row)) }
    }
}
