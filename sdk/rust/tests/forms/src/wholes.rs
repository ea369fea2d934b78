//! Maps of whole partitions. How rows are spread over partitions must not show in what is expected of them.

use tidemill_sdk::prelude::*;

use super::maps::Word;

#[map(whole_partition)]
pub fn whole_row(rows: impl Iterator<Item = i64>) -> i64 {
    rows.sum()
}

#[map(whole_partition)]
pub fn whole_record<'a>(rows: impl Iterator<Item = Word<'a>>) -> Vec<Word<'a>> {
    let mut rows: Vec<Word<'a>> = rows.collect();
    rows.sort_unstable_by(|a, b| a.word.cmp(b.word));
    rows
}

#[map(whole_partition)]
pub fn whole_optional<'a>(rows: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    rows.max()
}

#[map(whole_partition)]
pub fn whole_list(rows: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut rows: Vec<i64> = rows.collect();
    rows.sort_unstable();
    rows
}

#[map(whole_partition)]
pub fn whole_iterator(rows: impl Iterator<Item = i64>) -> impl Iterator<Item = i64> {
    rows.map(|row| row * 10)
}

#[map(whole_partition)]
pub fn whole_boxed<'a>(rows: impl Iterator<Item = &'a str>) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    let rows: Vec<&str> = rows.collect();
    Box::new(rows.into_iter().rev())
}

#[map(whole_partition)]
pub fn whole_result(rows: impl Iterator<Item = i64>) -> Result<i64, String> {
    rows.map(not_negative).sum()
}

#[map(whole_partition)]
pub fn whole_result_optional(rows: impl Iterator<Item = i64>) -> Result<Option<i64>, String> {
    Ok(rows.map(not_negative).collect::<Result<Vec<i64>, String>>()?.into_iter().max())
}

#[map(whole_partition)]
pub fn whole_result_list(rows: impl Iterator<Item = i64>) -> Result<Vec<i64>, String> {
    rows.map(not_negative).collect()
}

#[map(whole_partition)]
pub fn whole_result_iterator(rows: impl Iterator<Item = i64>) -> Result<impl Iterator<Item = i64>, String> {
    let rows: Vec<i64> = rows.map(not_negative).collect::<Result<_, String>>()?;
    Ok(rows.into_iter().flat_map(|row| [row, row]))
}

#[map(whole_partition)]
pub fn whole_context(context: &Context, rows: impl Iterator<Item = Option<i64>>) -> Vec<Option<i64>> {
    let add: i64 = context.parameter("add").and_then(|add| add.parse().ok()).unwrap_or(0);
    let rows: Vec<Option<i64>> = rows.map(|row| row.map(|row| row + add)).collect();
    context.count("rows", rows.len() as u64);
    rows
}

#[derive(Debug, Parameters)]
pub struct First {
    pub count: Option<i64>,
}

#[map(whole_partition)]
pub fn whole_parameters(context: &Context<First>, rows: impl Iterator<Item = i64>) -> Vec<i64> {
    rows.take(context.parameters().count.map_or(usize::MAX, |count| count as usize)).collect()
}

fn not_negative(row: i64) -> Result<i64, String> {
    if row < 0 { Err(format!("{row} is negative")) } else { Ok(row) }
}
