//! The one billion row challenge, small: the least, mean and greatest temperature of each station, beside DuckDB and Polars on the
//! same file, in turn.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::report::{Figure, Goal};

/// Lines of the file.
const ROWS: usize = 20_000_000;

const STATIONS: u64 = 413;

/// Means are rounded by some.
const MEAN_MAY_DIFFER: f64 = 0.0501;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/brc/peers.py");
const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.make/bench-peers");
const PIPELINE: &str = include_str!("../../../plugins/brc/pipeline.toml");

/// What one run took and gave.
struct Ran {
    cpu_seconds: f64,
    rss_mib: f64,
    rows: Vec<Station>,
}

#[derive(Debug, PartialEq)]
struct Station {
    name: String,
    /// The least, the mean and the greatest.
    degrees: [f64; 3],
}

/// The processors' time of Tidemill over that of the faster peer, run by run, and its own.
pub fn measure(program: &Path, component: &Path, folder: &Path, runs: usize) -> anyhow::Result<Vec<Figure>> {
    let python = python()?;
    let file = folder.join("measurements.txt");
    write_lines(&file)?;
    fs::write(folder.join("pipeline.toml"), PIPELINE)?;
    fs::copy(component, folder.join("brc.wasm"))?;
    let peer = |name: &str| ran(Command::new(&python).args([PEERS, name]).arg(&file));
    // The first one compiles.
    tidemill(&python, program, folder)?;
    let (mut ratios, mut seconds, mut mib) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (ours, duckdb, polars) = (tidemill(&python, program, folder)?, peer("duckdb")?, peer("polars")?);
        agree(&ours, &duckdb).and(agree(&ours, &polars))?;
        eprintln!(
            "brc: Tidemill {:.2} s and {:.0} MiB, DuckDB {:.2} s and {:.0} MiB, Polars {:.2} s and {:.0} MiB",
            ours.cpu_seconds, ours.rss_mib, duckdb.cpu_seconds, duckdb.rss_mib, polars.cpu_seconds, polars.rss_mib
        );
        ratios.push(ours.cpu_seconds / duckdb.cpu_seconds.min(polars.cpu_seconds));
        seconds.push(ours.cpu_seconds);
        mib.push(ours.rss_mib);
    }
    Ok(vec![
        Figure::of_runs("brc.peer_ratio", ratios, "", Some(Goal::AtMost(1.5))),
        Figure::of_runs("brc.cpu_seconds", seconds, "s", None),
        Figure::of_runs("brc.rss_mib", mib, "MiB", None),
    ])
}

fn python() -> anyhow::Result<String> {
    let installed = Command::new(INSTALL).stderr(Stdio::inherit()).output()?;
    ensure!(installed.status.success(), "the peers are not there");
    Ok(String::from_utf8(installed.stdout)?.trim().to_owned())
}

fn tidemill(python: &str, program: &Path, folder: &Path) -> anyhow::Result<Ran> {
    let mut command = Command::new(python);
    command.args([PEERS, "run"]).arg(program).args(["run", "pipeline.toml", "--until-done", "--clock", "manual"]);
    command.args(["--set", "outputs.sorted.print.style=json", "--set", "pipeline.partitions=2"]);
    ran(command.env("XDG_CACHE_HOME", folder).current_dir(folder))
}

fn ran(command: &mut Command) -> anyhow::Result<Ran> {
    let done = command.stderr(Stdio::inherit()).output()?;
    ensure!(done.status.success(), "{command:?} failed");
    let took: Value = serde_json::from_slice(&done.stdout)?;
    let number = |name: &str| took[name].as_f64().with_context(|| format!("{name} is not said"));
    let rows: anyhow::Result<Vec<Station>> = match &took["rows"] {
        Value::Array(rows) => rows.iter().map(|row| station(&row[0], [&row[1], &row[2], &row[3]])).collect(),
        Value::String(printed) => printed.lines().filter(|line| line.starts_with('{')).map(printed_station).collect(),
        other => bail!("{other} are no rows"),
    };
    Ok(Ran { cpu_seconds: number("cpu_seconds")?, rss_mib: number("rss_mib")?, rows: rows? })
}

fn printed_station(line: &str) -> anyhow::Result<Station> {
    let row: Value = serde_json::from_str(line)?;
    station(&row["station"], [&row["min"], &row["mean"], &row["max"]])
}

fn station(name: &Value, degrees: [&Value; 3]) -> anyhow::Result<Station> {
    let name = name.as_str().context("a station has no name")?.to_owned();
    let [min, mean, max] = degrees.map(|number| number.as_f64().context("there is no number"));
    Ok(Station { name, degrees: [min?, mean?, max?] })
}

fn agree(ours: &Ran, peer: &Ran) -> anyhow::Result<()> {
    ensure!(ours.rows.len() == peer.rows.len(), "{} stations, and {}", ours.rows.len(), peer.rows.len());
    for (a, b) in ours.rows.iter().zip(&peer.rows) {
        let ([min, mean, max], [other_min, other_mean, other_max]) = (a.degrees, b.degrees);
        let is_same = a.name == b.name && min == other_min && max == other_max;
        ensure!(is_same && (mean - other_mean).abs() < MEAN_MAY_DIFFER, "{a:?} is not {b:?}");
    }
    Ok(())
}

/// Always the same lines: stations with names of 3 to 16 letters, and temperatures about a mean of their own.
fn write_lines(path: &Path) -> anyhow::Result<()> {
    let mut state = 7_u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let letters: Vec<char> = "abcdefghijklmnopqrstuvwxyzABCDEFGHIéüñ".chars().collect();
    let stations: Vec<(String, i64)> = (0..STATIONS)
        .map(|number| {
            let name: String = (0..3 + next(11)).map(|_| letters[next(letters.len() as u64) as usize]).collect();
            (format!("{name}{number}"), next(450) as i64 - 100)
        })
        .collect();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for _ in 0..ROWS {
        let (name, mean) = &stations[next(STATIONS) as usize];
        // About normal, with a deviation of about ten degrees.
        let tenths = mean + (0..3).map(|_| next(341) as i64 - 170).sum::<i64>();
        let sign = if tenths < 0 { "-" } else { "" };
        writeln!(file, "{name};{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)?;
    }
    Ok(file.flush()?)
}
