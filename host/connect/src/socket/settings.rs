//! How a socket is written in a pipeline.

use std::{sync::Arc, time::Duration};

use tidemill_model::{
    connector::{Listens, SourceSettings, World},
    ports::{PortError, Source},
    schema::Schema,
    time::Interval,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    diagnostics::{Diagnostic, Diagnostics},
    reader::{Reader, Value, quantity::show_size, values},
};

use super::ReceivedLines;
use crate::{
    address::{self, Address},
    text::{
        self,
        options::{self, TextOptions},
    },
};

/// Lines over TCP.
pub static SOCKET: Connector =
    Connector { key: "socket", source: Some(Form { page: PAGE, read }), sink: None, letters: None };

const PAGE: Page = Page {
    says: "Lines over TCP. `socket = \"HOST:PORT\"` connects, and connects again when the peer goes away. The long form:",
    short: Short::Text { key: "connect", what: "\"HOST:PORT\" or a table" },
    keys: &[
        Key("connect", "text, `HOST:PORT`", "", "connect to a peer; this or `listen`"),
        Key("listen", "text, `HOST:PORT`", "", "wait for producers; port 0 lets the system choose"),
        options::LINE_BYTES,
        options::UTF8,
        Key(
            "buffer",
            "size, 4GiB at most",
            "64MiB",
            "bytes received and not yet run; when it is full, the socket is not read. Not less than `line-bytes-max`",
        ),
        Key(
            "idle-timeout",
            "time",
            "no end",
            "close a connection that has given no line for so long. A socket that connects does so again; a producer of one that \
             listens may come again. Without it whoever is silent stays, if the system finds it still there",
        ),
        Key(
            "acknowledge",
            "boolean",
            "false",
            "with `listen`: tell the producer how many lines are durable, so that it can go on there; needs a `checkpoint`. \
             See [the socket's page](../connect/connectors/socket.md#acknowledge)",
        ),
    ],
};

/// Bytes received and not yet run, where the pipeline does not say how many.
const BUFFER_BYTES_DEFAULT: usize = 64 << 20;
const BUFFER_BYTES_MAX: usize = 4 << 30;

/// Which side opens the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketMode {
    /// Tidemill connects, and connects again when the peer goes away.
    Connect(Address),
    /// Tidemill waits for producers; any number, one after the other or at once.
    Listen(Address),
}

/// A socket and how its bytes become lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSource {
    /// Who connects to whom.
    pub mode: SocketMode,
    /// How lines are cut.
    pub text: TextOptions,
    /// Bytes received and not yet run; when they are reached the socket is not read.
    pub buffer_bytes_max: usize,
    /// A connection without a line for so long is closed.
    pub idle_max: Option<Duration>,
    /// Producers are told how many lines are durable; only where they connect.
    pub acknowledge: bool,
}

impl SourceSettings for SocketSource {
    fn schema(&self) -> Schema {
        text::schema()
    }

    fn endless(&self) -> Option<&'static str> {
        Some("a socket")
    }

    fn logged(&self) -> Option<&'static str> {
        Some("a socket")
    }

    fn acknowledges(&self) -> Option<&'static str> {
        self.acknowledge.then_some("lines")
    }

    fn listens(&self) -> Option<Listens> {
        match &self.mode {
            SocketMode::Connect(_) => None,
            // Every one gets a port of its own.
            SocketMode::Listen(address) if address.port == 0 => None,
            SocketMode::Listen(address) => Some(address::listens(address)),
        }
    }

    fn open(&self, stream: &str, world: &World) -> Result<Box<dyn Source>, PortError> {
        Ok(Box::new(ReceivedLines::open(stream, self, world)?))
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SourceSettings>> {
    let text = options::read(reader);
    let buffer = buffer(&text, reader);
    let idle_max = reader.read("idle-timeout", idle_max);
    let connect = reader.read("connect", |value, diagnostics| read_address(value, true, diagnostics));
    let listen = reader.read("listen", |value, diagnostics| read_address(value, false, diagnostics));
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
    Some(Arc::new(SocketSource { mode: mode?, text, buffer_bytes_max: buffer, idle_max, acknowledge }))
}

fn read_address(value: &Value, connects: bool, diagnostics: &mut Diagnostics) -> Option<Address> {
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

fn idle_max(value: &Value, diagnostics: &mut Diagnostics) -> Option<Duration> {
    values::interval(value, "time for which a connection may be silent", diagnostics).map(Interval::duration)
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
