//! What happens when a function fails: `"skip-batch"`, or `{ retry = 3, delay = "100ms", then = "dead-letter" }`.

use std::time::Duration;

use super::{reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Value, ValueKind},
    graph::{OnError, RETRY_DELAY_MAX, Then},
    keys,
    reader::quantity,
};

/// Retries where the pipeline does not say how many.
const RETRIES_DEFAULT: u32 = 3;

/// More would only hide a function that always fails.
const RETRIES_MAX: u64 = 100;

/// The wait before the first retry where the pipeline does not say how long.
const DELAY_DEFAULT: Duration = Duration::from_millis(100);

const RETRY: OnError = OnError { retries: RETRIES_DEFAULT, delay: DELAY_DEFAULT, then: Then::Stop };

const THEN: &[(&str, Then)] =
    &[("stop", Then::Stop), ("skip-batch", Then::SkipBatch), ("dead-letter", Then::DeadLetter)];

const POLICIES: &[(&str, OnError)] = &[
    ("stop", without_retry(Then::Stop)),
    ("retry", RETRY),
    ("skip-batch", without_retry(Then::SkipBatch)),
    ("dead-letter", without_retry(Then::DeadLetter)),
];

const fn without_retry(then: Then) -> OnError {
    OnError { retries: 0, delay: Duration::ZERO, then }
}

pub(crate) fn read(value: &Value, diagnostics: &mut Diagnostics) -> Option<OnError> {
    if !matches!(value.kind, ValueKind::Table(_)) {
        return values::choice(value, "value of `on-error`", POLICIES, diagnostics);
    }
    let mut reader = Reader::try_new("`on-error`", value, diagnostics)?;
    reader.check_keys(keys::ON_ERROR, "");
    let then = reader.read("then", |value, diagnostics| values::choice(value, "value of `then`", THEN, diagnostics));
    let then = then.unwrap_or(Then::Stop);
    let retries = |value: &Value, diagnostics: &mut Diagnostics| {
        u32::try_from(values::integer(value, "`retry`", 0..=RETRIES_MAX, diagnostics)?).ok()
    };
    let retries = reader.read("retry", retries);
    let delay = reader.read("delay", delay);
    let has_none = reader.get("retry").is_none() && !reader.has_misspelt(&["retry"]);
    if let (true, Some(written)) = (has_none || retries == Some(0), reader.get("delay")) {
        let error = Diagnostic::error(written.span, "`delay` is the wait before a retry, and there is none");
        reader.diagnostics.push(error.help("say how many: { retry = 3, delay = \"100ms\" }"));
    }
    Some(OnError { retries: retries.unwrap_or(0), delay: delay.unwrap_or(DELAY_DEFAULT), then })
}

fn delay(value: &Value, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let text = values::text(value, diagnostics)?;
    let delay = quantity::interval(&text.text).map(|interval| interval.duration());
    let delay =
        delay.and_then(|delay| if delay <= RETRY_DELAY_MAX { Ok(delay) } else { Err("10s at most".to_owned()) });
    delay
        .map_err(|reason| {
            diagnostics.push(Diagnostic::error(text.span, format!("`{}` is no delay", text.text)).help(reason))
        })
        .ok()
}
