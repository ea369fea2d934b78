//! What checkpoints keep of files and folders. Field names are part of the format of checkpoints.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    path::{Component, Path},
};
use tidemill_model::text::counted;

use serde::{Deserialize, Serialize};
use tidemill_model::ports::PortError;

use super::facts::Mark;
use crate::pin::{self, Pin};

/// A source of one file.
#[derive(Serialize, Deserialize)]
pub(super) struct FilePin {
    /// As the pipeline has it.
    pub path: Name,
    /// A batch was sealed.
    pub begun: bool,
    /// What the batch had; later ones have nothing.
    pub read: Option<Content>,
}

/// A source of a folder.
#[derive(Serialize, Deserialize)]
pub(super) struct FolderPin {
    /// As the pipeline has it.
    pub path: Name,
    /// A batch was sealed.
    pub begun: bool,
    /// The batch's files in order.
    pub files: Vec<ReadFile>,
    /// Of a run that ends with what is there: whether it has files left to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<bool>,
    /// What was seen of the folder, with the batch.
    pub seen: SeenPin,
}

/// A file of a folder that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ReadFile {
    pub name: Name,
    /// By which it is known under another name.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub mark: Marks,
    #[serde(flatten)]
    pub content: Content,
}

/// What was read of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    pub size: u64,
    /// When it was written last, as it was listed. For people who look for what changed; the hash decides.
    pub modified_micros: i64,
    pub hash: Digest,
}

/// What was seen of a folder, besides the files: those are in a table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct SeenPin {
    /// When it was listed last.
    pub listed_micros: i64,
    /// Which folder that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<u64>,
    /// Which folder stood under the path before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_before: Option<u64>,
    /// The files, as earlier versions wrote them with every batch.
    #[serde(flatten, skip_serializing)]
    pub files: Option<FilesPin>,
}

/// Files of a folder, as earlier versions wrote them.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct FilesPin {
    /// Files that are there and will not be read, by name: they were read, or were there before the start.
    pub done: Vec<Name>,
    /// Their marks in the same order. The first versions wrote none, and knew files by their names alone.
    #[serde(default)]
    pub marks: Marks,
    /// Files that it had the time before, and not the last time.
    pub gone: Option<RememberedPin>,
    /// The folder that stood under the path before this one.
    pub away: Option<AwayPin>,
}

/// Files that were read, by name.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RememberedPin {
    pub names: Vec<Name>,
    /// In the same order.
    pub marks: Marks,
}

/// What was known of another folder.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AwayPin {
    /// Which folder it is.
    pub folder: u64,
    #[serde(flatten)]
    pub files: RememberedPin,
}

/// Marks of files, in JSON as one text: of each 16 hex digits for the file itself and 8 for what it contains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Marks(pub Vec<Mark>);

/// A file's name or path: a text, or bytes where it is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

/// BLAKE3 of the bytes that were read, in JSON as hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Digest(pub blake3::Hash);

// === impl Pin ===

impl Pin for FilePin {
    const SOURCE: &'static str = "file";

    fn check(&self) -> Result<(), String> {
        self.path.to_os().map(|_| ())
    }
}

impl Pin for FolderPin {
    const SOURCE: &'static str = "folder";

    fn check(&self) -> Result<(), String> {
        self.files.iter().try_for_each(|file| file.name.check_in_folder())?;
        self.seen.files.iter().try_for_each(FilesPin::check)?;
        if self.files.iter().any(|file| file.mark.0.len() > 1) {
            return Err("it has more marks of files than names".to_owned());
        }
        self.path.to_os().map(|_| ())
    }
}

// === impl FilesPin ===

impl FilesPin {
    fn check(&self) -> Result<(), String> {
        let FilesPin { done, marks, gone, away } = self;
        let remembered = || gone.iter().chain(away.iter().map(|away| &away.files));
        done.iter().chain(remembered().flat_map(|files| &files.names)).try_for_each(Name::check_in_folder)?;
        let is_whole = |files: &RememberedPin| files.names.len() == files.marks.0.len();
        if !(marks.is_empty() || marks.0.len() == done.len()) || !remembered().all(is_whole) {
            return Err("it has not as many marks of files as names".to_owned());
        }
        Ok(())
    }
}

// === impl Name ===

impl Name {
    pub fn new(name: &OsStr) -> Name {
        name.to_str().map_or_else(|| Name::Bytes(name.as_encoded_bytes().to_vec()), |text| Name::Text(text.to_owned()))
    }

    pub fn to_os(&self) -> Result<OsString, String> {
        match self {
            Name::Text(text) => Ok(text.into()),
            #[cfg(unix)]
            Name::Bytes(bytes) => Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes.clone())),
            #[cfg(not(unix))]
            Name::Bytes(_) => Err("it has names of files that this system cannot have".to_owned()),
        }
    }

    /// That of a table's row.
    pub fn of_bytes(bytes: &[u8]) -> Name {
        match std::str::from_utf8(bytes) {
            Ok(text) => Name::Text(text.to_owned()),
            Err(_) => Name::Bytes(bytes.to_vec()),
        }
    }

    /// Names of a folder's files lead to nowhere else.
    pub fn check_in_folder(&self) -> Result<(), String> {
        let name = self.to_os()?;
        let mut parts = Path::new(&name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(part)), None) if part == name => Ok(()),
            _ => Err(format!("{} is no name of a file", name.display())),
        }
    }
}

// === impl Digest ===

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        blake3::Hash::from_hex(&text).map(Digest).map_err(|error| format!("`{text}` is no hash: {error}"))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0.to_hex().to_string()
    }
}

// === impl Marks ===

/// Hex digits of a mark: those of the file itself, and all.
const MARK_DIGITS: (usize, usize) = (16, 24);

impl Marks {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<String> for Marks {
    type Error = String;

    fn try_from(text: String) -> Result<Marks, String> {
        let (identity, all) = MARK_DIGITS;
        let is_whole = text.len().is_multiple_of(all) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mark = |at: usize| {
            let number = |range| text.get(range).and_then(|digits| u64::from_str_radix(digits, 16).ok());
            let content = u32::try_from(number(at + identity..at + all)?).ok()?;
            Some(Mark { identity: number(at..at + identity)?, content })
        };
        let marks = || (0..text.len()).step_by(all).map(mark).collect::<Option<Vec<_>>>();
        let marks = if is_whole { marks() } else { None };
        marks.map(Marks).ok_or_else(|| "its marks of files are none".to_owned())
    }
}

impl From<Marks> for String {
    fn from(marks: Marks) -> String {
        marks.0.iter().map(|mark| format!("{:016x}{:08x}", mark.identity, mark.content)).collect()
    }
}

/// Refuses the pin of another file or folder.
pub(super) fn check_path(stream: &str, pinned: &Name, path: &Path) -> Result<(), PortError> {
    // Compared as paths, so that `in/` is still `in`.
    let pinned = pinned.to_os().unwrap_or_default();
    if Path::new(&pinned) == path {
        return Ok(());
    }
    Err(PortError::configuration(format!(
        "stream `{stream}` was read from {} when the checkpoint was written, and the pipeline says {} now; set it \
         back, or begin with a new checkpoint",
        Path::new(&pinned).display(),
        path.display()
    )))
}

/// Reads a file through and refuses it if it is not what was read before. What a system says of its size is not believed:
/// some say 0, or a block, of what they make up when it is read.
pub(super) fn check_content(stream: &str, path: &Path, content: &Content) -> Result<(), PortError> {
    let failed = |error| gone(stream, path, error);
    let file = File::open(path).map_err(failed)?;
    let shown = file.metadata().map_err(failed)?.len();
    let mut hasher = blake3::Hasher::new();
    // Of a longer one no more is read than tells that it is longer.
    hasher.update_reader(file.take(content.size.saturating_add(1))).map_err(failed)?;
    let size = hasher.count();
    if size != content.size {
        let size = if size > content.size { size.max(shown) } else { size };
        return Err(changed(stream, path, format!("it had {} and has {size} now", counted(content.size, "byte"))));
    }
    if hasher.finalize() != content.hash.0 {
        return Err(changed(stream, path, other_bytes(size)));
    }
    Ok(())
}

/// A file cannot be read again.
pub(super) fn gone(stream: &str, path: &Path, error: io::Error) -> PortError {
    let what = match error.kind() {
        io::ErrorKind::NotFound => "is gone; put it back as it was",
        _ => "cannot be read; see its permissions",
    };
    let path = path.display();
    PortError::environment(
        format!("stream `{stream}` has to read {path} once more, and it {what}, or begin with a new checkpoint"),
        error,
    )
}

/// A file is not what it was.
pub(super) fn changed(stream: &str, path: &Path, how: String) -> PortError {
    let path = path.display();
    pin::changed(format!(
        "stream `{stream}` has to read {path} once more, and it has changed since: {how}; put it back as it was, or \
         begin with a new checkpoint"
    ))
}

/// A file was written to while it was read.
pub(super) fn written(stream: &str, path: &Path, was: u64, now: u64) -> PortError {
    let path = path.display();
    let how = if was == now {
        "it was written to".to_owned()
    } else {
        format!("it had {} and has {now} now", counted(was, "byte"))
    };
    pin::changed(format!(
        "stream `{stream}`: {path} has changed while it was read: {how}; let files alone until they are read, and run again"
    ))
}

/// A file is another one than when it was listed, and no later batch can have it.
pub(super) fn replaced(stream: &str, path: &Path) -> PortError {
    let path = path.display();
    pin::changed(format!(
        "stream `{stream}`: {path} has changed between the look at its folder and its turn; let files alone until they \
         are read, and run again"
    ))
}

/// How a file differs whose size is the same.
pub(super) fn other_bytes(size: u64) -> String {
    format!("it has {} as before, but not the same ones", counted(size, "byte"))
}
