//! Every key of a pipeline: which ones there are and what they stand beside.

/// The sections of a pipeline.
pub(crate) const SECTIONS: &[&str] = &["pipeline", "plugins", "streams", "outputs"];

/// Keys of `[pipeline]`.
pub(crate) const PIPELINE: &[&str] = &["name", "interval", "partitions", "checkpoint"];

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
    "log-lines-per-call",
    "log-line-bytes",
    "counters",
    "component-bytes",
    "functions",
];

/// Keys of an output.
pub(crate) const OUTPUT: &[&str] = &["from", "print", "files", "output", "fields", "parameters"];

/// The sinks of an output.
pub(crate) const SINKS: &[&str] = &["print", "files"];

/// What a stream can be, and which keys stand beside it.
pub(crate) struct Kind {
    /// The key that makes it one.
    pub(crate) key: &'static str,
    /// Whether rows come from outside.
    pub(crate) source: bool,
    /// Other keys of such a stream.
    pub(crate) beside: &'static [&'static str],
}

/// Every kind of stream.
pub(crate) const KINDS: &[Kind] = &[
    source("socket"),
    source("files"),
    source("queue"),
    source("generate"),
    operator("map", &["from", "fields", "keep", "parameters", "as"]),
    operator("filter", &["from", "fields", "parameters"]),
    operator("reduce", &["from", "by", "fields", "parameters", "as"]),
    operator("update-state", &["from", "by", "fields", "parameters", "run", "emit", "as"]),
    operator("count", &["from"]),
    operator("union", &["from"]),
    operator("sort", &["from"]),
    operator("limit", &["from"]),
    operator("distinct", &["from"]),
];

/// What is planned: known by name, so that it is not called a mistake of spelling.
pub(crate) const LATER: &[(&str, &[&str])] = &[
    ("pipeline", &["on-error", "watermark", "max-delay", "shared"]),
    (
        "streams",
        &[
            "acknowledge",
            "cogroup",
            "count-by-value",
            "event-time",
            "group",
            "http",
            "initial",
            "join",
            "kafka",
            "on-error",
            "prefix",
            "repartition",
            "sample",
            "shared",
            "slide",
            "sql",
            "table",
            "timeout",
            "window",
        ],
    ),
    ("outputs", &["database", "http", "kafka", "on-error", "postgres", "shared", "socket"]),
    ("formats", &["csv", "parquet"]),
];

const fn source(key: &'static str) -> Kind {
    Kind { key, source: true, beside: &[] }
}

const fn operator(key: &'static str, beside: &'static [&'static str]) -> Kind {
    Kind { key, source: false, beside }
}

/// Whether `key` is planned for `place`, a name of [`LATER`].
pub(crate) fn is_later(place: &str, key: &str) -> bool {
    LATER.iter().any(|(name, keys)| *name == place && keys.contains(&key))
}

/// The kinds of stream that have `key` beside them.
pub(crate) fn kinds_with(key: &str) -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(move |kind| kind.beside.contains(&key)).map(|kind| kind.key)
}

/// Where a value may be short, the key that it stands for in the long form. `depth` counts the names before `key`:
/// that of a plugin is 1, that of a stream's `socket` 2.
pub(crate) fn long_form(section: &str, depth: usize, key: &str) -> Option<&'static str> {
    match (section, depth, key) {
        ("plugins", 1, _) => Some("path"),
        ("streams", 2, "socket") => Some("connect"),
        ("streams", 2, "files") => Some("path"),
        ("streams", 2, "generate") => Some("kind"),
        ("outputs", 2, "print") => Some("rows"),
        ("outputs", 2, "files") => Some("folder"),
        _ => None,
    }
}
