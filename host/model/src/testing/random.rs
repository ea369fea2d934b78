//! Random types, schemas and values, with the awkward ones often among them.

use std::ops::Range;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::Value;
use crate::schema::{Field, Kind, Schema, Type};

const INTEGERS: [i64; 9] = [i64::MIN, i64::MIN + 1, -256, -1, 0, 1, 255, 256, i64::MAX];

/// Zeros and NaNs of both signs, a NaN with a payload, subnormal and largest numbers.
const FLOATS: [u64; 12] = [
    0,
    1 << 63,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xffff_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    1,
    0x8000_0000_0000_0001,
    0x7fef_ffff_ffff_ffff,
    0x3ff0_0000_0000_0000,
];

/// Characters of one to four bytes, and those that the key format escapes or could take for its own.
const CHARACTERS: [char; 9] = ['\0', '\u{1}', 'a', 'b', ' ', 'é', 'ÿ', '漢', '😀'];

const BYTES: [u8; 6] = [0, 1, 2, b'a', 0xfe, 0xff];

const NAMES: [&str; 5] = ["word", "x-1", "_", "Zähler", "0"];

/// Settled kinds, nested up to three levels.
pub fn kinds() -> impl Strategy<Value = Kind> + Clone {
    types().prop_map(|ty| ty.kind)
}

/// Settled types, nested up to three levels, optional or not.
pub fn types() -> impl Strategy<Value = Type> + Clone {
    let flat = select(vec![Kind::Boolean, Kind::Integer, Kind::Float, Kind::Text, Kind::Bytes, Kind::Timestamp]);
    let flat = (flat, any::<bool>()).prop_map(|(kind, optional)| Type { kind, optional });
    flat.prop_recursive(3, 10, 3, |inner| {
        let list = inner.clone().prop_map(|item| Kind::List(Box::new(item)));
        let record = vec(inner, 1..4).prop_map(|types| Kind::Record(schema_of(types)));
        (prop_oneof![list, record], any::<bool>()).prop_map(|(kind, optional)| Type { kind, optional })
    })
}

/// Schemas of so many fields.
pub fn schemas(fields: Range<usize>) -> impl Strategy<Value = Schema> + Clone {
    vec(types(), fields).prop_map(schema_of)
}

/// Different names for fields of these types.
fn schema_of(types: Vec<Type>) -> Schema {
    let name = |i: usize| format!("{}{i}", NAMES[i % NAMES.len()]);
    let fields = types.into_iter().enumerate().map(|(i, ty)| Field::new(name(i), ty)).collect();
    Schema::try_new(fields).expect("the names end in different numbers")
}

/// Values of a type; none of [`Kind::Any`].
pub fn values(ty: &Type) -> BoxedStrategy<Value> {
    let there = match &ty.kind {
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Integer | Kind::Timestamp => {
            prop_oneof![select(&INTEGERS[..]), -3..3i64, any::<i64>()].prop_map(Value::Integer).boxed()
        }
        Kind::Float => {
            prop_oneof![select(&FLOATS[..]), any::<u64>()].prop_map(|bits| Value::float(f64::from_bits(bits))).boxed()
        }
        Kind::Text => lengths(select(&CHARACTERS[..])).prop_map(|text| Value::Text(text.into_iter().collect())).boxed(),
        Kind::Bytes => lengths(select(&BYTES[..])).prop_map(Value::Bytes).boxed(),
        Kind::List(item) => vec(values(item), 0..4).prop_map(Value::List).boxed(),
        Kind::Record(schema) => row_of(schema).prop_map(Value::Record).boxed(),
        Kind::Any => Just(Value::Missing).boxed(),
    };
    if ty.optional { prop_oneof![1 => Just(Value::Missing), 3 => there].boxed() } else { there }
}

/// Mostly short ones, so that equal ones and beginnings of others come about.
fn lengths<T: Strategy + Clone>(item: T) -> impl Strategy<Value = Vec<T::Value>> {
    prop_oneof![4 => vec(item.clone(), 0..4), 1 => vec(item, 12..24)]
}

fn row_of(schema: &Schema) -> impl Strategy<Value = Vec<Value>> + use<> {
    schema.fields().iter().map(|field| values(&field.ty)).collect::<Vec<_>>()
}

/// So many rows of a schema. Some stand there more than once.
pub fn rows_of(schema: &Schema, count: Range<usize>) -> impl Strategy<Value = Vec<Vec<Value>>> + use<> {
    let repeats = vec(any::<Option<Index>>(), count.end.saturating_sub(1));
    (vec(row_of(schema), count), repeats).prop_map(|(mut rows, repeats)| {
        for (at, earlier) in repeats.into_iter().take(rows.len()).enumerate().skip(1) {
            if let Some(earlier) = earlier.filter(|_| at % 3 == 0) {
                rows[at] = rows[earlier.index(at)].clone();
            }
        }
        rows
    })
}

/// A schema of so many fields, and so many rows of it.
pub fn tables(fields: Range<usize>, count: Range<usize>) -> impl Strategy<Value = (Schema, Vec<Vec<Value>>)> {
    schemas(fields).prop_flat_map(move |schema| {
        let rows = rows_of(&schema, count.clone());
        (Just(schema), rows)
    })
}
