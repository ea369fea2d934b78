//! The port to where a checkpoint lies: files with names like `log/00000000000000000001`, made once and never changed,
//! except for input segments, which grow.

mod faults;
mod folder;
mod memory;
mod object;

use std::{fmt, io, io::Read};

pub use faults::{Call, Fault, Operation};
pub use folder::LocalFolder;
pub use memory::MemoryStorage;
pub use object::ObjectStorage;

/// The folders that a checkpoint has.
pub const FOLDERS: [&str; 4] = ["log", "state", "input", "outbox"];

/// Where a checkpoint lies. Names are `folder/file`, with a folder of [`FOLDERS`].
pub trait Storage: Send + Sync {
    /// Makes a file with this content, durably, in one step: afterwards it is there as a whole, or it is not. Fails with
    /// [`StorageError::Exists`] if the name is taken; not if what is there has this very content, where it cannot be told
    /// whether an earlier try has made it. After another error it may be there or not.
    fn create(&self, name: &str, content: &[u8]) -> Result<(), StorageError>;

    /// Begins a file that is written in parts and appears, durably, when it is published.
    fn draft(&self, name: &str) -> Result<Box<dyn Draft>, StorageError>;

    /// A file's whole content.
    fn read(&self, name: &str) -> Result<Vec<u8>, StorageError>;

    /// A file's first `bytes` bytes, or all if it has fewer.
    fn read_prefix(&self, name: &str, bytes: usize) -> Result<Vec<u8>, StorageError>;

    /// The beginnings of many files, of each as many bytes as are asked for, in their order. A storage that is far away is
    /// asked for several at once.
    fn read_prefixes(&self, wanted: &[(String, usize)]) -> Vec<Result<Vec<u8>, StorageError>> {
        wanted.iter().map(|(name, bytes)| self.read_prefix(name, *bytes)).collect()
    }

    /// Reads a file from its beginning, for files that need not fit into memory.
    fn reader(&self, name: &str) -> Result<Box<dyn Read + Send>, StorageError>;

    /// Reads many files, one after the other. A storage that is far away is asked for several at once.
    fn readers<'a>(&'a self, names: Vec<String>) -> Readers<'a> {
        Box::new(names.into_iter().map(|name| self.reader(&name)))
    }

    /// The files of a folder, by name.
    fn list(&self, folder: &str) -> Result<Vec<Entry>, StorageError>;

    /// Removes a file. That it is not there is no error.
    fn remove(&self, name: &str) -> Result<(), StorageError>;

    /// Removes files in about this order; after an error some of them are left.
    fn remove_all(&self, names: &[String]) -> Result<(), StorageError> {
        names.iter().try_for_each(|name| self.remove(name))
    }

    /// Appends to a file of `input` that [`Storage::create`] made.
    fn appender(&self, name: &str) -> Result<Box<dyn Appender>, StorageError>;

    /// Makes durable what is visible in a folder: for files whose creation did not say whether they are.
    fn sync(&self, folder: &str) -> Result<(), StorageError>;

    /// What drafts and creations have left that did not end, or that go on still. Who is about to claim the checkpoint asks:
    /// what is begun from then on may be a later owner's.
    fn leftovers(&self) -> Result<Vec<String>, StorageError>;

    /// Removes what was left over before the claim, unless it has become a file since. Call it as the owner of the
    /// checkpoint.
    fn remove_leftovers(&self, found: &[String]) -> Result<(), StorageError>;

    /// Whether all of a file is there. Where files lie in parts, one can appear whose parts a later host has swept away: it
    /// reads as damaged, and nothing may be removed because of it.
    fn is_whole(&self, _name: &str) -> Result<bool, StorageError> {
        Ok(true)
    }

    /// Bytes that are free where it lies; `None` where that is not known or not bounded.
    fn free_bytes(&self) -> Result<Option<u64>, StorageError> {
        Ok(None)
    }

    /// Where it is, for people.
    fn place(&self) -> String;
}

/// Files that are read one after the other.
pub type Readers<'a> = Box<dyn Iterator<Item = Result<Box<dyn Read + Send>, StorageError>> + 'a>;

/// A file that is being written. Dropped before it is published, it leaves nothing.
pub trait Draft: Send {
    /// Adds bytes to its end.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// Makes it appear under its name, durably; [`StorageError::Exists`] if that is taken.
    fn publish(self: Box<Self>) -> Result<(), StorageError>;
}

/// The rest of a sync that was begun, for any thread to do.
pub type SyncWork = Box<dyn FnOnce() -> Result<(), StorageError> + Send>;

/// The end of a file that grows. After an error its end is not known, and it must not be used further.
pub trait Appender: Send {
    /// Adds bytes to its end; a crash may lose them, or a part, until they are synced.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// Begins to make durable what was appended until now. More may be appended before the work is done.
    fn begin_sync(&mut self) -> Result<SyncWork, StorageError>;

    /// Makes everything appended durable.
    fn sync(&mut self) -> Result<(), StorageError> {
        self.begin_sync()?()
    }

    /// Whether it would be slow to read if it grew further, so that another file is better begun.
    fn is_full(&self) -> bool {
        false
    }
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name without the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// The storage failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A name that must be free is taken.
    #[error("{place} is there already")]
    Exists {
        /// The file.
        place: String,
    },
    /// A file is not there.
    #[error("{place} is not there")]
    NotFound {
        /// The file.
        place: String,
    },
    /// Something else than a file has a file's name.
    #[error("{name} in {place} is {what}, and no file")]
    NotAFile {
        /// The name.
        name: String,
        /// Where it is.
        place: String,
        /// What has it.
        what: &'static str,
    },
    /// The folder has things that no checkpoint has.
    #[error(
        "{place} is no checkpoint: it has `{entry}`; name an empty folder or prefix, or one that does not exist yet"
    )]
    Foreign {
        /// The folder.
        place: String,
        /// One of those things.
        entry: String,
    },
    /// A folder that was to be looked at has nothing of a checkpoint.
    #[error("{place} is no checkpoint: it has no `log`")]
    NoCheckpoint {
        /// The folder.
        place: String,
    },
    /// The system refused.
    #[error("cannot {action} {place}: {advice}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        place: String,
        /// What to do.
        advice: Advice,
        /// What the system said.
        source: io::Error,
    },
}

/// What to do about a storage that refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// There is no room.
    DiskFull,
    /// The file may not have so many bytes.
    FileTooLarge,
    /// It cannot be written to.
    NotWritable,
    /// It was there and is gone.
    Vanished,
    /// A later host has removed it as something that was left over.
    Overtaken,
    /// Something stands where a folder was.
    NoFolder,
    /// The file system lacks something that is needed.
    Unsuitable,
    /// The store has no such bucket.
    NoBucket,
    /// The store does not let this user do it.
    Denied,
    /// It is not known, or not believed, who asks.
    NoCredentials,
    /// Nobody answers.
    Unreachable,
    /// It is not certain that the store is the one that was named.
    Certificate,
    /// The bucket is elsewhere.
    WrongRegion,
    /// The store and this machine disagree about the time.
    WrongClock,
    /// The store overwrites what is there, or cannot promise not to.
    NoConditionalWrites,
    /// The store does not know a request that is needed.
    Lacking,
    /// A setting in the environment cannot be.
    Settings,
    /// A later version wrote it.
    Newer,
    /// The object that marks the checkpoint is not as it was written.
    DamagedMark,
    /// The store has trouble.
    StoreFailed,
    /// Something else.
    Other,
}

// === impl StorageError ===

impl StorageError {
    /// The system's error with what to do about it.
    pub fn system(action: &'static str, place: impl Into<String>, source: io::Error) -> StorageError {
        let advice = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Advice::DiskFull,
            io::ErrorKind::FileTooLarge => Advice::FileTooLarge,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Advice::NotWritable,
            io::ErrorKind::NotFound => Advice::Vanished,
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Advice::NoFolder,
            io::ErrorKind::Unsupported => Advice::Unsuitable,
            _ => Advice::Other,
        };
        StorageError::System { action, place: place.into(), advice, source }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Advice::DiskFull => "the disk is full; make room and run again, nothing committed is lost",
            Advice::FileTooLarge => {
                "the system allows no file of that length (ulimit -f); raise that and run again, nothing committed is lost"
            }
            Advice::NotWritable => "it may not be written or read; correct its permissions or mount and run again",
            Advice::Vanished => "it has vanished; bring it back (is its disk mounted?) and run again",
            Advice::Overtaken => {
                "what was to become of it was removed: another host has taken the checkpoint over meanwhile, and goes on"
            }
            Advice::NoFolder => "a file stands where a folder must be; bring the folder back, or name another, and run again",
            Advice::Unsuitable => "its file system lacks what is needed (hard links); choose another place",
            Advice::NoBucket => "there is no such bucket; make it, or correct its name or AWS_ENDPOINT_URL",
            Advice::Denied => {
                "this user may not do that; allow s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket for the prefix"
            }
            Advice::NoCredentials => {
                "the store needs credentials that it believes: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and \
                 AWS_SESSION_TOKEN), or run where the machine has a role"
            }
            Advice::Unreachable => {
                "the store does not answer; look at the network, AWS_ENDPOINT_URL and AWS_REGION and run again, nothing \
                 committed is lost"
            }
            Advice::Certificate => {
                "this machine does not trust the store's certificate; SSL_CERT_FILE names a file of root certificates"
            }
            Advice::WrongRegion => "the bucket is in another region; set AWS_REGION to it",
            Advice::WrongClock => "the store has another time than this machine; set its clock and run again",
            Advice::NoConditionalWrites => {
                "the store cannot keep two hosts from overwriting each other (PUT with If-None-Match); choose another store"
            }
            Advice::Lacking => {
                "the store does not know a request that is needed (GET of a range, HEAD, DELETE, or LIST with list-type=2); choose \
                 another store, or look whether AWS_ENDPOINT_URL is the address of one"
            }
            Advice::Settings => "correct that variable",
            Advice::DamagedMark => {
                "it is damaged, and what it marks need not be; delete this one object and nothing else, and run again: it is made anew"
            }
            Advice::Newer => "a later version of Tidemill wrote it; use that one",
            Advice::StoreFailed => "the store has trouble; run again when it is well, nothing committed is lost",
            Advice::Other => "see what the system says, correct it and run again",
        })
    }
}

#[test]
fn every_advice_says_something_else() {
    use Advice::{
        Certificate, DamagedMark, Denied, DiskFull, FileTooLarge, Lacking, Newer, NoBucket, NoConditionalWrites,
        NoCredentials, NoFolder, NotWritable, Other, Overtaken, Settings, StoreFailed, Unreachable, Unsuitable,
        Vanished, WrongClock, WrongRegion,
    };
    let all = [
        DiskFull,
        FileTooLarge,
        NotWritable,
        Vanished,
        Overtaken,
        NoFolder,
        Unsuitable,
        NoBucket,
        Denied,
        NoCredentials,
        Unreachable,
        Certificate,
        WrongRegion,
        WrongClock,
        NoConditionalWrites,
        Lacking,
        Settings,
        Newer,
        DamagedMark,
        StoreFailed,
        Other,
    ];
    let texts: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
    assert!(texts.iter().all(|text| text.len() > 15), "{texts:?}");
}
