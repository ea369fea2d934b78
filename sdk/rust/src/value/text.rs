//! Text and bytes.

use std::borrow::Cow;

use crate::{
    bindings::tidemill::plugin::data::Column,
    buffer::{BytesReader, Slices, TextReader},
};

use super::{ColumnWriter, Columns, Malformed, Read, Value, Write};

/// A column of text or bytes values under construction.
#[derive(Debug, Default)]
pub struct BytesWriter(Slices);

impl ColumnWriter for BytesWriter {
    fn reserve(&mut self, rows: usize, bytes: usize) {
        self.0.reserve(rows, bytes);
    }

    fn write_blank(&mut self) {
        self.0.push(&[]);
    }

    fn finish(self, columns: &mut Vec<Column>) {
        let (offsets, values) = self.0.into_buffers();
        columns.push(Column { validity: None, offsets, values });
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

macro_rules! slice_value {
    ($type:ty, $kind:literal, $reader:ident, |$open:ident, $row:ident| $read:expr, |$value:ident| $write:expr) => {
        impl Value for $type {
            fn kind() -> String {
                $kind.to_owned()
            }
        }

        impl<'a> Read<'a> for $type {
            type Reader = $reader<'a>;

            fn open(columns: &mut Columns<'a>, rows: usize) -> Result<$reader<'a>, Malformed> {
                $reader::open(columns, rows)
            }

            #[inline]
            fn read($open: &$reader<'a>, $row: usize) -> $type {
                $read
            }
        }

        impl Write for $type {
            type Writer = BytesWriter;

            #[inline]
            fn write(&self, writer: &mut BytesWriter) {
                let $value = self;
                writer.0.push($write);
            }
        }
    };
}

slice_value!(String, "text", TextReader, |reader, row| reader.text(row).to_owned(), |value| value.as_bytes());
slice_value!(Vec<u8>, "bytes", BytesReader, |reader, row| reader.slice(row).to_vec(), |value| value);

macro_rules! borrowed_value {
    ($type:ty, $kind:literal, $reader:ident, |$open:ident, $row:ident| $read:expr, |$value:ident| $write:expr) => {
        impl<'a> Value for $type {
            fn kind() -> String {
                $kind.to_owned()
            }
        }

        impl<'a> Read<'a> for $type {
            type Reader = $reader<'a>;

            fn open(columns: &mut Columns<'a>, rows: usize) -> Result<$reader<'a>, Malformed> {
                $reader::open(columns, rows)
            }

            #[inline]
            fn read($open: &$reader<'a>, $row: usize) -> $type {
                $read
            }
        }

        impl<'a> Write for $type {
            type Writer = BytesWriter;

            #[inline]
            fn write(&self, writer: &mut BytesWriter) {
                let $value = self;
                writer.0.push($write);
            }
        }
    };
}

borrowed_value!(&'a str, "text", TextReader, |reader, row| reader.text(row), |value| value.as_bytes());
borrowed_value!(&'a [u8], "bytes", BytesReader, |reader, row| reader.slice(row), |value| value);
borrowed_value!(Cow<'a, str>, "text", TextReader, |reader, row| reader.text(row).into(), |value| value.as_bytes());
borrowed_value!(Cow<'a, [u8]>, "bytes", BytesReader, |reader, row| reader.slice(row).into(), |value| value);
