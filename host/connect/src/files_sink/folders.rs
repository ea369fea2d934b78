//! Folders of outputs.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use tidemill_model::ports::{Disk, DiskCall, Folders};

/// Folders of this machine, made for whoever may read what this user makes.
struct Shared;

impl Folders for Shared {
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

/// Makes a folder that may be there, and those above it.
pub(super) fn make_folder(disk: &Disk, folder: &Path) -> io::Result<()> {
    disk.make_folder(&Shared, folder).map_err(|error| error.source)
}

/// Removes a folder that may be there.
pub(super) fn remove(disk: &Disk, folder: &Path) -> io::Result<()> {
    match disk.call(DiskCall::RemoveFolder(folder), || fs::remove_dir_all(folder)) {
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
