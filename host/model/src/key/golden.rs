//! Golden vectors of the durable key format. They never change: state that is stored was placed by them.
//!
//! The bytes were worked out from the table in `key.rs` and the slots by another implementation of XXH3-64, not by the
//! code under test.

#![allow(clippy::unwrap_used, reason = "a test")]

use super::{KeyBuffer, SLOT_SEED, SLOTS, Slot, decode, decode_value, encode, encode_value};
use crate::{
    columns::RowsBuffer,
    schema::{Schema, Type},
    testing::{Value, buffer_of, push_value, values_of},
};
use Value::{Boolean, Integer, List, Missing, Record};

/// A key of one row: its bytes in hexadecimal, and its slot.
#[track_caller]
fn check<const N: usize>(schema: &str, row: [Value; N], bytes: &str, slot: u16) {
    let schema: Schema = schema.parse().unwrap();
    let row = row.to_vec();
    let rows = buffer_of(&schema, std::slice::from_ref(&row));
    let mut keys = KeyBuffer::default();
    encode(&schema, &rows.columns(), 1, &mut keys).unwrap();
    let key = keys.column().slice(0);
    assert_eq!(hexadecimal(key), bytes);
    assert_eq!(Slot::of(key).number(), slot);

    let mut decoded = RowsBuffer::new(&schema);
    decode([key].into_iter(), &mut decoded).unwrap();
    let canonical: Vec<Value> = row.iter().map(Value::canonical).collect();
    assert_eq!(values_of(&decoded.with_columns(&decoded.columns())), [canonical]);
}

/// A value as state keeps it: every bit, and an end behind each text.
#[track_caller]
fn check_value(ty: &str, value: &Value, bytes: &str) {
    let ty: Type = ty.parse().unwrap();
    let schema: Schema = format!("v: {ty}").parse().unwrap();
    let mut rows = RowsBuffer::new(&schema);
    push_value(&ty, value, rows.nodes_mut());
    let mut encoded = Vec::new();
    encode_value(&ty, &rows.columns(), 0, &mut encoded);
    assert_eq!(hexadecimal(&encoded), bytes);

    let mut decoded = RowsBuffer::new(&schema);
    decode_value(&ty, &encoded, decoded.nodes_mut()).unwrap();
    decoded.end_row();
    assert_eq!(values_of(&decoded.with_columns(&decoded.columns())), [vec![value.clone()]]);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn bits(bits: u64) -> Value {
    Value::float(f64::from_bits(bits))
}

fn float(value: f64) -> Value {
    Value::float(value)
}

#[test]
fn booleans_and_integers() {
    check("k: boolean", [Boolean(false)], "00", 3600);
    check("k: boolean", [Boolean(true)], "01", 3532);
    check("k: integer", [Integer(i64::MIN)], "0000000000000000", 3963);
    check("k: integer", [Integer(-1)], "7fffffffffffffff", 3720);
    check("k: integer", [Integer(0)], "8000000000000000", 3185);
    check("k: integer", [Integer(1)], "8000000000000001", 3489);
    check("k: integer", [Integer(1000)], "80000000000003e8", 2693);
    check("k: integer", [Integer(i64::MAX)], "ffffffffffffffff", 1450);
    check("k: timestamp", [Integer(1_767_225_600_000_000)], "8006474846204000", 411);
}

#[test]
fn floats_have_one_zero_and_one_nan() {
    check("k: float", [float(f64::NEG_INFINITY)], "000fffffffffffff", 934);
    check("k: float", [float(-1.0)], "400fffffffffffff", 2927);
    check("k: float", [bits(0x8000_0000_0000_0001)], "7ffffffffffffffe", 620);
    check("k: float", [float(-0.0)], "8000000000000000", 3185);
    check("k: float", [float(0.0)], "8000000000000000", 3185);
    check("k: float", [bits(1)], "8000000000000001", 3489);
    check("k: float", [float(1.0)], "bff0000000000000", 587);
    check("k: float", [float(1.5)], "bff8000000000000", 525);
    check("k: float", [float(f64::MAX)], "ffefffffffffffff", 2349);
    check("k: float", [float(f64::INFINITY)], "fff0000000000000", 734);
    check("k: float", [bits(0x7ff8_0000_0000_0000)], "fff8000000000000", 3298);
    check("k: float", [bits(0xfff8_0000_0000_0000)], "fff8000000000000", 3298);
    check("k: float", [bits(0x7ff0_0000_0000_0001)], "fff8000000000000", 3298);
    check("k: float", [bits(0xffff_ffff_ffff_ffff)], "fff8000000000000", 3298);
}

#[test]
fn the_last_text_is_as_it_is() {
    check("k: text", [text("")], "", 2112);
    check("k: text", [text("a")], "61", 2628);
    check("k: text", [text("the")], "746865", 470);
    check("k: text", [text("a\0b")], "610062", 3510);
    check("k: text", [text("ß漢😀")], "c39fe6bca2f09f9880", 3163);
    check("k: text", [text("aaaaaaaaaaaaaaaa")], &"61".repeat(16), 2738);
    check("k: text", [text("aaaaaaaaaaaaaaaaa")], &"61".repeat(17), 842);
    // XXH3 works in another way from 241 bytes on.
    check("k: text", [text(&"x".repeat(240))], &"78".repeat(240), 1966);
    check("k: text", [text(&"x".repeat(241))], &"78".repeat(241), 1775);
    check("k: bytes", [bytes(&[0, 0xff])], "00ff", 29);
    check("n: integer, k: text", [Integer(7), text("word")], "8000000000000007776f7264", 992);
}

#[test]
fn texts_before_the_last_field_have_an_end() {
    check("k: text, n: integer", [text(""), Integer(-1)], "00007fffffffffffffff", 2219);
    check("k: text, n: integer", [text("a"), Integer(1)], "6100008000000000000001", 799);
    check("k: text, n: integer", [text("a\0b"), Integer(1)], "6100ff6200008000000000000001", 942);
    check("k: text, l: text", [text(""), text("")], "0000", 1989);
    check("k: text, l: text", [text("a\0"), text("\0b")], "6100ff00000062", 1829);
    check("k: bytes, l: bytes", [bytes(&[0, 0xff]), bytes(&[0, 0xff])], "00ffff000000ff", 3639);
}

#[test]
fn missing_sorts_first() {
    check("k: boolean?", [Boolean(false)], "0100", 1703);
    check("k: integer?", [Missing], "00", 3600);
    check("k: integer?", [Integer(0)], "018000000000000000", 2054);
    check("k: timestamp?", [Integer(1)], "018000000000000001", 3873);
    check("k: float?", [float(-0.0)], "018000000000000000", 2054);
    check("k: text?", [Missing], "00", 3600);
    check("k: text?", [text("")], "01", 3532);
    check("k: text?", [text("a")], "0161", 2967);
    check("k: text?", [text("a\0")], "016100", 330);
    check("k: bytes?", [bytes(&[0])], "0100", 1703);
    check("k: text?, l: text", [Missing, text("b")], "0062", 15);
    check("k: text?, l: text", [text(""), text("b")], "01000062", 4092);
}

#[test]
fn lists() {
    check("k: list<integer>", [List(vec![])], "00", 3600);
    check("k: list<integer>", [List(vec![Integer(1), Integer(-1)])], "018000000000000001017fffffffffffffff00", 1909);
    check("k: list<text>", [List(vec![text("")])], "01000000", 1684);
    check("k: list<text>", [List(vec![text("a"), text("\0")])], "016100000100ff000000", 1366);
    check("k: list<boolean?>?", [Missing], "00", 3600);
    check("k: list<boolean?>?", [List(vec![])], "0100", 1703);
    check("k: list<boolean?>?", [List(vec![Missing, Boolean(true)])], "01010001010100", 1187);
    check("k: list<list<bytes>>", [List(vec![List(vec![]), List(vec![bytes(&[0])])])], "0100010100ff00000000", 1122);
}

#[test]
fn records() {
    check("k: record<a: text, b: integer?>", [Record(vec![text("x"), Missing])], "78000000", 1755);
    check("k: record<a: text, b: integer?>", [Record(vec![text("x"), Integer(2)])], "780000018000000000000002", 1434);
    check("k: record<t: text>?", [Missing], "00", 3600);
    check("k: record<t: text>?", [Record(vec![text("a")])], "01610000", 1273);
    check(
        "k: record<x: float, tags: list<text>>",
        [Record(vec![float(-0.0), List(vec![text("a")])])],
        "80000000000000000161000000",
        975,
    );
    check(
        "k: list<record<w: text, x: float?>>, t: timestamp",
        [
            List(vec![Record(vec![text("a"), Missing]), Record(vec![text("b"), bits(0xfff0_0000_0000_0001)])]),
            Integer(0),
        ],
        "01610000000162000001fff8000000000000008000000000000000",
        1451,
    );
}

#[test]
fn no_field() {
    check("", [], "", 2112);
}

#[test]
fn stored_values_keep_every_bit() {
    check_value("float", &float(0.0), "8000000000000000");
    check_value("float", &float(-0.0), "7fffffffffffffff");
    check_value("float", &bits(0x7ff0_0000_0000_0001), "fff0000000000001");
    check_value("float", &bits(0xfff8_0000_0000_0000), "0007ffffffffffff");
    check_value("text", &text("a\0"), "6100ff0000");
    check_value("text?", &Missing, "00");
    check_value("list<float?>", &List(vec![Missing, float(-0.0)]), "010001017fffffffffffffff00");
    check_value("record<a: text, b: bytes>", &Record(vec![text("a"), bytes(&[0, 1])]), "61000000ff010000");
}

#[test]
fn slots_and_partitions() {
    assert_eq!((SLOTS, SLOT_SEED), (4_096, u64::from_be_bytes(*b"tidemill")));
    #[track_caller]
    fn check(partitions: u32, expect: [u32; 8]) {
        let slots = [0, 1, 585, 586, 1023, 1024, 2048, 4095];
        assert_eq!(slots.map(|slot| Slot(slot).partition(partitions)), expect);
    }
    check(1, [0, 0, 0, 0, 0, 0, 0, 0]);
    check(2, [0, 0, 0, 0, 0, 0, 1, 1]);
    check(3, [0, 0, 0, 0, 0, 0, 1, 2]);
    check(4, [0, 0, 0, 0, 0, 1, 2, 3]);
    check(7, [0, 0, 0, 1, 1, 1, 3, 6]);
    check(16, [0, 0, 2, 2, 3, 4, 8, 15]);
    check(1_000, [0, 0, 142, 143, 249, 250, 500, 999]);
    check(4_096, [0, 1, 585, 586, 1023, 1024, 2048, 4095]);
    check(5_000, [0, 1, 714, 715, 1248, 1250, 2500, 4998]);
    check(
        u32::MAX,
        [0, 1_048_575, 613_416_959, 614_465_535, 1_072_693_247, 1_073_741_823, 2_147_483_647, 4_293_918_719],
    );
}
