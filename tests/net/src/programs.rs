//! The test programs of the workspace: how they are built, what tests they have, and how cargo would run them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde_json::Value;

/// A test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Package and target: `tidemill-engine/engine`, or `tidemill-engine/src` for the tests beside the code.
    pub name: String,
    pub package: String,
    pub path: PathBuf,
    /// The package's folder, where it runs.
    pub folder: PathBuf,
}

impl Program {
    /// The program, to be run as cargo does.
    pub fn command(&self, libraries: &Path) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder);
        command.env("CARGO_MANIFEST_DIR", &self.folder).env("LD_LIBRARY_PATH", libraries);
        command
    }

    /// The names of its tests.
    pub fn tests(&self, libraries: &Path) -> anyhow::Result<Vec<String>> {
        let listing = self.command(libraries).args(["--list", "--format", "terse"]).output()?;
        if !listing.status.success() {
            bail!("{} lists no tests", self.name);
        }
        Ok(tests_in(&String::from_utf8_lossy(&listing.stdout)))
    }
}

/// The names in what `--list --format terse` prints.
fn tests_in(listing: &str) -> Vec<String> {
    listing.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// Where the libraries of the compiler are, which tests of macros need.
pub fn libraries() -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "target-libdir"]).output().context("rustc cannot be run")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// What cargo says of a build, one message a line, and whether it went well.
pub struct Built {
    pub messages: Vec<Value>,
    pub well: bool,
}

/// Runs cargo, which shows on stderr how far it is.
pub fn cargo(folder: &Path, target: Option<&Path>, arguments: &[&str]) -> anyhow::Result<Built> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(arguments).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(target) = target {
        cargo.env("CARGO_TARGET_DIR", target);
    }
    let output = cargo.output().context("cargo cannot be run")?;
    let lines = output.stdout.split(|&byte| byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok(Built { messages, well: output.status.success() })
}

/// The test programs among cargo's messages, by name.
pub fn programs(messages: &[Value]) -> Vec<Program> {
    let mut programs: Vec<Program> = messages.iter().filter_map(program).collect();
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    programs
}

fn program(message: &Value) -> Option<Program> {
    let is_test = message["reason"] == "compiler-artifact" && message["profile"]["test"] == true;
    let path = PathBuf::from(message["executable"].as_str().filter(|_| is_test)?);
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let package = package_name(&fs::read_to_string(manifest).ok()?)?;
    let target = &message["target"];
    let part = if target["kind"][0] == "test" { target["name"].as_str()? } else { "src" };
    Some(Program { name: format!("{package}/{part}"), package, path, folder: manifest.parent()?.to_owned() })
}

/// The name in a manifest.
fn package_name(manifest: &str) -> Option<String> {
    let names = manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(str::to_owned).next()
}

#[test]
fn tests_are_read_from_a_listing() {
    let listing = "cases::one: test\nbench_it: benchmark\ntwo - should panic: test\n\n2 tests, 1 benchmark\n";
    assert_eq!(tests_in(listing), ["cases::one", "two - should panic"]);
    assert_eq!(tests_in(""), [""; 0]);
}

#[test]
fn programs_are_found_among_messages() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let message = |test: bool, kind: &str, executable: Value| {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": manifest,
            "target": { "kind": [kind], "name": "some" },
            "profile": { "test": test },
            "executable": executable,
        })
    };
    let messages = [
        message(true, "test", "/target/some-1".into()),
        message(true, "lib", "/target/some-2".into()),
        message(false, "bin", "/target/some".into()),
        message(false, "lib", Value::Null),
        serde_json::json!({ "reason": "build-finished", "success": true }),
    ];
    let found = programs(&messages);
    let names: Vec<&str> = found.iter().map(|program| program.name.as_str()).collect();
    assert_eq!(names, ["tidemill-net/some", "tidemill-net/src"]);
    assert_eq!(found[0].folder, Path::new(env!("CARGO_MANIFEST_DIR")));
}
