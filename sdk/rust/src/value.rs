//! Values of rows: which Rust types stand for which fields, and how they are read from columns and written to columns.
//!
//! A function is called once a batch, so the loop over the rows lies in the SDK. [`Read::open`] looks at a batch's
//! columns once; [`Read::read`] then makes one row's value without allocating where the type borrows (`&str`).

mod lifetime;
mod nested;
mod record;
mod row;
mod scalar;
mod text;

pub use lifetime::For;
pub use nested::{ListReader, ListWriter, OptionReader, OptionWriter};
pub use record::{If, be_value, field, record_column, record_kind};
pub use row::{ReadRow, WriteRow};
pub use scalar::{BooleanReader, BooleanWriter, NumberReader, NumberWriter, Timestamp};
pub use text::BytesWriter;

pub use crate::buffer::{BytesReader, TextReader};

use crate::bindings::tidemill::plugin::data::{Batch, Column, Field};

/// A type that can be a value of a row. Do not implement it by hand: `#[derive(Record)]` does it for structs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a value of a row",
    label = "not a value of a row",
    note = "rows hold i64, f64, bool, &str, String, &[u8], Vec<u8>, Timestamp, Option<T>, Vec<T>, and structs with \
            #[derive(Record)]"
)]
pub trait Value {
    /// The type as the WIT package writes it, for example `list<text?>`.
    fn kind() -> String;

    /// The fields that a parameter or result of this type stands for: a record's own fields, else one called `name`.
    fn fields(name: &str) -> Vec<Field> {
        vec![Field { name: name.to_owned(), kind: Self::kind() }]
    }
}

/// A value that can be read from columns which live for `'a`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a row",
    label = "not a value of a row",
    note = "rows hold i64, f64, bool, &str, String, &[u8], Vec<u8>, Timestamp, Option<T>, Vec<T>, and structs with \
            #[derive(Record)]"
)]
pub trait Read<'a>: Value + Sized {
    /// The columns of this type in one batch. The default has no rows.
    type Reader: Copy + Default;

    /// Takes this type's columns, as the value of a field.
    fn open(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed>;

    /// Takes this type's columns, as a whole row: a record has no column of its own then.
    fn open_row(columns: &mut Columns<'a>, rows: usize) -> Result<Self::Reader, Malformed> {
        Self::open(columns, rows)
    }

    /// The value of row `row`, which is below the number of rows.
    fn read(reader: &Self::Reader, row: usize) -> Self;
}

/// A value that can be written to columns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as a row",
    label = "not a value of a row",
    note = "rows hold i64, f64, bool, &str, String, &[u8], Vec<u8>, Timestamp, Option<T>, Vec<T>, and structs with \
            #[derive(Record)]"
)]
pub trait Write: Value {
    /// The columns of this type under construction. The same for every lifetime of a borrowing type.
    type Writer: ColumnWriter;

    /// Adds one row.
    fn write(&self, writer: &mut Self::Writer);
}

/// Columns under construction.
pub trait ColumnWriter: Default + 'static {
    /// Room for so many more rows, and so many bytes of text and bytes values.
    fn reserve(&mut self, rows: usize, bytes: usize);

    /// Adds a row that will not be looked at: under a missing value, or where a state is not put.
    fn write_blank(&mut self);

    /// Appends the finished columns, as the value of a field.
    fn finish(self, columns: &mut Vec<Column>);

    /// Appends the finished columns, as a whole row: a record has no column of its own then.
    fn finish_row(self, columns: &mut Vec<Column>) {
        self.finish(columns);
    }

    /// Bytes of text and bytes values so far, for the next batch's reserve.
    fn bytes(&self) -> usize {
        0
    }
}

/// A batch whose columns do not fit what the function was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// The columns of a batch, taken one after the other.
#[derive(Clone, Debug)]
pub struct Columns<'a> {
    rest: Vec<&'a Column>,
    rows: usize,
}

// === impl Columns ===

impl<'a> Columns<'a> {
    /// All columns of a batch.
    pub fn of(batch: &'a Batch) -> Columns<'a> {
        Columns { rest: batch.columns.iter().rev().collect(), rows: batch.rows as usize }
    }

    /// The columns of a batch at `places`, in that order.
    pub fn at(batch: &'a Batch, places: &[usize]) -> Result<Columns<'a>, Malformed> {
        let column = |&place: &usize| batch.columns.get(place).ok_or_else(missing_column);
        let rest = places.iter().rev().map(column).collect::<Result<_, _>>()?;
        Ok(Columns { rest, rows: batch.rows as usize })
    }

    /// Number of rows of the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The next column, which stays the next.
    pub fn peek(&self) -> Result<&'a Column, Malformed> {
        self.rest.last().copied().ok_or_else(missing_column)
    }

    /// The next column.
    pub fn take(&mut self) -> Result<&'a Column, Malformed> {
        self.rest.pop().ok_or_else(missing_column)
    }
}

fn missing_column() -> Malformed {
    Malformed("the batch has fewer columns than the function's fields need".to_owned())
}

/// The first `needed` bytes of a buffer, or why they are not there.
pub(crate) fn sized<'a>(buffer: &'a [u8], needed: usize, what: &str) -> Result<&'a [u8], Malformed> {
    buffer
        .get(..needed)
        .ok_or_else(|| Malformed(format!("a column's {what} have {} bytes where its rows need {needed}", buffer.len())))
}

/// The offsets of a column: one more than there are rows, or none where there are no rows.
pub(crate) fn offsets(column: &Column, rows: usize) -> Result<&[[u8; 4]], Malformed> {
    if rows == 0 { Ok(&[]) } else { chunks(&column.offsets, rows + 1, "offsets") }
}

/// The first `rows` chunks of `N` bytes of a buffer.
pub(crate) fn chunks<'a, const N: usize>(
    buffer: &'a [u8],
    rows: usize,
    what: &str,
) -> Result<&'a [[u8; N]], Malformed> {
    Ok(sized(buffer, rows * N, what)?.as_chunks().0)
}
