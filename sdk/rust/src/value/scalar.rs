//! Numbers, truth values and timestamps.

use std::{ops::Add, time::Duration};

use crate::{bindings::tidemill::plugin::data::Column, buffer::Bits};

use super::{ColumnWriter, Columns, Malformed, Read, Value, Write, chunks, sized};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A column of 8-byte values.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberReader<'a>(&'a [[u8; 8]]);

/// A column of 8-byte values under construction.
#[derive(Debug, Default)]
pub struct NumberWriter(Vec<u8>);

/// A column of bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct BooleanReader<'a>(&'a [u8]);

/// A column of bits under construction.
#[derive(Debug, Default)]
pub struct BooleanWriter(Bits);

// === impl Timestamp ===

impl Timestamp {
    /// From whole milliseconds.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// This time and `micros` microseconds.
    pub fn plus_micros(self, micros: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(micros))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// The time that is so much later.
    fn add(self, later: Duration) -> Timestamp {
        self.plus_micros(i64::try_from(later.as_micros()).unwrap_or(i64::MAX))
    }
}

// === 8-byte values ===

impl NumberWriter {
    #[inline(always)]
    fn push(&mut self, bytes: [u8; 8]) {
        if self.0.capacity() - self.0.len() < 8 {
            self.grow();
        }
        self.0.extend_from_slice(&bytes);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.0.reserve(8);
    }
}

impl ColumnWriter for NumberWriter {
    fn reserve(&mut self, rows: usize, _bytes: usize) {
        self.0.reserve(rows * 8);
    }

    fn write_blank(&mut self) {
        self.0.extend_from_slice(&[0; 8]);
    }

    fn finish(self, columns: &mut Vec<Column>) {
        columns.push(Column { validity: None, offsets: Vec::new(), values: self.0 });
    }
}

macro_rules! number {
    ($type:ty, $kind:literal, |$bytes:ident| $read:expr, |$value:ident| $write:expr) => {
        impl Value for $type {
            fn kind() -> String {
                $kind.to_owned()
            }
        }

        impl<'a> Read<'a> for $type {
            type Reader = NumberReader<'a>;

            fn open(columns: &mut Columns<'a>, rows: usize) -> Result<NumberReader<'a>, Malformed> {
                Ok(NumberReader(chunks(&columns.take()?.values, rows, "values")?))
            }

            #[inline]
            fn read(reader: &NumberReader<'a>, row: usize) -> $type {
                let $bytes = reader.0[row];
                $read
            }
        }

        impl Write for $type {
            type Writer = NumberWriter;

            #[inline]
            fn write(&self, writer: &mut NumberWriter) {
                let $value = self;
                writer.push($write);
            }
        }
    };
}

number!(i64, "integer", |bytes| i64::from_le_bytes(bytes), |value| value.to_le_bytes());
number!(f64, "float", |bytes| f64::from_le_bytes(bytes), |value| value.to_le_bytes());
number!(Timestamp, "timestamp", |bytes| Timestamp(i64::from_le_bytes(bytes)), |value| value.0.to_le_bytes());

// === bool ===

impl ColumnWriter for BooleanWriter {
    fn reserve(&mut self, rows: usize, _bytes: usize) {
        self.0.reserve(rows);
    }

    fn write_blank(&mut self) {
        self.0.push(false);
    }

    fn finish(self, columns: &mut Vec<Column>) {
        columns.push(Column { validity: None, offsets: Vec::new(), values: self.0.into_bytes() });
    }
}

impl Value for bool {
    fn kind() -> String {
        "boolean".to_owned()
    }
}

impl<'a> Read<'a> for bool {
    type Reader = BooleanReader<'a>;

    fn open(columns: &mut Columns<'a>, rows: usize) -> Result<BooleanReader<'a>, Malformed> {
        Ok(BooleanReader(sized(&columns.take()?.values, rows.div_ceil(8), "values")?))
    }

    #[inline]
    fn read(reader: &BooleanReader<'a>, row: usize) -> bool {
        reader.0[row / 8] >> (row % 8) & 1 == 1
    }
}

impl Write for bool {
    type Writer = BooleanWriter;

    #[inline]
    fn write(&self, writer: &mut BooleanWriter) {
        writer.0.push(*self);
    }
}
