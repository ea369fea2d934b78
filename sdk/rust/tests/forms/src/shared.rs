//! Functions with side inputs, in every form that these have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tidemill_sdk::prelude::*;

#[derive(Debug, Parameters)]
pub struct Scores {
    /// Of words.
    #[shared]
    pub scores: BTreeMap<String, i64>,
    #[parameter(default = 0)]
    pub otherwise: i64,
}

/// The score of a word.
#[map]
pub fn map_shared(context: &Context<Scores>, word: &str) -> i64 {
    let Scores { scores, otherwise } = context.parameters();
    scores.get(word).copied().unwrap_or(*otherwise)
}

#[derive(Debug, Parameters)]
pub struct Hashed {
    #[shared]
    pub scores: HashMap<String, i64>,
    #[shared(name = "left-out")]
    pub left_out: HashSet<i64>,
}

#[map]
pub fn map_shared_hashed(context: &Context<Hashed>, word: &str) -> Option<i64> {
    let Hashed { scores, left_out } = context.parameters();
    scores.get(word).copied().filter(|score| !left_out.contains(score))
}

/// A pair as a row.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Scored {
    pub key: String,
    pub value: i64,
}

#[derive(Debug, Parameters)]
pub struct List {
    #[shared]
    pub scores: Vec<Scored>,
}

/// The last score of words that begin so, and how many there are.
#[map]
pub fn map_shared_list(context: &Context<List>, word: &str) -> Option<String> {
    let scores = context.parameters().scores.iter().filter(|scored| scored.key.starts_with(word));
    let scores: Vec<i64> = scores.map(|scored| scored.value).collect();
    Some(format!("{word} {} of {}", scores.last()?, scores.len()))
}

#[derive(Debug, Parameters)]
pub struct Set {
    #[shared]
    pub numbers: BTreeSet<i64>,
}

/// The next larger number of those there are.
#[map]
pub fn map_shared_set(context: &Context<Set>, number: i64) -> Option<i64> {
    context.parameters().numbers.range(number + 1..).next().copied()
}

#[derive(Debug, Parameters)]
pub struct Limit {
    /// Without one all numbers are above it.
    #[shared]
    pub limit: Option<i64>,
}

/// Whether a number is above the limit.
#[map]
pub fn map_shared_limit(context: &Context<Limit>, number: i64) -> bool {
    context.parameters().limit.is_none_or(|limit| number > limit)
}

/// How many are above the limit.
#[map(whole_partition)]
pub fn whole_shared(context: &Context<Limit>, rows: impl Iterator<Item = i64>) -> i64 {
    rows.filter(|number| context.parameters().limit.is_none_or(|limit| *number > limit)).count() as i64
}

/// The sum of a key's numbers, each weighed by the score of the key now.
#[update_state]
pub fn update_shared(context: &Context<Scores>, key: &str, new: Values<i64>, total: Option<i64>) -> i64 {
    let Scores { scores, otherwise } = context.parameters();
    total.unwrap_or(0) + scores.get(key).copied().unwrap_or(*otherwise) * new.iter().sum::<i64>()
}
