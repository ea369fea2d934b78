//! What sources and sinks are configured with. The plan reads these from a pipeline; the connectors act on them.

use std::{fmt, net::Ipv6Addr, path::PathBuf, time::Duration};

use crate::schema::Schema;

/// Where a stream's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceSpec {
    /// Lines of text over TCP.
    Socket(SocketSource),
    /// Lines of text files.
    Files(FilesSource),
    /// Rows given in the pipeline or a file: for tests.
    Queue(QueueSource),
    /// Made-up rows, the same for the same seed.
    Generate(GenerateSource),
}

/// `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port; 0 (listen only) lets the system choose.
    pub port: u16,
}

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
    /// Producers are told how many lines are durable; only where they connect.
    pub acknowledge: bool,
}

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

/// Files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSource {
    /// A file, or a folder whose files are read, each once; names that begin with `.` are passed over.
    pub path: PathBuf,
    /// For a folder: whether files that were there at the start are read too.
    pub existing: bool,
    /// For a folder: how long a file must have been seen unchanged before it is read; `None`: an interval, and some seconds
    /// at least where the file's time is one of whole seconds.
    pub settled_after: Option<Duration>,
    /// How lines are cut.
    pub text: TextOptions,
}

/// One batch a tick, as given.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueSource {
    /// What the rows are.
    pub schema: Schema,
    /// The batches; `None` is a tick at which the source has none. A row is a JSON object of the schema's fields, or,
    /// for a single field, its value.
    pub batches: Vec<Option<Vec<JsonText>>>,
    /// How many partitions a batch is cut into: row i of n goes to partition p where p·n/partitions <= i.
    pub partitions: Option<u32>,
}

/// A JSON value as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(pub String);

/// Made-up rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateSource {
    /// What they are about.
    pub kind: GenerateKind,
    /// Rows a second; `None`: as fast as they are taken.
    pub rate: Option<u64>,
    /// Rows in all; `None`: without end.
    pub count: Option<u64>,
    /// The same seed gives the same rows.
    pub seed: u64,
}

/// What generated rows are about. Each is one line of text, as the tutorials' feeds have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateKind {
    /// Lines of ten words, frequencies after Zipf.
    Words,
    /// `{"order_id": "...", "status": "PLACED"}`.
    Orders,
    /// `x y`, now and then a bad one.
    Points,
    /// `{"user_id": 1000, "activity": "profile.view"}`.
    Activity,
}

/// Where an output's rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// To standard output.
    Print(PrintSink),
    /// To files, a folder of them a batch.
    Files(FilesSink),
}

/// The first rows of each batch, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintSink {
    /// How many rows are shown before `...`.
    pub rows: usize,
    /// How a row looks.
    pub style: PrintStyle,
}

/// How a printed batch looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintStyle {
    /// As PySpark's pprint: `('a', 1)`, and the time as local date and time.
    Python,
    /// As Scala's print: `(a,1)`, and the time in milliseconds.
    Scala,
    /// One JSON object a row, and the time in milliseconds.
    Json,
}

/// A file a partition in a folder a batch, staged and then renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSink {
    /// The folder that gets a folder for each batch.
    pub folder: PathBuf,
    /// What a file has in it.
    pub format: FileFormat,
}

/// What a file has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// A line a row: the value of a single field; several fields with tabs between them.
    Text,
    /// A JSON object a row.
    Jsonl,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions { line_bytes_max: 1 << 20, invalid_utf8: InvalidUtf8::Replace }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads `HOST:PORT` or `[IPV6]:PORT`; the error says what is wrong with it.
    pub fn try_parse(text: &str) -> Result<Address, String> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("`{text}` has no port: write HOST:PORT"))?;
        let port = match port.parse() {
            Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => return Err(format!("`{port}` is no port: a number from 0 to 65535")),
        };
        if host.is_empty() {
            return Err(format!("`{text}` has no host: write HOST:PORT, say 127.0.0.1:{port}"));
        }
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match inside {
            // A link-local address may name its interface behind a `%`.
            Some(inside) => inside.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
            None => !host.contains([':', '[', ']', '/']) && !host.contains(char::is_whitespace),
        };
        if !is_host {
            return Err(format!("`{host}` is no host: write a name, an IPv4 address, or an IPv6 address in brackets"));
        }
        let host = inside.unwrap_or(host);
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["localhost:9999", "127.0.0.1:0", "[::1]:80", "[fe80::1%eth0]:80", "a-b.example:65535"] {
            assert_eq!(Address::try_parse(text).expect("an address").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        #[track_caller]
        fn check(text: &str, expect: &str) {
            assert_eq!(Address::try_parse(text).expect_err("no address"), expect);
        }
        check("", "`` has no port: write HOST:PORT");
        check("localhost", "`localhost` has no port: write HOST:PORT");
        check(":80", "`:80` has no host: write HOST:PORT, say 127.0.0.1:80");
        for port in ["http", "65536", "-1", "+80", "", " 80", "80 "] {
            check(&format!("localhost:{port}"), &format!("`{port}` is no port: a number from 0 to 65535"));
        }
        for host in ["::1", ":", "[::1", "::1]", "[]", "[localhost]", "[127.0.0.1]", "a b", "tcp://a"] {
            let expect = format!("`{host}` is no host: write a name, an IPv4 address, or an IPv6 address in brackets");
            check(&format!("{host}:80"), &expect);
        }
    }
}
