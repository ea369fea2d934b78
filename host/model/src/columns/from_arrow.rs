//! The columns of Arrow arrays, without a copy.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::DataType;

use super::Column;

/// One column a node, depth first. The batch must be [compact](super::compact).
pub fn columns_of(batch: &RecordBatch) -> Vec<Column<'_>> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        push(array.as_ref(), &mut columns);
    }
    columns
}

fn push<'a>(array: &'a dyn Array, columns: &mut Vec<Column<'a>>) {
    let validity =
        array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| bitmap(nulls.validity(), array.len()));
    let mut column = Column { validity, offsets: &[], values: &[] };
    match array.data_type() {
        DataType::Boolean => column.values = bitmap(array.as_boolean().values().values(), array.len()),
        DataType::Int64 => column.values = bytemuck::cast_slice(array.as_primitive::<Int64Type>().values()),
        DataType::Float64 => column.values = bytemuck::cast_slice(array.as_primitive::<Float64Type>().values()),
        DataType::Timestamp(..) => {
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
        DataType::List(_) => push(array.as_list::<i32>().values().as_ref(), columns),
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|child| push(child.as_ref(), columns)),
        _ => {}
    }
}

/// The bytes that hold `len` bits.
fn bitmap(bits: &[u8], len: usize) -> &[u8] {
    &bits[..len.div_ceil(8)]
}
