//! The repository's plugins, built once for all tests.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::tool::{Folder, repository};

static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// The component of plugins/NAME.
pub fn built(name: &str) -> PathBuf {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if !built.contains_key(name) {
        let folder = repository().join("plugins").join(name);
        Folder::new().stdout(&["build", folder.to_str().unwrap()]);
        built.insert(name.to_owned(), folder.join(format!("{name}.wasm")));
    }
    built[name].clone()
}
