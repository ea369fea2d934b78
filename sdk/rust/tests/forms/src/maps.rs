//! Maps of single rows.

use tidemill_sdk::prelude::*;

/// A word and how long it is.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Word<'a> {
    pub word: &'a str,
    pub length: i64,
}

/// A place in a plane.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

#[map]
pub fn map_row(word: &str) -> String {
    word.to_uppercase()
}

#[map]
pub fn map_record(word: &str) -> Word<'_> {
    Word { word, length: word.len() as i64 }
}

#[map]
pub fn map_optional(word: &str) -> Option<&str> {
    Some(word).filter(|word| word.len() > 1)
}

#[map]
pub fn map_list(word: &str) -> Vec<String> {
    word.chars().map(String::from).collect()
}

#[map]
pub fn map_iterator(line: &str) -> impl Iterator<Item = Word<'_>> {
    words(line).map(|word| Word { word, length: word.len() as i64 })
}

#[map]
pub fn map_boxed<'a>(line: &'a str) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    Box::new(line.split(','))
}

#[map]
pub fn map_result(text: &str) -> Result<i64, std::num::ParseIntError> {
    text.parse()
}

#[map]
pub fn map_result_optional(text: &str) -> Result<Option<i64>, std::num::ParseIntError> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

#[map]
pub fn map_result_list(number: i64) -> Result<Vec<i64>, String> {
    if number < 0 { Err(format!("{number} is negative")) } else { Ok((0..number).collect()) }
}

#[map]
pub fn map_result_iterator(number: i64) -> Result<impl Iterator<Item = i64>, String> {
    if number < 0 { Err(format!("{number} is negative")) } else { Ok(0..number) }
}

#[map]
pub fn map_bytes(word: &str) -> Vec<u8> {
    word.bytes().rev().collect()
}

#[map]
pub fn map_fields(point: Point, scale: i64, offset: Option<f64>) -> f64 {
    point.x.hypot(point.y) * scale as f64 + offset.unwrap_or(0.0)
}

#[map]
pub fn map_context(context: &Context, word: &str) -> Option<String> {
    let limit = context.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(0);
    context.count("letters", word.len() as u64);
    (word.len() > limit).then(|| format!("{word} at {} s", context.batch_time().0 / context.interval_micros()))
}

/// Parameters of every type, given and not.
#[derive(Clone, Debug, PartialEq, Parameters)]
pub struct Marked {
    /// Shorter words are left out.
    #[parameter(default = 2)]
    pub minimum: i64,
    #[parameter(name = "put-before")]
    pub before: String,
    pub after: Option<String>,
    #[parameter(default = -0.5)]
    pub weight: f64,
    #[parameter(default = false)]
    pub upper: bool,
}

/// Words with marks.
#[map]
pub fn map_parameters(context: &Context<Marked>, word: &str) -> Option<String> {
    let Marked { minimum, before, after, weight, upper } = context.parameters();
    let word = if *upper { word.to_uppercase() } else { word.to_owned() };
    let marked = || format!("{before}{word}{} {weight}", after.as_deref().unwrap_or_default());
    (word.len() as i64 >= *minimum).then(marked)
}

#[map]
pub fn map_flag(word: &str) -> bool {
    word.len() > 1
}

/// A number that pipelines cannot write: NaN and infinities.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Parsed {
    pub x: Option<f64>,
}

#[map]
pub fn map_parsed(text: Option<&str>) -> Result<Parsed, std::num::ParseFloatError> {
    Ok(Parsed { x: text.map(str::parse).transpose()? })
}
