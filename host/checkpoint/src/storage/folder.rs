//! A checkpoint in a local folder. What is made is made under another name in `tmp`, synced, linked to its own name (which
//! fails if that is taken), and the folder is synced.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tidemill_model::ports::{Disk, DiskCall, FolderError, Folders, Look, may_make_folder};

use super::{Appender, Draft, Entry, FOLDERS, Storage, StorageError, SyncWork};

/// Where files are until they get their names.
const DRAFTS: &str = "tmp";
/// After so many bytes that were appended the system is told to write them, so that a sync finds little left to wait for.
/// RocksDB's `wal_bytes_per_sync` is for the same.
const WRITEBACK_BYTES: u64 = 4 << 20;
/// Room that a file has behind its end while it is appended to.
#[cfg(target_os = "linux")]
const RESERVE_BYTES: u64 = 4 * WRITEBACK_BYTES;
/// How often a file is made anew when other hosts remove what is not named yet.
const CREATIONS_MAX: usize = 16;

/// A folder of this machine. Its files can be read by their owner alone.
#[derive(Debug)]
pub struct LocalFolder {
    root: PathBuf,
    disk: Disk,
    /// Part of the names of drafts. The names of one that was removed as left over must never be another's: whoever wakes up
    /// late would publish that one under a name of its own.
    writer: u64,
    /// Numbers of drafts, so that threads take different names.
    drafts: AtomicU64,
}

/// Folders of this machine, made for their owner alone.
struct Private;

/// A file of `tmp` that goes when this does.
struct Unpublished {
    disk: Disk,
    file: File,
    path: PathBuf,
    target: PathBuf,
}

struct FolderAppender {
    disk: Disk,
    file: Arc<File>,
    path: PathBuf,
    /// Its length.
    bytes: u64,
    /// How much of it the system has been told to write.
    handed_on: u64,
    /// Whether there is room behind its end.
    has_reserve: bool,
}

// === impl LocalFolder ===

impl LocalFolder {
    /// The folder, made if it is not there. A folder with anything but a checkpoint is refused and left as it is. `writer` is
    /// a number that no other opening has, on whatever machine: the number of a process is not enough.
    pub fn open(root: impl Into<PathBuf>, writer: u64) -> Result<LocalFolder, StorageError> {
        LocalFolder::open_on(Disk::default(), root, writer)
    }

    /// The same on a disk whose calls may be watched.
    pub fn open_on(disk: Disk, root: impl Into<PathBuf>, writer: u64) -> Result<LocalFolder, StorageError> {
        let root = root.into();
        may_be_made(&root)?;
        make_folder(&disk, &root)?;
        refuse_others(&root)?;
        for folder in FOLDERS.iter().chain([&DRAFTS]) {
            make_folder(&disk, &root.join(folder))?;
        }
        sync_folder(&disk, &root)?;
        disk.sync_above(&Private, &root).map_err(|error| refused("sync the folder", error))?;
        Ok(LocalFolder { root, disk, writer, drafts: AtomicU64::new(0) })
    }

    /// A folder that must be there already. Nothing in it is changed: for looking at a checkpoint.
    pub fn existing(root: impl Into<PathBuf>) -> Result<LocalFolder, StorageError> {
        let root = root.into();
        if !FOLDERS.iter().any(|folder| root.join(folder).is_dir()) {
            return Err(StorageError::NoCheckpoint { place: shown(&root) });
        }
        refuse_others(&root)?;
        Ok(LocalFolder { root, disk: Disk::default(), writer: 0, drafts: AtomicU64::new(0) })
    }

    /// The same, for what a run would find: `None` if there is nothing yet where [`LocalFolder::open`] would make a checkpoint.
    /// What it would refuse is refused.
    pub fn foreseen(root: impl Into<PathBuf>) -> Result<Option<LocalFolder>, StorageError> {
        let root = root.into();
        may_be_made(&root)?;
        match LocalFolder::existing(&root) {
            Err(StorageError::NoCheckpoint { .. }) if !root.exists() => Ok(None),
            Err(StorageError::NoCheckpoint { .. }) => refuse_others(&root).map(|()| None),
            found => found.map(Some),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file that is not there, or, if its folder is not there either, a checkpoint that has vanished.
    fn failed(&self, action: &'static str, path: &Path, source: io::Error) -> StorageError {
        let folder_is_there = path.parent().is_some_and(Path::is_dir);
        if source.kind() == io::ErrorKind::NotFound && folder_is_there {
            StorageError::NotFound { place: shown(path) }
        } else if source.kind() == io::ErrorKind::NotFound {
            StorageError::system(action, shown(&self.root), source)
        } else {
            StorageError::system(action, shown(path), source)
        }
    }

    fn open_file(&self, name: &str) -> Result<(File, PathBuf), StorageError> {
        let path = self.path(name);
        let is = |what| Err(StorageError::NotAFile { name: name.to_owned(), place: shown(&self.root), what });
        let opened = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return is("a folder"),
            // Opening a pipe would wait for somebody who writes to it.
            Ok(found) if !found.is_file() => return is("a pipe or device"),
            Err(_) if fs::symlink_metadata(&path).is_ok() => return is("a link to what is not there"),
            found => found.and_then(|_| File::open(&path)),
        };
        Ok((opened.map_err(|error| self.failed("read", &path, error))?, path))
    }

    fn unpublished(&self, name: &str) -> Result<Unpublished, StorageError> {
        loop {
            let number = self.drafts.fetch_add(1, Ordering::Relaxed);
            let path = self.root.join(DRAFTS).join(format!("{:016x}-{number}", self.writer));
            let mut options = OpenOptions::new();
            let made = || private(options.write(true).create_new(true)).open(&path);
            match self.disk.call(DiskCall::MakeFile(&path), made) {
                Ok(file) => return Ok(Unpublished { disk: self.disk.clone(), file, path, target: self.path(name) }),
                // Of somebody who was given the same number, against the rule.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StorageError::system("write to", shown(&self.root), error)),
            }
        }
    }
}

impl Storage for LocalFolder {
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        for _ in 0..CREATIONS_MAX {
            let mut draft = self.unpublished(name)?;
            Draft::write(&mut draft, content)?;
            if draft.finish()? {
                return Ok(());
            }
            // A host that claims the checkpoint was faster, and took it for left over. Whose the name is is not decided yet.
        }
        Err(overtaken(&self.path(name)))
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError> {
        Ok(Box::new(self.unpublished(name)?))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        let (mut file, path) = self.open_file(name)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| self.failed("read", &path, error))?;
        Ok(content)
    }

    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError> {
        let (file, path) = self.open_file(name)?;
        let mut content = Vec::new();
        file.take(bytes as u64).read_to_end(&mut content).map_err(|error| self.failed("read", &path, error))?;
        Ok(content)
    }

    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        Ok(Box::new(io::BufReader::with_capacity(1 << 18, self.open_file(name)?.0)))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError> {
        let path = self.path(folder);
        let failed = |error| StorageError::system("list", shown(&path), error);
        let mut entries = Vec::new();
        let listed = match fs::read_dir(&path) {
            // Version 1 of the format knew no such folder, and who only looks makes none.
            Err(_) if folder == "outbox" && !path.exists() && self.path("log").is_dir() => return Ok(entries),
            listed => listed.map_err(failed)?,
        };
        for entry in listed {
            let entry = entry.map_err(failed)?;
            match entry.metadata() {
                Ok(metadata) => entries.push(Entry { name: lossy(&entry), bytes: metadata.len() }),
                // Another host has just removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.path(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            // Somebody has put it there, and nothing in it is ours.
            return Ok(());
        }
        match self.disk.call(DiskCall::RemoveFile(&path), || fs::remove_file(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", &path, error)),
            _ => Ok(()),
        }
    }

    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError> {
        let path = self.path(name);
        let failed = |error| self.failed("append to", &path, error);
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let disk = self.disk.clone();
        let file = Arc::new(file);
        Ok(Box::new(FolderAppender { disk, file, path, bytes, handed_on: bytes, has_reserve: false }))
    }

    fn sync(&self, folder: &str) -> Result<(), StorageError> {
        sync_folder(&self.disk, &self.path(folder))
    }

    fn leftovers(&self) -> Result<Vec<String>, StorageError> {
        Ok(self.list(DRAFTS)?.into_iter().map(|entry| format!("{DRAFTS}/{}", entry.name)).collect())
    }

    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError> {
        found.iter().try_for_each(|name| self.remove(name))
    }

    #[cfg(unix)]
    fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        let system = rustix::fs::statvfs(&self.root)
            .map_err(|error| StorageError::system("look at", shown(&self.root), error.into()))?;
        Ok(Some(system.f_bavail.saturating_mul(system.f_frsize)))
    }

    fn place(&self) -> String {
        shown(&self.root)
    }
}

// === impl Unpublished ===

impl Unpublished {
    /// Gives it its name; `false`: there is nothing to name any more, because another host has removed it.
    fn finish(&self) -> Result<bool, StorageError> {
        let synced = self.disk.call(DiskCall::SyncFile(&self.path), || self.file.sync_all());
        synced.map_err(|error| StorageError::system("sync", shown(&self.target), error))?;
        let link = || fs::hard_link(&self.path, &self.target);
        match self.disk.call(DiskCall::Link(&self.path, &self.target), link) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StorageError::Exists { place: shown(&self.target) });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_removed() => return Ok(false),
            Err(error) => return Err(StorageError::system("create", shown(&self.target), error)),
        }
        sync_folder(&self.disk, self.target.parent().unwrap_or(&self.target))?;
        Ok(true)
    }

    /// Whether it is gone, and its folder and that of its name are there.
    fn is_removed(&self) -> bool {
        let has_folder = |path: &Path| path.parent().is_some_and(Path::is_dir);
        matches!(self.path.try_exists(), Ok(false)) && has_folder(&self.path) && has_folder(&self.target)
    }
}

impl Draft for Unpublished {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self.disk.call(DiskCall::Write(&self.path, bytes), || self.file.write_all(bytes));
        written.map_err(|error| StorageError::system("write", shown(&self.target), error))
    }

    fn publish(self: Box<Self>) -> Result<(), StorageError> {
        if self.finish()? { Ok(()) } else { Err(overtaken(&self.target)) }
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next opening.
        let _ = self.disk.call(DiskCall::RemoveFile(&self.path), || fs::remove_file(&self.path));
    }
}

// === impl FolderAppender ===

impl Appender for FolderAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self.disk.call(DiskCall::Write(&self.path, bytes), || (&*self.file).write_all(bytes));
        written.map_err(|error| StorageError::system("append to", shown(&self.path), error))?;
        self.bytes += bytes.len() as u64;
        if self.bytes - self.handed_on >= WRITEBACK_BYTES {
            begin_writing(&self.file, self.handed_on, self.bytes);
            self.has_reserve |= reserve(&self.file, self.bytes);
            self.handed_on = self.bytes;
        }
        Ok(())
    }

    fn begin_sync(&mut self) -> Result<SyncWork, StorageError> {
        let (disk, file, path) = (self.disk.clone(), self.file.clone(), self.path.clone());
        Ok(Box::new(move || {
            let synced = disk.call(DiskCall::SyncFile(&path), || file.sync_data());
            synced.map_err(|error| StorageError::system("sync", shown(&path), error))
        }))
    }
}

impl Drop for FolderAppender {
    fn drop(&mut self) {
        if self.has_reserve {
            // The room goes. What an append that failed has left behind the end counts for nothing.
            let _ = self.file.set_len(self.bytes);
        }
    }
}

impl Folders for Private {
    fn look(&self, folder: &Path) -> io::Result<Look> {
        look_at(folder)
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn is_there(&self, folder: &Path) -> bool {
        folder.is_dir()
    }

    #[cfg(unix)]
    fn device(&self, folder: &Path) -> Option<u64> {
        fs::metadata(folder).ok().map(|found| std::os::unix::fs::MetadataExt::dev(&found))
    }

    #[cfg(not(unix))]
    fn device(&self, _: &Path) -> Option<u64> {
        None
    }
}

/// Refuses a place where no folder can be made or written to.
fn may_be_made(root: &Path) -> Result<(), StorageError> {
    may_make_folder(&Private, root).map_err(|error| refused("make the folder", error))
}

fn make_folder(disk: &Disk, path: &Path) -> Result<(), StorageError> {
    disk.make_folder(&Private, path).map_err(|error| refused("make the folder", error))
}

fn sync_folder(disk: &Disk, path: &Path) -> Result<(), StorageError> {
    disk.sync_folder(&Private, path).map_err(|error| refused("sync the folder", error))
}

fn refused(action: &'static str, error: FolderError) -> StorageError {
    StorageError::system(action, shown(&error.folder), error.source)
}

/// A folder with other things than a checkpoint's is not touched.
fn refuse_others(root: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::system("list", shown(root), error);
    for entry in fs::read_dir(root).map_err(failed)? {
        let name = lossy(&entry.map_err(failed)?);
        if name != DRAFTS && !FOLDERS.contains(&name.as_str()) {
            return Err(StorageError::Foreign { place: shown(root), entry: name });
        }
    }
    Ok(())
}

/// Begins to write a part of a file to the disk, and waits for nothing. It is not kept in memory either: a log is seldom
/// read. What the system makes of that is its own affair; only a sync makes durable.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File, from: u64, to: u64) {
    let length = std::num::NonZeroU64::new(to.saturating_sub(from));
    let _ = rustix::fs::fadvise(file, from, length, rustix::fs::Advice::DontNeed);
}

/// Room on the disk for what will be appended next: had at once it is cheaper than page by page. Whether there is some.
#[cfg(target_os = "linux")]
fn reserve(file: &File, from: u64) -> bool {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, from, RESERVE_BYTES).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn begin_writing(_: &File, _: u64, _: u64) {}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64) -> bool {
    false
}

fn overtaken(path: &Path) -> StorageError {
    let (action, source) = ("create", io::ErrorKind::NotFound.into());
    StorageError::System { action, place: shown(path), advice: super::Advice::Overtaken, source }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn lossy(entry: &fs::DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What stands under a path.
fn look_at(path: &Path) -> io::Result<Look> {
    Ok(match fs::metadata(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) if fs::symlink_metadata(path).is_ok() => Look::Link,
        Err(_) => Look::Nothing,
        Ok(found) if !found.is_dir() => Look::File,
        Ok(_) if writable(path)? => Look::Folder,
        Ok(_) => Look::Unwritable,
    })
}

/// Whether files can be made in a folder.
#[cfg(target_os = "linux")]
fn writable(folder: &Path) -> io::Result<bool> {
    use rustix::fs::{Access, PROC_SUPER_MAGIC, access, statfs};
    access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    // Of what the system makes up it says that its administrator may write there.
    Ok(statfs(folder)?.f_type != PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn writable(_: &Path) -> io::Result<bool> {
    Ok(true)
}
