//! Functions of states.

use tidemill_sdk::prelude::*;

/// What has been seen of a key.
#[derive(Clone, Debug, PartialEq, Record)]
pub struct Seen {
    pub total: i64,
    pub last: i64,
}

#[update_state]
pub fn update_state(new: Values<i64>, total: Option<i64>) -> i64 {
    total.unwrap_or(0) + new.iter().sum::<i64>()
}

#[update_state]
pub fn update_optional(new: Values<i64>, total: Option<i64>) -> Option<i64> {
    let total = total.unwrap_or(0) + new.iter().sum::<i64>();
    (total != 0).then_some(total)
}

#[update_state]
pub fn update_result(new: Values<i64>, total: Option<i64>) -> Result<i64, String> {
    match new.iter().find(|value| *value < 0) {
        Some(value) => Err(format!("{value} is negative")),
        None => Ok(total.unwrap_or(0) + new.iter().sum::<i64>()),
    }
}

#[update_state]
pub fn update_key<'a>(context: &Context, key: &'a str, new: Values<'a, &'a str>, _old: Option<&'a str>) -> String {
    context.count("rows", new.len() as u64);
    format!("{key}{}{}", context.parameter("between").unwrap_or("-"), new.last().unwrap_or("none"))
}

#[derive(Debug, Parameters)]
pub struct Decay {
    pub keep: i64,
}

#[update_state]
pub fn update_parameters(context: &Context<Decay>, new: Values<i64>, total: Option<i64>) -> Option<i64> {
    Some(total.unwrap_or(0) / context.parameters().keep + new.iter().sum::<i64>())
}

#[update_state]
pub fn update_emit(new: Values<i64>, seen: Option<Seen>) -> Update<Seen, i64> {
    let (total, last) = (seen.as_ref().map_or(0, |seen| seen.total), new.last().unwrap_or(0));
    match last {
        0 => Update::delete().emit(total),
        1 => Update::keep(),
        _ => Update::put(Seen { total: total + new.iter().sum::<i64>(), last }).emit_all(new.iter().rev()),
    }
}

#[update_state]
pub fn update_wake(context: &Context, new: Values<i64>, state: Option<i64>) -> Update<i64, String> {
    if context.cause().woken {
        return Update::delete().emit(format!("woken with {}", state.unwrap_or(0)));
    }
    let later = context.batch_time().plus_micros(2 * context.interval_micros());
    Update::put(new.last().unwrap_or(0)).wake_at(later)
}

#[update_state]
pub fn update_result_emit(new: Values<i64>, state: Option<i64>) -> Result<Update<i64, i64>, String> {
    match new.last() {
        Some(value) if value < 0 => Err(format!("{value} is negative")),
        Some(value) => Ok(Update::put(value).emit(value - state.unwrap_or(0))),
        None => Ok(Update::keep()),
    }
}

/// The state of version 1.
fn from_one(old: i64) -> Seen {
    Seen { total: old, last: 0 }
}

#[update_state(version = 2, migrate(1 = from_one))]
pub fn update_version(new: Values<i64>, seen: Option<Seen>) -> Option<Seen> {
    Some(Seen { total: seen.map_or(0, |seen| seen.total) + new.iter().sum::<i64>(), last: new.last()? })
}
