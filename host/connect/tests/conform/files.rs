//! Files that are read, and files that are written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use tidemill_conform::{Feed, Kept, Place, SinkSample, SourceSample};
use tidemill_connect::system::ManualClock;
use tidemill_model::{
    connector::World,
    testing::{Value, disk::scratch},
    time::Timestamp,
};

/// When it begins, in seconds.
const NOW: u64 = 1_700_000_000;

/// A file, or a folder that gets a file before each batch.
struct Files {
    root: TempDir,
    clock: Arc<ManualClock>,
    is_folder: bool,
    until_done: bool,
    lines: Vec<String>,
}

impl Files {
    fn feed(is_folder: bool, until_done: bool) -> Box<dyn Feed> {
        let root = scratch();
        fs::create_dir(root.path().join("in")).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp(NOW as i64 * 1_000_000)));
        let mut files = Files { root, clock, is_folder, until_done, lines: Vec::new() };
        // More than a chunk.
        files.write("old", 0, 30_000);
        Box::new(files)
    }

    /// A file that was last written so many seconds after it began.
    fn write(&mut self, name: &str, second: u64, lines: usize) {
        let lines: Vec<String> = (0..lines).map(|line| format!("{name} {line}")).collect();
        let path = self.root.path().join("in").join(name);
        fs::write(&path, lines.join("\n")).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + second);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        self.lines.extend(lines);
    }
}

impl Feed for Files {
    fn written(&self) -> String {
        if self.is_folder { "{ path = \"in\", existing = true }" } else { "\"in/old\"" }.to_owned()
    }

    fn world(&self) -> World {
        World { until_done: self.until_done, ..super::world(self.clock.clone(), self.root.path()) }
    }

    fn come(&mut self, batch: usize) {
        let second = batch as u64 * 100;
        if self.is_folder && !self.until_done && batch % 3 != 2 {
            self.write(&format!("new {batch}"), second + 10, [3, 20_000, 0, 1, 0][batch]);
        }
        // What was read goes.
        if self.is_folder && !self.until_done && batch == 2 {
            fs::remove_file(self.root.path().join("in/new 0")).unwrap();
        }
        self.clock.advance_to(Timestamp((NOW + second + 50) as i64 * 1_000_000));
    }

    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        Some(super::rows(&self.lines))
    }
}

pub fn sources() -> Vec<SourceSample> {
    let sample = |name, ends, feed| SourceSample { key: "files", name, batches: 5, ends, feed };
    vec![
        sample("a file", true, || Files::feed(false, false)),
        sample("a folder", false, || Files::feed(true, false)),
        sample("a folder that ends with what is there", true, || Files::feed(true, true)),
    ]
}

/// A folder for batches of files.
struct Written {
    root: TempDir,
    written: &'static str,
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Files with what is in them.
fn contents(folder: &Path) -> String {
    let show = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        format!("{name}: {}\n", String::from_utf8_lossy(&fs::read(&path).unwrap()))
    };
    files_below(folder).into_iter().map(show).collect()
}

impl Place for Written {
    fn written(&self) -> String {
        self.written.to_owned()
    }

    fn world(&self, run: u64) -> World {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        World { run, ..super::world(clock, self.root.path()) }
    }

    fn seen(&self) -> Vec<Kept> {
        let Ok(entries) = fs::read_dir(self.root.path().join("out")) else { return Vec::new() };
        let mut batches: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        batches.sort();
        let seen = batches.into_iter().filter_map(|path| {
            let millis: i64 = path.file_name()?.to_str()?.strip_prefix("batch-")?.parse().ok()?;
            Some(Kept { batch: Timestamp(millis * 1_000), rows: contents(&path) })
        });
        seen.collect()
    }

    fn whole(&self) -> String {
        contents(self.root.path())
    }

    fn take_away(&mut self) -> bool {
        let batches = fs::read_dir(self.root.path().join("out")).unwrap().map(|entry| entry.unwrap().path());
        let seen = batches.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("batch-"));
        seen.for_each(|path| fs::remove_dir_all(path).unwrap());
        true
    }
}

pub fn sinks() -> Vec<SinkSample> {
    vec![
        SinkSample { key: "files", name: "files of text", place: || written("\"out\"") },
        SinkSample {
            key: "files",
            name: "files of JSON",
            place: || written("{ folder = \"out\", format = \"jsonl\" }"),
        },
    ]
}

fn written(written: &'static str) -> Box<dyn Place> {
    Box::new(Written { root: scratch(), written })
}
