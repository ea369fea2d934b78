//! How files that must outlive a power cut are changed: each call is named before and after it is made, so that a test can
//! see them, let them fail, and forget what was not synced.

mod folders;

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

pub use folders::{FolderError, Folders, Look, may_make_folder};

/// A call of the system that changes what is on a disk.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum DiskCall<'a> {
    /// Makes a folder.
    MakeFolder(&'a Path),
    /// Makes an empty file.
    MakeFile(&'a Path),
    /// Adds bytes to the end of a file.
    Write(&'a Path, &'a [u8]),
    /// Makes durable what a file has, but not its name.
    SyncFile(&'a Path),
    /// Makes durable which names are in a folder.
    SyncFolder(&'a Path),
    /// Gives a file another name beside the one that it has.
    Link(&'a Path, &'a Path),
    /// Gives a file or folder another name.
    Rename(&'a Path, &'a Path),
    /// Removes a file's name.
    RemoveFile(&'a Path),
    /// Removes a folder and all that is in it.
    RemoveFolder(&'a Path),
}

/// Who sees the calls, and says which of them fail.
pub trait DiskWatch: Send + Sync {
    /// A call is about to be made; after an error it is not.
    fn before(&self, call: &DiskCall<'_>) -> io::Result<()>;

    /// It was made; after an error its caller is told that it failed.
    fn after(&self, call: &DiskCall<'_>) -> io::Result<()>;
}

/// The disk, as those see it that make files durable. Unless it is watched, calls are made and nothing else.
#[derive(Clone, Default)]
pub struct Disk {
    watch: Option<Arc<dyn DiskWatch>>,
}

/// A file whose writes are calls of a disk.
#[derive(Debug)]
pub struct DiskWriter<'a, W> {
    /// The disk.
    pub disk: &'a Disk,
    /// The file's name.
    pub path: &'a Path,
    /// The file.
    pub file: W,
}

impl Disk {
    /// A disk whose calls are seen.
    pub fn watched(watch: Arc<dyn DiskWatch>) -> Disk {
        Disk { watch: Some(watch) }
    }

    /// Makes a call.
    #[inline]
    pub fn call<T>(&self, call: DiskCall<'_>, make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(watch) = &self.watch else { return make() };
        watch.before(&call)?;
        let made = make()?;
        watch.after(&call)?;
        Ok(made)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Disk {{ watched: {} }}", self.watch.is_some())
    }
}

impl<W: Write> Write for DiskWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.call(DiskCall::Write(self.path, bytes), || self.file.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
