//! Rows to Arrow and back, sliced arrays, and columns that break the layout.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray, builder::StringBuilder,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use proptest::{prelude::*, sample::Index};

use super::{check_layout, contents};
use crate::{
    columns::{Column, Rows, columns_of, compact},
    schema::Schema,
    testing::{Value, buffer_of, cases, tables, values_of},
};

/// The batch's rows by way of [`compact`] and [`columns_of`].
fn read(schema: &Schema, batch: &RecordBatch) -> Vec<Vec<Value>> {
    let batch = compact(batch);
    let columns = columns_of(&batch);
    let rows = Rows { schema, len: batch.num_rows(), columns: &columns };
    check_layout(&rows);
    values_of(&rows)
}

/// Whether two arrays lie in the same memory.
fn same_memory(left: &ArrayRef, right: &ArrayRef) -> bool {
    left.to_data().ptr_eq(&right.to_data())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn rows_go_to_arrow_and_back((schema, rows) in tables(0..4, 0..20)) {
        let arrow = schema.to_arrow();
        let batch = buffer_of(&schema, &rows).to_batch(&arrow).unwrap();
        prop_assert_eq!(batch.schema(), arrow);
        prop_assert_eq!(batch.num_rows(), rows.len());
        prop_assert_eq!(read(&schema, &batch), rows);
        let compacted = compact(&batch);
        let shared = batch.columns().iter().zip(compacted.columns()).all(|(a, b)| same_memory(a, b));
        prop_assert!(shared, "what is compact is not copied");
    }

    #[test]
    fn slices_have_their_rows_alone((schema, rows) in tables(1..4, 0..30), a in any::<Index>(), b in any::<Index>()) {
        let (a, b) = (a.index(rows.len() + 1), b.index(rows.len() + 1));
        let (start, end) = (a.min(b), a.max(b));
        let batch = buffer_of(&schema, &rows).to_batch(&schema.to_arrow()).unwrap();
        let slice = batch.slice(start, end - start);
        prop_assert_eq!(&read(&schema, &slice), &rows[start..end]);
        let again = slice.slice((end - start) / 2, (end - start).div_ceil(2));
        prop_assert_eq!(&read(&schema, &again), &rows[start + (end - start) / 2..end]);
    }

    #[test]
    fn columns_that_are_cut_short_are_errors(
        (schema, rows) in tables(1..4, 1..20),
        node in any::<Index>(),
        buffer in 0..3,
        keep in any::<Index>(),
    ) {
        let whole = buffer_of(&schema, &rows);
        let mut columns = whole.columns();
        let node = node.index(columns.len());
        let column = &mut columns[node];
        match buffer {
            0 => column.values = &column.values[..keep.index(column.values.len() + 1)],
            1 => column.offsets = &column.offsets[..keep.index(column.offsets.len() + 1)],
            _ => column.validity = column.validity.map(|bits| &bits[..keep.index(bits.len() + 1)]),
        }
        let damaged = Rows { schema: &schema, len: rows.len(), columns: &columns };
        if let Ok(batch) = damaged.to_batch(&schema.to_arrow()) {
            prop_assert_eq!(read(&schema, &batch), rows);
        }
    }
}

#[test]
fn broken_columns_are_errors() {
    #[track_caller]
    fn check(schema: &str, len: usize, column: Column<'_>) {
        let schema: Schema = schema.parse().unwrap();
        let rows = Rows { schema: &schema, len, columns: &[column] };
        assert!(rows.to_batch(&schema.to_arrow()).is_err());
    }
    let text = |offsets: &'static [i32], values: &'static [u8]| Column { validity: None, offsets, values };
    check("t: text", 0, text(&[], b""));
    check("t: text", 1, text(&[0], b"a"));
    check("t: text", 1, text(&[1, 2], b"ab"));
    check("t: text", 2, text(&[0, 2, 1], b"ab"));
    check("t: text", 1, text(&[0, -1], b"ab"));
    check("t: text", 1, text(&[0, 3], b"ab"));
    check("t: text", 1, text(&[0, 1], b"\xff"));
    check("t: text", 2, text(&[0, 1, 2], "é".as_bytes()));
    check("b: bytes", 1, text(&[0, i32::MAX], b"ab"));
    check("n: integer", 1, text(&[], &[]));
    check("b: boolean", 9, text(&[], &[0]));
    check("b: boolean?", 9, Column { validity: Some(&[1]), offsets: &[], values: &[0, 0] });
    check("b: boolean", 1, Column { validity: Some(&[0]), offsets: &[], values: &[0] });
    check("l: list<text>", 1, text(&[0, 0], b""));
    let no_columns = Rows { schema: &"t: text".parse().unwrap(), len: 0, columns: &[] };
    assert!(no_columns.to_batch(&no_columns.schema.to_arrow()).is_err());
}

/// A batch of one field `v`, as Arrow may lay it out.
fn batch_of(ty: &str, array: impl Array + 'static) -> (Schema, RecordBatch) {
    let schema: Schema = format!("v: {ty}").parse().unwrap();
    let batch = RecordBatch::try_new(schema.to_arrow(), vec![Arc::new(array)]).unwrap();
    (schema, batch)
}

#[test]
fn text_under_a_missing_value_is_not_read() {
    let present = NullBuffer::from(vec![true, false, true]);
    let array = StringArray::new(OffsetBuffer::from_lengths([1, 6, 1]), b"ahiddenb"[..].into(), Some(present));
    let (schema, batch) = batch_of("text?", array);
    let expect = [vec![Value::text("a")], vec![Value::Missing], vec![Value::text("b")]];
    assert_eq!(read(&schema, &batch), expect);
    assert_eq!(read(&schema, &batch.slice(1, 2)), expect[1..]);
}

#[test]
fn items_before_and_behind_a_list_are_not_read() {
    let items = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let item = Arc::new(Field::new("item", DataType::Int64, false));
    let array = ListArray::new(item, OffsetBuffer::new(vec![1, 3, 3, 4].into()), items, None);
    let (schema, batch) = batch_of("list<integer>", array);
    let lists = [vec![2, 3], vec![], vec![4]];
    let expect = lists.map(|items| vec![Value::List(items.into_iter().map(Value::Integer).collect())]);
    assert_eq!(read(&schema, &batch), expect);
}

#[test]
fn what_is_never_missing_has_no_validity() {
    // Arrow's builders append nulls to all children of a record that is missing.
    let mut words = StringBuilder::new();
    words.append_null();
    words.append_value("a");
    let fields = Fields::from(vec![Field::new("w", DataType::Utf8, false)]);
    let present = NullBuffer::from(vec![false, true]);
    let array = StructArray::new(fields, vec![Arc::new(words.finish())], Some(present));
    let (schema, batch) = batch_of("record<w: text>?", array);
    let expect = [vec![Value::Missing], vec![Value::Record(vec![Value::text("a")])]];
    assert_eq!(read(&schema, &batch), expect);
    let mut buffer = crate::columns::RowsBuffer::new(&schema);
    let columns = columns_of(&batch);
    buffer.extend(&Rows { schema: &schema, len: 2, columns: &columns }).unwrap();
    assert_eq!(contents(&buffer), expect);
}

#[test]
fn a_batch_without_fields_keeps_its_rows() {
    let schema = Schema::default();
    let batch = buffer_of(&schema, &[vec![], vec![]]).to_batch(&schema.to_arrow()).unwrap();
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(read(&schema, &batch.slice(1, 1)), [[]]);
}
