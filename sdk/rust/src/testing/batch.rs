//! Rows to batches and back.

use std::marker::PhantomData;

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Kind, Signature},
        tidemill::plugin::data::{Batch, Field},
    },
    function::Rows,
    value::{Columns, Malformed, Read, ReadRow, Write, WriteRow},
    values::Values,
};

use super::Failed;

/// Values in a column of their own, so that a function which takes [`Values`] can be called by hand.
///
/// ```
/// use tidemill_sdk::{prelude::*, testing::Column};
///
/// #[update_state]
/// fn total(new: Values<i64>, total: Option<i64>) -> Option<i64> {
///     Some(total.unwrap_or(0) + new.iter().sum::<i64>())
/// }
///
/// assert_eq!(total(Column::of([1, 2]).values(), Some(10)), Some(13));
/// ```
#[derive(Debug)]
pub struct Column<T> {
    batch: Batch,
    value: PhantomData<T>,
}

impl<T: Write> Column<T> {
    /// A column of these values.
    pub fn of(values: impl IntoIterator<Item = T>) -> Column<T> {
        let values: Vec<T> = values.into_iter().collect();
        Column { batch: batch_of(&values), value: PhantomData }
    }

    /// The values.
    #[track_caller]
    pub fn values<'a>(&'a self) -> Values<'a, T>
    where
        T: Read<'a>,
    {
        let rows = self.batch.rows as usize;
        let reader = T::open_row(&mut Columns::of(&self.batch), rows).map_err(Failed::from);
        Values::new(super::passed(reader), 0..rows)
    }
}

/// Rows as a batch.
pub(super) fn batch_of<'t, T: WriteRow + 't>(rows: impl IntoIterator<Item = &'t T>) -> Batch {
    let mut batch = Rows::<T::RowWriter>::default();
    rows.into_iter().for_each(|row| batch.push(row));
    batch.finish()
}

/// A batch as rows. A batch without columns has none.
pub(super) fn rows_of<'a, T: ReadRow<'a>>(batch: &'a Batch) -> Result<Vec<T>, Malformed> {
    if batch.rows == 0 {
        return Ok(Vec::new());
    }
    let rows = batch.rows as usize;
    let reader = T::open_columns(&mut Columns::of(batch), rows)?;
    Ok((0..rows).map(|row| T::read_row(&reader, row)).collect())
}

/// Refuses an answer, as the host does, that has not the columns of these fields: one for each level of their types.
pub(super) fn check_columns(batch: &Batch, fields: &[Field]) -> Result<(), Failed> {
    let levels = |field: &Field| 1 + field.kind.matches("list<").count() + field.kind.matches(':').count();
    let (expected, got) = (fields.iter().map(levels).sum::<usize>(), batch.columns.len());
    if got == expected {
        return Ok(());
    }
    let fields: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
    let reason = format!("the function returned {got} columns where `{}` has {expected}", fields.join(", "));
    Err(Failed { reason })
}

/// Unsigned 32-bit numbers as the boundary has them.
pub(super) fn to_bytes(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| (number as u32).to_le_bytes()).collect()
}

/// And back.
pub(super) fn from_bytes(bytes: &[u8]) -> Vec<usize> {
    bytes.as_chunks().0.iter().map(|number| u32::from_le_bytes(*number) as usize).collect()
}

/// A signature in one line.
pub(super) fn signature_line(signature: &Signature) -> String {
    let fields = |fields: &[Field]| {
        let fields: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
        fields.join(", ")
    };
    let mut line = format!("{}({})", signature.name, fields(&signature.input));
    if !signature.state.is_empty() {
        let version =
            if signature.state_version > 1 { format!(" v{}", signature.state_version) } else { String::new() };
        line += &format!(" [{}{version}]", fields(&signature.state));
    }
    for (name, rows) in &signature.shared {
        line += &format!(" shared {name}({})", fields(rows));
    }
    if !signature.output.is_empty() {
        line += &format!(" -> {}", fields(&signature.output));
    }
    let properties = [
        (signature.kind == Kind::OutputRows, "output"),
        (signature.whole_partition, "whole-partition"),
        (signature.finishes, "finishes"),
        (signature.invertible, "invertible"),
    ];
    for (_, property) in properties.iter().filter(|(has, _)| *has) {
        line += &format!(" {property}");
    }
    line
}
