//! Every key of a pipeline: which ones there are and what they stand beside.

use tidemill_model::connector::SourceSettings;

use crate::{
    connector::{Connectors, Form},
    operators::{OPERATORS, OperatorKind},
};

/// The sections of a pipeline.
pub(crate) const SECTIONS: &[&str] = &["pipeline", "plugins", "streams", "outputs"];

/// Keys of `[pipeline]`.
pub(crate) const PIPELINE: &[&str] = &[
    "name",
    "interval",
    "partitions",
    "checkpoint",
    "on-error",
    "dead-letters",
    "limits",
    "stop-within",
    "late-ticks",
];

/// Keys of what all functions of a pipeline may use together.
pub(crate) const PIPELINE_LIMITS: &[&str] = &["batch-fuel", "batch-rows", "batch-bytes", "instance-memory"];

/// Keys of what happens when a function fails.
pub(crate) const ON_ERROR: &[&str] = &["retry", "delay", "then"];

/// Keys of a checkpoint.
pub(crate) const CHECKPOINT: &[&str] = &["folder", "url", "keep-batches", "keep-bytes", "budget", "free-space"];

/// Keys of a plugin.
pub(crate) const PLUGIN: &[&str] = &["path", "sha256", "limits"];

/// Keys of a plugin's limits.
pub(crate) const LIMITS: &[&str] = &[
    "fuel-per-call",
    "fuel-per-row",
    "memory",
    "table-elements",
    "result-bytes",
    "result-rows",
    "rejections",
    "log-lines-per-batch",
    "log-line-bytes",
    "counters",
    "component-bytes",
    "functions",
    "compile-time",
    "compile-wait",
    "compile-memory",
    "compiled-bytes",
];

/// Keys of an output, beside its sink.
const OUTPUT: &[&str] = &["output", "fields", "parameters", "on-error"];

/// All keys of an output.
pub(crate) fn output(connectors: Connectors) -> Vec<&'static str> {
    ["from"].into_iter().chain(sinks(connectors)).chain(OUTPUT.iter().copied()).collect()
}

/// The sinks of an output.
pub(crate) fn sinks(connectors: Connectors) -> impl Iterator<Item = &'static str> + Clone {
    connectors.iter().filter(|connector| connector.sink.is_some()).map(|connector| connector.key)
}

/// What a stream can be.
#[derive(Clone, Copy)]
pub(crate) enum KeyKind {
    /// Its rows come from outside: the key says how.
    Source(&'static str, &'static Form<dyn SourceSettings>),
    /// They come from other streams.
    Operator(&'static dyn OperatorKind),
}

/// Keys beside a source.
const BESIDE_SOURCES: &[&str] = &["previously"];

/// Every kind of stream.
pub(crate) fn kinds(connectors: Connectors) -> impl Iterator<Item = KeyKind> {
    let operators = OPERATORS.iter().map(|operator| KeyKind::Operator(*operator));
    let sources =
        connectors.iter().filter_map(|connector| Some(KeyKind::Source(connector.key, connector.source.as_ref()?)));
    sources.chain(operators)
}

impl KeyKind {
    /// The key that makes a stream one.
    pub(crate) fn key(self) -> &'static str {
        match self {
            KeyKind::Source(key, _) => key,
            KeyKind::Operator(operator) => operator.page().key,
        }
    }

    /// Whether rows come from outside.
    pub(crate) fn is_source(self) -> bool {
        matches!(self, KeyKind::Source(..))
    }

    /// Other keys of such a stream.
    pub(crate) fn beside(self) -> Vec<&'static str> {
        match self {
            KeyKind::Source(..) => BESIDE_SOURCES.to_vec(),
            KeyKind::Operator(operator) => operator.page().beside(),
        }
    }

    /// Whether `key` can stand beside it.
    pub(crate) fn has_beside(self, key: &str) -> bool {
        match self {
            KeyKind::Source(..) => BESIDE_SOURCES.contains(&key),
            KeyKind::Operator(operator) => operator.page().has_beside(key),
        }
    }
}

/// What is planned: known by name, so that it is not called a mistake of spelling.
pub(crate) const LATER: &[(&str, &[&str])] = &[
    ("pipeline", &["watermark", "max-delay", "shared"]),
    ("streams", &["count-by-value", "event-time", "http", "kafka", "sql"]),
    ("outputs", &["database", "http", "kafka", "postgres", "shared", "socket"]),
];

/// Whether `key` is planned for `place`, a name of [`LATER`].
pub(crate) fn is_later(place: &str, key: &str) -> bool {
    LATER.iter().any(|(name, keys)| *name == place && keys.contains(&key))
}

/// The kinds of stream that have `key` beside them.
pub(crate) fn kinds_with(connectors: Connectors, key: &str) -> impl Iterator<Item = &'static str> {
    kinds(connectors).filter(move |kind| kind.has_beside(key)).map(KeyKind::key)
}

/// Where a value may be short, the key that it stands for in the long form. `depth` counts the names before `key`:
/// that of a plugin is 1, that of a stream's `socket` 2.
pub(crate) fn long_form(
    connectors: Connectors,
    section: &str,
    depth: usize,
    key: &str,
    is_url: bool,
) -> Option<&'static str> {
    let connector = || connectors.iter().find(|connector| connector.key == key);
    match (section, depth, key) {
        ("pipeline", 1, "checkpoint") if is_url => Some("url"),
        ("pipeline", 1, "checkpoint") => Some("folder"),
        ("plugins", 1, _) => Some("path"),
        ("streams", 2, _) => connector()?.source.as_ref()?.page.short.key(),
        ("outputs", 2, _) => connector()?.sink.as_ref()?.page.short.key(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tidemill_model::limits::{Limits, PipelineLimits};

    use super::*;
    use crate::reader::quantity::show_size;

    const PAGE: &str =
        concat!(include_str!("../PIPELINE.md"), include_str!("../OPERATORS.md"), include_str!("../LIMITS.md"));

    #[test]
    fn the_page_names_every_key() {
        let kinds = kinds(&[]).flat_map(|kind| [kind.key()].into_iter().chain(kind.beside()));
        let keys = [PIPELINE, PIPELINE_LIMITS, CHECKPOINT, ON_ERROR, PLUGIN, LIMITS, OUTPUT, BESIDE_SOURCES].concat();
        for key in keys.into_iter().chain(output(&[])).chain(kinds) {
            let is_named = PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!("`{key} = "));
            assert!(is_named, "the pages do not tell of `{key}`");
        }
    }

    #[test]
    fn the_page_has_the_limits_that_hold() {
        // Taken apart, so that a new limit is not forgotten here.
        let lines = |limits: Limits| {
            let Limits {
                fuel_per_call,
                fuel_per_row,
                memory_bytes,
                table_elements,
                result_bytes,
                result_rows,
                rejections,
                log_lines_per_batch,
                log_line_bytes,
                counters,
                component_bytes,
                functions,
                compile_time,
                compile_wait,
                compile_memory,
                compiled_bytes,
            } = limits;
            // As they are written: in the largest unit that gives a whole number.
            let time = |time: std::time::Duration| match time.as_secs() {
                seconds if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
                seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
                seconds => format!("{seconds}s"),
            };
            [
                fuel_per_call.to_string(),
                fuel_per_row.to_string(),
                show_size(memory_bytes as u64),
                table_elements.to_string(),
                show_size(result_bytes as u64),
                result_rows.to_string(),
                rejections.to_string(),
                log_lines_per_batch.to_string(),
                show_size(log_line_bytes as u64),
                counters.to_string(),
                show_size(component_bytes as u64),
                functions.to_string(),
                time(compile_time),
                time(compile_wait),
                show_size(compile_memory as u64),
                show_size(compiled_bytes as u64),
            ]
        };
        let of_all = |limits: PipelineLimits| {
            let PipelineLimits { batch_fuel, batch_rows, batch_bytes, instance_memory } = limits;
            [batch_fuel.to_string(), batch_rows.to_string(), show_size(batch_bytes), show_size(instance_memory)]
        };
        let (defaults, most) = (of_all(PipelineLimits::default()), of_all(PipelineLimits::host_max()));
        for ((key, default), max) in PIPELINE_LIMITS.iter().zip(defaults).zip(most) {
            let line = format!("| `{key}` | {default} | {max} |");
            assert!(PAGE.contains(&line), "the pages do not have {line}");
        }
        for ((key, default), max) in LIMITS.iter().zip(lines(Limits::default())).zip(lines(Limits::host_max())) {
            let line = format!("| `{key}` | {default} | {max} |");
            assert!(PAGE.contains(&line), "the pages do not have {line}");
        }
    }
}
