//! 10 M keys of state with a checkpoint: what a batch costs that changes 1,000, memory, and recovery.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::Context;
use tidemill_connect::system::ManualClock;
use tidemill_engine::Until;
use tidemill_model::time::Timestamp;

use crate::{
    job::{self, Plugins},
    keys::{Keys, TimesSink, median, toml},
    report::{Figure, Goal},
};

/// Keys of state.
const KEYS: usize = 10_000_000;

/// Batches that change 1,000 keys each.
const BATCHES: usize = 100;

/// Bytes of this process's memory for a key that is there, without a checkpoint.
pub fn memory(plugins: &Plugins) -> anyhow::Result<Figure> {
    let before = resident_bytes()?;
    let source = Keys::new(KEYS);
    let (fill, sink) = (source.fill_batches(), Box::new(TimesSink::new(&source)));
    let clock = Arc::new(ManualClock::new(Timestamp(0)));
    let settings = job::settings(Until::Batches(fill as u64));
    let plan = job::plan(&toml("1s"), plugins)?;
    let mut run = job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, None)?;
    run.run()?;
    let bytes = (resident_bytes()? - before) / KEYS as f64;
    drop(run);
    Ok(Figure { name: "state.bytes_per_key", value: bytes, unit: "bytes", goal: None, range: None })
}

/// Time and bytes of a batch, and the time from the start until the first batch after it.
pub fn checkpoint(plugins: &Plugins, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let few = run(1_000, plugins, &folder.join("few"))?;
    let many_folder = folder.join("many");
    let many = run(KEYS, plugins, &many_folder)?;
    let (source, clock) = (Keys::filled(KEYS), Arc::new(ManualClock::new(Timestamp(1_000_000_000_000))));
    let sink = Box::new(TimesSink::new(&source));
    let plan = job::plan(&toml("1s"), plugins)?;
    let began = Instant::now();
    let settings = job::settings(Until::Batches(1));
    job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, Some(&many_folder))?.run()?;
    let recovery = began.elapsed().as_secs_f64();
    fs::remove_dir_all(&many_folder)?;
    let figure = |name, value, unit, goal| Figure { name, value, unit, goal, range: None };
    Ok(vec![
        figure("state.delta_ms", many.batch_ms, "ms", None),
        figure("state.delta_ms_1k_keys", few.batch_ms, "ms", None),
        figure("state.delta_bytes", many.commit_bytes, "bytes", None),
        figure("recovery.seconds", recovery, "s", Some(Goal::AtMost(5.0))),
    ])
}

struct Ran {
    batch_ms: f64,
    commit_bytes: f64,
}

fn run(keys: usize, plugins: &Plugins, folder: &Path) -> anyhow::Result<Ran> {
    let source = Keys::new(keys);
    let (fill, sink) = (source.fill_batches(), Box::new(TimesSink::new(&source)));
    let (times, clock) = (sink.times.clone(), Arc::new(ManualClock::new(Timestamp(0))));
    let settings = job::settings(Until::Batches((fill + BATCHES) as u64));
    let plan = job::plan(&toml("1s"), plugins)?;
    job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, Some(folder))?.run()?;
    let batch_ms = median(&times.lock().expect("no sink has panicked")[fill..]);
    Ok(Ran { batch_ms, commit_bytes: commit_bytes(folder)? })
}

/// The median size of the last commits: of the two records of a batch the larger one.
fn commit_bytes(folder: &Path) -> anyhow::Result<f64> {
    let files = fs::read_dir(folder.join("log"))?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<_> = files.into_iter().map(|file| file.path()).collect();
    names.sort();
    let last = &names[names.len().saturating_sub(BATCHES)..];
    let bytes = last.iter().map(|path| Ok(fs::metadata(path)?.len() as f64)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(median(&bytes.chunks(2).map(|pair| pair.iter().copied().fold(0.0, f64::max)).collect::<Vec<_>>()))
}

/// What this process holds in memory.
fn resident_bytes() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0)
}
