//! Functions of states.

use serde_json::{Value, json};
use tidemill_sdk::prelude::*;

use crate::{
    Named, made,
    named::{Failed, add, failed, holds, integer, text, two_values, value_of},
};

/// Which function is meant, and when it is not called.
#[derive(Debug, Parameters)]
pub struct Updating {
    #[parameter(name = "fn")]
    pub function: String,
    /// Times of batches in milliseconds, between commas, at which a key without new values keeps its state.
    #[parameter(default = "")]
    pub quiet: String,
}

/// How values of a window go out again.
#[derive(Debug, Parameters)]
pub struct Inverse {
    pub inverse: String,
    pub filter: Option<String>,
}

fn value(text: &str) -> Value {
    made(value_of(text))
}

fn all<'a>(values: Values<'a, &'a str>) -> Vec<Value> {
    values.iter().map(value).collect()
}

/// The next state of a key, of its new values and the state before.
#[update_state]
pub fn update<'a>(context: &Context<Updating>, new: Values<'a, &'a str>, state: Option<String>) -> Option<String> {
    let Updating { function, quiet } = context.parameters();
    let millis = context.batch_time().0 / 1_000;
    if new.is_empty() && quiet.split(',').any(|time| time.parse() == Ok(millis)) {
        return state;
    }
    let before = state.as_deref().map(value);
    made(updated(function, &all(new), before, millis)).map(|state| text(&state))
}

fn sum(values: &[Value]) -> Result<i64, Failed> {
    values.iter().try_fold(0, |sum, value| Ok(sum + integer(value)?))
}

fn updated(function: &str, new: &[Value], state: Option<Value>, millis: i64) -> Result<Option<Value>, Failed> {
    let number = |state: Option<Value>| state.map_or(Ok(0), |state| integer(&state));
    Ok(match function {
        "running_sum" => Some((sum(new)? + number(state)?).into()),
        "append_values" => Some(add(&state.unwrap_or(json!([])), &new.to_vec().into())?),
        "add_batch_time_if_values" => {
            let time = if new.is_empty() { 0 } else { millis };
            Some((time + number(state)?).into())
        }
        "count_expire_after_2_idle" => {
            let field = |at: usize| state.as_ref().map_or(Ok(0), |state| integer(&state[at]));
            let (count, idle, new) = (field(0)?, field(1)?, sum(new)?);
            let (count, idle) = if new == 0 { (count, idle + 1) } else { (count + new, 0) };
            (idle < 2).then(|| json!([count, idle]))
        }
        _ => failed(format!("there is no function of states `{function}`"))?,
    })
}

/// A key's values, each with the state that the one before left: what is emitted for it, and the state.
#[update_state]
pub fn map_with_state<'a>(
    context: &Context<Named>,
    key: &str,
    new: Values<'a, &'a str>,
    state: Option<String>,
) -> Update<String, String> {
    let function = &context.parameters().function;
    let (key, mut state, had) = (value(key), state.as_deref().map(value), state.is_some());
    let mut emitted = Vec::new();
    if context.cause().idle {
        emitted.extend(made(timed_out(function, &key, state.as_ref())));
        return Update::delete().emit_all(emitted.iter().map(text));
    }
    for value in all(new) {
        emitted.extend(made(mapped(function, &key, &value, &mut state)));
    }
    let update = match state {
        Some(state) => Update::put(text(&state)),
        None if had => Update::delete(),
        None => Update::keep(),
    };
    update.emit_all(emitted.iter().map(text))
}

/// What one value does to a state, and what is emitted for it.
pub(crate) fn mapped(
    function: &str,
    key: &Value,
    value: &Value,
    state: &mut Option<Value>,
) -> Result<Option<Value>, Failed> {
    let mut count = || -> Result<Value, Failed> {
        let new = add(value, state.as_ref().unwrap_or(&json!(0)))?;
        Ok(state.insert(new).clone())
    };
    Ok(match function {
        "emit_running_count" => Some(count()?),
        "emit_key_doubled" => count().and_then(|_| add(key, key)).map(Some)?,
        "emit_key_and_running_count" => Some(json!([key, count()?])),
        "update_emit_none" => count().map(|_| None)?,
        "remove_if_exists_emit_key" => match state.take() {
            Some(_) => Some(key.clone()),
            None => {
                *state = Some(value.clone());
                None
            }
        },
        "emit_key_on_timeout" => {
            *state = Some(json!(1));
            None
        }
        _ => failed(format!("there is no function with a state `{function}`"))?,
    })
}

/// What is emitted when a key has been idle: there is no value then, and its state cannot be changed.
pub(crate) fn timed_out(function: &str, key: &Value, state: Option<&Value>) -> Result<Option<Value>, Failed> {
    let count = state.cloned().unwrap_or(json!(0));
    Ok(match function {
        "emit_running_count" => Some(count),
        "emit_key_doubled" => Some(add(key, key)?),
        "emit_key_and_running_count" => Some(json!([key, count])),
        "remove_if_exists_emit_key" | "emit_key_on_timeout" => Some(key.clone()),
        _ => None,
    })
}

/// The value of a key in a window out of which values are taken: a key stays when none of the window's batches has it, with what is
/// left when all of its value goes out; unless a filter says otherwise.
#[update_state]
pub fn keep<'a>(
    context: &Context<Inverse>,
    key: &str,
    new: Values<'a, &'a str>,
    state: Option<String>,
) -> Option<String> {
    let Inverse { inverse, filter } = context.parameters();
    let last = new.last().map(value).or_else(|| {
        let before = value(state.as_deref()?);
        Some(made(two_values(inverse, &before, &before)))
    })?;
    let stays = filter.as_ref().is_none_or(|filter| made(holds(filter, &json!([value(key), last]))));
    stays.then(|| text(&last))
}
