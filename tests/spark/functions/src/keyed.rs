//! Pairs as a key beside a value, and back, and what is made of all values of a key in their order.

use serde_json::{Value, json};
use tidemill_sdk::prelude::*;

use crate::{
    Named, made,
    named::{self, Failed, each, only, text, two_values, value_of},
};

/// A pair, as the operators by key have it.
#[derive(Debug, PartialEq, Record)]
pub struct Keyed {
    pub key: String,
    pub value: String,
}

/// What accumulators are made with.
#[derive(Debug, Parameters)]
pub struct Combine {
    pub create: String,
    #[parameter(name = "merge-value")]
    pub merge_value: String,
}

/// A pair's key and value.
#[map]
pub fn unpack(value: &str) -> Keyed {
    let [key, value] = made(named::pair(value));
    Keyed { key: text(&key), value: text(&value) }
}

fn packed(key: &str, value: Value) -> String {
    let packed = value_of(key).map(|key| text(&json!([key, value])));
    made(packed)
}

/// A key and a value as a pair.
#[map]
pub fn pack(key: &str, value: &str) -> String {
    packed(key, made(value_of(value)))
}

/// A key and a number as a pair.
#[map]
pub fn pack_count(key: &str, count: i64) -> String {
    packed(key, count.into())
}

/// A key and all of its values.
#[map]
pub fn pack_list<'a>(key: &str, left: Values<'a, &'a str>) -> String {
    packed(key, list(left).into())
}

/// A key and all of its values of two streams.
#[map]
pub fn pack_lists<'a>(key: &str, left: Values<'a, &'a str>, right: Values<'a, &'a str>) -> String {
    packed(key, json!([list(left), list(right)]))
}

/// A key and a value of either stream, if it has one.
#[map]
pub fn pack_joined(key: &str, left: Option<&str>, right: Option<&str>) -> String {
    let side = |side: Option<&str>| side.map_or(Value::Null, |value| made(value_of(value)));
    packed(key, json!([side(left), side(right)]))
}

/// A number as a value.
#[map]
pub fn number(count: i64) -> String {
    count.to_string()
}

fn list<'a>(values: Values<'a, &'a str>) -> Vec<Value> {
    values.iter().map(|value| made(value_of(value))).collect()
}

fn folded(function: &str, values: Vec<Value>) -> Option<Value> {
    let mut values = values.into_iter();
    let first = values.next()?;
    let folded = values.try_fold(first, |so_far, value| two_values(function, &so_far, &value));
    Some(made(folded))
}

/// One value out of all, in their order.
#[map]
pub fn fold_list<'a>(context: &Context<Named>, left: Values<'a, &'a str>) -> Option<String> {
    folded(&context.parameters().function, list(left)).map(|value| text(&value))
}

/// One value out of all of a key, in their order.
#[map]
pub fn fold_pair<'a>(context: &Context<Named>, key: &str, left: Values<'a, &'a str>) -> Option<String> {
    folded(&context.parameters().function, list(left)).map(|value| packed(key, value))
}

/// What is accumulated of a key's values, in their order.
#[map]
pub fn combine<'a>(context: &Context<Combine>, key: &str, left: Values<'a, &'a str>) -> Option<String> {
    let Combine { create, merge_value } = context.parameters();
    let mut values = list(left).into_iter();
    let first = values.next()?;
    let created: Result<Value, Failed> = each(create, first).and_then(only);
    let merged = created.and_then(|first| values.try_fold(first, |all, value| two_values(merge_value, &all, &value)));
    Some(packed(key, made(merged)))
}
