//! Files and folders, with what of them is certain.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use super::Contents;
use crate::ports::DiskCall;

/// The root is the node 0.
#[derive(Debug)]
pub(super) struct Tree {
    pub nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Node {
    File {
        bytes: Vec<u8>,
        /// How many of them are certain.
        synced: usize,
    },
    Folder(Folder),
}

#[derive(Debug, Default)]
pub(super) struct Folder {
    pub names: BTreeMap<OsString, usize>,
    /// As it was when it was synced.
    pub synced: BTreeMap<OsString, usize>,
    /// What has happened since.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Add(OsString, usize),
    Remove(OsString),
    /// Both or nothing.
    Rename(OsString, OsString),
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { nodes: vec![Node::Folder(Folder::default())] }
    }
}

impl Tree {
    /// Notes a call that was made; says what was wrong with it.
    pub fn apply<'p>(&mut self, call: &DiskCall<'p>, inside: impl Fn(&'p Path) -> Option<&'p Path>) -> Option<String> {
        let at = |path| inside(path).unwrap_or(Path::new(""));
        match *call {
            DiskCall::MakeFolder(path) => self.add(at(path), Node::Folder(Folder::default())),
            DiskCall::MakeFile(path) => self.add(at(path), Node::File { bytes: Vec::new(), synced: 0 }),
            DiskCall::Write(path, more) => self.of_file(at(path), |bytes, _| bytes.extend_from_slice(more)),
            DiskCall::SyncFile(path) => self.of_file(at(path), |bytes, synced| *synced = bytes.len()),
            DiskCall::SyncFolder(path) => self.of_folder(at(path), |folder, _| {
                folder.synced = folder.names.clone();
                folder.changes.clear();
            }),
            DiskCall::Link(from, to) => {
                let Some(node) = self.find(at(from)) else { return Some("it is not known".to_owned()) };
                let wrong = self.doubt_content(node);
                self.of_parent(at(to), |folder, name| folder.change(Change::Add(name, node))).or(wrong)
            }
            DiskCall::Rename(from, to) => {
                let Some(node) = self.find(at(from)) else { return Some("it is not known".to_owned()) };
                let wrong = self.doubt_content(node);
                let new = at(to).file_name().unwrap_or_default().to_owned();
                let moved = self.of_parent(at(from), |folder, old| folder.change(Change::Rename(old, new)));
                let moves = at(from).parent() != at(to).parent();
                wrong.or(moved).or_else(|| moves.then(|| "to another folder: it may come to be in both".to_owned()))
            }
            DiskCall::RemoveFile(path) | DiskCall::RemoveFolder(path) => {
                self.of_parent(at(path), |folder, name| folder.change(Change::Remove(name)))
            }
        }
    }

    /// Why a path may not be there, or not with what it has.
    pub fn doubt(&self, path: &Path) -> Option<String> {
        self.doubt_name(path).or_else(|| self.find(path).and_then(|node| self.doubt_content(node)))
    }

    /// Why a path may not be there, whatever it has.
    pub fn doubt_name(&self, path: &Path) -> Option<String> {
        let mut node = 0;
        for name in path {
            let Node::Folder(folder) = &self.nodes[node] else { return Some("it is below a file".to_owned()) };
            let Some(&child) = folder.names.get(name) else { return Some(format!("{} is not there", name.display())) };
            if folder.synced.get(name) != Some(&child) {
                return Some(format!("the folder of {} was not synced", name.display()));
            }
            node = child;
        }
        None
    }

    /// Everything in the root.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents::new();
        self.collect(0, Path::new(""), &mut contents);
        contents
    }

    fn collect(&self, node: usize, path: &Path, contents: &mut Contents) {
        match &self.nodes[node] {
            Node::File { bytes, .. } => _ = contents.insert(path.to_owned(), Some(bytes.clone())),
            Node::Folder(folder) => {
                if node > 0 {
                    contents.insert(PathBuf::from(path), None);
                }
                folder.names.iter().for_each(|(name, &child)| self.collect(child, &path.join(name), contents));
            }
        }
    }

    /// What of a file, or of all that a folder has, may be lost.
    fn doubt_content(&self, node: usize) -> Option<String> {
        match &self.nodes[node] {
            Node::File { bytes, synced } if *synced < bytes.len() => {
                Some(format!("{synced} of {} bytes were synced", bytes.len()))
            }
            Node::File { .. } => None,
            Node::Folder(folder) if !folder.changes.is_empty() => Some("a folder was not synced".to_owned()),
            Node::Folder(folder) => folder.names.values().find_map(|&child| self.doubt_content(child)),
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.iter().try_fold(0, |node, name| match &self.nodes[node] {
            Node::Folder(folder) => folder.names.get(name).copied(),
            Node::File { .. } => None,
        })
    }

    fn add(&mut self, path: &Path, node: Node) -> Option<String> {
        let number = self.nodes.len();
        self.nodes.push(node);
        self.of_parent(path, |folder, name| folder.change(Change::Add(name, number)))
    }

    fn of_file(&mut self, path: &Path, change: impl FnOnce(&mut Vec<u8>, &mut usize)) -> Option<String> {
        match self.find(path).map(|node| &mut self.nodes[node]) {
            Some(Node::File { bytes, synced }) => change(bytes, synced),
            _ => return Some("it was not made by a call that was seen".to_owned()),
        }
        None
    }

    fn of_folder(&mut self, path: &Path, change: impl FnOnce(&mut Folder, OsString)) -> Option<String> {
        let name = path.file_name().unwrap_or(OsStr::new("")).to_owned();
        match self.find(path).map(|node| &mut self.nodes[node]) {
            Some(Node::Folder(folder)) => change(folder, name),
            _ => return Some("its folder was not made by a call that was seen".to_owned()),
        }
        None
    }

    fn of_parent(&mut self, path: &Path, change: impl FnOnce(&mut Folder, OsString)) -> Option<String> {
        let name = path.file_name().unwrap_or(OsStr::new("")).to_owned();
        self.of_folder(path.parent().unwrap_or(Path::new("")), |folder, _| change(folder, name))
    }
}

impl Folder {
    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }
}

/// Does a change to a folder's names, if what it is about is there.
pub(super) fn apply(names: &mut BTreeMap<OsString, usize>, change: &Change) {
    match change {
        Change::Add(name, node) => _ = names.insert(name.clone(), *node),
        Change::Remove(name) => _ = names.remove(name),
        Change::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}
