//! The SDK and the WIT package as they were when this binary was built.

/// Paths relative to the repository's top folder, and what is in the files. See `build.rs`.
pub const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_finds_all_that_it_needs() {
        for needed in [
            "sdk/rust/Cargo.toml",
            "sdk/rust/src/lib.rs",
            "sdk/rust/src/bindings/generated.rs",
            "sdk/rust/macros/src/lib.rs",
            "wit/tidemill-0.1.0/plugin.wit",
        ] {
            assert!(FILES.iter().any(|(path, text)| *path == needed && !text.is_empty()), "{needed}");
        }
        assert!(!FILES.iter().any(|(path, _)| path.contains("/tests/") || path.contains("/target/")));
    }
}
