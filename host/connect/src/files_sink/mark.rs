//! The mark of an output's folder: a small file that says whose it is, and the newest batch that it was given.
//!
//! A batch becomes visible in this order, each step durable before the next: it is prepared, the mark says that it is the newest,
//! its folder gets its name. So a batch that the mark knows is there, or was taken away by whoever reads it, or is prepared
//! still by the run that the mark names, and gets its name from the next one. One that the mark does not know came from
//! elsewhere, unless it has what was to be delivered.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tidemill_model::{
    ports::{Disk, DiskCall, DiskWriter},
    time::Timestamp,
};

use super::folders::sync_folder;

/// Its name.
pub(super) const MARK: &str = ".tidemill-output";

/// What it is written as now.
const VERSION: u32 = 1;

/// See the module. Later versions may add fields; this one passes them over, and keeps none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    version: u32,
    pub pipeline: String,
    pub output: String,
    /// Of the claim of the checkpoint under which it was written; without a checkpoint there is none.
    pub generation: Option<u64>,
    /// The run that wrote it.
    pub run: String,
    /// The newest batch, in milliseconds, as in the names of folders.
    newest: Option<i64>,
}

impl Mark {
    /// The mark of a run that begins.
    pub fn new(pipeline: &str, output: &str, generation: Option<u64>, run: &str, newest: Option<Timestamp>) -> Mark {
        let [pipeline, output, run] = [pipeline, output, run].map(str::to_owned);
        Mark { version: VERSION, pipeline, output, generation, run, newest: newest.map(Timestamp::millis) }
    }

    /// The newest batch.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest.and_then(|millis| millis.checked_mul(1_000)).map(Timestamp)
    }

    /// The same with a batch that may be the newest.
    pub fn with(&self, batch: Timestamp) -> Mark {
        Mark { newest: self.newest.max(Some(batch.millis())), ..self.clone() }
    }

    /// The mark of a folder, if it has one. Some other file in its place is [`io::ErrorKind::InvalidData`].
    pub fn read(folder: &Path) -> io::Result<Option<Mark>> {
        let text = match fs::read(folder.join(MARK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        if text.iter().all(|&byte| byte == 0) {
            let what = if text.is_empty() { "it is empty" } else { "it is damaged: zeros" };
            return Err(invalid(format!("{what}, as where a write was lost")));
        }
        let mark: Mark = serde_json::from_slice(&text).map_err(|error| invalid(format!("it is damaged: {error}")))?;
        if mark.version > VERSION {
            let (found, advice) = (mark.version, "use the newer Tidemill");
            return Err(invalid(format!("it is of the version {found}, a later one than {VERSION}: {advice}")));
        }
        Ok(Some(mark))
    }

    /// Puts it into its place, whole and durable; `draft` is a name in the folder that no other run uses.
    pub fn write(&self, disk: &Disk, folder: &Path, draft: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)? + "\n";
        let file = disk.call(DiskCall::MakeFile(draft), || File::create(draft))?;
        let mut writer = DiskWriter { disk, path: draft, file };
        writer.write_all(text.as_bytes())?;
        disk.call(DiskCall::SyncFile(draft), || writer.file.sync_all())?;
        let place: PathBuf = folder.join(MARK);
        disk.call(DiskCall::Rename(draft, &place), || fs::rename(draft, &place))?;
        sync_folder(disk, folder)
    }
}
