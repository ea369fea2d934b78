//! Sources of streams.

use std::{path::PathBuf, time::Duration};

use tidemill_model::{
    connector::{
        Address, FilesSource, GenerateKind, GenerateSource, InvalidUtf8, SocketMode, SocketSource, SourceSpec,
        TextOptions,
    },
    schema::{Kind, Schema},
};

use super::{queue, reader::Reader, values};
use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::{Name, Value, ValueKind},
    keys,
    reader::quantity::{self, show_size},
};

/// Bytes received and not yet run, where the pipeline does not say how many.
const BUFFER_BYTES_DEFAULT: usize = 64 << 20;
const BUFFER_BYTES_MAX: usize = 4 << 30;
const LINE_BYTES_MAX: usize = 64 << 20;

const INVALID_UTF8: &[(&str, InvalidUtf8)] = &[("replace", InvalidUtf8::Replace), ("reject", InvalidUtf8::Reject)];

const GENERATE_KINDS: &[(&str, GenerateKind)] = &[
    ("words", GenerateKind::Words),
    ("orders", GenerateKind::Orders),
    ("points", GenerateKind::Points),
    ("activity", GenerateKind::Activity),
];

/// Reads the source that the key `kind` makes, and what its rows are. `None`: it has been reported.
pub(super) fn read(kind: &str, reader: &mut Reader<'_, '_>) -> Option<(SourceSpec, Schema)> {
    let lines = Schema::single("line", Kind::Text);
    let value = reader.get(kind)?;
    let diagnostics = &mut *reader.diagnostics;
    match kind {
        "socket" => Some((SourceSpec::Socket(socket(value, diagnostics)?), lines)),
        "files" => Some((SourceSpec::Files(files(value, diagnostics)?), lines)),
        "generate" => Some((SourceSpec::Generate(generate(value, diagnostics)?), lines)),
        "queue" => {
            let queue = queue::read(value, diagnostics)?;
            let schema = queue.schema.clone();
            Some((SourceSpec::Queue(queue), schema))
        }
        _ => None,
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Text(_)) || value.typed.is_some()
}

// === impl socket ===

fn socket(value: &Value, diagnostics: &mut Diagnostics) -> Option<SocketSource> {
    if is_text(value) {
        let mode = SocketMode::Connect(address(value, true, diagnostics)?);
        let (text, buffer_bytes_max) = (TextOptions::default(), BUFFER_BYTES_DEFAULT);
        return Some(SocketSource { mode, text, buffer_bytes_max, acknowledge: false });
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "\"HOST:PORT\" or a table", diagnostics);
        return None;
    }
    let mut reader = Reader::try_new("`socket`", value, diagnostics)?;
    reader.check_keys(keys::SOCKET, "streams");
    let text = text_options(&mut reader);
    let buffer = buffer(&text, &mut reader);
    let connect = reader.read("connect", |value, diagnostics| address(value, true, diagnostics));
    let listen = reader.read("listen", |value, diagnostics| address(value, false, diagnostics));
    let mode = match (reader.get("connect"), reader.get("listen")) {
        (Some(first), Some(second)) => {
            // One that came from the command line stands in the way of the other, not the file's.
            let odd = if first.span.source > second.span.source { first } else { second };
            let error = Diagnostic::error(odd.span, "a socket either connects or listens");
            let whole =
                "leave out one; --set streams.NAME.socket=HOST:PORT replaces the whole of it by one that connects";
            let help = if odd.span.source == 0 { "leave out `connect` or `listen`" } else { whole };
            reader.diagnostics.push(error.help(help));
            None
        }
        (None, None) => {
            reader.need("connect", "connect = \"127.0.0.1:9999\", or listen = \"127.0.0.1:9999\"");
            None
        }
        _ => connect.map(SocketMode::Connect).or(listen.map(SocketMode::Listen)),
    };
    let acknowledge = reader.read("acknowledge", values::boolean).unwrap_or(false);
    if let (Some(SocketMode::Connect(_)), Some(value), true) = (&mode, reader.get("acknowledge"), acknowledge) {
        let error = Diagnostic::error(value.span, "only a socket that listens acknowledges");
        reader.diagnostics.push(error.help("let the producer connect, with `listen`, or leave `acknowledge` out"));
    }
    Some(SocketSource { mode: mode?, text, buffer_bytes_max: buffer, acknowledge })
}

fn address(value: &Value, connects: bool, diagnostics: &mut Diagnostics) -> Option<Address> {
    let text = values::text(value, diagnostics)?;
    match Address::try_parse(&text.text) {
        Ok(address) if address.port == 0 && connects => {
            let error = Diagnostic::error(text.span, "nobody can connect to port 0");
            diagnostics.push(error.help("name the peer's port; 0 is only for `listen`, where the system chooses"));
            None
        }
        Ok(address) => Some(address),
        Err(reason) => {
            diagnostics.push(Diagnostic::error(text.span, format!("`{}` is no address", text.text)).help(reason));
            None
        }
    }
}

fn buffer(text: &TextOptions, reader: &mut Reader<'_, '_>) -> usize {
    let Some(value) = reader.get("buffer") else { return BUFFER_BYTES_DEFAULT };
    let Some(bytes) = values::size(value, "`buffer`", 1..=BUFFER_BYTES_MAX, reader.diagnostics) else {
        return BUFFER_BYTES_DEFAULT;
    };
    if bytes < text.line_bytes_max {
        let message = format!("the buffer is smaller than a line may be, {}", show_size(text.line_bytes_max as u64));
        let error = Diagnostic::error(value.span, message);
        reader.diagnostics.push(error.help("enlarge `buffer`, or set `line-bytes-max`"));
    }
    bytes
}

fn text_options(reader: &mut Reader<'_, '_>) -> TextOptions {
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

// === impl files ===

fn files(value: &Value, diagnostics: &mut Diagnostics) -> Option<FilesSource> {
    let source = |path: Name, existing, settled_after, text| FilesSource {
        path: PathBuf::from(path.text),
        existing,
        settled_after,
        text,
    };
    if is_text(value) {
        let path = values::filled_text(value, "the path", diagnostics)?;
        return Some(source(path, false, None, TextOptions::default()));
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "the path of a file or folder, or a table", diagnostics);
        return None;
    }
    let mut reader = Reader::try_new("`files`", value, diagnostics)?;
    reader.check_keys(keys::FILES, "streams");
    let text = text_options(&mut reader);
    let existing = reader.read("existing", values::boolean).unwrap_or(false);
    let settled_after = reader.read("settled-after", settled_after);
    let path = reader.need("path", "path = \"words.txt\"")?;
    Some(source(values::filled_text(path, "the path", reader.diagnostics)?, existing, settled_after, text))
}

fn settled_after(value: &Value, diagnostics: &mut Diagnostics) -> Option<Duration> {
    let text = values::text(value, diagnostics)?;
    match quantity::interval(&text.text) {
        Ok(rest) => Some(rest.duration()),
        Err(reason) => {
            let what = format!("`{}` is no time for which a file rests", text.text);
            diagnostics.push(Diagnostic::error(text.span, what).help(reason));
            None
        }
    }
}

// === impl generate ===

fn generate(value: &Value, diagnostics: &mut Diagnostics) -> Option<GenerateSource> {
    let kind = |value: &Value, diagnostics: &mut Diagnostics| {
        values::choice(value, "kind of generated rows", GENERATE_KINDS, diagnostics)
    };
    if is_text(value) {
        return Some(GenerateSource { kind: kind(value, diagnostics)?, rate: None, count: None, seed: 0 });
    }
    if !matches!(value.kind, ValueKind::Table(_)) {
        values::wrong_type(value, "a kind of rows, or a table", diagnostics);
        return None;
    }
    let mut reader = Reader::try_new("`generate`", value, diagnostics)?;
    reader.check_keys(keys::GENERATE, "streams");
    let mut number = |key: &str, min: u64| {
        reader.read(key, |value, diagnostics| values::integer(value, &format!("`{key}`"), min..=u64::MAX, diagnostics))
    };
    let (rate, count, seed) = (number("rate", 1), number("count", 0), number("seed", 0));
    let value = reader.need("kind", "kind = \"words\"")?;
    Some(GenerateSource { kind: kind(value, reader.diagnostics)?, rate, count, seed: seed.unwrap_or(0) })
}
