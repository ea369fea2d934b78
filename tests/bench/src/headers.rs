//! What a start costs when many batches are kept: their headers are read, and not what is in them.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::ensure;
use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use tidemill_checkpoint::{BatchPlan, Commit, LocalFolder, Log, Record, Section, SectionKind, Storage};
use tidemill_model::time::Timestamp;

use crate::report::{Figure, Goal};

/// Batches that are kept.
const BATCHES: i64 = 2_000;

/// Bytes of a large commit. Two thousand of them would be ten gigabytes on the disk: so many are kept large as fit into one.
const LARGE_BYTES: usize = 5 << 20;
const LARGE: i64 = 200;

/// Openings that are timed.
const RUNS: usize = 9;

/// Seconds that it takes to open a checkpoint with 2,000 commits of which 200 have 5 MiB, and how many times those of one in which
/// all are small.
pub fn measure(folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let (small, large) = (folder.join("small"), folder.join("large"));
    fill(&small, 0)?;
    fill(&large, LARGE_BYTES)?;
    let (mut seconds, mut ratios) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let small = open(&small, run)?;
        let large = open(&large, run)?;
        seconds.push(large);
        ratios.push(large / small);
    }
    Ok(vec![
        Figure::of_runs("recovery.headers_seconds", seconds, "s", None),
        Figure::of_runs("recovery.headers_ratio", ratios, "", Some(Goal::AtMost(1.5))),
    ])
}

fn fill(folder: &Path, bytes: usize) -> anyhow::Result<()> {
    let storage: Arc<dyn Storage> = Arc::new(LocalFolder::open(folder, 0)?);
    let (mut log, _) = Log::open(storage, "p", "fill", Timestamp(0))?;
    for number in 1..=BATCHES {
        let batch = Timestamp(number * 1_000_000);
        let (sources, plugins, tables, away) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let plan = BatchPlan { batch, sources, plugins, delivered: None, tables, away };
        let plan = log.append(Record::Plan(plan), &[])?;
        let commit = Commit { batch, plan, counters: Vec::new(), tables: Vec::new(), outbox: None };
        let bytes = if number > BATCHES - LARGE { bytes } else { 0 };
        let commit = log.append(Record::Commit(commit), &[rows_of(bytes)?])?;
        if number == BATCHES {
            log.archive().write_snapshot(commit, [])?;
            log.append(Record::Delivered { batch }, &[])?;
        }
    }
    Ok(())
}

/// Rows of an output, of so many bytes.
fn rows_of(bytes: usize) -> anyhow::Result<Section> {
    let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&vec![7; bytes]]));
    let (kind, stream, table) = (SectionKind::Output, "out".to_owned(), String::new());
    Ok(Section { kind, stream, table, partition: 0, batches: vec![RecordBatch::try_from_iter([("bytes", column)])?] })
}

/// How long an opening takes.
fn open(folder: &Path, run: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let storage: Arc<dyn Storage> = Arc::new(LocalFolder::open(folder, run as u64 + 1)?);
    let (log, recovered) = Log::open(storage, "p", &format!("run {run}"), Timestamp(0))?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(recovered.last.is_some() && log.records().len() as i64 >= 2 * BATCHES, "the batches are kept");
    Ok(seconds)
}
