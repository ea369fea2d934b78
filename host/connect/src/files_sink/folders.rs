//! Folders of outputs.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use tidemill_model::{
    ports::{Disk, DiskCall, Folders, Look, may_make_folder},
    time::Timestamp,
};

/// Bytes of a file that are compared at once.
const READ_BYTES: usize = 64 << 10;

/// Folders of this machine, made for whoever may read what this user makes.
struct Shared;

impl Folders for Shared {
    fn look(&self, path: &Path) -> io::Result<Look> {
        look_at(path)
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)
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

/// Whether there is, or may come to be, a folder that can be written to. Changes nothing. What a link above it leads to may
/// be made by then: it may be another output's.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    match may_make_folder(&Shared, folder) {
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists && error.folder != folder => Ok(()),
        checked => checked.map_err(|error| error.source),
    }
}

/// Makes a folder that may be there, and those above it.
pub(super) fn make_folder(disk: &Disk, folder: &Path) -> io::Result<()> {
    disk.make_folder(&Shared, folder).map_err(|error| error.source)
}

/// Removes a folder or file that may be there.
pub(super) fn remove(disk: &Disk, path: &Path) -> io::Result<()> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir());
    let removed = match is_file {
        true => disk.call(DiskCall::RemoveFile(path), || fs::remove_file(path)),
        false => disk.call(DiskCall::RemoveFolder(path), || fs::remove_dir_all(path)),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A new name in a folder survives a power cut only when the folder itself was synced.
pub(super) fn sync_folder(disk: &Disk, folder: &Path) -> io::Result<()> {
    disk.sync_folder(&Shared, folder).map_err(|error| error.source)
}

/// Makes durable that a folder is there.
pub(super) fn sync_above(disk: &Disk, folder: &Path) -> io::Result<()> {
    disk.sync_above(&Shared, folder).map_err(|error| error.source)
}

/// What is in an output's folder.
pub(super) struct Found {
    /// The newest batch.
    pub newest: Option<Timestamp>,
    /// What was prepared, by whatever run.
    pub leftovers: Vec<PathBuf>,
}

/// Looks what is in a folder.
pub(super) fn list(folder: &Path) -> io::Result<Found> {
    let mut found = Found { newest: None, leftovers: Vec::new() };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        found.newest = found.newest.max(batch_time(&name));
        if name.starts_with(".staged-") {
            found.leftovers.push(entry.path());
        }
    }
    Ok(found)
}

/// The time in the name of a delivered batch's folder.
fn batch_time(name: &str) -> Option<Timestamp> {
    let millis: i64 = name.strip_prefix("batch-")?.parse().ok()?;
    millis.checked_mul(1_000).map(Timestamp)
}

/// Whether two folders have the same files.
pub(super) fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let names = |folder: &Path| -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    let files = names(one)?;
    if files != names(other)? {
        return Ok(false);
    }
    for file in files {
        if !is_same_file(&one.join(&file), &other.join(&file))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let [one, other] = [File::open(one)?, File::open(other)?];
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let [mut one, mut other] = [one, other].map(|file| BufReader::with_capacity(READ_BYTES, file));
    loop {
        let bytes = one.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        let mut same = vec![0; bytes.len()];
        other.read_exact(&mut same)?;
        if bytes != same {
            return Ok(false);
        }
        let read = bytes.len();
        one.consume(read);
    }
}

/// What stands under a path.
fn look_at(path: &Path) -> io::Result<Look> {
    Ok(match fs::metadata(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) if fs::symlink_metadata(path).is_ok() => Look::Link,
        Err(_) => Look::Nothing,
        Ok(found) if !found.is_dir() => Look::File,
        Ok(_) if is_writable(path)? => Look::Folder,
        Ok(_) => Look::Unwritable,
    })
}

/// Whether this user may make files in a folder, and anybody can.
#[cfg(target_os = "linux")]
fn is_writable(folder: &Path) -> io::Result<bool> {
    use rustix::fs::{Access, PROC_SUPER_MAGIC, access, statfs};
    access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    // Of what the system makes up it says that its administrator may write there.
    Ok(statfs(folder)?.f_type != PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_writable(_: &Path) -> io::Result<bool> {
    Ok(true)
}
