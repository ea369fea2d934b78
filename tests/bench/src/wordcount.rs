//! The word count over a socket, against the native program, run in turn.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::ensure;
use arrow_array::{cast::AsArray, types::Int64Type};
use tidemill_connect::system::SystemClock;
use tidemill_engine::{Stopper, Until};
use tidemill_model::{
    ports::{PortError, Sink, SinkBatch},
    time::Timestamp,
};

use crate::{
    corpus::Corpus,
    job::{self, Plugins, Value},
    native::{self, Totals},
};

/// The batch interval.
const INTERVAL: Duration = Duration::from_secs(1);

/// What both sides did, run by run.
pub struct Times {
    /// Words a second of the pipeline.
    pub pipeline: Vec<f64>,
    /// Words a second of the native program.
    pub native: Vec<f64>,
}

impl Times {
    /// The pipeline's speed over the native program's, run by run.
    pub fn ratios(&self) -> Vec<f64> {
        self.pipeline.iter().zip(&self.native).map(|(pipeline, native)| pipeline / native).collect()
    }
}

/// Feeds the corpus `repeat` times to each side in turn, `runs` times.
pub fn measure(corpus: &Corpus, repeat: usize, runs: usize, value: Value, plugins: &Plugins) -> anyhow::Result<Times> {
    agree(corpus, value, plugins)?;
    let mut times = Times { pipeline: Vec::new(), native: Vec::new() };
    let words = (corpus.words * repeat) as f64;
    for _ in 0..runs {
        let (seconds, _) = native(corpus, repeat, value)?;
        times.native.push(words / seconds);
        let (seconds, _) = pipeline(corpus, repeat, value, plugins, RowsWanted::Ten, None)?;
        times.pipeline.push(words / seconds);
    }
    Ok(times)
}

/// How many percent slower the word count is with a checkpoint in `folder`, run by run: without and with one in turn.
pub fn checkpoint_cost(
    corpus: &Corpus,
    repeat: usize,
    runs: usize,
    plugins: &Plugins,
    folder: &Path,
) -> anyhow::Result<Vec<f64>> {
    let mut costs = Vec::new();
    for run in 0..runs {
        let (without, _) = pipeline(corpus, repeat, Value::One, plugins, RowsWanted::Ten, None)?;
        let folder = folder.join(run.to_string());
        let (with, _) = pipeline(corpus, repeat, Value::One, plugins, RowsWanted::Ten, Some(&folder))?;
        std::fs::remove_dir_all(&folder)?;
        costs.push(100.0 * (1.0 - without / with));
    }
    Ok(costs)
}

/// Both sides must come to the same totals before any is timed.
fn agree(corpus: &Corpus, value: Value, plugins: &Plugins) -> anyhow::Result<()> {
    let (_, expect) = native(corpus, 1, value)?;
    let (_, got) = pipeline(corpus, 1, value, plugins, RowsWanted::All, None)?;
    ensure!(expect == got, "the pipeline's totals are not the native program's");
    Ok(())
}

fn native(corpus: &Corpus, repeat: usize, value: Value) -> anyhow::Result<(f64, Totals)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::scope(|scope| {
        scope.spawn(|| feed(&listener, &corpus.text, repeat, None));
        let socket = TcpStream::connect(address)?;
        let began = Instant::now();
        let totals = native::run(socket, value, INTERVAL);
        Ok((began.elapsed().as_secs_f64(), totals))
    })
}

/// Which rows the sink looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RowsWanted {
    Ten,
    All,
}

fn pipeline(
    corpus: &Corpus,
    repeat: usize,
    value: Value,
    plugins: &Plugins,
    wanted: RowsWanted,
    checkpoint: Option<&Path>,
) -> anyhow::Result<(f64, Totals)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let plan = job::plan(&toml(listener.local_addr()?, value), plugins)?;
    let totals = Arc::new(Mutex::new(Totals::default()));
    let sink = Box::new(TotalsSink { totals: totals.clone(), wanted });
    let clock = Arc::new(SystemClock);
    let mut run = job::run(plan, plugins, vec![sink], clock, &job::settings(Until::Stopped), checkpoint)?;
    let stopper = run.stopper();
    let seconds = std::thread::scope(|scope| {
        scope.spawn(|| feed(&listener, &corpus.text, repeat, Some(&stopper)));
        let began = Instant::now();
        let summary = run.run()?;
        let lines = corpus.words * repeat / crate::corpus::WORDS_A_LINE;
        ensure!(summary.rows == lines as u64, "{} lines came of {lines}", summary.rows);
        Ok(began.elapsed().as_secs_f64())
    })?;
    let totals = std::mem::take(&mut *totals.lock().expect("no sink has panicked"));
    Ok((seconds, totals))
}

fn toml(address: SocketAddr, value: Value) -> String {
    let map = match value {
        Value::One => "split",
        Value::Length => "lengths",
    };
    format!(
        r#"
        [pipeline]
        name = "wordcount"
        interval = "{}ms"
        partitions = 2
        [plugins]
        wordcount = "wordcount.wasm"
        [streams.lines]
        socket = {{ connect = "{address}", buffer = "32MiB" }}
        [streams.words]
        from = "lines"
        map = "wordcount/{map}"
        [streams.counts]
        from = "words"
        by = ["word"]
        reduce = "wordcount/sum"
        [streams.totals]
        from = "counts"
        by = ["word"]
        update-state = "wordcount/running-total"
        [outputs.totals]
        from = "totals"
        print = {{ rows = 10 }}
        "#,
        INTERVAL.as_millis()
    )
}

/// Sends the text `repeat` times to whoever connects, waits until it was taken, and then stops the run.
fn feed(listener: &TcpListener, text: &[u8], repeat: usize, stopper: Option<&Stopper>) {
    let sent = listener.accept().and_then(|(mut peer, _)| {
        for _ in 0..repeat {
            for part in text.chunks(256 << 10) {
                peer.write_all(part)?;
            }
        }
        peer.shutdown(Shutdown::Write)?;
        // The peer closes when it has read everything.
        peer.read(&mut [0])
    });
    if let Some(stopper) = stopper {
        stopper.stop();
    }
    sent.expect("the peer is in this process");
}

/// Keeps totals: all of them for a check, or as few as a print sink looks at.
struct TotalsSink {
    totals: Arc<Mutex<Totals>>,
    wanted: RowsWanted,
}

impl Sink for TotalsSink {
    fn stage(&mut self, batch: &SinkBatch<'_>) -> Result<(), PortError> {
        let mut totals = self.totals.lock().expect("no sink has panicked");
        for rows in batch.partitions.iter().flatten() {
            let (words, values) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int64Type>());
            for (word, value) in words.iter().zip(values.iter()) {
                totals.insert(word.unwrap_or_default().as_bytes().to_vec(), value.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn deliver(&mut self, _time: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn rows_max(&self) -> Option<usize> {
        (self.wanted == RowsWanted::Ten).then_some(11)
    }
}
