//! Names that a plugin can have.

use std::path::Path;

use crate::failure::Failure;

/// Longer names are no help to anybody, and file systems have limits.
const NAME_BYTES_MAX: usize = 64;

/// What cargo or rustc would not take as a package's name, or would take for something else.
const TAKEN: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tidemill-sdk",
    "tidemill_sdk",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "where",
    "while",
];

/// The name of the plugin in a folder: its last part.
pub fn plugin_name(folder: &Path) -> Result<String, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if !starts || !is_plain || name.len() > NAME_BYTES_MAX {
        let shown = if name.is_empty() { folder.to_string_lossy().into_owned() } else { name.to_owned() };
        return Err(Failure::input(format!("`{shown}` cannot be a plugin's name"))
            .hint("a name begins with a letter and has lower-case letters, digits, - and _, at most 64 of them"));
    }
    if TAKEN.contains(&name) {
        return Err(Failure::input(format!("`{name}` cannot be a plugin's name: it means something to Rust")));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test says it by a panic")]

    use super::*;

    #[test]
    fn names_are_what_cargo_and_pipelines_take() {
        for (path, name) in [("words", "words"), ("a/b/my-words2", "my-words2"), ("x_y/", "x_y")] {
            assert_eq!(plugin_name(Path::new(path)).unwrap(), name);
        }
        for path in ["", "..", ".", "/", "Words", "2words", "-x", "wörter", "a b", "fn", "test", &"a".repeat(65)] {
            assert!(plugin_name(Path::new(path)).is_err(), "{path}");
        }
    }
}
