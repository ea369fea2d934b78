//! Folders, and what makes durable that they are there.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use tidemill_model::ports::{Disk, DiskCall};

/// Makes a folder that may be there, and those above it.
pub(super) fn make_folder(disk: &Disk, folder: &Path) -> io::Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    let make = || disk.call(DiskCall::MakeFolder(folder), || fs::create_dir(folder));
    let made = match (make(), above) {
        (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(disk, above)?;
            make()
        }
        (made, _) => made,
    };
    made.or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })
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
    disk.call(DiskCall::SyncFolder(folder), || File::open(folder)?.sync_all())
}

/// Makes durable that a folder is there: it, or one above it, may have been made by a run that was killed right then. Folders
/// of others may not be readable, or may not be of a disk, and cannot be synced then; they have been there for long.
pub(super) fn sync_above(disk: &Disk, folder: &Path) -> io::Result<()> {
    for above in folder.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match sync_folder(disk, above) {
            Err(error) if is_anothers(error.kind()) => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn is_anothers(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported)
}
