//! The columns of Arrow arrays, without a copy.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Field, TimeUnit};

use super::Column;

/// One column a node, depth first. The batch must be [compact](super::compact), and of types that
/// [`Schema::to_arrow`](crate::schema::Schema::to_arrow) gives: a node of any other has no values.
///
/// A node that is never missing has no validity. Arrow lets it be null under a parent that is; there its values are
/// blanks that nobody reads.
pub fn columns_of(batch: &RecordBatch) -> Vec<Column<'_>> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (array, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
        push(array.as_ref(), field, &mut columns);
    }
    columns
}

fn push<'a>(array: &'a dyn Array, field: &Field, columns: &mut Vec<Column<'a>>) {
    let nulls = array.nulls().filter(|nulls| field.is_nullable() && nulls.null_count() > 0);
    let validity = nulls.map(|nulls| bitmap(nulls.validity(), array.len()));
    let mut column = Column { validity, offsets: &[], values: &[] };
    match array.data_type() {
        DataType::Boolean => column.values = bitmap(array.as_boolean().values().values(), array.len()),
        DataType::Int64 => column.values = bytemuck::cast_slice(array.as_primitive::<Int64Type>().values()),
        DataType::Float64 => column.values = bytemuck::cast_slice(array.as_primitive::<Float64Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.values = bytemuck::cast_slice(array.as_primitive::<TimestampMicrosecondType>().values())
        }
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            (column.offsets, column.values) = (text.value_offsets(), text.value_data());
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            (column.offsets, column.values) = (bytes.value_offsets(), bytes.value_data());
        }
        DataType::List(_) => column.offsets = array.as_list::<i32>().value_offsets(),
        _ => {}
    }
    columns.push(column);
    match array.data_type() {
        DataType::List(item) => push(array.as_list::<i32>().values().as_ref(), item, columns),
        DataType::Struct(fields) => {
            let children = array.as_struct().columns().iter().zip(fields);
            children.for_each(|(child, field)| push(child.as_ref(), field, columns));
        }
        _ => {}
    }
}

/// The bytes that hold `len` bits.
fn bitmap(bits: &[u8], len: usize) -> &[u8] {
    &bits[..len.div_ceil(8)]
}
