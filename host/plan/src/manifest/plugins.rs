//! The section `[plugins]`.

use std::{ops::RangeInclusive, time::Duration};

use tidemill_model::limits::{COMPILE_MEMORY_MIN, COMPILE_TIME_MIN, Limits};

use super::{reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::{Name, Value, ValueKind},
    keys,
    reader::quantity,
};

/// A plugin that the pipeline names.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginEntry {
    /// Its name in the pipeline.
    pub name: String,
    /// Its file, as it is written.
    pub path: String,
    /// What the file must hash to: 64 hexadecimal digits in lower case.
    pub sha256: Option<String>,
    /// What it may use: the defaults, changed by what is written, within the host's maxima.
    pub limits: Limits,
    /// Where its name stands.
    pub span: Span,
}

/// So many plugins at most.
const PLUGINS_MAX: usize = 1_000;

/// A wasm page: no instance can do with less.
const MEMORY_BYTES_MIN: usize = 64 << 10;

/// All names, and the plugins that could be read.
pub(super) fn read(value: &Value, diagnostics: &mut Diagnostics) -> (Vec<Name>, Vec<PluginEntry>) {
    let Some(table) = values::section(value, "plugins", PLUGINS_MAX, diagnostics) else { return Default::default() };
    let names = table.entries.iter().map(|(name, _)| name.clone()).collect();
    let entries = table.entries.iter().filter_map(|(name, value)| {
        let is_name = values::check_name(name, "a plugin", diagnostics);
        plugin(name, value, diagnostics).filter(|_| is_name)
    });
    (names, entries.collect())
}

fn plugin(name: &Name, value: &Value, diagnostics: &mut Diagnostics) -> Option<PluginEntry> {
    let mut entry = PluginEntry {
        name: name.text.clone(),
        path: String::new(),
        sha256: None,
        limits: Limits::default(),
        span: name.span,
    };
    if !matches!(value.kind, ValueKind::Table(_)) {
        if !matches!(value.kind, ValueKind::Text(_)) && value.typed.is_none() {
            values::wrong_type(value, "the path of a .wasm file, or a table", diagnostics);
            return None;
        }
        entry.path = values::filled_text(value, "the path", diagnostics)?.text;
        return Some(entry);
    }
    let mut reader = Reader::try_new(format!("plugin `{}`", name.text), value, diagnostics)?;
    reader.check_keys(keys::PLUGIN, "");
    entry.sha256 = reader.read("sha256", sha256);
    if let Some(value) = reader.get("limits") {
        limits(name, value, &mut entry.limits, reader.diagnostics);
    }
    let path = reader.need("path", "path = \"words.wasm\"")?;
    entry.path = values::filled_text(path, "the path", reader.diagnostics)?.text;
    Some(entry)
}

fn sha256(value: &Value, diagnostics: &mut Diagnostics) -> Option<String> {
    let digest = values::text(value, diagnostics)?;
    if digest.text.len() != 64 || !digest.text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let error = Diagnostic::error(digest.span, "this is no SHA-256 digest");
        diagnostics.push(error.help("it has 64 hexadecimal digits, as `sha256sum FILE` prints them"));
        return None;
    }
    Some(digest.text.to_ascii_lowercase())
}

fn limits(plugin: &Name, value: &Value, limits: &mut Limits, diagnostics: &mut Diagnostics) {
    let place = format!("the limits of plugin `{}`", plugin.text);
    let Some(mut reader) = Reader::try_new(place, value, diagnostics) else { return };
    reader.check_keys(keys::LIMITS, "");
    for (key, value) in reader.entries() {
        limit(&key.text, value, limits, reader.diagnostics);
    }
}

/// Changes the limit called `key`; one that is none has been reported.
fn limit(key: &str, value: &Value, limits: &mut Limits, diagnostics: &mut Diagnostics) {
    let max = Limits::host_max();
    match key {
        "fuel-per-call" => set(&mut limits.fuel_per_call, number(key, value, 1..=max.fuel_per_call, diagnostics)),
        "fuel-per-row" => set(&mut limits.fuel_per_row, number(key, value, 0..=max.fuel_per_row, diagnostics)),
        "memory" => {
            set(&mut limits.memory_bytes, size(key, value, MEMORY_BYTES_MIN..=max.memory_bytes, diagnostics));
        }
        "table-elements" => set(&mut limits.table_elements, count(key, value, max.table_elements, diagnostics)),
        "result-bytes" => set(&mut limits.result_bytes, size(key, value, 1..=max.result_bytes, diagnostics)),
        "result-rows" => set(&mut limits.result_rows, count(key, value, max.result_rows, diagnostics)),
        "rejections" => set(&mut limits.rejections, count(key, value, max.rejections, diagnostics)),
        "log-lines-per-batch" => {
            let lines = number(key, value, 0..=max.log_lines_per_batch.into(), diagnostics);
            set(&mut limits.log_lines_per_batch, lines.and_then(|lines| u32::try_from(lines).ok()));
        }
        "log-line-bytes" => set(&mut limits.log_line_bytes, size(key, value, 1..=max.log_line_bytes, diagnostics)),
        "counters" => set(&mut limits.counters, count(key, value, max.counters, diagnostics)),
        "component-bytes" => set(&mut limits.component_bytes, size(key, value, 1..=max.component_bytes, diagnostics)),
        "functions" => set(&mut limits.functions, count(key, value, max.functions, diagnostics)),
        "compile-time" => set(&mut limits.compile_time, time(key, value, max.compile_time, diagnostics)),
        "compile-wait" => set(&mut limits.compile_wait, time(key, value, max.compile_wait, diagnostics)),
        "compile-memory" => {
            let range = COMPILE_MEMORY_MIN..=max.compile_memory;
            set(&mut limits.compile_memory, size(key, value, range, diagnostics));
        }
        "compiled-bytes" => set(&mut limits.compiled_bytes, size(key, value, 1..=max.compiled_bytes, diagnostics)),
        _ => {}
    }
}

fn set<T>(limit: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *limit = value;
    }
}

fn number(key: &str, value: &Value, range: RangeInclusive<u64>, diagnostics: &mut Diagnostics) -> Option<u64> {
    values::integer(value, &format!("`{key}`"), range, diagnostics)
}

fn count(key: &str, value: &Value, max: usize, diagnostics: &mut Diagnostics) -> Option<usize> {
    let number = number(key, value, 0..=u64::try_from(max).unwrap_or(u64::MAX), diagnostics)?;
    usize::try_from(number).ok()
}

fn size(key: &str, value: &Value, range: RangeInclusive<usize>, diagnostics: &mut Diagnostics) -> Option<usize> {
    values::size(value, &format!("`{key}`"), range, diagnostics)
}

fn time(key: &str, value: &Value, max: Duration, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let text = values::text(value, diagnostics)?;
    let error = match quantity::interval(&text.text) {
        Ok(time) if (COMPILE_TIME_MIN..=max).contains(&time.duration()) => return Some(time.duration()),
        Ok(_) => {
            let (min, max) = (COMPILE_TIME_MIN.as_secs(), max.as_secs() / 3_600);
            Diagnostic::error(text.span, format!("`{key}` is from {min}s to {max}h")).label("out of range")
        }
        Err(reason) => Diagnostic::error(text.span, format!("`{}` is no time", text.text)).help(reason),
    };
    diagnostics.push(error);
    None
}
