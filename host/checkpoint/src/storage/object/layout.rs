//! How files lie in a store: names of objects, and what a list of them means. Pure.
//!
//! | object | what |
//! |--|--|
//! | `FOLDER/FILE` | a file's beginning, or the index of a file in parts |
//! | `FOLDER/FILE/OFFSET` | what was appended to it from a byte on |
//! | `FOLDER/FILE/DRAFT/NUMBER` | a part of a file that was drafted; it counts if the index names the draft |

use std::collections::{BTreeMap, BTreeSet};

/// Digits of offsets, so that they sort as numbers do.
const OFFSET_DIGITS: usize = 20;

/// An object, by its name below the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub name: String,
    pub bytes: u64,
    /// Changes whenever the content does, where the store says it.
    pub tag: Option<String>,
}

/// The objects of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// Its beginning or index; without one there is no file, only leftovers.
    pub head: Option<Object>,
    /// Lengths of what was appended, by offset.
    pub appended: BTreeMap<u64, u64>,
    /// Numbers of the parts of drafts.
    pub drafts: BTreeMap<String, BTreeSet<u32>>,
}

/// The name of what was appended from a byte on.
pub(super) fn appended_name(file: &str, offset: u64) -> String {
    format!("{file}/{offset:0OFFSET_DIGITS$}")
}

/// The name of a draft's part.
pub(super) fn part_name(file: &str, draft: &str, number: u32) -> String {
    format!("{file}/{draft}/{number:08}")
}

/// Objects by the files that they belong to. What belongs to none is taken for a file of its own, under its whole name:
/// whoever lists the folder finds that no checkpoint has it.
pub(super) fn files(objects: impl IntoIterator<Item = Object>) -> BTreeMap<String, File> {
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    for object in objects {
        let parts: Vec<&str> = object.name.split('/').collect();
        match parts[..] {
            [file, offset] if offset_of(offset).is_some() => {
                let offset = offset_of(offset).unwrap_or_default();
                files.entry(file.to_owned()).or_default().appended.insert(offset, object.bytes);
            }
            [file, draft, number] if number_of(number).is_some() => {
                let drafts = &mut files.entry(file.to_owned()).or_default().drafts;
                drafts.entry(draft.to_owned()).or_default().extend(number_of(number));
            }
            _ => {
                let name = object.name.clone();
                files.entry(name).or_default().head = Some(object);
            }
        }
    }
    files
}

impl File {
    /// Offsets and lengths of what was appended, given the length of the beginning: up to the first gap. What lies behind
    /// it was never synced.
    pub fn counted(&self, beginning_bytes: u64) -> Vec<(u64, u64)> {
        let mut end = beginning_bytes;
        let mut counted = Vec::new();
        while let Some(&bytes) = self.appended.get(&end).filter(|&&bytes| bytes > 0) {
            counted.push((end, bytes));
            end += bytes;
        }
        counted
    }
}

fn offset_of(text: &str) -> Option<u64> {
    let is_offset = text.len() == OFFSET_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_offset { text.parse().ok() } else { None }
}

fn number_of(text: &str) -> Option<u32> {
    let is_number = text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, bytes: u64) -> Object {
        Object { name: name.to_owned(), bytes, tag: None }
    }

    #[test]
    fn objects_are_told_apart() {
        let names = ["7", &appended_name("7", 10), &part_name("7", "a-0", 3), "8/x", &part_name("9", "b-1", 0)];
        let files = files(names.map(|name| object(name, 5)));
        let seven = &files["7"];
        assert_eq!(seven.head, Some(object("7", 5)));
        assert_eq!(seven.appended, BTreeMap::from([(10, 5)]));
        assert_eq!(seven.drafts, BTreeMap::from([("a-0".to_owned(), BTreeSet::from([3]))]));
        assert_eq!(files["8/x"].head, Some(object("8/x", 5)));
        assert_eq!(files["9"].head, None);
    }

    #[test]
    fn appended_parts_count_up_to_the_first_gap() {
        let check = |appended: &[(u64, u64)], expect: &[(u64, u64)]| {
            let file = File { appended: appended.iter().copied().collect(), ..File::default() };
            assert_eq!(file.counted(10), expect);
        };
        check(&[], &[]);
        check(&[(10, 5), (15, 1)], &[(10, 5), (15, 1)]);
        check(&[(10, 5), (16, 1)], &[(10, 5)]);
        check(&[(11, 5)], &[]);
        check(&[(10, 0)], &[]);
    }
}
