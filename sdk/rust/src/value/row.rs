//! Whole rows: a value or record by itself, or several parameters next to each other.

use crate::bindings::tidemill::plugin::data::{Column, Field};

use super::{ColumnWriter, Columns, Malformed, Read, Write};

/// What a function takes for one row: its one parameter's type, or a tuple of them.
pub trait ReadRow<'a>: Sized {
    /// The columns of one batch. The default has no rows.
    type Reader: Copy + Default;

    /// The fields of the parameters with these names.
    fn row_fields(names: &[&str]) -> Vec<Field>;

    /// Takes the row's columns.
    fn open_columns(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed>;

    /// Row `row`.
    fn read_row(reader: &Self::Reader, row: usize) -> Self;
}

/// A row that can be written: the test kit writes the rows that it feeds to a function.
pub trait WriteRow {
    /// The columns under construction.
    type RowWriter: ColumnWriter;

    /// Adds this row.
    fn write_row(&self, writer: &mut Self::RowWriter);
}

impl<'a, T: Read<'a>> ReadRow<'a> for T {
    type Reader = T::Reader;

    fn row_fields(names: &[&str]) -> Vec<Field> {
        T::fields(names.first().copied().unwrap_or("value"))
    }

    fn open_columns(columns: &mut Columns<'a>, rows: usize) -> Result<T::Reader, Malformed> {
        T::open_row(columns, rows)
    }

    #[inline]
    fn read_row(reader: &T::Reader, row: usize) -> T {
        T::read(reader, row)
    }
}

impl<T: Write> WriteRow for T {
    type RowWriter = T::Writer;

    #[inline]
    fn write_row(&self, writer: &mut T::Writer) {
        self.write(writer);
    }
}

impl<'a> ReadRow<'a> for () {
    type Reader = ();

    fn row_fields(_names: &[&str]) -> Vec<Field> {
        Vec::new()
    }

    fn open_columns(_columns: &mut Columns<'a>, _rows: usize) -> Result<(), Malformed> {
        Ok(())
    }

    #[inline]
    fn read_row(_reader: &(), _row: usize) {}
}

impl WriteRow for () {
    type RowWriter = ();

    fn write_row(&self, _writer: &mut ()) {}
}

impl ColumnWriter for () {
    fn reserve(&mut self, _rows: usize, _bytes: usize) {}

    fn write_blank(&mut self) {}

    fn finish(self, _columns: &mut Vec<Column>) {}
}

/// Tuples of parameters. Their writers are finished as rows, one after the other.
macro_rules! tuple_row {
    ($($type:ident $place:tt),+) => {
        impl<'a, $($type: Read<'a>),+> ReadRow<'a> for ($($type,)+) {
            type Reader = ($($type::Reader,)+);

            fn row_fields(names: &[&str]) -> Vec<Field> {
                let mut fields = Vec::new();
                $(fields.extend($type::fields(names.get($place).copied().unwrap_or("value")));)+
                fields
            }

            fn open_columns(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed> {
                Ok(($($type::open_row(columns, rows)?,)+))
            }

            #[inline]
            fn read_row(reader: &Self::Reader, row: usize) -> Self {
                ($($type::read(&reader.$place, row),)+)
            }
        }

        impl<$($type: Write),+> WriteRow for ($($type,)+) {
            type RowWriter = ($($type::Writer,)+);

            fn write_row(&self, writer: &mut Self::RowWriter) {
                $(self.$place.write(&mut writer.$place);)+
            }
        }

        impl<$($type: ColumnWriter),+> ColumnWriter for ($($type,)+) {
            fn reserve(&mut self, rows: usize, bytes: usize) {
                $(self.$place.reserve(rows, bytes);)+
            }

            fn write_blank(&mut self) {
                $(self.$place.write_blank();)+
            }

            fn finish(self, columns: &mut Vec<Column>) {
                $(self.$place.finish_row(columns);)+
            }
        }
    };
}

tuple_row!(A 0, B 1);
tuple_row!(A 0, B 1, C 2);
tuple_row!(A 0, B 1, C 2, D 3);
tuple_row!(A 0, B 1, C 2, D 3, E 4);
tuple_row!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
