//! What can go wrong with a checkpoint.

use crate::{format::FormatError, recover::Refusal, storage::StorageError};

/// A checkpoint cannot be used, or not any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The storage failed. What was to be done has not been done, and may be tried again.
    #[error(transparent)]
    Storage(StorageError),
    /// A file of the checkpoint cannot be read, or what was given cannot be written.
    #[error("cannot use {name} in {place}{}", for_damage(source))]
    File {
        /// The file.
        name: String,
        /// The checkpoint.
        place: String,
        /// What is wrong with it.
        source: FormatError,
    },
    /// It belongs to another pipeline.
    #[error("{place} is the checkpoint of the pipeline `{found}`, not of `{expected}`; name another folder")]
    OtherPipeline {
        /// The checkpoint.
        place: String,
        /// Whose it is.
        found: String,
        /// Whose it was to be.
        expected: String,
    },
    /// A folder of the checkpoint has a file that no checkpoint has.
    #[error("{name} in {place} is no file of a checkpoint; take it away, or name another folder")]
    Foreign {
        /// The file.
        name: String,
        /// The checkpoint.
        place: String,
    },
    /// Nothing in its log says that it is one.
    #[error(
        "no file of the log in {place} can be used, and {name} is not a file of a Tidemill checkpoint; bring the log back from a \
         copy if it was one, or name another folder"
    )]
    ForeignLog {
        /// The checkpoint.
        place: String,
        /// A file of the log.
        name: String,
    },
    /// There is input or state, but no log that says what it is.
    #[error("{place} has files in `{folder}`, but its log is gone; bring the log back, or name another folder")]
    WithoutLog {
        /// The checkpoint.
        place: String,
        /// Where files are.
        folder: &'static str,
    },
    /// What is there does not suffice to go on from.
    #[error("{place} cannot be recovered: {refusal}{also}")]
    Refused {
        /// The checkpoint.
        place: String,
        /// Why.
        refusal: Refusal,
        /// Which snapshots would have helped, were they whole.
        also: String,
    },
    /// Another host has taken the checkpoint over. This one must stop: nothing it does would count.
    #[error("the host `{host}` has taken this checkpoint over (generation {generation}); this run stops")]
    Fenced {
        /// Its generation.
        generation: u64,
        /// Who.
        host: String,
    },
    /// A record may have got there or not, and the storage would not say. Open the checkpoint again to find out.
    #[error("{name} in {place} may be written or not; correct the storage and run again, nothing committed is lost")]
    Uncertain {
        /// The record.
        name: String,
        /// The checkpoint.
        place: String,
        /// Why it is not known.
        source: Option<StorageError>,
    },
    /// Other hosts claimed the checkpoint again and again while this one tried to.
    #[error("other hosts keep taking {place} over; let only one run")]
    Contended {
        /// The checkpoint.
        place: String,
    },
    /// A record out of order: a mistake of the caller, and nothing was written.
    #[error("a record out of order: {what}")]
    OutOfOrder {
        /// What is wrong with it.
        what: String,
    },
    /// The input log lacks frames that a plan needs.
    #[error("{name} in {place} lacks input that a batch needs: {what}; bring the file back from a copy")]
    InputLost {
        /// The segment.
        name: String,
        /// The checkpoint.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// The newest segment of the input log has lines that no plan names yet, and cannot be read.
    #[error(
        "{name} in {place} has lines that no batch has yet, and cannot be read: {what}; bring it back from a copy, or remove this file \
         alone to go on without those lines"
    )]
    InputDamaged {
        /// The segment.
        name: String,
        /// The checkpoint.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// The input log failed before, and what was appended since the last sync may be lost. Open it again.
    #[error("the input log in {place} failed; run again, what it had synced is not lost")]
    InputFailed {
        /// The checkpoint.
        place: String,
    },
}

/// What has a file's name and is none is a file that is damaged.
impl From<StorageError> for CheckpointError {
    fn from(error: StorageError) -> CheckpointError {
        match error {
            StorageError::NotAFile { name, place, what } => {
                CheckpointError::File { name, place, source: FormatError::damaged(format!("{what} has its name"), 0) }
            }
            error => CheckpointError::Storage(error),
        }
    }
}

/// What to do about a file that is not as it was written.
fn for_damage(source: &FormatError) -> &'static str {
    if source.is_damage() { ", which is to be brought back from a copy of the checkpoint" } else { "" }
}
