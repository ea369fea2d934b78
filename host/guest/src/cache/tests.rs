#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
};

use rustix::fs::{CWD, FileType, mknodat};
use tidemill_model::testing::within;

use super::*;
use crate::code;

const ENGINE: &EngineHash = &[7; 32];

fn packed(component: &[u8]) -> Vec<u8> {
    code::pack(ENGINE, component, b"machine code".to_vec())
}

fn read(cache: &Cache, component: &[u8]) -> Option<Vec<u8>> {
    let limits = Limits { compiled_bytes: 12, ..Limits::default() };
    cache.read(ENGINE, component, &limits).filter(|packed| code::unpack(packed, ENGINE, component).is_some())
}

/// What stands in the place of a file, and how it comes there if a good one is there.
type Place = (&'static str, fn(&Path));

const PLACES: &[Place] = &[
    ("a FIFO", |path| {
        fs::remove_file(path).unwrap();
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }),
    ("a link to a good file", |path| {
        let other = path.with_extension("good");
        fs::rename(path, &other).unwrap();
        symlink(&other, path).unwrap();
    }),
    ("a link to nothing", |path| {
        fs::remove_file(path).unwrap();
        symlink("/nowhere", path).unwrap();
    }),
    ("a link to itself", |path| {
        fs::remove_file(path).unwrap();
        symlink(path, path).unwrap();
    }),
    ("a device", |path| {
        fs::remove_file(path).unwrap();
        symlink("/dev/zero", path).unwrap();
    }),
    ("nothing", |path| fs::remove_file(path).unwrap()),
    ("an empty file", |path| fs::write(path, "").unwrap()),
    ("a file that is cut", |path| fs::write(path, &packed(b"component")[..60]).unwrap()),
    ("a file with more", |path| fs::write(path, [&packed(b"component")[..], b"!"].concat()).unwrap()),
    ("a larger file than may be", |path| fs::File::options().write(true).open(path).unwrap().set_len(1 << 40).unwrap()),
    ("another component's code", |path| fs::write(path, packed(b"another")).unwrap()),
    ("another engine's code", |path| {
        fs::write(path, code::pack(&[8; 32], b"component", b"machine code".to_vec())).unwrap();
    }),
    ("a file that the group can write", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o620)).unwrap()),
    ("a file that all can write", |path| fs::set_permissions(path, fs::Permissions::from_mode(0o602)).unwrap()),
];

#[test]
fn what_is_in_the_place_of_code_is_not_believed_and_is_replaced() {
    for &(what, put) in PLACES {
        within(what, move || in_the_place_of_code(what, put));
    }
}

fn in_the_place_of_code(what: &str, put: fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let cache = Cache::open(&folder).unwrap();
    cache.write(ENGINE, b"component", &packed(b"component"));
    assert_eq!(read(&cache, b"component"), Some(packed(b"component")), "{what}");
    let path = folder.join(file_name(ENGINE, b"component"));
    put(&path);
    assert_eq!(read(&cache, b"component"), None, "{what}");
    cache.write(ENGINE, b"component", &packed(b"component"));
    assert_eq!(read(&cache, b"component"), Some(packed(b"component")), "{what}");
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.is_file() && metadata.mode() & 0o777 == 0o600, "{what}");
}

#[test]
fn a_folder_in_the_place_of_code_stays_and_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let cache = Cache::open(&folder).unwrap();
    fs::create_dir(folder.join(file_name(ENGINE, b"component"))).unwrap();
    assert_eq!(read(&cache, b"component"), None);
    cache.write(ENGINE, b"component", &packed(b"component"));
    assert_eq!(read(&cache, b"component"), None);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing is left over");
}

/// Only the superuser can give files away.
#[test]
fn what_belongs_to_another_user_is_not_believed() {
    if !geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let cache = Cache::open(&folder).unwrap();
    cache.write(ENGINE, b"component", &packed(b"component"));
    chown(folder.join(file_name(ENGINE, b"component")), Some(12_345), None).unwrap();
    assert_eq!(read(&cache, b"component"), None);
    chown(&folder, Some(12_345), None).unwrap();
    assert!(Cache::open(&folder).is_none());
}

#[test]
fn a_folder_that_others_can_write_or_that_is_none_is_not_used() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/folder");
    assert!(Cache::open(&folder).is_some());
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    for mode in [0o720, 0o702, 0o777] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Cache::open(&folder).is_none(), "{mode:o}");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Cache::open(&folder).is_some(), "others may look");
    let (file, link, fifo) = (parent.path().join("file"), parent.path().join("link"), parent.path().join("fifo"));
    fs::write(&file, "").unwrap();
    symlink(&folder, &link).unwrap();
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for path in [file, link, fifo] {
        assert!(Cache::open(&path).is_none(), "{path:?}");
    }
}

#[test]
fn what_a_killed_host_left_over_goes_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let cache = Cache::open(&folder).unwrap();
    cache.write(ENGINE, b"component", &packed(b"component"));
    let [left, written] = ["a.code.1-0.tmp", "a.code.2-0.tmp"].map(|name| folder.join(name));
    fs::write(&left, "half").unwrap();
    let writer = File::create(&written).unwrap();
    writer.lock().unwrap();
    assert!(Cache::open(&folder).is_some());
    assert!(!left.exists() && written.exists());
    drop(writer);
    let cache = Cache::open(&folder).unwrap();
    assert!(!written.exists());
    assert_eq!(read(&cache, b"component"), Some(packed(b"component")));
}
