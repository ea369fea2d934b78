//! Arrays that begin at their buffers' beginning.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray, make_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;

/// The same rows in arrays whose offsets begin at 0 and whose bitmaps begin at a byte. Arrays that are like this
/// already are shared, others copied.
pub fn compact(batch: &RecordBatch) -> RecordBatch {
    if batch.columns().iter().all(is_compact) {
        return batch.clone();
    }
    let columns =
        batch.columns().iter().map(|array| if is_compact(array) { array.clone() } else { copied(array) }).collect();
    RecordBatch::try_new_with_options(
        batch.schema(),
        columns,
        &arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
    )
    .expect("copies have the types and lengths of their originals")
}

fn copied(array: &ArrayRef) -> ArrayRef {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, array.len());
    copy.try_extend(0, 0, array.len()).expect("a copy is no larger than its original");
    make_array(copy.freeze())
}

fn is_compact(array: &ArrayRef) -> bool {
    let bits = array.nulls().is_none_or(|nulls| nulls.offset() == 0);
    bits && match array.data_type() {
        DataType::Boolean => array.as_boolean().values().offset() == 0,
        DataType::Utf8 => {
            ends_fit(array.as_string::<i32>().value_offsets(), array.as_string::<i32>().value_data().len())
        }
        DataType::Binary => {
            ends_fit(array.as_binary::<i32>().value_offsets(), array.as_binary::<i32>().value_data().len())
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            ends_fit(list.value_offsets(), list.values().len()) && is_compact(list.values())
        }
        DataType::Struct(_) => array.as_struct().columns().iter().all(is_compact),
        _ => true,
    }
}

fn ends_fit(offsets: &[i32], end: usize) -> bool {
    offsets.first() == Some(&0) && offsets.last().is_some_and(|&last| last as usize == end)
}
