//! A disk that is watched, and that forgets what was not synced when its power is cut.
//!
//! The calls are made on a real folder. This keeps beside it what is certain to be there after a power cut, and what only
//! may be; [`ForgetfulDisk::lose_power`] decides by a seed, and says what the folder is to hold from then on.

mod crash;
mod place;
mod tree;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::ports::{Disk, DiskCall, DiskWatch};
use tree::Tree;

pub use crash::Forgets;
pub use place::{lay, scratch};

/// What a folder holds, by the paths in it: files with what they have, folders without.
pub type Contents = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// See the module. What is not below its root is not looked at.
#[derive(Debug)]
pub struct ForgetfulDisk {
    root: PathBuf,
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    tree: Tree,
    /// The calls below the root, in words.
    calls: Vec<String>,
    fault: Option<Fault>,
    is_down: bool,
    mistakes: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Fault {
    /// The number of a call.
    call: usize,
    /// It is made, and fails then.
    after: bool,
    /// All later ones fail, too.
    lasts: bool,
}

impl ForgetfulDisk {
    /// A disk with one folder, which is empty.
    pub fn new(root: &Path) -> Arc<ForgetfulDisk> {
        Arc::new(ForgetfulDisk { root: root.to_owned(), shared: Mutex::default() })
    }

    /// As those see it that use it.
    pub fn disk(self: &Arc<ForgetfulDisk>) -> Disk {
        Disk::watched(self.clone())
    }

    /// The machine stops at this call, counted from the first; `after`: the call is made still.
    pub fn stop_at(&self, call: usize, after: bool) {
        self.shared().fault = Some(Fault { call, after, lasts: true });
    }

    /// This call fails, counted from the first; `after`: it is made still.
    pub fn fail_at(&self, call: usize, after: bool) {
        self.shared().fault = Some(Fault { call, after, lasts: false });
    }

    /// Whether the machine has stopped.
    pub fn is_down(&self) -> bool {
        self.shared().is_down
    }

    /// All calls, in words.
    pub fn calls(&self) -> Vec<String> {
        self.shared().calls.clone()
    }

    /// Names that were given to what a power cut could still have taken away.
    pub fn mistakes(&self) -> Vec<String> {
        self.shared().mistakes.clone()
    }

    /// Why a file or folder may not be there, as it is now, after a power cut.
    pub fn doubt(&self, path: &Path) -> Option<String> {
        self.shared().tree.doubt(self.inside(path)?)
    }

    /// Why a folder may not be there after a power cut, whatever is in it then.
    pub fn doubt_name(&self, path: &Path) -> Option<String> {
        self.shared().tree.doubt_name(self.inside(path)?)
    }

    /// The machine, or the process alone, starts again: nothing was lost.
    pub fn restart(&self) {
        let mut shared = self.shared();
        (shared.fault, shared.is_down) = (None, false);
    }

    /// The power is cut; the machine starts again with what this says.
    pub fn lose_power(&self, forgets: Forgets) -> Contents {
        self.restart();
        let mut shared = self.shared();
        shared.tree.forget(forgets);
        shared.tree.contents()
    }

    /// What the folder should hold now.
    pub fn contents(&self) -> Contents {
        self.shared().tree.contents()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inside<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(&self.root).ok()
    }
}

impl DiskWatch for ForgetfulDisk {
    fn before(&self, call: &DiskCall<'_>) -> io::Result<()> {
        let Some(said) = self.said(call) else { return Ok(()) };
        let mut shared = self.shared();
        shared.calls.push(said);
        shared.fails(false)
    }

    fn after(&self, call: &DiskCall<'_>) -> io::Result<()> {
        let Some(said) = self.said(call) else { return Ok(()) };
        let mut shared = self.shared();
        let wrong = shared.tree.apply(call, |path| self.inside(path));
        shared.mistakes.extend(wrong.map(|wrong| format!("{said}: {wrong}")));
        shared.fails(true)
    }
}

impl Shared {
    /// Whether the newest call fails, before or after it is made.
    fn fails(&mut self, after: bool) -> io::Result<()> {
        let newest = self.calls.len().saturating_sub(1);
        let is_now = |fault: &Fault| fault.call == newest && fault.after == after;
        // The system itself may have refused the call, and then there is nothing after it.
        let was_before = |fault: &Fault| fault.call < newest && fault.lasts;
        let fault = self.fault.filter(|fault| is_now(fault) || was_before(fault));
        self.is_down |= fault.is_some_and(|fault| fault.lasts);
        if self.is_down || fault.is_some() { Err(io::Error::other("the disk does not do it")) } else { Ok(()) }
    }
}

impl ForgetfulDisk {
    /// A call in words, if it is one below the root.
    fn said(&self, call: &DiskCall<'_>) -> Option<String> {
        let inside = |path| self.inside(path).map(|path| path.display().to_string());
        Some(match *call {
            DiskCall::MakeFolder(path) => format!("make folder {}", inside(path)?),
            DiskCall::MakeFile(path) => format!("make {}", inside(path)?),
            DiskCall::Write(path, bytes) => format!("write {} to {}", bytes.len(), inside(path)?),
            DiskCall::SyncFile(path) => format!("sync {}", inside(path)?),
            DiskCall::SyncFolder(path) => format!("sync folder {}", inside(path)?),
            DiskCall::Link(from, to) => format!("link {} to {}", inside(from)?, inside(to)?),
            DiskCall::Rename(from, to) => format!("rename {} to {}", inside(from)?, inside(to)?),
            DiskCall::RemoveFile(path) => format!("remove {}", inside(path)?),
            DiskCall::RemoveFolder(path) => format!("remove folder {}", inside(path)?),
        })
    }
}
