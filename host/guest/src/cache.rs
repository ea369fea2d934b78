//! Compiled code on disk, so that a plugin compiles once.
//!
//! Compiled code is machine code: whoever can write the cache can do anything that this process can. So the folder and
//! its files belong to this user alone, a folder that others can write is not used, and each file is checked against a
//! hash before it is believed. The hash finds damage; the permissions keep out people.

use std::{
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use wasmtime::{Engine, component::Component};

/// What a file begins with; the last digit is the format's version.
const MAGIC: &[u8; 16] = b"tidemill-code-1\n";

const HASH_BYTES: usize = blake3::OUT_LEN;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Uses `folder`, and makes it if it is not there. `None`, with a warning in the log, if it cannot be used.
    pub(crate) fn open(folder: &Path) -> Option<Cache> {
        match prepare(folder) {
            Ok(()) => Some(Cache { folder: folder.to_owned() }),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), "compiled code is not cached: {error}");
                None
            }
        }
    }

    /// The component's code, if it is there and undamaged.
    pub(crate) fn read(&self, engine: &Engine, component: &[u8]) -> Option<Component> {
        let path = self.path(engine, component);
        let file = fs::read(&path).ok()?;
        let Some(code) = checked(&file) else {
            tracing::warn!(file = %path.display(), "compiled code in the cache is damaged: compiling again");
            return None;
        };
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(file = %path.display(), "compiled code in the cache is of no use: {error:#}");
                None
            }
        }
    }

    /// Keeps the component's code. What goes wrong is a warning in the log: the cache only saves time.
    pub(crate) fn write(&self, engine: &Engine, component: &[u8], compiled: &Component) {
        let path = self.path(engine, component);
        let written = compiled
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))
            .and_then(|code| write_file(&path, &code));
        if let Err(error) = written {
            tracing::warn!(file = %path.display(), "compiled code is not cached: {error}");
        }
    }

    fn path(&self, engine: &Engine, component: &[u8]) -> PathBuf {
        // Everything that makes code of one engine useless to another is in wasmtime's own fingerprint: its version,
        // the settings, the processor.
        let mut fingerprint = Fingerprint(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut fingerprint);
        fingerprint.0.update(MAGIC).update(&(component.len() as u64).to_le_bytes()).update(component);
        self.folder.join(format!("{}.code", fingerprint.0.finalize().to_hex()))
    }
}

struct Fingerprint(blake3::Hasher);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }
}

fn checked(file: &[u8]) -> Option<&[u8]> {
    let (hash, code) = file.strip_prefix(MAGIC)?.split_at_checked(HASH_BYTES)?;
    (blake3::hash(code).as_bytes() == hash).then_some(code)
}

#[allow(unsafe_code, reason = "compiled code cannot be checked by its form")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `Component::serialize` of an engine with this fingerprint gave: the file lies under that
    // name in a folder that only this user can write, and its hash has just been checked over the bytes in memory.
    unsafe { Component::deserialize(engine, code) }
}

fn write_file(path: &Path, code: &[u8]) -> io::Result<()> {
    /// Tells apart the temporary files of threads that compile the same component.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let write = || {
        let mut file = create_private(&temporary)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(code).as_bytes())?;
        file.write_all(code)?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // What is left over would only take room; there is nothing more to say than the error itself.
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(unix)]
fn prepare(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("others can write the folder: `chmod 700` it"));
    }
    // Where the system shows this process as a folder, its owner is the user.
    match fs::metadata("/proc/self") {
        Ok(process) if process.uid() != metadata.uid() => Err(io::Error::other("the folder belongs to another user")),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_was_written_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.code");
        write_file(&path, b"machine code").unwrap();
        let good = fs::read(&path).unwrap();
        assert_eq!(checked(&good), Some(&b"machine code"[..]));
        for end in 0..good.len() {
            assert_eq!(checked(&good[..end]), None, "cut at {end}");
        }
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            assert_eq!(checked(&damaged), None, "byte {at}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_others_can_write_or_that_is_none_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Cache::open(&folder.path().join("new/folder")).is_some());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(folder.path()).is_none());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Cache::open(&file).is_none());
    }
}
