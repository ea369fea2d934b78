//! What hostile components cost: memory while they are compiled, and time for the fuel that their instructions have.

#[path = "../../product/bombs/components.rs"]
mod components;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::report::{Figure, Goal};

/// How often it is looked how much memory there has been. The system remembers the most that there was.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Most memory of the program itself, and of it and the process that compiles for it together, over all bombs, with the limits
/// that a plugin has if nobody says others.
pub fn memory(program: &Path, folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let (mut host, mut together) = (0, 0);
    for (what, bomb) in components::bombs() {
        eprintln!("compiling {what} ...");
        let file = folder.join("bomb.wasm");
        fs::write(&file, bomb)?;
        let (program, compiler) = most_kib(program, &file)?;
        host = host.max(program);
        together = together.max(program + compiler);
    }
    let figure = |name, kib: u64, goal| Figure {
        name,
        value: kib as f64 / 1024.0,
        unit: "MiB",
        goal: Some(Goal::AtMost(goal)),
        range: None,
    };
    Ok(vec![figure("compile.bomb_peak_mib", together, 1_200.0), figure("compile.bomb_host_peak_mib", host, 100.0)])
}

/// KiB that the program and the one that it starts had at most.
fn most_kib(program: &Path, component: &Path) -> anyhow::Result<(u64, u64)> {
    let mut inspect = Command::new(program)
        .args(["inspect", "--no-cache"])
        .arg(component)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started; run `make build` first", program.display()))?;
    let id = inspect.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let (_never, nothing) = channel::<()>();
    let (mut host, mut compiler) = (0, 0);
    let exit = loop {
        host = high_water(id).max(host);
        let child = fs::read_to_string(&children).unwrap_or_default();
        compiler = child.split_whitespace().filter_map(|id| id.parse().ok()).map(high_water).fold(compiler, u64::max);
        if let Some(exit) = inspect.try_wait()? {
            break exit;
        }
        let _ = nothing.recv_timeout(LOOK_EVERY);
    };
    ensure!(!exit.success(), "{} is no bomb", component.display());
    ensure!(host > 0, "the system does not say how much memory a process has: this needs Linux");
    Ok((host, compiler))
}

fn high_water(id: u32) -> u64 {
    let text = fs::read_to_string(PathBuf::from(format!("/proc/{id}/status"))).unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0)
}

/// Nanoseconds of the slowest instruction for a unit of fuel, as the test over all of them measures it.
pub fn fuel() -> anyhow::Result<Figure> {
    eprintln!("running every instruction ...");
    let test =
        ["test", "--release", "--locked", "-p", "tidemill-guest", "--lib", "--", "--nocapture", "time_follows_fuel"];
    let output = Command::new(env!("CARGO")).args(test).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.split_once("fuel.ns_max ")).map(|(_, value)| value);
    let value =
        line.and_then(|line| line.split_whitespace().next()).context("the test does not say what it measured")?;
    Ok(Figure { name: "fuel.ns_max", value: value.parse()?, unit: "ns", goal: Some(Goal::AtMost(3.0)), range: None })
}
