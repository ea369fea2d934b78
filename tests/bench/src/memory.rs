//! The memory that a batch takes that does not fit into it.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use anyhow::{Context, bail, ensure};

use crate::report::{Figure, Goal};

/// Bytes of the file that is copied.
const FILE_BYTES: usize = 1 << 30;

/// How often it is looked how much memory there has been. The system remembers the most that there was.
const LOOK_EVERY: Duration = Duration::from_millis(2);

const PIPELINE: &str = r#"
[pipeline]
name = "copy"
interval = "1s"
checkpoint = "checkpoint"
[streams.lines]
files = { path = "in.txt", existing = true }
[outputs.lines]
from = "lines"
files = { folder = "out" }
"#;

/// The most memory, in MiB, while a file of 1 GiB is copied in one batch, with a checkpoint; with 2 partitions and 4, the whole
/// file behind the tick and as much of it as goes before.
pub fn measure(program: &Path, folder: &Path) -> anyhow::Result<Figure> {
    let line = "a line of some length, as they come from a service that tells what it does, and when, and why it did\n";
    let mut file = BufWriter::new(File::create(folder.join("in.txt"))?);
    for _ in 0..FILE_BYTES / line.len() {
        file.write_all(line.as_bytes())?;
    }
    file.flush()?;
    fs::write(folder.join("pipeline.toml"), PIPELINE)?;
    let mut runs = Vec::new();
    for (partitions, clock) in [("2", "manual"), ("4", "manual"), ("2", "system"), ("4", "system")] {
        runs.push(copy(program, folder, partitions, clock)?);
        fs::remove_dir_all(folder.join("out"))?;
        fs::remove_dir_all(folder.join("checkpoint"))?;
    }
    let largest = runs.iter().copied().fold(0.0, f64::max);
    let goal = Some(Goal::AtMost(200.0));
    Ok(Figure { value: largest, ..Figure::of_runs("memory.batch_mib", runs, "MiB", goal) })
}

fn copy(program: &Path, folder: &Path, partitions: &str, clock: &str) -> anyhow::Result<f64> {
    let set = format!("pipeline.partitions={partitions}");
    let most_mib = most_mib(program, folder, &["--until-done", "--clock", clock, "--set", &set])?;
    let written: u64 = batch_bytes(&folder.join("out"))?;
    ensure!(written == fs::metadata(folder.join("in.txt"))?.len(), "{written} bytes were copied");
    Ok(most_mib)
}

/// Runs the pipeline of a folder, and gives the most memory that it has had, in MiB.
pub fn most_mib(program: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<f64> {
    let child = Command::new(program)
        .args(["run", "pipeline.toml"])
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started; run `make build` first", program.display()))?;
    Ok(most_kib(child)? as f64 / 1024.0)
}

/// The most memory that a process has had when it has ended.
fn most_kib(mut child: Child) -> anyhow::Result<u64> {
    let status = format!("/proc/{}/status", child.id());
    let (end, ended) = channel();
    let waiting = thread::spawn(move || end.send(child.wait()));
    let mut most = 0;
    let exit = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(kib.unwrap_or(0));
        match ended.recv_timeout(LOOK_EVERY) {
            Ok(exit) => break exit?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody waits for the run"),
        }
    };
    let _ = waiting.join();
    ensure!(exit.success(), "the run ended with {exit}");
    ensure!(most > 0, "the system does not say how much memory a process has: this needs Linux");
    Ok(most)
}

/// Bytes of the files of the only batch.
fn batch_bytes(out: &Path) -> anyhow::Result<u64> {
    let batches = fs::read_dir(out)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    let batches: Vec<_> = batches.iter().filter(|path| path.is_dir()).collect();
    let [batch] = batches[..] else { bail!("{} batches", batches.len()) };
    let mut bytes = 0;
    for part in fs::read_dir(batch)? {
        bytes += part?.metadata()?.len();
    }
    Ok(bytes)
}
