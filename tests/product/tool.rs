//! Runs the binary in a folder of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::running::{end_of, fed};

/// A folder for one test. Its caches are its own, but compiled code is shared: it is found by what it was compiled of.
pub struct Folder(TempDir);

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    pub fn with(self, name: &str, text: impl AsRef<[u8]>) -> Folder {
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The binary with these arguments, to run here. Times are those of UTC, and nothing is inherited that changes logs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(arguments).current_dir(self.path());
        command.env("TZ", "UTC").env_remove("TIDEMILL_LOG").env("XDG_CACHE_HOME", caches());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ended {
        end_of(&mut self.command(arguments))
    }

    /// Runs the binary to its end and gives what it printed; it must have done what it was asked to.
    #[track_caller]
    pub fn stdout(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:#?}");
        ended.stdout
    }

    /// Runs the binary to its end, and looks how it failed: its exit code, and texts that it says in this order.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], code: i32, says: &[&str]) {
        let ended = self.run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:#?}");
        let mut rest = ended.stderr.as_str();
        for text in says {
            let at = rest.find(text).unwrap_or_else(|| panic!("{arguments:?} does not say `{text}`: {ended:#?}"));
            rest = &rest[at + text.len()..];
        }
        assert!(!ended.stderr.contains("panicked"), "{arguments:?}: {ended:#?}");
    }

    /// Runs the binary to its end with something on its standard input.
    #[track_caller]
    pub fn fed(&self, arguments: &[&str], input: &str) -> Ended {
        fed(self.command(arguments).stdin(Stdio::piped()), input)
    }
}

impl Ended {
    /// What it said that a run that goes well does not say, on however busy a machine.
    pub fn complaints(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| !line.contains(" INFO ") && !line.contains(" WARN ")).collect()
    }
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder for caches of all tests, kept from one run of the tests to the next.
pub fn caches() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("caches")
}
