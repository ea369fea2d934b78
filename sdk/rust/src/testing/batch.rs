//! Rows to batches and back.

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Kind, Signature},
        tidemill::plugin::data::{Batch, Field},
    },
    function::Rows,
    value::{Columns, Malformed, ReadRow, WriteRow},
};

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
        let version = if signature.state_version > 1 { format!(" v{}", signature.state_version) } else { String::new() };
        line += &format!(" [{}{version}]", fields(&signature.state));
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
