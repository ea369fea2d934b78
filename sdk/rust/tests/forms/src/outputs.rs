//! Functions of outputs.

use tidemill_sdk::prelude::*;

#[output]
pub fn output_row(word: &str, count: i64) -> String {
    format!("{word}={count}")
}

#[output]
pub fn output_optional(word: &str) -> Option<&str> {
    Some(word).filter(|word| word.len() > 1)
}

#[output]
pub fn output_list(word: &str) -> Vec<String> {
    word.chars().map(String::from).collect()
}

#[output]
pub fn output_iterator(line: &str) -> impl Iterator<Item = &str> {
    words(line)
}

#[output]
pub fn output_result(text: &str) -> Result<i64, std::num::ParseIntError> {
    text.parse()
}

#[output]
pub fn output_context(context: &Context, word: &str) -> String {
    context.count("words", 1);
    format!("{}{word}", context.parameter("prefix").unwrap_or("-"))
}

#[derive(Debug, Parameters)]
pub struct Shown {
    #[parameter(default = "word: ")]
    pub label: String,
}

#[output]
pub fn output_parameters(context: &Context<Shown>, word: &str) -> String {
    format!("{}{word}", context.parameters().label)
}
