//! Rows as Arrow arrays that own their buffers.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use bytemuck::AnyBitPattern;

use super::{Column, Rows, numbers};
use crate::{
    schema::{Kind, Schema, Type},
    text::counted,
};

impl Rows<'_> {
    /// A copy that outlives the chunk. `arrow` is [`Schema::to_arrow`] of the rows' schema.
    ///
    /// # Errors
    /// Rows that break the layout (rows from a guest are checked before they become a `Rows`).
    pub fn to_batch(&self, arrow: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let mut columns = self.columns;
        let arrays = arrays(self.schema, self.len, &mut columns)?;
        RecordBatch::try_new_with_options(
            arrow.clone(),
            arrays,
            &RecordBatchOptions::new().with_row_count(Some(self.len)),
        )
    }
}

/// One array a field; takes their nodes off the front of `columns`.
fn arrays(schema: &Schema, len: usize, columns: &mut &[Column<'_>]) -> Result<Vec<ArrayRef>, ArrowError> {
    schema.fields().iter().map(|field| array(&field.ty, len, columns)).collect()
}

fn array(ty: &Type, len: usize, columns: &mut &[Column<'_>]) -> Result<ArrayRef, ArrowError> {
    let (&column, rest) =
        columns.split_first().ok_or_else(|| ArrowError::InvalidArgumentError("a column is not there".to_owned()))?;
    *columns = rest;
    let nulls = column.validity.map(|bits| bitmap(bits, len)).transpose()?.map(NullBuffer::new);
    Ok(match &ty.kind {
        Kind::Boolean => Arc::new(BooleanArray::new(bitmap(column.values, len)?, nulls)),
        Kind::Integer => Arc::new(Int64Array::try_new(scalars::<i64>(&column, len)?, nulls)?),
        Kind::Float => Arc::new(Float64Array::try_new(scalars::<f64>(&column, len)?, nulls)?),
        Kind::Timestamp => {
            Arc::new(TimestampMicrosecondArray::try_new(scalars::<i64>(&column, len)?, nulls)?.with_timezone("UTC"))
        }
        Kind::Text => Arc::new(StringArray::try_new(offsets(&column, len)?, Buffer::from(column.values), nulls)?),
        Kind::Bytes => Arc::new(BinaryArray::try_new(offsets(&column, len)?, Buffer::from(column.values), nulls)?),
        Kind::List(item) => {
            let offsets = offsets(&column, len)?;
            let values = array(item, offsets.last().map_or(0, |&end| end as usize), columns)?;
            let DataType::List(field) = ty.to_arrow() else { unreachable!("a list's Arrow type is a list") };
            Arc::new(ListArray::try_new(field, offsets, values, nulls)?)
        }
        Kind::Record(schema) => {
            let children = arrays(schema, len, columns)?;
            let DataType::Struct(fields) = ty.to_arrow() else { unreachable!("a record's Arrow type is a struct") };
            Arc::new(StructArray::try_new(fields, children, nulls)?)
        }
        Kind::Any => return Err(ArrowError::InvalidArgumentError("a type that is not settled has no rows".to_owned())),
    })
}

/// A copy of a bitmap of `len` bits.
fn bitmap(bits: &[u8], len: usize) -> Result<BooleanBuffer, ArrowError> {
    if bits.len() < len.div_ceil(8) {
        return Err(ArrowError::InvalidArgumentError(format!("{} bytes do not hold {len} bits", bits.len())));
    }
    Ok(BooleanBuffer::new(Buffer::from(bits), 0, len))
}

/// A copy of the offsets of `len` rows, which must begin at 0 and ascend.
fn offsets(column: &Column<'_>, len: usize) -> Result<OffsetBuffer<i32>, ArrowError> {
    let offsets = column.offsets;
    if offsets.len() != len + 1 || offsets[0] != 0 || !offsets.is_sorted() {
        return Err(ArrowError::InvalidArgumentError(format!("no offsets of {} from 0 on", counted(len, "row"))));
    }
    Ok(OffsetBuffer::new(offsets.to_vec().into()))
}

/// A copy of `len` numbers.
fn scalars<T: ArrowNativeType + AnyBitPattern>(column: &Column<'_>, len: usize) -> Result<ScalarBuffer<T>, ArrowError> {
    if column.values.len() != len * 8 {
        return Err(ArrowError::InvalidArgumentError(format!("{} bytes are not {len} numbers", column.values.len())));
    }
    Ok(numbers::<T>(column.values).to_vec().into())
}
