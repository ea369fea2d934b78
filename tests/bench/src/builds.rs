//! How long a fresh machine works until the demo has run, and until the tests have; and how long it builds a plugin.

use std::{path::Path, process::Command, time::Instant};

use anyhow::ensure;

use crate::report::{Figure, Goal};

/// Makes a clone of the repository in `folder`, with nothing compiled, and runs there what the README tells a newcomer to.
/// What cargo downloads is there already, or not, as on the machine.
pub fn measure(folder: &Path) -> anyhow::Result<Vec<Figure>> {
    let clone = folder.join("clone");
    succeeds(Command::new("git").args(["clone", "--quiet", "."]).arg(&clone))?;
    let demo = seconds(&clone, "demo")?;
    let test = seconds(&clone, "test")?;
    Ok(vec![
        Figure { name: "build.demo_seconds", value: demo, unit: "s", goal: Some(Goal::AtMost(300.0)), range: None },
        Figure { name: "build.test_seconds", value: test, unit: "s", goal: Some(Goal::AtMost(600.0)), range: None },
    ])
}

/// How long an author waits for a first plugin: from `tidemill new` to its component, with nothing compiled.
pub fn plugin(program: &Path, folder: &Path, runs: usize) -> anyhow::Result<Figure> {
    let mut seconds = Vec::new();
    for run in 0..runs {
        let name = format!("plugin-{run}");
        let began = Instant::now();
        succeeds(Command::new(program).args(["new", &name]).current_dir(folder))?;
        succeeds(Command::new(program).arg("build").current_dir(folder.join(&name)).env_remove("CARGO_TARGET_DIR"))?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(Figure::of_runs("build.plugin_cold_seconds", seconds, "s", Some(Goal::AtMost(8.0))))
}

fn seconds(clone: &Path, target: &str) -> anyhow::Result<f64> {
    eprintln!("make {target} in a fresh clone ...");
    let began = Instant::now();
    succeeds(Command::new("make").arg(target).current_dir(clone).env_remove("CARGO_TARGET_DIR"))?;
    Ok(began.elapsed().as_secs_f64())
}

fn succeeds(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdout(std::io::stderr()).status()?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
