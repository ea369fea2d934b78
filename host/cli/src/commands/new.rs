//! `tidemill new`: a plugin project that builds, tests and runs as it is.

mod names;
mod sdk;

use std::{fs, path::Path};

use crate::{arguments, failure::Failure, stdout};
use sdk::Sdk;

/// The project's files; `{{name}}`, `{{sdk}}` and `{{exclude}}` are filled in.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../template/src/lib.rs")),
    ("pipeline.toml", include_str!("../../template/pipeline.toml")),
    ("README.md", include_str!("../../template/README.md.in")),
    (".gitignore", include_str!("../../template/gitignore")),
];

pub fn run(arguments: &arguments::New) -> Result<(), Failure> {
    let folder = &arguments.name;
    let name = names::plugin_name(folder)?;
    check_is_free(folder)?;
    let sdk = Sdk::choose(arguments.sdk.as_deref())?;
    fs::create_dir_all(folder).map_err(|error| Failure::unwritable(folder, &error))?;
    let sdk_path = sdk.install(folder)?;
    for (path, text) in TEMPLATE {
        let text = text.replace("{{name}}", &name).replace("{{sdk}}", &sdk_path).replace("{{exclude}}", sdk.exclude());
        write(&folder.join(path), &text)?;
    }
    stdout::write_text(&format!(
        "made the plugin project `{name}`. What comes next:\n\n    \
         cd {folder}\n    cargo test\n    tidemill build\n    tidemill run pipeline.toml --batches 3\n",
        folder = folder.display()
    ))
}

/// Nothing is ever written over.
fn check_is_free(folder: &Path) -> Result<(), Failure> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    };
    if is_free { Ok(()) } else { Err(Failure::input(format!("`{}` is there already", folder.display()))) }
}

/// Writes a file, and the folders above it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folders = path.parent().map_or(Ok(()), fs::create_dir_all);
    folders.and_then(|()| fs::write(path, text)).map_err(|error| Failure::unwritable(path, &error))
}
