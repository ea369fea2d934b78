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
use tidemill_engine::Until;
use tidemill_model::{
    ports::{PortError, Sink, SinkParts, SinkRows},
    time::Timestamp,
};

use crate::{
    corpus::Corpus,
    job::{self, Plugins, Value},
    native::{self, Totals},
};

/// Why nothing goes wrong on sockets.
const PEER: &str = "the peer is in this process";
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
        let (seconds, _) = pipeline(corpus, repeat, value, plugins, RowsWanted::Ten, Keeping::Nothing)?;
        times.pipeline.push(words / seconds);
    }
    Ok(times)
}

/// What a checkpoint costs, run by run, in percent.
pub struct Costs {
    /// How much slower the word count is with one than without.
    pub checkpoint: Vec<f64>,
    /// How much slower it is if it tells its producer what is durable, than with a checkpoint alone.
    pub acknowledge: Vec<f64>,
}

/// Runs the word count without a checkpoint, with one in `folder`, and acknowledging, in turn.
pub fn costs(corpus: &Corpus, repeat: usize, runs: usize, plugins: &Plugins, folder: &Path) -> anyhow::Result<Costs> {
    let mut costs = Costs { checkpoint: Vec::new(), acknowledge: Vec::new() };
    let percent = |less: f64, more: f64| 100.0 * (1.0 - less / more);
    for run in 0..runs {
        let seconds = |keeping: Keeping<'_>| {
            pipeline(corpus, repeat, Value::One, plugins, RowsWanted::Ten, keeping).map(|(seconds, _)| seconds)
        };
        let kept_in = |name: &str, acknowledge| {
            let folder = folder.join(format!("{name}-{run}"));
            let seconds = seconds(Keeping::In { folder: &folder, acknowledge })?;
            std::fs::remove_dir_all(&folder)?;
            anyhow::Ok(seconds)
        };
        let without = seconds(Keeping::Nothing)?;
        let with = kept_in("checkpoint", false)?;
        costs.checkpoint.push(percent(without, with));
        costs.acknowledge.push(percent(with, kept_in("acknowledged", true)?));
    }
    Ok(costs)
}

/// Both sides must come to the same totals before any is timed.
fn agree(corpus: &Corpus, value: Value, plugins: &Plugins) -> anyhow::Result<()> {
    let (_, expect) = native(corpus, 1, value)?;
    let (_, got) = pipeline(corpus, 1, value, plugins, RowsWanted::All, Keeping::Nothing)?;
    ensure!(expect == got, "the pipeline's totals are not the native program's");
    Ok(())
}

fn native(corpus: &Corpus, repeat: usize, value: Value) -> anyhow::Result<(f64, Totals)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (peer, _) = listener.accept().expect(PEER);
            feed(peer, &corpus.text, repeat);
        });
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

/// What is kept of a run.
#[derive(Clone, Copy)]
enum Keeping<'a> {
    Nothing,
    /// A checkpoint, and the producer may be told what is durable.
    In {
        folder: &'a Path,
        acknowledge: bool,
    },
}

fn pipeline(
    corpus: &Corpus,
    repeat: usize,
    value: Value,
    plugins: &Plugins,
    wanted: RowsWanted,
    keeping: Keeping<'_>,
) -> anyhow::Result<(f64, Totals)> {
    let (listener, folder) = match keeping {
        Keeping::Nothing => (Some(TcpListener::bind("127.0.0.1:0")?), None),
        Keeping::In { folder, acknowledge: false } => (Some(TcpListener::bind("127.0.0.1:0")?), Some(folder)),
        Keeping::In { folder, acknowledge: true } => (None, Some(folder)),
    };
    let address = match &listener {
        Some(listener) => listener.local_addr()?,
        // One that is free now.
        None => TcpListener::bind("127.0.0.1:0")?.local_addr()?,
    };
    let socket = match listener {
        Some(_) => format!("connect = \"{address}\""),
        None => format!("listen = \"{address}\", acknowledge = true"),
    };
    let plan = job::plan(&toml(&socket, value), plugins)?;
    let totals = Arc::new(Mutex::new(Totals::default()));
    let sink = Box::new(TotalsSink { totals: totals.clone(), wanted });
    let clock = Arc::new(SystemClock);
    let mut run = job::run(plan, plugins, vec![sink], clock, &job::settings(Until::Stopped), folder)?;
    let stopper = run.stopper();
    let seconds = std::thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let peer = peer(listener.as_ref(), address);
            let began = Instant::now();
            feed(peer, &corpus.text, repeat);
            stopper.stop();
            began
        });
        let summary = run.run()?;
        let lines = corpus.words * repeat / crate::corpus::WORDS_A_LINE;
        ensure!(summary.rows == lines as u64, "{} lines came of {lines}", summary.rows);
        let ended = Instant::now();
        Ok(ended.duration_since(feeder.join().expect(PEER)).as_secs_f64())
    })?;
    let totals = std::mem::take(&mut *totals.lock().expect("no sink has panicked"));
    Ok((seconds, totals))
}

fn toml(socket: &str, value: Value) -> String {
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
        # Where it is, and whether there is one, the run says.
        checkpoint = "elsewhere"
        [plugins]
        wordcount = "wordcount.wasm"
        [streams.lines]
        socket = {{ {socket}, buffer = "32MiB" }}
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

/// The pipeline's end of the socket: it connects to `listener`, or listens itself and first says how many lines are
/// durable.
fn peer(listener: Option<&TcpListener>, address: SocketAddr) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().expect(PEER).0,
        None => {
            // It listens when the run begins.
            let mut connected = None;
            while connected.is_none() {
                connected = TcpStream::connect(address).ok();
                std::thread::yield_now();
            }
            let mut peer = connected.expect(PEER);
            let mut first = [0; 2];
            peer.read_exact(&mut first).expect(PEER);
            assert_eq!(&first, b"0\n", "nothing was sent before");
            peer
        }
    }
}

/// Sends the text `repeat` times, and waits until it was taken. What the peer says meanwhile is read.
fn feed(mut peer: TcpStream, text: &[u8], repeat: usize) {
    let mut answers = peer.try_clone().expect(PEER);
    std::thread::scope(|scope| {
        // The peer closes when it has read everything.
        scope.spawn(move || std::io::copy(&mut answers, &mut std::io::sink()).expect(PEER));
        for _ in 0..repeat {
            for part in text.chunks(256 << 10) {
                peer.write_all(part).expect(PEER);
            }
        }
        peer.shutdown(Shutdown::Write).expect(PEER);
    });
}

/// Keeps totals: all of them for a check, or as few as a print sink looks at.
struct TotalsSink {
    totals: Arc<Mutex<Totals>>,
    wanted: RowsWanted,
}

impl Sink for TotalsSink {
    fn write(&mut self, batch: &SinkRows<'_>) -> Result<(), PortError> {
        let mut totals = self.totals.lock().expect("no sink has panicked");
        let rows = batch.rows;
        let (words, values) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Int64Type>());
        for (word, value) in words.iter().zip(values.iter()) {
            totals.insert(word.unwrap_or_default().as_bytes().to_vec(), value.unwrap_or_default());
        }
        Ok(())
    }

    fn prepare(&mut self, _: &SinkParts<'_>) -> Result<(), PortError> {
        Ok(())
    }

    fn discard(&mut self, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn deliver(&mut self, _time: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    fn rows_max(&self) -> Option<usize> {
        (self.wanted == RowsWanted::Ten).then_some(11)
    }
}
