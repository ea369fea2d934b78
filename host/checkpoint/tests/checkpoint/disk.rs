//! A checkpoint in a folder of a disk that forgets what was not synced: what every call promises is certain when it returns,
//! and a power cut, or a kill, at any call loses nothing that was promised.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tidemill_checkpoint::{
    Appender, CheckpointError, Draft, Entry, InputLog, LocalFolder, Log, Record, SectionKind, Storage, StorageError,
    SyncWork,
};
use tidemill_model::{
    testing::disk::{Contents, ForgetfulDisk, Forgets, lay, scratch},
    time::Timestamp,
};

use crate::scene::{PIPELINE, START, World, commit, new_writer, plan, read, rows, section};

const LAST: i64 = 6;

/// What a folder holds.
fn held(root: &Path) -> Contents {
    let mut contents = Contents::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(root).unwrap().to_owned();
            contents.insert(name, path.is_file().then(|| fs::read(&path).unwrap()));
            folders.extend(Some(path).filter(|path| path.is_dir()));
        }
    }
    contents
}

/// A folder whose promises are held against what of it is certain.
struct Checked {
    folder: LocalFolder,
    disk: Arc<ForgetfulDisk>,
    root: PathBuf,
    promises: Arc<Mutex<usize>>,
}

struct CheckedDraft(Box<dyn Draft>, Promise);

struct CheckedAppender(Box<dyn Appender>, Promise);

/// That a file is there.
#[derive(Clone)]
struct Promise {
    disk: Arc<ForgetfulDisk>,
    path: PathBuf,
    promises: Arc<Mutex<usize>>,
}

impl Promise {
    fn made<E>(&self, result: Result<(), E>) -> Result<(), E> {
        if result.is_ok() {
            assert_eq!(self.disk.doubt(&self.path), None, "{}", self.path.display());
            *self.promises.lock().unwrap() += 1;
        }
        result
    }
}

impl Checked {
    fn open(disk: &Arc<ForgetfulDisk>, root: &Path, promises: &Arc<Mutex<usize>>) -> Result<Checked, StorageError> {
        let folder = LocalFolder::open_on(disk.disk(), root, new_writer())?;
        for name in ["log", "state", "input", "tmp"] {
            assert_eq!(disk.doubt_name(&root.join(name)), None, "{name}");
        }
        Ok(Checked { folder, disk: disk.clone(), root: root.to_owned(), promises: promises.clone() })
    }

    fn promise(&self, name: &str) -> Promise {
        Promise { disk: self.disk.clone(), path: self.root.join(name), promises: self.promises.clone() }
    }
}

impl Storage for Checked {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.promise(name).made(self.folder.create(name, content))
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        Ok(Box::new(CheckedDraft(self.folder.draft(name)?, self.promise(name))))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        self.folder.read(name)
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        self.folder.read_prefix(name, bytes)
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        self.folder.reader(name)
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        self.folder.list(folder)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        self.folder.remove(name)
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        Ok(Box::new(CheckedAppender(self.folder.appender(name)?, self.promise(name))))
    }

    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        self.folder.sync(folder)?;
        for entry in self.folder.list(folder)?.iter().filter(|_| folder != "input") {
            self.promise(&format!("{folder}/{}", entry.name)).made(Ok::<_, StorageError>(()))?;
        }
        Ok(())
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        self.folder.leftovers()
    }

    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError> {
        self.folder.remove_leftovers(found)
    }

    fn place(&self) -> String {
        self.folder.place()
    }
}

impl Draft for CheckedDraft {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.write(bytes)
    }

    fn publish(self: Box<Self>) -> Result<(), StorageError> {
        self.1.made(self.0.publish())
    }
}

impl Appender for CheckedAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.append(bytes)
    }

    fn begin_sync(&mut self) -> Result<SyncWork, StorageError> {
        let (work, promise) = (self.0.begin_sync()?, self.1.clone());
        Ok(Box::new(move || promise.made(work())))
    }
}

/// A world whose checkpoint lies in a folder that must be made first, in one that must be made, too.
fn world(disk: &Arc<ForgetfulDisk>, root: &Path, promises: &Arc<Mutex<usize>>) -> World {
    let (disk, root, promises) = (disk.clone(), root.join("deep/checkpoint"), promises.clone());
    let open = move || Ok(Arc::new(Checked::open(&disk, &root, &promises)?) as Arc<dyn Storage>);
    World { opened: Some(Box::new(open)), ..World::default() }
}

#[test]
fn what_is_promised_is_synced_and_named_in_a_folder_that_is() {
    let root = tempfile::tempdir().unwrap();
    let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
    let mut world = world(&disk, root.path(), &promises);
    world.run(20).unwrap();
    world.check(20);
    assert_eq!(disk.mistakes(), Vec::<String>::new(), "names were given before what they name was synced");
    assert!(*promises.lock().unwrap() > 40, "records, snapshots, segments");
    assert_eq!(disk.contents(), held(root.path()), "no call was made that was not seen");
    // Where nothing was written behind a sync nothing can be lost.
    assert_eq!(disk.lose_power(Forgets::Everything), held(root.path()));
}

/// What is done to a machine at a call.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Its power is cut.
    Power(Forgets),
    /// The program is killed, and the power is cut when the next one has done its work.
    Kill,
}

/// Stops at a call, runs to the end, and cuts the power once more.
fn survive(call: usize, after: bool, cut: Cut) {
    let root = scratch();
    let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
    let mut world = world(&disk, root.path(), &promises);
    disk.stop_at(call, after);
    let stopped = world.run(LAST);
    assert!(stopped.is_err() || disk.is_down() || call >= disk.calls().len(), "call {call}");
    match cut {
        Cut::Power(forgets) => lay(root.path(), &disk.lose_power(forgets)),
        Cut::Kill => disk.restart(),
    }
    let what = || format!("{cut:?} at call {call}, after {after}: {:?}", disk.calls().get(call));
    world.run(LAST).unwrap_or_else(|error| unreachable!("{}: {error}", what()));
    assert_eq!(disk.mistakes(), Vec::<String>::new(), "{}", what());
    lay(root.path(), &disk.lose_power(Forgets::Everything));
    world.check(LAST);
}

#[test]
fn the_power_may_be_cut_at_every_call() {
    let root = scratch();
    let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
    world(&disk, root.path(), &promises).run(LAST).unwrap();
    let calls = disk.calls().len();
    let forgets = Forgets::all(6);
    let mut cuts = 0;
    for call in 0..calls {
        for after in [false, true] {
            let other = Cut::Power(forgets[1 + (2 * call + usize::from(after)) % (forgets.len() - 1)]);
            for cut in [Cut::Power(Forgets::Everything), Cut::Kill, other] {
                survive(call, after, cut);
                cuts += 1;
            }
        }
    }
    let _ = writeln!(std::io::stderr(), "{calls} calls of a disk, {cuts} cuts, nothing lost, nothing twice");
    assert!(calls > 100, "{calls}");
}

/// Runs `work` with each of its calls failing once; it must succeed at the second or third try.
fn try_again(work: impl Fn(&Checked, &mut Log, &mut dyn FnMut(&str)) -> Result<(), CheckpointError>) {
    for call in 0.. {
        for after in [false, true] {
            let root = scratch();
            let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
            let open = || Checked::open(&disk, root.path(), &promises).unwrap();
            let (mut log, _) = Log::open(Arc::new(open()), PIPELINE, "host", Timestamp(0)).unwrap();
            let storage = open();
            let begin = disk.calls().len();
            disk.fail_at(begin + call, after);
            let mut settled = |name: &str| assert_eq!(disk.doubt(&root.path().join(name)), None, "{name}, call {call}");
            let tried = (0..3).find_map(|_| work(&storage, &mut log, &mut settled).ok());
            assert!(tried.is_some(), "call {call}, after {after}");
            if !after && disk.calls().len() <= begin + call {
                return;
            }
        }
    }
}

#[test]
fn what_is_tried_again_is_as_certain_as_at_the_first_try() {
    let batch = Timestamp(1_000_000);
    try_again(|_, log, settled| {
        log.append(Record::Plan(plan(batch, None, None)), &[])?;
        settled("log/00000000000000000002");
        Ok(())
    });
    try_again(|_, log, settled| {
        log.archive().write_snapshot(7, [Ok(section(SectionKind::State, &[1, 1]))])?;
        settled("state/00000000000000000007");
        Ok(())
    });
    try_again(|_, log, settled| {
        let number = match log.records().len() {
            1 => log.append(Record::Plan(plan(batch, None, None)), &[])?,
            _ => 2,
        };
        log.append(Record::Commit(commit(batch, number, 1)), &[section(SectionKind::State, &[1, 1])])?;
        settled("log/00000000000000000003");
        Ok(())
    });
}

#[test]
fn input_is_certain_when_it_was_synced_over_segments_too() {
    let root = tempfile::tempdir().unwrap();
    let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
    let storage: Arc<dyn Storage> = Arc::new(Checked::open(&disk, root.path(), &promises).unwrap());
    let (log, _) = Log::open(storage.clone(), PIPELINE, "host", Timestamp(0)).unwrap();
    let (mut input, _) = InputLog::open(storage.clone(), log.fence(), None, 1_500).unwrap();
    for number in 0..20 {
        input.append("numbers", None, &rows(&[number])).unwrap();
        let is_new = input.position().frames == 1;
        // Of segments that have an end, all; of the last one what was synced.
        for segment in 1..input.position().segment {
            let name = format!("input/{segment:020}");
            assert_eq!(disk.doubt(&root.path().join(&name)), None, "{name}, {is_new}");
        }
        if number % 3 == 0 {
            input.sync().unwrap();
            assert_eq!(disk.doubt(&root.path().join("input")), None, "after {number}");
        }
    }
    assert!(input.position().segment > 3);
}

/// The process is killed; what it had appended is still in the system's memory, and is read by the next one.
#[test]
fn input_that_the_next_host_finds_is_made_certain() {
    let root = scratch();
    let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
    let open = |host: &str| {
        let storage: Arc<dyn Storage> = Arc::new(Checked::open(&disk, root.path(), &promises).unwrap());
        let (log, _) = Log::open(storage.clone(), PIPELINE, host, Timestamp(0)).unwrap();
        InputLog::open(storage, log.fence(), None, 1 << 20).unwrap().0
    };
    let mut first = open("first");
    first.append("numbers", None, &rows(&[1])).unwrap();
    assert!(disk.doubt(&root.path().join("input")).is_some());
    let second = open("second");
    assert_eq!(disk.doubt(&root.path().join("input")), None);
    assert_eq!(read(&second, START, second.position()).unwrap(), [1]);
}

/// Any one call of taking a checkpoint over fails: if it says that it is taken over, it is.
#[test]
fn a_claim_is_certain_when_it_was_made() {
    for call in 0.. {
        for after in [false, true] {
            let root = scratch();
            let (disk, promises) = (ForgetfulDisk::new(root.path()), Arc::default());
            disk.fail_at(call, after);
            let path = root.path().join("deep/checkpoint");
            let claimed = LocalFolder::open_on(disk.disk(), &path, new_writer()).map(|folder| {
                let storage = Arc::new(folder);
                Log::open(storage, PIPELINE, "host", Timestamp(0)).map(drop)
            });
            if let Ok(Ok(())) = claimed {
                assert_eq!(disk.doubt(&path.join("log")), None, "{call}: {:?}", disk.calls().get(call));
                if disk.calls().len() <= call && !after {
                    return;
                }
            }
            // What failed and was not passed over is made by the next one.
            Log::open(Arc::new(Checked::open(&disk, &path, &promises).unwrap()), PIPELINE, "next", Timestamp(0))
                .unwrap();
            assert_eq!(disk.doubt(&path.join("log")), None);
        }
    }
}
