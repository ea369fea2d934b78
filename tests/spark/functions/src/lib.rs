//! The named functions of stream cases. A value is its JSON text, whatever it is, so that one type serves for all of them; which
//! function is meant is a parameter.
//!
//! A value that a function is not made for is a panic: it fails the call, as it fails the batch elsewhere.

use serde_json::Value;
use tidemill_sdk::prelude::*;

mod keyed;
mod named;
mod states;

use named::{Failed, each, holds, of_partition, text, value_of};

/// Which function is meant.
#[derive(Debug, Parameters)]
pub struct Named {
    /// Its name.
    #[parameter(name = "fn")]
    pub function: String,
}

/// What cannot be said otherwise: the call fails.
#[allow(clippy::panic, reason = "a function that fails is what cases ask for")]
fn made<T>(made: Result<T, Failed>) -> T {
    made.unwrap_or_else(|failed| panic!("{failed}"))
}

/// One value for each.
#[map]
fn map(context: &Context<Named>, value: &str) -> String {
    let mapped = value_of(value).and_then(|value| each(&context.parameters().function, value));
    made(mapped.and_then(named::only).map(|value| text(&value)))
}

/// Any number of values for each.
#[map]
fn flat_map(context: &Context<Named>, value: &str) -> Vec<String> {
    let mapped = value_of(value).and_then(|value| each(&context.parameters().function, value));
    made(mapped).iter().map(text).collect()
}

/// Whether a value stays.
#[map]
fn filter(context: &Context<Named>, value: &str) -> bool {
    made(value_of(value).and_then(|value| holds(&context.parameters().function, &value)))
}

/// Any number of values for each value of a pair, with its key.
#[map]
fn flat_map_values(context: &Context<Named>, value: &str) -> Vec<String> {
    let mapped = named::pair(value).and_then(|[key, value]| {
        let values = each(&context.parameters().function, value)?;
        Ok(values.into_iter().map(|value| text(&Value::from(vec![key.clone(), value]))).collect())
    });
    made(mapped)
}

/// What becomes of a whole partition.
#[map(whole_partition)]
fn map_partition<'a>(context: &Context<Named>, rows: impl Iterator<Item = &'a str>) -> Vec<String> {
    let values = rows.map(value_of).collect::<Result<Vec<Value>, Failed>>();
    let mapped = values.and_then(|values| of_partition(&context.parameters().function, values));
    made(mapped).iter().map(text).collect()
}

/// One value out of two, whose order does not matter.
#[reduce]
fn fold(context: &Context<Named>, a: String, b: String) -> String {
    made(named::two(&context.parameters().function, &a, &b))
}

plugin!(
    map,
    flat_map,
    filter,
    flat_map_values,
    map_partition,
    fold,
    keyed::unpack,
    keyed::pack,
    keyed::pack_count,
    keyed::pack_list,
    keyed::pack_lists,
    keyed::pack_joined,
    keyed::number,
    keyed::fold_list,
    keyed::fold_pair,
    keyed::combine,
    states::update,
    states::map_with_state,
    states::keep,
);

#[cfg(test)]
mod tests;
