//! A store that speaks S3 as far as checkpoints need it, on this machine, with faults. It keeps objects in memory, answers
//! one request of a connection after the other, and checks who asks by the name of their key alone.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::channel},
    thread,
    time::Duration,
};

/// The one bucket.
pub const BUCKET: &str = "tides";
/// Whose requests are answered, and what nobody is to read anywhere.
pub const KEY: &str = "AKIDTIDES";
pub const SECRET: &str = "correct-horse-battery-staple";
/// A key that may read nothing.
pub const STRANGER: &str = "AKIDSTRANGER";
/// Objects on a page of a list.
const PAGE: usize = 3;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The store has trouble, and has done nothing.
    Trouble,
    /// It has done it, and says that it has trouble.
    TroubleAfter,
    /// It has done it, and the connection ends without an answer.
    Silence,
    /// It has done it, and the connection ends within the answer.
    Cut,
    /// It takes its time.
    Delay(Duration),
}

type Faults = Box<dyn FnMut() -> Fault + Send>;

/// The store; it answers as long as the test runs.
#[derive(Clone)]
pub struct S3 {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    objects: BTreeMap<String, Vec<u8>>,
    faults: Option<Faults>,
    /// How many requests there were, by their methods.
    requests: BTreeMap<String, u64>,
    /// It does not know conditions: it overwrites.
    is_old: bool,
    /// It refuses them, with this status and code.
    refuses: Option<(&'static str, &'static str)>,
}

/// A request as it came.
struct Incoming {
    method: String,
    bucket: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl S3 {
    pub fn start() -> S3 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let store = S3 { address: listener.local_addr().unwrap(), shared: Arc::default() };
        let serving = store.clone();
        spawn(move || {
            for connection in listener.incoming().flatten() {
                let store = serving.clone();
                spawn(move || store.serve(&connection).unwrap_or_default());
            }
        });
        store
    }

    /// A store that overwrites what is there, whatever the condition.
    pub fn old() -> S3 {
        let store = S3::start();
        store.lock().is_old = true;
        store
    }

    /// A store that refuses whatever has a condition.
    pub fn refusing(status: &'static str, code: &'static str) -> S3 {
        let store = S3::start();
        store.lock().refuses = Some((status, code));
        store
    }

    /// Tells a command of the store, with the right key.
    pub fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.known_with(command, KEY)
    }

    pub fn known_with<'a>(&self, command: &'a mut Command, key: &str) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
    }

    /// Faults for requests from now on.
    pub fn set_faults(&self, faults: impl FnMut() -> Fault + Send + 'static) {
        self.lock().faults = Some(Box::new(faults));
    }

    /// All objects, by their keys.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().objects.clone()
    }

    /// How many requests of a method there were; `LIST` is one of them.
    pub fn requests(&self, method: &str) -> u64 {
        self.lock().requests.get(method).copied().unwrap_or_default()
    }

    pub fn remove(&self, key: &str) {
        self.lock().objects.remove(key).unwrap();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, connection: &TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection);
        while let Some(request) = Incoming::read(&mut reader)? {
            let (answer, is_cut) = self.answer(&request);
            let Some(answer) = answer else { return Ok(()) };
            let length = answer.body.len();
            let head = format!("HTTP/1.1 {}\r\nContent-Length: {length}\r\n{}\r\n", answer.status, answer.headers);
            let body = if request.method == "HEAD" { &[][..] } else { &answer.body };
            let told = [head.as_bytes(), body].concat();
            // Of a body half of it comes, or else half of the head.
            let kept = if !is_cut {
                told.len()
            } else if body.is_empty() {
                head.len() / 2
            } else {
                told.len() - body.len() / 2 - 1
            };
            (&mut &*connection).write_all(&told[..kept])?;
            if is_cut {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Nothing: there is to be none; and whether it breaks off.
    fn answer(&self, request: &Incoming) -> (Option<Answer>, bool) {
        let mut shared = self.lock();
        let is_list = request.method == "GET" && request.key.is_empty();
        let method = if is_list { "LIST" } else { &request.method };
        *shared.requests.entry(method.to_owned()).or_default() += 1;
        let fault = shared.faults.as_mut().map_or(Fault::None, |faults| faults());
        if let Fault::Delay(delay) = fault {
            drop(shared);
            let (_never, nothing) = channel::<()>();
            let _ = nothing.recv_timeout(delay);
            return (Some(self.lock().answer(request)), false);
        }
        let trouble = || Answer::error("503 Slow Down", "SlowDown", "Please reduce your request rate.");
        let answer = match fault {
            Fault::None | Fault::Delay(_) | Fault::Cut => Some(shared.answer(request)),
            Fault::Trouble => Some(trouble()),
            Fault::TroubleAfter => {
                shared.answer(request);
                Some(trouble())
            }
            Fault::Silence => {
                shared.answer(request);
                None
            }
        };
        (answer, fault == Fault::Cut)
    }
}

#[allow(clippy::disallowed_methods, reason = "a store is another program than the one that is tested")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    thread::spawn(work);
}

// === impl Shared ===

impl Shared {
    fn answer(&mut self, request: &Incoming) -> Answer {
        let who = request.header("authorization").unwrap_or_default();
        if !who.contains(&format!("Credential={KEY}/")) {
            return match who.contains(STRANGER) {
                true => Answer::error("403 Forbidden", "AccessDenied", "Access Denied"),
                false => Answer::error("403 Forbidden", "InvalidAccessKeyId", "The key is not in our records."),
            };
        }
        if request.bucket != BUCKET {
            return Answer::error("404 Not Found", "NoSuchBucket", "The specified bucket does not exist");
        }
        match request.method.as_str() {
            "PUT" => self.put(request),
            "GET" if request.key.is_empty() => self.list(&request.query),
            "GET" | "HEAD" => self.get(request),
            "DELETE" => {
                self.objects.remove(&request.key);
                Answer { status: "204 No Content", headers: String::new(), body: Vec::new() }
            }
            _ => Answer::error("405 Method Not Allowed", "MethodNotAllowed", "No."),
        }
    }

    fn put(&mut self, request: &Incoming) -> Answer {
        if let (Some((status, code)), Some(_)) = (self.refuses, request.header("if-none-match")) {
            return Answer::error(status, code, "A header you provided implies functionality that is not implemented");
        }
        let is_taken = self.objects.contains_key(&request.key);
        if is_taken && request.header("if-none-match") == Some("*") && !self.is_old {
            return Answer::error("412 Precondition Failed", "PreconditionFailed", "At least one did not hold");
        }
        let headers = format!("ETag: {}\r\n", tag(&request.body));
        self.objects.insert(request.key.clone(), request.body.clone());
        Answer { status: "200 OK", headers, body: Vec::new() }
    }

    fn get(&self, request: &Incoming) -> Answer {
        let Some(object) = self.objects.get(&request.key) else {
            return Answer::error("404 Not Found", "NoSuchKey", "The specified key does not exist.");
        };
        let modified = "Last-Modified: Sat, 21 Nov 2026 20:00:00 GMT\r\n";
        let headers = format!("ETag: {}\r\n{modified}Accept-Ranges: bytes\r\n", tag(object));
        let Some(range) = request.header("range").and_then(|range| range.strip_prefix("bytes=")) else {
            return Answer { status: "200 OK", headers, body: object.clone() };
        };
        let (first, last) = range.split_once('-').unwrap();
        let first: usize = first.parse().unwrap();
        let end = last.parse().map_or(object.len(), |last: usize| object.len().min(last + 1));
        if first >= object.len() {
            return Answer::error("416 Range Not Satisfiable", "InvalidRange", "The range is not satisfiable");
        }
        let headers = format!("{headers}Content-Range: bytes {first}-{}/{}\r\n", end - 1, object.len());
        Answer { status: "206 Partial Content", headers, body: object[first..end].to_vec() }
    }

    /// ListObjectsV2, a few keys at a time.
    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let part = |name: &str| query.get(name).map_or("", String::as_str);
        let (prefix, delimiter) = (part("prefix"), part("delimiter"));
        let after = part("continuation-token").max(part("start-after"));
        let mut found: BTreeMap<String, Option<&Vec<u8>>> = BTreeMap::new();
        for (key, object) in self.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => found.insert(format!("{prefix}{}{delimiter}", &rest[..at]), None),
                None => found.insert(key.clone(), Some(object)),
            };
        }
        let left: Vec<_> = found.into_iter().filter(|(key, _)| key.as_str() > after).collect();
        let page = &left[..left.len().min(PAGE)];
        let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>");
        for (key, object) in page {
            let _ = match object {
                None => write!(body, "<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"),
                Some(object) => write!(
                    body,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-21T20:00:00.000Z</LastModified>\
                     <ETag>{}</ETag><Size>{}</Size></Contents>",
                    tag(object).replace('"', "&quot;"),
                    object.len()
                ),
            };
        }
        let is_cut = page.len() < left.len();
        let _ = write!(body, "<IsTruncated>{is_cut}</IsTruncated>");
        if is_cut {
            let _ = write!(body, "<NextContinuationToken>{}</NextContinuationToken>", page[page.len() - 1].0);
        }
        body.push_str("</ListBucketResult>");
        Answer { status: "200 OK", headers: "Content-Type: application/xml\r\n".to_owned(), body: body.into_bytes() }
    }
}

/// Some number that changes with the content.
fn tag(content: &[u8]) -> String {
    let hash = content
        .iter()
        .fold(14_695_981_039_346_656_037_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211));
    format!("\"{hash:016x}\"")
}

// === impl Answer ===

impl Answer {
    fn error(status: &'static str, code: &str, message: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>").into_bytes();
        Answer { status, headers: "Content-Type: application/xml\r\n".to_owned(), body }
    }
}

// === impl Incoming ===

impl Incoming {
    /// The next request of a connection; nothing at its end.
    fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Incoming>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(0, |length: &String| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = query.map(|(name, value)| (name.to_owned(), decoded(&value.replace('+', "%20")))).collect();
        Ok(Some(Incoming { method, bucket: bucket.to_owned(), key: decoded(key), query, headers, body }))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}
