//! From the start of the program to the first batch, with compiled plugins in the cache.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, ensure};

use crate::report::{Figure, Goal};

/// Starts of a figure.
const STARTS: usize = 15;

const PIPELINE: &str = r#"
[pipeline]
name = "start"
interval = "1ms"
[plugins]
wordcount = "wordcount.wasm"
[streams.lines]
queue = { schema = "line: text", batches = [["to be or not to be"]] }
[streams.words]
from = "lines"
map = "wordcount/split"
[streams.counts]
from = "words"
by = ["word"]
reduce = "wordcount/sum"
[outputs.counts]
from = "counts"
print = true
"#;

/// ms until the first batch was printed.
pub fn measure(program: &Path, component: &Path) -> anyhow::Result<Figure> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("pipeline.toml"), PIPELINE)?;
    std::fs::copy(component, folder.path().join("wordcount.wasm"))?;
    start_ms(program, folder.path())?;
    let runs: anyhow::Result<Vec<f64>> = (0..STARTS).map(|_| start_ms(program, folder.path())).collect();
    Ok(Figure::of_runs("start.warm_ms", runs?, "ms", Some(Goal::AtMost(50.0))))
}

fn start_ms(program: &Path, folder: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut child = Command::new(program)
        .args(["run", "pipeline.toml", "--batches", "1"])
        .env("XDG_CACHE_HOME", folder)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{} cannot be started; run `make build` first", program.display()))?;
    let mut output = child.stdout.take().context("standard output is a pipe")?;
    let mut first = [0; 1];
    output.read_exact(&mut first)?;
    let elapsed = began.elapsed().as_secs_f64() * 1e3;
    let mut rest = String::new();
    output.read_to_string(&mut rest)?;
    ensure!(child.wait()?.success() && rest.contains("('to', 2)"), "the first batch is not what it should be: {rest}");
    Ok(elapsed)
}
