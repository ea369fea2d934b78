//! What keeps a machine busy while tests run: a build that begins again and again, and a process that computes for each
//! core.

use std::{
    fs, hint, io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::bail;
use tidemill_tests::{files, repository};

/// The argument that makes this program one that computes.
const BUSY: &str = "busy";
/// What is touched so that cargo compiles again what stands on it.
const TOUCHED: &str = "host/model/src/lib.rs";

/// The load; it ends when this is dropped.
pub struct Load {
    processes: Vec<Child>,
    stop: Arc<AtomicBool>,
    build: Option<JoinHandle<()>>,
    /// The first build did not go well, and so none does: each ends at once, and keeps nothing busy.
    is_broken: Arc<AtomicBool>,
}

impl Load {
    pub fn start(folder: &Path, processes: usize) -> anyhow::Result<Load> {
        let tree = folder.join("tree");
        copy(&tree)?;
        let stop = Arc::new(AtomicBool::new(false));
        let is_broken = Arc::new(AtomicBool::new(false));
        let mut load = Load { processes: Vec::new(), stop: stop.clone(), build: None, is_broken: is_broken.clone() };
        for _ in 0..processes {
            load.processes.push(start_busy()?);
        }
        let target = folder.join("target");
        load.build = Some(thread::spawn(move || {
            if !build_again(&tree, &target, &stop).is_ok_and(|well| well) {
                return is_broken.store(true, Ordering::Relaxed);
            }
            while !stop.load(Ordering::Relaxed) {
                // One that was disturbed does not matter.
                let _ = build_again(&tree, &target, &stop);
            }
        }));
        Ok(load)
    }

    /// That there is a load.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.is_broken.load(Ordering::Relaxed) {
            bail!("there is no load: `cargo check --workspace --all-targets` fails in target/flakes/tree");
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for process in &mut self.processes {
            // One that has ended already is ended.
            let _ = process.kill().and_then(|()| process.wait());
        }
        if let Some(build) = self.build.take() {
            let _ = build.join();
        }
    }
}

/// Its standard input is open as long as this process lives.
fn start_busy() -> io::Result<Child> {
    Command::new(std::env::current_exe()?).arg(BUSY).stdin(Stdio::piped()).spawn()
}

/// Computes until standard input is closed: whoever started it has ended.
pub fn be_busy() -> ExitCode {
    let computes = thread::spawn(|| {
        let mut sum = 0_u64;
        loop {
            sum = hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
    });
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    drop::<JoinHandle<()>>(computes);
    ExitCode::SUCCESS
}

/// Whether the build went well, as far as it came.
fn build_again(tree: &Path, target: &Path, stop: &AtomicBool) -> io::Result<bool> {
    let touched = tree.join(TOUCHED);
    fs::write(&touched, fs::read(&touched)?)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["check", "--locked", "--quiet", "--workspace", "--all-targets"]).current_dir(tree);
    cargo.env("CARGO_TARGET_DIR", target).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = cargo.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if stop.load(Ordering::Relaxed) {
            // Its compilers end soon by themselves.
            return child.kill().and_then(|()| child.wait()).map(|_| true);
        }
        thread::park_timeout(std::time::Duration::from_millis(200));
    }
}

/// The sources as they are, beside which builds do not disturb those of the tests.
fn copy(tree: &Path) -> anyhow::Result<()> {
    // What is not in the repository any more might not compile.
    if tree.exists() {
        fs::remove_dir_all(tree)?;
    }
    for path in files().map_err(anyhow::Error::msg)? {
        let to: PathBuf = tree.join(&path);
        fs::create_dir_all(to.parent().unwrap_or(tree))?;
        fs::copy(repository().join(&path), &to)?;
    }
    Ok(())
}
