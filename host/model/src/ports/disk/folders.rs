//! Folders, and what makes durable that they are there.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Disk, DiskCall};

/// What stands under a path where a folder is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// A folder in which files can be made.
    Folder,
    /// A folder in which none can be made.
    Unwritable,
    /// Something else.
    File,
    /// A link to what is not there.
    Link,
}

/// What is asked of the system: this crate has no files itself.
pub trait Folders {
    /// What stands under a path.
    fn look(&self, path: &Path) -> io::Result<Look>;

    /// Makes a folder in one that is there.
    fn make(&self, folder: &Path) -> io::Result<()>;

    /// Makes durable which names are in a folder.
    fn sync(&self, folder: &Path) -> io::Result<()>;

    /// Whether there is such a folder.
    fn is_there(&self, folder: &Path) -> bool;

    /// What a folder lies on, if that can be told.
    fn device(&self, folder: &Path) -> Option<u64>;
}

/// What could not be done with a folder.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", folder.display())]
pub struct FolderError {
    /// The folder, which may be one above that which was asked for.
    pub folder: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Whether there is, or may come to be, a folder that can be written to. Changes nothing.
///
/// # Errors
/// What stands in its way.
pub fn may_make_folder(folders: &impl Folders, folder: &Path) -> Result<(), FolderError> {
    for part in folder.ancestors() {
        let part = if part.as_os_str().is_empty() { Path::new(".") } else { part };
        let what = match folders.look(part).map_err(|source| failed(part, source))? {
            Look::Nothing => continue,
            Look::Folder => return Ok(()),
            Look::Unwritable => io::ErrorKind::PermissionDenied,
            Look::File => io::ErrorKind::NotADirectory,
            Look::Link => io::ErrorKind::AlreadyExists,
        };
        return Err(failed(part, what.into()));
    }
    Ok(())
}

impl Disk {
    /// Makes a folder that may be there, and those above it.
    ///
    /// # Errors
    /// The system does not let it, or something else has the name.
    pub fn make_folder(&self, folders: &impl Folders, folder: &Path) -> Result<(), FolderError> {
        let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
        let make = || self.call(DiskCall::MakeFolder(folder), || folders.make(folder));
        let made = match (make(), above) {
            (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folder(folders, above)?;
                make()
            }
            (made, _) => made,
        };
        match made {
            Err(_) if folders.is_there(folder) => Ok(()),
            made => made.map_err(|source| failed(folder, source)),
        }
    }

    /// Makes durable which names are in a folder: a new one survives a power cut only then.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn sync_folder(&self, folders: &impl Folders, folder: &Path) -> Result<(), FolderError> {
        let synced = self.call(DiskCall::SyncFolder(folder), || folders.sync(folder));
        synced.map_err(|source| failed(folder, source))
    }

    /// Makes durable that a folder is there: it, or one above it, may have been made by a run that was killed right then, so
    /// that it says nothing that they were there before. What the device is mounted on was there for long. So were folders of
    /// others, which may not be readable, or not of a disk, and cannot be synced then.
    ///
    /// # Errors
    /// One that may be new cannot be synced.
    pub fn sync_above(&self, folders: &impl Folders, folder: &Path) -> Result<(), FolderError> {
        let device = folders.device(folder);
        for above in folder.ancestors().skip(1) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            if device.is_some() && folders.device(above).is_some_and(|other| Some(other) != device) {
                return Ok(());
            }
            match self.sync_folder(folders, above) {
                Err(error) if is_anothers(error.source.kind()) => {}
                synced => synced?,
            }
        }
        Ok(())
    }
}

fn failed(folder: &Path, source: io::Error) -> FolderError {
    FolderError { folder: folder.to_owned(), source }
}

fn is_anothers(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Folders by their paths: what they lie on, and how a sync of them fails.
    struct Mounted {
        folders: &'static [(&'static str, Option<u64>, Option<io::ErrorKind>)],
        synced: RefCell<Vec<String>>,
    }

    impl Mounted {
        fn find(&self, folder: &Path) -> (Option<u64>, Option<io::ErrorKind>) {
            let found = self.folders.iter().find(|(path, _, _)| Path::new(path) == folder);
            found.map_or((Some(1), None), |&(_, device, failure)| (device, failure))
        }
    }

    impl Folders for Mounted {
        fn look(&self, _: &Path) -> io::Result<Look> {
            Ok(Look::Folder)
        }

        fn make(&self, _: &Path) -> io::Result<()> {
            Ok(())
        }

        fn sync(&self, folder: &Path) -> io::Result<()> {
            self.synced.borrow_mut().push(folder.display().to_string());
            self.find(folder).1.map_or(Ok(()), |kind| Err(kind.into()))
        }

        fn is_there(&self, _: &Path) -> bool {
            true
        }

        fn device(&self, folder: &Path) -> Option<u64> {
            self.find(folder).0
        }
    }

    /// What is synced above a folder, and which one of them fails.
    #[track_caller]
    fn check(
        folder: &str,
        folders: &'static [(&'static str, Option<u64>, Option<io::ErrorKind>)],
        expect: &[&str],
        fails: Option<&str>,
    ) {
        let mounted = Mounted { folders, synced: RefCell::default() };
        let failed = Disk::default().sync_above(&mounted, Path::new(folder)).err().map(|error| error.folder);
        assert_eq!(*mounted.synced.borrow(), expect);
        assert_eq!(failed.as_deref(), fails.map(Path::new));
    }

    #[test]
    fn what_may_be_new_is_synced_up_to_where_its_device_is_mounted() {
        use io::ErrorKind::{Other, PermissionDenied, Unsupported};
        check("/a/b/c", &[], &["/a/b", "/a", "/"], None);
        check("b/c", &[], &["b", "."], None);
        check("c", &[], &["."], None);
        // The name of `/a` is in a folder of another device, which may be of any kind.
        check("/a/b/c", &[("/", Some(2), Some(Other))], &["/a/b", "/a"], None);
        check("/a/b/c", &[("/a", Some(2), Some(Other)), ("/", Some(1), Some(Other))], &["/a/b"], None);
        check("/a/b/c", &[("/a/b/c", Some(3), None)], &[], None);
        // Where nobody knows, everything is tried.
        check("/a/b", &[("/a/b", None, None)], &["/a", "/"], None);
        check("/a/b", &[("/a", None, None)], &["/a", "/"], None);
        // What another one's folder does not let is nothing; anything else may be a disk that is broken.
        check("/a/b/c", &[("/a", Some(1), Some(PermissionDenied))], &["/a/b", "/a", "/"], None);
        check("/a/b/c", &[("/a/b", Some(1), Some(Unsupported))], &["/a/b", "/a", "/"], None);
        check("/a/b/c", &[("/a", Some(1), Some(Other))], &["/a/b", "/a"], Some("/a"));
    }
}
