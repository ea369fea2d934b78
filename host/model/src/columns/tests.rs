//! Columns against rows of single values.

#![allow(clippy::unwrap_used, reason = "a test")]

mod arrow;

use std::ops::Range;

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{Column, Rows, RowsBuffer, bit};
use crate::{
    key::KeyBuffer,
    schema::{Kind, Schema, Type},
    testing::{Value, blank_row, buffer_of, cases, rows_of, schemas, tables, values_of},
};

fn contents(buffer: &RowsBuffer) -> Vec<Vec<Value>> {
    values_of(&buffer.with_columns(&buffer.columns()))
}

/// Holds the columns to the layout that the WIT package promises to guests.
fn check_layout(rows: &Rows<'_>) {
    let mut columns = rows.columns;
    rows.schema.fields().iter().for_each(|field| check_node(&field.ty, rows.len, &mut columns));
    assert!(columns.is_empty(), "columns without a field");
}

fn check_node(ty: &Type, rows: usize, columns: &mut &[Column<'_>]) {
    let (column, rest) = columns.split_first().unwrap();
    *columns = rest;
    assert!(ty.optional || column.validity.is_none(), "{ty} is never missing");
    column.validity.iter().for_each(|bits| assert_eq!(bits.len(), rows.div_ceil(8)));
    let has_offsets = matches!(ty.kind, Kind::Text | Kind::Bytes | Kind::List(_));
    assert_eq!(column.offsets.len(), if has_offsets { rows + 1 } else { 0 }, "{ty}");
    assert!(column.offsets.is_sorted() && column.offsets.first().is_none_or(|&first| first == 0));
    let end = column.offsets.last().map_or(0, |&end| end as usize);
    let bytes = match &ty.kind {
        Kind::Boolean => rows.div_ceil(8),
        Kind::Integer | Kind::Timestamp | Kind::Float => rows * 8,
        Kind::Text | Kind::Bytes => end,
        Kind::List(_) | Kind::Record(_) | Kind::Any => 0,
    };
    assert_eq!(column.values.len(), bytes, "{ty}");
    match &ty.kind {
        Kind::List(item) => check_node(item, end, columns),
        Kind::Record(schema) => schema.fields().iter().for_each(|field| check_node(&field.ty, rows, columns)),
        _ => {}
    }
}

/// Bits beyond the rows are 0, so that equal rows have equal bytes.
fn check_padding(bits: &[u8], rows: usize) {
    assert!((rows..bits.len() * 8).all(|i| !bit(bits, i)), "a bit beyond {rows} rows is set");
}

/// What is done to a buffer.
#[derive(Clone, Debug)]
enum Step {
    Extend(Vec<Vec<Value>>),
    ExtendRange(Vec<Vec<Value>>, Index, Index),
    Take(Vec<Vec<Value>>, Vec<Index>),
    TakeFields(Vec<Vec<Value>>, Vec<Index>),
    Blanks(usize),
    Clear,
}

fn steps(schema: &Schema) -> impl Strategy<Value = Vec<Step>> + use<> {
    let rows = || rows_of(schema, 0..11);
    let indices = || vec(any::<Index>(), 0..12);
    let step = prop_oneof![
        3 => rows().prop_map(Step::Extend),
        2 => (rows(), any::<Index>(), any::<Index>()).prop_map(|(rows, a, b)| Step::ExtendRange(rows, a, b)),
        3 => (rows(), indices()).prop_map(|(rows, indices)| Step::Take(rows, indices)),
        2 => (rows(), indices()).prop_map(|(rows, indices)| Step::TakeFields(rows, indices)),
        2 => (0..10usize).prop_map(Step::Blanks),
        1 => Just(Step::Clear),
    ];
    vec(step, 1..6)
}

fn histories() -> impl Strategy<Value = (Schema, Vec<Step>)> {
    schemas(0..4).prop_flat_map(|schema| {
        let steps = steps(&schema);
        (Just(schema), steps)
    })
}

/// Does a step to the buffer and to rows of values.
fn apply(step: Step, buffer: &mut RowsBuffer, model: &mut Vec<Vec<Value>>) {
    let schema = buffer.schema().clone();
    let places = |indices: &[Index], count: usize| -> Vec<u32> {
        indices.iter().filter(|_| count > 0).map(|index| index.index(count) as u32).collect()
    };
    match step {
        Step::Extend(rows) => {
            let from = buffer_of(&schema, &rows);
            buffer.extend(&from.with_columns(&from.columns())).unwrap();
            model.extend(rows);
        }
        Step::ExtendRange(rows, a, b) => {
            let (a, b) = (a.index(rows.len() + 1), b.index(rows.len() + 1));
            let (start, end) = (a.min(b), a.max(b));
            let from = buffer_of(&schema, &rows);
            buffer.extend_range(&from.with_columns(&from.columns()), start..end).unwrap();
            model.extend_from_slice(&rows[start..end]);
        }
        Step::Take(rows, indices) => {
            let indices = places(&indices, rows.len());
            let from = buffer_of(&schema, &rows);
            buffer.take(&from.with_columns(&from.columns()), &indices).unwrap();
            model.extend(indices.iter().map(|&row| rows[row as usize].clone()));
        }
        Step::TakeFields(rows, indices) => {
            let indices = places(&indices, rows.len());
            let (from, columns) = (buffer_of(&schema, &rows), schema.first_nodes());
            for (field, at) in columns.into_iter().enumerate() {
                buffer.take_field(field, &from.columns()[at..], &indices).unwrap();
            }
            buffer.end_rows(indices.len());
            model.extend(indices.iter().map(|&row| rows[row as usize].clone()));
        }
        Step::Blanks(count) => {
            buffer.push_blanks(count).unwrap();
            model.extend(std::iter::repeat_n(blank_row(&schema), count));
        }
        Step::Clear => {
            buffer.clear();
            model.clear();
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn values_come_back((schema, rows) in tables(0..4, 0..20)) {
        let buffer = buffer_of(&schema, &rows);
        prop_assert_eq!(contents(&buffer), rows);
    }

    #[test]
    fn buffers_do_as_rows_do((schema, steps) in histories()) {
        let (mut buffer, mut model) = (RowsBuffer::new(&schema), Vec::new());
        for step in steps {
            apply(step, &mut buffer, &mut model);
            let columns = buffer.columns();
            let rows = buffer.with_columns(&columns);
            prop_assert_eq!((rows.len, buffer.is_empty()), (model.len(), model.is_empty()));
            check_layout(&rows);
            prop_assert_eq!(&values_of(&rows), &model);
        }
    }

    #[test]
    fn unused_bits_are_zero(rows in rows_of(&"b: boolean?".parse().unwrap(), 0..20), blanks in 0..9usize) {
        let mut buffer = buffer_of(&"b: boolean?".parse().unwrap(), &rows);
        buffer.push_blanks(blanks).unwrap();
        let columns = buffer.columns();
        check_padding(columns[0].values, buffer.len());
        columns[0].validity.iter().for_each(|bits| check_padding(bits, buffer.len()));
    }

    #[test]
    fn a_part_of_rows_is_those_rows((schema, rows) in tables(0..4, 0..40), a in any::<Index>(), b in any::<Index>()) {
        let (a, b) = (a.index(rows.len() + 1), b.index(rows.len() + 1));
        let range = a.min(b)..a.max(b);
        let buffer = buffer_of(&schema, &rows);
        let columns = buffer.columns();
        let whole = buffer.with_columns(&columns);
        let bitmaps = whole.bitmaps_in(range.clone());
        let columns = whole.columns_in(range.clone(), &bitmaps);
        let part = Rows { schema: &schema, len: range.len(), columns: &columns };
        prop_assert_eq!(values_of(&part), &rows[range.clone()]);
        // As whoever gathers rows and keys takes them.
        let mut taken = RowsBuffer::new(&schema);
        taken.extend(&part).unwrap();
        prop_assert_eq!(contents(&taken), &rows[range.clone()]);
        let all: Vec<usize> = (0..schema.len()).collect();
        let (mut keys, mut expect) = (KeyBuffer::default(), KeyBuffer::default());
        part.encode_keys(&all, &mut keys).unwrap();
        whole.encode_keys(&all, &mut expect).unwrap();
        let keys_of = |keys: &KeyBuffer, rows: Range<usize>| rows.map(|row| keys.column().slice(row).to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(keys_of(&keys, 0..range.len()), keys_of(&expect, range));
    }

    #[test]
    fn fields_are_projected((schema, rows) in tables(1..4, 0..8), chosen in vec(any::<Index>(), 0..4)) {
        let mut indices: Vec<usize> = chosen.iter().map(|index| index.index(schema.len())).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.reverse();
        let buffer = buffer_of(&schema, &rows);
        let columns = buffer.columns();
        let columns = buffer.with_columns(&columns).project(&indices);
        let projected = Rows { schema: &schema.project(&indices), len: rows.len(), columns: &columns };
        let choose = |row: &Vec<Value>| -> Vec<Value> { indices.iter().map(|&i| row[i].clone()).collect() };
        prop_assert_eq!(values_of(&projected), rows.iter().map(choose).collect::<Vec<_>>());
    }
}

#[test]
fn a_column_of_no_rows_may_lie_anywhere() {
    let bytes = [0u64; 2];
    let unaligned = &bytemuck::cast_slice::<u64, u8>(&bytes)[1..1];
    let column = Column { validity: None, offsets: &[], values: unaligned };
    assert!(column.integers().is_empty() && column.floats().is_empty() && column.words().is_empty());

    let schema: Schema = "n: integer, x: float".parse().unwrap();
    let rows = Rows { schema: &schema, len: 0, columns: &[column, column] };
    let mut buffer = RowsBuffer::new(&schema);
    buffer.extend(&rows).unwrap();
    buffer.take(&rows, &[]).unwrap();
    buffer.to_batch(&schema.to_arrow()).unwrap();
    assert!(contents(&buffer).is_empty());
}

#[test]
fn values_are_marked_as_missing_by_hand() {
    let schema: Schema = "n: integer?, t: text?, m: integer, u: text".parse().unwrap();
    let mut buffer = RowsBuffer::new(&schema);
    for missing in [true, false] {
        buffer.node_mut(0).push_no_word(missing);
        buffer.node_mut(1).push_no_bytes(missing).unwrap();
        buffer.node_mut(2).push_no_word(false);
        buffer.node_mut(3).push_no_bytes(false).unwrap();
        buffer.end_row();
    }
    let blank = [Value::Integer(0), Value::text("")];
    let missing = [Value::Missing, Value::Missing];
    assert_eq!(contents(&buffer), [[missing, blank.clone()].concat(), [blank.clone(), blank].concat()]);
}

#[test]
fn bytes_of_all_buffers_count() {
    let schema: Schema = "t: text?, b: boolean".parse().unwrap();
    let rows = [vec![Value::Missing, Value::Boolean(true)], vec![Value::text("four"), Value::Boolean(true)]];
    let buffer = buffer_of(&schema, &rows);
    // A byte of validity, three offsets, four letters; a byte of bits.
    assert_eq!(buffer.with_columns(&buffer.columns()).bytes(), 1 + 12 + 4 + 1);
}

/// Rows that are put together in pieces of so many bytes are cut by this: whoever counts less than there is makes pieces that
/// are too large.
#[test]
fn bytes_of_some_rows_have_their_bitmaps_in_them() {
    let bits = |count: usize| Value::List(vec![Value::Boolean(true); count]);
    let records = |count: usize| Value::List(vec![Value::Record(vec![Value::Missing]); count]);
    for (schema, row, expect) in [
        ("l: list<boolean>", bits(80_000), 4 + 10_000),
        ("l: list<record<a: boolean?>>", records(80_000), 4 + 20_000),
        ("l: list<record<a: boolean?>?>", records(80_000), 4 + 30_000),
        ("b: boolean?", Value::Missing, 2),
    ] {
        let schema: Schema = schema.parse().unwrap();
        let buffer = buffer_of(&schema, &vec![vec![row]; 3]);
        let columns = buffer.columns();
        let rows = buffer.with_columns(&columns);
        for range in [0..1, 1..2, 2..3] {
            assert_eq!(rows.bytes_in(range), expect, "{schema}");
        }
        assert!(rows.bytes_in(0..3) + 4 >= rows.bytes() && rows.bytes_in(0..3) <= 3 * expect, "{schema}");
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn bytes_of_all_rows_are_those_of_the_buffers((schema, rows) in tables(0..4, 0..20)) {
        let buffer = buffer_of(&schema, &rows);
        let columns = buffer.columns();
        let whole = buffer.with_columns(&columns);
        // Each node with offsets has one more than rows, and a bitmap that has no missing value may not be there.
        let counted = whole.bytes_in(0..rows.len());
        let first_offsets = columns.iter().filter(|column| !column.offsets.is_empty()).count() * 4;
        prop_assert!(counted + first_offsets >= whole.bytes(), "{counted} of {}", whole.bytes());
        let apart: usize = (0..rows.len()).map(|row| whole.bytes_in(row..row + 1)).sum();
        prop_assert!(apart >= counted);
        let apart = |row: usize| {
            let one = buffer_of(&schema, &rows[row..row + 1]);
            one.with_columns(&one.columns()).weight()
        };
        prop_assert_eq!(whole.weight(), (0..rows.len()).map(apart).sum::<usize>());
        prop_assert!(whole.weight() >= counted);
    }
}
