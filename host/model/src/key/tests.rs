//! Random keys: they come back, they sort as their values do, and bytes that are no key are told from keys.

#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::{KeyBuffer, check_key, decode, decode_value, encode, encode_value, is_plain};
use crate::{
    columns::RowsBuffer,
    schema::{Field, Schema},
    testing::{Value, buffer_of, cases, schemas, tables, values_of},
};

fn encoded(schema: &Schema, rows: &[Vec<Value>]) -> KeyBuffer {
    let mut keys = KeyBuffer::default();
    encode(schema, &buffer_of(schema, rows).columns(), rows.len(), &mut keys).unwrap();
    keys
}

fn keys_of(keys: &KeyBuffer) -> Vec<&[u8]> {
    (0..keys.len()).map(|row| keys.column().slice(row)).collect()
}

fn canonical(rows: &[Vec<Value>]) -> Vec<Vec<Value>> {
    rows.iter().map(|row| row.iter().map(Value::canonical).collect()).collect()
}

fn contents(buffer: &RowsBuffer) -> Vec<Vec<Value>> {
    values_of(&buffer.with_columns(&buffer.columns()))
}

/// Bytes that the format gives a meaning, and a few others.
fn awkward_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&[0u8, 1, 2, 0x61, 0x80, 0xfe, 0xff][..]), 0..40)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn keys_come_back_canonical((schema, rows) in tables(0..4, 0..12)) {
        let keys = encoded(&schema, &rows);
        let mut decoded = RowsBuffer::new(&schema);
        decode(keys_of(&keys).into_iter(), &mut decoded).unwrap();
        prop_assert_eq!(contents(&decoded), canonical(&rows));
    }

    #[test]
    fn bytes_sort_as_values((schema, rows) in tables(1..4, 2..12)) {
        let keys = encoded(&schema, &rows);
        let (keys, rows) = (keys_of(&keys), canonical(&rows));
        for (a, left) in rows.iter().enumerate() {
            for (b, right) in rows.iter().enumerate() {
                prop_assert_eq!(keys[a].cmp(keys[b]), left.cmp(right), "{:?} and {:?}", left, right);
            }
        }
    }

    #[test]
    fn values_come_back_bit_by_bit((schema, rows) in tables(1..3, 0..8)) {
        let buffer = buffer_of(&schema, &rows);
        let columns = buffer.columns();
        let mut decoded = RowsBuffer::new(&schema);
        for row in 0..rows.len() {
            for (field, at) in schema.fields().iter().zip(schema.first_nodes()) {
                let mut bytes = Vec::new();
                encode_value(&field.ty, &columns[at..], row, &mut bytes);
                decode_value(&field.ty, &bytes, &mut decoded.nodes_mut()[at..]).unwrap();
            }
            decoded.end_row();
        }
        prop_assert_eq!(contents(&decoded), rows);
    }

    #[test]
    fn key_fields_are_chosen_by_place((schema, rows) in tables(1..4, 0..8), reverse in any::<bool>()) {
        let mut indices: Vec<usize> = (0..schema.len()).step_by(2).collect();
        if reverse {
            indices.reverse();
        }
        let buffer = buffer_of(&schema, &rows);
        let mut keys = KeyBuffer::default();
        buffer.with_columns(&buffer.columns()).encode_keys(&indices, &mut keys).unwrap();
        let choose = |row: &Vec<Value>| indices.iter().map(|&i| row[i].clone()).collect();
        let chosen: Vec<Vec<Value>> = rows.iter().map(choose).collect();
        let expect = encoded(&schema.project(&indices), &chosen);
        prop_assert_eq!(keys_of(&keys), keys_of(&expect));
    }

    #[test]
    fn plain_keys_are_the_column_as_it_lies_there((schema, rows) in tables(1..3, 0..8)) {
        let keys = encoded(&schema, &rows);
        if is_plain(&schema) {
            let buffer = buffer_of(&schema, &rows);
            prop_assert_eq!(keys.column().values, buffer.columns()[0].values);
            prop_assert_eq!(keys.column().offsets, buffer.columns()[0].offsets);
        }
    }

    #[test]
    fn bytes_of_anywhere_are_keys_or_errors(schema in schemas(0..4), bytes in awkward_bytes()) {
        let mut decoded = RowsBuffer::new(&schema);
        let result = decode([&bytes[..]].into_iter(), &mut decoded);
        if result.is_ok() && decoded.to_batch(&schema.to_arrow()).is_ok() {
            // What was accepted is a key, perhaps written in another way (a NaN of other bits).
            let keys = encoded(&schema, &contents(&decoded));
            let mut again = RowsBuffer::new(&schema);
            decode(keys_of(&keys).into_iter(), &mut again).unwrap();
            prop_assert_eq!(contents(&again), canonical(&contents(&decoded)));
        }
        decoded.clear();
        prop_assert!(contents(&decoded).is_empty());
        prop_assert_eq!(check_key(&schema, &bytes).is_ok(), is_canonical(&schema, &bytes));
    }

    #[test]
    fn damaged_keys_are_keys_or_errors(
        (schema, rows) in tables(1..4, 1..4),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        for key in keys_of(&encoded(&schema, &rows)) {
            let mut damaged = key.to_vec();
            if let Some(at) = (!key.is_empty()).then(|| at.index(key.len())) {
                damaged[at] = byte;
            }
            let cut = &key[..key.len() / 2];
            prop_assert_eq!(check_key(&schema, key), Ok(()));
            for bytes in [&damaged, cut] {
                prop_assert_eq!(check_key(&schema, bytes).is_ok(), is_canonical(&schema, bytes));
                let mut decoded = RowsBuffer::new(&schema);
                let _ = decode([bytes].into_iter(), &mut decoded);
                for field in schema.fields() {
                    let mut decoded = RowsBuffer::new(&Schema::try_new(vec![field.clone()]).unwrap());
                    let _ = decode_value(&field.ty, bytes, decoded.nodes_mut());
                }
            }
        }
    }
}

/// Whether bytes are a key of valid text that is encoded as it was.
fn is_canonical(schema: &Schema, bytes: &[u8]) -> bool {
    let mut decoded = RowsBuffer::new(schema);
    decode([bytes].into_iter(), &mut decoded).is_ok()
        && decoded.to_batch(&schema.to_arrow()).is_ok()
        && keys_of(&encoded(schema, &contents(&decoded))) == [bytes]
}

/// Bytes that are no key of a schema.
#[track_caller]
fn check_refused(schema: &str, bytes: &[u8]) {
    let schema: Schema = schema.parse().unwrap();
    let error = decode([bytes].into_iter(), &mut RowsBuffer::new(&schema)).unwrap_err();
    let expect = format!("the bytes are no key of `{schema}`, or there are more than a column can hold");
    assert_eq!(error.to_string(), expect);
    check_not_canonical(&schema.to_string(), bytes);
}

/// Bytes that [`encode`] does not make of a key of a schema.
#[track_caller]
fn check_not_canonical(schema: &str, bytes: &[u8]) {
    let schema: Schema = schema.parse().unwrap();
    let error = check_key(&schema, bytes).unwrap_err();
    assert_eq!(error.to_string(), format!("the bytes are no canonical key of `{schema}`"));
}

#[test]
fn bytes_that_are_written_in_another_way_are_not_canonical() {
    check_not_canonical("k: text", &[0xff]);
    check_not_canonical("k: text?", &[1, 0xc3]);
    check_not_canonical("k: text, n: boolean", &[0xc3, 0, 0xff, 0xa4, 0, 0, 1]);
    check_not_canonical("k: list<text>", &[1, 0xff, 0, 0, 0]);
    // -0.0, and two NaNs of other bits.
    check_not_canonical("k: float", &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    check_not_canonical("k: float", &[0xff, 0xf8, 0, 0, 0, 0, 0, 1]);
    check_not_canonical("k: record<a: float>", &[0, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    check_not_canonical("k: any", &[]);
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    check_refused("", b"x");
    check_refused("k: boolean", b"");
    check_refused("k: boolean", &[2]);
    check_refused("k: boolean", &[1, 0]);
    check_refused("k: integer", &[0; 7]);
    check_refused("k: integer", &[0; 9]);
    check_refused("k: text?", &[]);
    check_refused("k: text?", &[0, b'a']);
    check_refused("k: text, n: boolean", b"no end");
    check_refused("k: text, n: boolean", &[b'a', 0]);
    check_refused("k: text, n: boolean", &[b'a', 0, 1, 0]);
    check_refused("k: text, n: boolean", &[b'a', 0, 0]);
    check_refused("k: list<boolean>", &[1, 1]);
    check_refused("k: list<boolean>", &[1, 1, 0, 0]);
    check_refused("k: record<a: text>", b"a");
}

#[test]
fn a_type_that_is_not_settled_has_no_keys() {
    let any = Field::new("k", "any".parse().unwrap());
    let schema = Schema::try_new(vec![any]).unwrap();
    assert!(decode([&[][..]].into_iter(), &mut RowsBuffer::new(&schema)).is_err());
}

#[test]
fn cleared_keys_are_gone() {
    let mut keys = encoded(&"k: text".parse().unwrap(), &[vec![Value::text("a")], vec![Value::text("b")]]);
    assert_eq!((keys.len(), keys.is_empty()), (2, false));
    keys.clear();
    assert_eq!((keys.len(), keys.is_empty()), (0, true));
    assert_eq!(keys.column().values, b"");
}
