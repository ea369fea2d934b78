//! Which row of now stands in the place of which row of then: the one that has most in common with it.

use serde_json::{Map, Value};

/// Of more rows than these not every one is compared with every other.
const COMPARED_MAX: usize = 500;

/// A row that is not the same now, or one that is there on one side alone.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    pub then: Option<&'a String>,
    pub now: Option<&'a String>,
    /// The fields that differ, where the others are the same.
    pub fields: Vec<String>,
}

/// Both sides' rows, which are JSON objects: the pairs in the order of then, behind them what is new.
pub fn pairs<'a>(then: &'a [String], now: &'a [String]) -> Vec<Pair<'a>> {
    let objects: Vec<Option<Map<String, Value>>> = now.iter().map(|row| object(row)).collect();
    let mut is_free = vec![true; now.len()];
    let mut pairs = Vec::new();
    for (place, row) in then.iter().enumerate() {
        let old = object(row);
        let nearest = now.iter().enumerate().skip(place.saturating_sub(COMPARED_MAX / 2)).take(COMPARED_MAX);
        let nearest = nearest.filter(|(at, _)| is_free[*at]).filter_map(|(at, _)| {
            let fields = different(old.as_ref()?, objects[at].as_ref()?)?;
            Some((fields.len(), at, fields))
        });
        match nearest.min_by_key(|(count, at, _)| (*count, *at)) {
            Some((_, at, fields)) => {
                is_free[at] = false;
                pairs.push(Pair { then: Some(row), now: Some(&now[at]), fields });
            }
            None => pairs.push(Pair { then: Some(row), now: None, fields: Vec::new() }),
        }
    }
    let new = now.iter().zip(is_free).filter(|(_, is_free)| *is_free);
    pairs.extend(new.map(|(row, _)| Pair { then: None, now: Some(row), fields: Vec::new() }));
    pairs
}

fn object(row: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(row) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The fields that differ; nothing if none is the same, or the rows have other ones.
fn different(then: &Map<String, Value>, now: &Map<String, Value>) -> Option<Vec<String>> {
    if then.len() != now.len() || !then.keys().all(|name| now.contains_key(name)) {
        return None;
    }
    let fields = then.iter().filter(|(name, value)| now.get(*name) != Some(value));
    let fields: Vec<String> = fields.map(|(name, _)| name.clone()).collect();
    (fields.len() < then.len()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as `a1` (`{"word":"a","n":1}`), pairs as `a1>a2:n`.
    #[track_caller]
    fn check(then: &str, now: &str, expect: &str) {
        let rows = |told: &str| -> Vec<String> {
            told.split_whitespace().map(|row| format!("{{\"word\":\"{}\",\"n\":{}}}", &row[..1], &row[1..])).collect()
        };
        let short = |row: Option<&String>| {
            row.map_or(String::new(), |row| row.replace("{\"word\":\"", "").replace("\",\"n\":", "").replace('}', ""))
        };
        let (then, now) = (rows(then), rows(now));
        let found = pairs(&then, &now);
        let shown =
            found.iter().map(|pair| format!("{}>{}:{}", short(pair.then), short(pair.now), pair.fields.join(",")));
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expect);
    }

    #[test]
    fn rows_are_paired_with_what_they_have_in_common() {
        check("", "", "");
        check("a1 b1 c1", "a2 b2 c2", "a1>a2:n b1>b2:n c1>c2:n");
        check("a1 b1", "b2 a2", "a1>a2:n b1>b2:n");
        check("a1", "b2", "a1>: >b2:");
        check("a1", "", "a1>:");
        check("", "a1 b1", ">a1: >b1:");
        check("a1 a2", "a3", "a1>a3:n a2>:");
        check("a1", "b1", "a1>b1:word");
    }
}
