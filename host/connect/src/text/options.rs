//! How bytes become lines, as a pipeline says it.

use tidemill_plan::{
    connector::Key,
    diagnostics::Diagnostics,
    reader::{Reader, Value, values},
};

/// The longest lines that a pipeline can ask for.
const LINE_BYTES_MAX: usize = 64 << 20;

const INVALID_UTF8: &[(&str, InvalidUtf8)] = &[("replace", InvalidUtf8::Replace), ("reject", InvalidUtf8::Reject)];

/// The keys of these options.
pub(crate) const LINE_BYTES: Key =
    Key("line-bytes-max", "size, 64MiB at most", "1MiB", "longer lines are rejected, and counted");
pub(crate) const UTF8: Key = Key(
    "invalid-utf8",
    "`\"replace\"`, `\"reject\"`",
    "`\"replace\"`",
    "each bad sequence becomes U+FFFD, or the line is rejected; counted either way",
);

/// How bytes become rows of one field `line: text`.
///
/// A line ends with LF or CRLF (neither is part of it); at the end of the input a last line without an end counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// A longer line is rejected, and counted.
    pub line_bytes_max: usize,
    /// What happens to a line that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
}

/// What happens to a line that is not UTF-8; counted either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// Each bad sequence becomes U+FFFD, as Spark does it.
    Replace,
    /// The line is rejected.
    Reject,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { line_bytes_max: 1 << 20, invalid_utf8: InvalidUtf8::Replace }
    }
}

/// Reads them.
pub(crate) fn read(reader: &mut Reader<'_, '_>) -> TextOptions {
    let mut options = TextOptions::default();
    let line_bytes_max = |value: &Value, diagnostics: &mut Diagnostics| {
        values::size(value, "`line-bytes-max`", 1..=LINE_BYTES_MAX, diagnostics)
    };
    if let Some(bytes) = reader.read("line-bytes-max", line_bytes_max) {
        options.line_bytes_max = bytes;
    }
    let invalid_utf8 = |value: &Value, diagnostics: &mut Diagnostics| {
        values::choice(value, "value of `invalid-utf8`", INVALID_UTF8, diagnostics)
    };
    if let Some(choice) = reader.read("invalid-utf8", invalid_utf8) {
        options.invalid_utf8 = choice;
    }
    options
}
