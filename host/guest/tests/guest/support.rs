//! The hostile plugin, built once, and rows to call it with.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use tidemill_guest::{
    Instance, LogLine, LogSink, Place, Plugin, Runtime, RuntimeSettings, Verdict, build::build_component,
};
use tidemill_model::{
    columns::{Column, Rows},
    function::{Binding, CallContext},
    limits::Limits,
    schema::Schema,
    time::Timestamp,
};

/// The hostile plugin's component.
pub fn hostile() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/hostile");
        std::fs::read(build_component(&project, &guests_folder()).unwrap()).unwrap()
    })
}

/// Where cargo builds guests for tests: beside what it builds for the host.
pub fn guests_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("guests")
}

/// A runtime that all tests share, as all pipelines of a process do. Its cache makes the tests quick.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let cache = Some(guests_folder().join("compiled"));
        Runtime::try_new(&RuntimeSettings { cache, ..RuntimeSettings::default() }).unwrap()
    })
}

/// The hostile plugin with limits that a test does not have to wait for.
pub fn plugin() -> Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    PLUGIN.get_or_init(|| plugin_with(&quick_limits())).clone()
}

pub fn plugin_with(limits: &Limits) -> Plugin {
    runtime().load("hostile", hostile(), limits).unwrap()
}

pub fn quick_limits() -> Limits {
    Limits { rejections: 500, ..Limits::default() }
}

/// The function called `name`, bound to the fields that it describes.
pub fn open(plugin: &Plugin, name: &str) -> Result<Instance, Verdict> {
    plugin.open(&binding(plugin, name))
}

pub fn binding(plugin: &Plugin, name: &str) -> Binding {
    let function = plugin.description().index_of(name).unwrap();
    let input = plugin.description().functions[function].input.clone();
    Binding { function, keys: Schema::default(), input, parameters: Vec::new() }
}

/// A failure without where it was, which has tests of its own.
pub fn unplaced<T>(result: Result<T, Verdict>) -> Result<T, Verdict> {
    result.map_err(|verdict| verdict.placed(Place::default()))
}

/// Chunk `chunk` of a batch.
pub fn chunk(chunk: u32, last: bool) -> CallContext {
    let batch_time = Timestamp(1_700_000_000_000_000);
    CallContext { batch_time, interval_micros: 1_000_000, partition: 0, partitions: 1, chunk, last }
}

/// The only chunk.
pub fn only() -> CallContext {
    chunk(0, true)
}

/// One column with its schema, to be borrowed from.
pub struct Data {
    schema: Schema,
    offsets: Vec<i32>,
    values: Vec<u64>,
    bytes: usize,
    len: usize,
}

impl Data {
    pub fn lines(lines: &[&str]) -> Data {
        let mut offsets = vec![0];
        offsets.extend(lines.iter().scan(0, |end, line| {
            *end += i32::try_from(line.len()).unwrap();
            Some(*end)
        }));
        let text = lines.concat();
        let mut values = vec![0_u64; text.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut values)[..text.len()].copy_from_slice(text.as_bytes());
        Data { schema: "line: text".parse().unwrap(), offsets, values, bytes: text.len(), len: lines.len() }
    }

    pub fn integers(name: &str, numbers: &[i64]) -> Data {
        Data {
            schema: format!("{name}: integer").parse().unwrap(),
            offsets: Vec::new(),
            values: numbers.iter().map(|number| number.cast_unsigned()).collect(),
            bytes: numbers.len() * 8,
            len: numbers.len(),
        }
    }

    fn column(&self) -> [Column<'_>; 1] {
        let values = &bytemuck::cast_slice(&self.values)[..self.bytes];
        [Column { validity: None, offsets: &self.offsets, values }]
    }

    /// Calls `with` with the rows.
    pub fn with<T>(&self, with: impl FnOnce(Rows<'_>) -> T) -> T {
        with(Rows { schema: &self.schema, len: self.len, columns: &self.column() })
    }
}

/// The lines of a text column.
pub fn texts(rows: &Rows<'_>, column: usize) -> Vec<String> {
    (0..rows.len).map(|row| String::from_utf8(rows.columns[column].slice(row).to_vec()).unwrap()).collect()
}

/// Keeps what guests log.
#[derive(Default)]
pub struct Lines(Mutex<Vec<String>>);

impl Lines {
    pub fn new() -> Arc<Lines> {
        Arc::default()
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl LogSink for Lines {
    fn line(&self, line: LogLine<'_>) {
        let LogLine { plugin, function, place, level, message } = line;
        self.0.lock().unwrap().push(format!("{place}{plugin}/{function} {level}: {message}"));
    }
}
