//! Where checkpoints lie: in folders, or in object stores.

use std::{path::Path, sync::Arc};

use tidemill_checkpoint::{CheckpointError, LocalFolder, ObjectStorage, Storage, StorageError};
use tidemill_connect::system::Threads;
use tidemill_model::ports::Spawn;
pub use tidemill_plan::CheckpointPlace;

use crate::{
    environment,
    failure::{Failure, chain},
};

/// A checkpoint for a run, whose threads it has; it is made if it is not there.
pub fn for_run(place: &CheckpointPlace, base: &Path, threads: &dyn Spawn) -> Result<Arc<dyn Storage>, Failure> {
    let opened = match place {
        CheckpointPlace::Folder(folder) => shared(LocalFolder::open(base.join(folder), environment::secret_seed())),
        CheckpointPlace::Objects(url) => {
            let (settings, writer) = (environment::store_settings(), environment::secret_seed());
            shared(ObjectStorage::open_s3(url, &settings, writer, threads))
        }
    };
    opened.map_err(|error| Failure::run(chain(&error)))
}

/// What a run would find; nothing if there is no checkpoint yet. Nothing is made or changed.
pub fn to_foresee(place: &CheckpointPlace, base: &Path) -> Result<Option<Arc<dyn Storage>>, Failure> {
    let found = match place {
        CheckpointPlace::Folder(folder) => {
            LocalFolder::foreseen(base.join(folder)).map(|found| found.map(|found| Arc::new(found) as Arc<dyn Storage>))
        }
        CheckpointPlace::Objects(url) => {
            match shared(ObjectStorage::existing_s3(url, &environment::store_settings(), &Threads)) {
                Err(StorageError::NoCheckpoint { .. }) => Ok(None),
                found => found.map(Some),
            }
        }
    };
    found.map_err(|error| Failure::run(chain(&error)))
}

/// A checkpoint that is there; nothing in it is changed.
pub fn to_look_at(place: &CheckpointPlace, base: &Path) -> Result<Arc<dyn Storage>, Failure> {
    let opened = match place {
        CheckpointPlace::Folder(folder) => shared(LocalFolder::existing(base.join(folder))),
        CheckpointPlace::Objects(url) => {
            shared(ObjectStorage::existing_s3(url, &environment::store_settings(), &Threads))
        }
    };
    opened.map_err(|error| CheckpointError::from(error).into())
}

fn shared<S: Storage + 'static>(opened: Result<S, StorageError>) -> Result<Arc<dyn Storage>, StorageError> {
    opened.map(|storage| Arc::new(storage) as Arc<dyn Storage>)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    /// In a container every process has the number 1.
    #[test]
    fn two_hosts_with_the_same_number_of_a_process_give_drafts_different_names() {
        let base = tempfile::tempdir().unwrap();
        let place = CheckpointPlace::Folder("checkpoint".into());
        let [first, second] =
            [(); 2].map(|()| for_run(&place, base.path(), &Threads).unwrap_or_else(|_| unreachable!("it opens")));
        let mut slept = first.draft("state/1").unwrap();
        second.remove_leftovers(&second.leftovers().unwrap()).unwrap();
        let mut draft = second.draft("state/2").unwrap();
        draft.write(b"the second host's").unwrap();
        slept.write(b"the first host's").unwrap();
        assert!(slept.publish().is_err());
        draft.publish().unwrap();
        let names: Vec<String> = second.list("state").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["2"]);
    }
}
