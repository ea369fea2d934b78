//! The lines of a component: what the compiler says of each instruction's source becomes a small table of the author's files alone.
//!
//! COMPONENT.md has the format, and `lines` reads it. What is missing or odd in the compiler's words costs lines, never a build.

mod dwarf;
mod table;

use std::path::{Component, Path, PathBuf};

use tidemill_model::limits::LINES_BYTES;

use crate::{build::module::Module, lines::SECTION, section};
use table::Table;

/// Whose files are whose.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// The folders of the author's packages; the first one is that of the plugin.
    pub(super) ours: Vec<PathBuf>,
    /// Folders in them of somebody else's, or of nobody's.
    pub(super) others: Vec<PathBuf>,
}

/// Adds what the module says of its lines to the component that was made of it.
pub(super) fn add(component: &mut Vec<u8>, module: &Module<'_>, sources: &Sources) {
    let Some(code) = module.code_in(component) else { return };
    let mut table = Table::default();
    for row in dwarf::rows(module) {
        let place = row.frames.iter().rev().fold(0, |caller, (file, line)| match sources.name(Path::new(file)) {
            Some(name) => table.place(&name, *line, caller),
            None => caller,
        });
        table.range(code + row.begin, place);
        table.range(code + row.end, 0);
    }
    let data = table.data(component.len());
    if let Some(data) = data.filter(|data| data.len() <= LINES_BYTES) {
        section::append(component, SECTION, &data);
    }
}

impl Sources {
    /// What a file of the author's is called: its path from the plugin's folder. Nothing for a file of anybody else's.
    fn name(&self, file: &Path) -> Option<String> {
        let file = &without_detours(file);
        let deepest = |folders: &[PathBuf]| {
            let of_it = folders.iter().filter(|folder| file.starts_with(folder));
            of_it.map(|folder| folder.components().count()).max()
        };
        let from = self.ours.first().filter(|_| deepest(&self.ours) > deepest(&self.others))?;
        Some(relative(from, file).to_string_lossy().into_owned())
    }
}

/// `a/c` for `a/b/../c`, as `include!` and `#[path]` write it. Of a link it may be another file: then it has another name.
fn without_detours(file: &Path) -> PathBuf {
    let mut way = PathBuf::new();
    for component in file.components() {
        match component {
            Component::ParentDir => drop(way.pop()),
            component => way.push(component),
        }
    }
    way
}

/// The way from a folder to a file, both from the root.
fn relative(from: &Path, file: &Path) -> PathBuf {
    let (mut from, mut file) = (from.components().peekable(), file.components().peekable());
    while from.peek().is_some() && from.peek() == file.peek() {
        from.next();
        file.next();
    }
    from.map(|_| Component::ParentDir).chain(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_names_from_the_plugins_folder() {
        let folders = |names: &[&str]| names.iter().map(PathBuf::from).collect();
        let ours = folders(&["/w/plugin", "/w/shared", "/w/sdk/tests/forms"]);
        let sources = Sources { ours, others: folders(&["/w/plugin/target", "/w/plugin/.tidemill/sdk", "/w/sdk"]) };
        for (file, expect) in [
            ("/w/plugin/src/lib.rs", Some("src/lib.rs")),
            ("/w/shared/src/parse.rs", Some("../shared/src/parse.rs")),
            ("/w/plugin/src/../../sdk/src/made.rs", None),
            ("/w/plugin/src/deep/../lib.rs", Some("src/lib.rs")),
            ("/w/plugin/target/release/made.rs", None),
            ("/w/plugin-2/src/lib.rs", None),
            ("/w/plugin/.tidemill/sdk/src/lib.rs", None),
            ("/w/sdk/tests/forms/src/lib.rs", Some("../sdk/tests/forms/src/lib.rs")),
            ("/rustc/1/library/core/src/ptr.rs", None),
            ("src/lib.rs", None),
        ] {
            assert_eq!(sources.name(Path::new(file)).as_deref(), expect, "{file}");
        }
    }
}
