//! What the names stand for.

use std::fmt;

use serde_json::{Value, json};

/// Why a function has no result.
#[derive(Debug, PartialEq)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A failure with these words.
pub fn failed<T>(words: impl Into<String>) -> Result<T, Failed> {
    Err(Failed(words.into()))
}

/// What a text stands for.
pub fn value_of(text: &str) -> Result<Value, Failed> {
    serde_json::from_str(text).or_else(|error| failed(format!("{text:?} is no JSON: {error}")))
}

/// A value as its text.
pub fn text(value: &Value) -> String {
    value.to_string()
}

/// A key and a value.
pub fn pair(text: &str) -> Result<[Value; 2], Failed> {
    pair_of(value_of(text)?)
}

fn pair_of(value: Value) -> Result<[Value; 2], Failed> {
    match value {
        Value::Array(items) => {
            <[Value; 2]>::try_from(items).or_else(|items| failed(format!("{} is no pair", Value::from(items))))
        }
        other => failed(format!("{other} is no pair")),
    }
}

/// The one value that a function of one result has made.
pub fn only(values: Vec<Value>) -> Result<Value, Failed> {
    let [value] =
        <[Value; 1]>::try_from(values).or_else(|values| failed(format!("{} values for one", values.len())))?;
    Ok(value)
}

/// An integer.
pub fn integer(value: &Value) -> Result<i64, Failed> {
    value.as_i64().map_or_else(|| failed(format!("{value} is no integer")), Ok)
}

fn string(value: &Value) -> Result<&str, Failed> {
    value.as_str().map_or_else(|| failed(format!("{value} is no string")), Ok)
}

fn sum_of(a: i64, b: i64) -> Result<Value, Failed> {
    a.checked_add(b).map_or_else(|| failed(format!("{a} + {b} is too large")), |sum| Ok(sum.into()))
}

/// What text a value is in a sentence: a string as it is.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| text(value), str::to_owned)
}

/// `a + b`: of integers their sum, of strings and lists one after the other.
pub fn add(a: &Value, b: &Value) -> Result<Value, Failed> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(format!("{a}{b}").into()),
        (Value::Array(a), Value::Array(b)) => Ok([a.as_slice(), b].concat().into()),
        _ => sum_of(integer(a)?, integer(b)?),
    }
}

/// A function of two values.
pub fn two_values(function: &str, a: &Value, b: &Value) -> Result<Value, Failed> {
    match function {
        "add" => add(a, b),
        "sub" => {
            let (a, b) = (integer(a)?, integer(b)?);
            a.checked_sub(b).map_or_else(|| failed(format!("{a} - {b} is too large")), |less| Ok(less.into()))
        }
        "concat_string" => Ok(format!("{}{}", plain(a), plain(b)).into()),
        _ => failed(format!("there is no function `{function}` of two values")),
    }
}

/// The same with texts.
pub fn two(function: &str, a: &str, b: &str) -> Result<String, Failed> {
    Ok(text(&two_values(function, &value_of(a)?, &value_of(b)?)?))
}

/// Whether a value has what a name says.
pub fn holds(function: &str, value: &Value) -> Result<bool, Failed> {
    match function {
        "is_even" => Ok(integer(value)? % 2 == 0),
        "contains_a" => Ok(string(value)?.contains('a')),
        "key_contains_a" => Ok(string(&pair_of(value.clone())?[0])?.contains('a')),
        "value_positive" => Ok(integer(&pair_of(value.clone())?[1])? > 0),
        "value_nonzero" => Ok(integer(&pair_of(value.clone())?[1])? != 0),
        _ => failed(format!("there is no test `{function}`")),
    }
}

/// The values that a function makes of one.
pub fn each(function: &str, value: Value) -> Result<Vec<Value>, Failed> {
    if let Some(number) = function.strip_prefix("plus_").and_then(|number| number.parse::<i64>().ok()) {
        return Ok(vec![sum_of(integer(&value)?, number)?]);
    }
    Ok(match function {
        "identity" => vec![value],
        "to_string" => vec![plain(&value).into()],
        "parse_int" => vec![parsed(&value)?],
        "strlen" => vec![characters(string(&value)?).into()],
        "x_and_2x" => vec![value.clone(), sum_of(integer(&value)?, integer(&value)?)?],
        "is_even" | "contains_a" | "key_contains_a" | "value_positive" | "value_nonzero" => {
            vec![holds(function, &value)?.into()]
        }
        "pair_with_1" => vec![json!([value, 1])],
        "pair_with_x" => vec![json!([value, "x"])],
        // Not for cases: how what has no key gets one.
        "under_one_key" => vec![json!([0, value])],
        "one_under_one_key" => vec![json!([0, 1])],
        "pair_with_self" => vec![json!([value, value])],
        "mod10_pair_1" => vec![json!([integer(&value)?.rem_euclid(10), 1])],
        "word_and_len" => vec![json!([value, characters(string(&value)?)])],
        "v_and_v_plus_10" => vec![value.clone(), sum_of(integer(&value)?, 10)?],
        "v1_v2" => vec![format!("{}1", string(&value)?).into(), format!("{}2", string(&value)?).into()],
        "upper" => vec![string(&value)?.to_uppercase().into()],
        "split_space" => string(&value)?.split(' ').map(Value::from).collect(),
        "split_chars" => split(string(&value)?),
        "len_and_chars" => {
            let word = string(&value)?;
            split(word).into_iter().map(|c| json!([characters(word), c])).collect()
        }
        "state_counter" => vec![value.get(0).cloned().map_or_else(|| failed(format!("{value} has no field")), Ok)?],
        "raise_special_error" => failed("This is a special error")?,
        "fail_if_1" if value == json!(1) => failed("This is a special error")?,
        "fail_if_1" => vec![value],
        _ => of_pair(function, value)?,
    })
}

fn of_pair(function: &str, value: Value) -> Result<Vec<Value>, Failed> {
    if !["swap", "swap_each", "key_of_pair", "value_of_pair", "value_and_key_chars"].contains(&function) {
        return failed(format!("there is no function `{function}`"));
    }
    let [key, value] = pair_of(value)?;
    Ok(match function {
        "swap" | "swap_each" => vec![json!([value, key])],
        "key_of_pair" => vec![key],
        "value_of_pair" => vec![value],
        _ => split(string(&key)?).into_iter().map(|c| json!([value, c])).collect(),
    })
}

fn parsed(value: &Value) -> Result<Value, Failed> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        _ => {
            let text = string(value)?.trim();
            text.parse::<i64>().map(Value::from).or_else(|_| failed(format!("{text:?} is no integer")))
        }
    }
}

fn characters(text: &str) -> i64 {
    text.chars().count() as i64
}

fn split(text: &str) -> Vec<Value> {
    text.chars().map(|c| c.to_string().into()).collect()
}

/// What a function makes of a partition's values.
pub fn of_partition(function: &str, values: Vec<Value>) -> Result<Vec<Value>, Failed> {
    match function {
        "glom" => Ok(vec![values.into()]),
        "sum" => {
            let sum = values.iter().try_fold(Value::from(0), |sum, value| sum_of(integer(&sum)?, integer(value)?));
            Ok(vec![sum?])
        }
        "concat_upper" => {
            let strings = values.iter().map(string).collect::<Result<Vec<&str>, Failed>>()?;
            Ok(vec![strings.concat().to_uppercase().into()])
        }
        "raise_special_error" => failed("This is a special error"),
        _ => Ok(values.into_iter().map(|value| each(function, value)).collect::<Result<Vec<_>, _>>()?.concat()),
    }
}
