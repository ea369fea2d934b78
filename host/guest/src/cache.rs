//! Compiled code on disk, so that a plugin compiles once.
//!
//! Compiled code is machine code: whoever can write the cache can do anything that this process can. So the folder and its files
//! belong to this user alone: what others own or can write is not used, nor is anything but a plain file. What a file says of
//! itself (`code`) finds damage, and code that lies under another component's name; owner and mode keep out people.
//!
//! The folder is opened once, and what was checked is what is used: whoever renames something above it changes nothing.

mod leftover;

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, open, openat, renameat, unlinkat},
    io::Errno,
    process::geteuid,
};
use tidemill_model::limits::Limits;

use crate::code::{EngineHash, PACKED_BYTES, file_name};

/// The ending of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// Others can write.
const WRITABLE: u32 = 0o022;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: Arc<OwnedFd>,
    /// For messages.
    path: PathBuf,
}

impl Cache {
    /// Uses `folder`, and makes it if it is not there. `None`, with a warning in the log, if it cannot be used.
    pub(crate) fn open(folder: &Path) -> Option<Cache> {
        match prepare(folder) {
            Ok(opened) => {
                let cache = Cache { folder: Arc::new(opened), path: folder.to_owned() };
                leftover::remove(&cache);
                Some(cache)
            }
            Err(error) => {
                tracing::warn!(folder = %folder.display(), "compiled code is not cached: {error}");
                None
            }
        }
    }

    /// The packed code that lies under the component's name. What is there and cannot be believed is a warning in the log.
    pub(crate) fn read(&self, engine: &EngineHash, component: &[u8], limits: &Limits) -> Option<Vec<u8>> {
        let name = file_name(engine, component);
        match self.file(&name).and_then(|file| whole(file, limits.compiled_bytes.saturating_add(PACKED_BYTES))) {
            Ok(packed) => Some(packed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file = %self.path.join(name).display(), "compiled code in the cache is not used: {error}");
                None
            }
        }
    }

    /// Keeps packed code. What goes wrong is a warning in the log: the cache only saves time.
    pub(crate) fn write(&self, engine: &EngineHash, component: &[u8], packed: &[u8]) {
        let name = file_name(engine, component);
        let written = match self.write_file(&name, packed) {
            // Another host that came takes what is being written for left over until it is locked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write_file(&name, packed),
            written => written,
        };
        if let Err(error) = written {
            tracing::warn!(file = %self.path.join(name).display(), "compiled code is not cached: {error}");
        }
    }

    /// A file of the folder, to be read: a plain one that is nobody else's. What is no file does not hold anybody up.
    fn file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&*self.folder, name, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP => io::Error::other("it is a link"),
            error => error.into(),
        })?;
        let file = File::from(file);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        check_owner(&metadata)?;
        Ok(file)
    }

    /// Writes a file so that nobody ever sees half of it, and a file that is there stays as it is to who reads it.
    fn write_file(&self, name: &str, packed: &[u8]) -> io::Result<()> {
        /// Tells apart what threads write that compile the same component.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{name}.{}-{number}{UNFINISHED}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&*self.folder, &unfinished, flags, Mode::RUSR | Mode::WUSR)?);
        let mut write = || {
            file.lock()?;
            file.write_all(packed)?;
            Ok(renameat(&*self.folder, &unfinished, &*self.folder, name)?)
        };
        write().inspect_err(|_: &io::Error| {
            // What is left over would only take room; there is nothing more to say than the error itself.
            let _ = unlinkat(&*self.folder, &unfinished, AtFlags::empty());
        })
    }
}

/// The folder, opened: one of this user alone.
fn prepare(folder: &Path) -> io::Result<OwnedFd> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = open(folder, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => io::Error::other("it is a link, or no folder"),
        error => error.into(),
    })?;
    let opened = File::from(opened);
    check_owner(&opened.metadata()?)?;
    Ok(opened.into())
}

/// Whether nobody else may have written it.
fn check_owner(metadata: &std::fs::Metadata) -> io::Result<()> {
    if metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if metadata.mode() & WRITABLE != 0 {
        return Err(io::Error::other("others can write it: `chmod go-w` it"));
    }
    Ok(())
}

/// All of a file that has so many bytes at most.
fn whole(file: File, bytes_max: usize) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::other("it is larger than its limit compiled-bytes allows");
    let length = usize::try_from(file.metadata()?.len()).map_err(|_| too_large())?;
    if length > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(length);
    // One that grows meanwhile has another length than it says.
    file.take(length as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
