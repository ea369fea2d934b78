//! Runs the binary in a folder of its own.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use tempfile::TempDir;

/// How often it is looked for something that is to happen, and how long between two looks.
const LOOKS: u32 = 4_000;
const PAUSE: Duration = Duration::from_millis(15);

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
        self.command(arguments).output().unwrap().into()
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
    pub fn fed(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A command may end before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap().into()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A child that does not outlive its test.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        Running(command.spawn().unwrap())
    }

    /// The next line of standard error that has `text` in it, from where it begins; lines before it are passed over.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let stderr = self.0.stderr.as_mut().unwrap();
        let mut said = String::new();
        loop {
            let line = read_line(stderr);
            assert!(!line.is_empty(), "it ended without saying `{text}`: {said}");
            said += &line;
            if let Some(at) = line.find(text) {
                return line[at + text.len()..].trim().to_owned();
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits for its end, its output read on.
    pub fn end(mut self) -> Ended {
        use std::io::Read;
        let mut stdout = String::new();
        let mut stderr = String::new();
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut stderr).unwrap();
        }
        Ended { code: self.0.wait().unwrap().code().unwrap_or(-1), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One line and its end, byte by byte so that nothing after it is lost; empty at the end.
fn read_line(reader: &mut impl std::io::Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') && reader.read(&mut byte).unwrap() == 1 {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

/// Waits until something is so, a minute at most.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let (_never, nothing) = channel::<()>();
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        let _ = nothing.recv_timeout(PAUSE);
    }
    panic!("it does not happen that {what}");
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder for caches of all tests, kept from one run of the tests to the next.
pub fn caches() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("caches")
}
