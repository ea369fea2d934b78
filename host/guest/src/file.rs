//! A component's file.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// The bytes of a component's file; of a longer one `bytes_max` and one more. What is no file holds nobody up: a named pipe would
/// be waited for until somebody writes into it.
///
/// # Errors
/// It cannot be read, or is no file.
pub fn read_component(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::{fs, os::unix::fs::symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tidemill_model::testing::within;

    use super::*;

    #[test]
    fn only_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, fifo, socket] = ["file", "link", "fifo", "socket"].map(|name| folder.path().join(name));
        fs::write(&file, "1234").unwrap();
        symlink(&file, &link).unwrap();
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(read_component(&file, 4).unwrap(), b"1234");
        assert_eq!(read_component(&link, 2).unwrap(), b"123", "one more than it may have");
        assert_eq!(read_component(folder.path(), 4).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        for other in [&*fifo, &*socket, Path::new("/dev/zero"), Path::new("/dev/null")] {
            let other = other.to_owned();
            within("a file is read", move || assert!(read_component(&other, 4).is_err(), "{other:?}"));
        }
    }
}
