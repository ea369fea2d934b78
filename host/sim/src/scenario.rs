//! What a seed stands for: the pipeline, its feeds, and what may change from host to host.

mod menu;

use std::fmt::Write as _;

use crate::random::Random;

pub(crate) use menu::Content;
use menu::MENU;

/// The stream that can be read again.
pub(crate) const REPEATABLE: &str = "in";

/// The stream that cannot: what is taken of it is logged.
pub(crate) const LIVE: &str = "live";

/// What every source gives.
const SCHEMA: &str = "number: integer, line: text";

/// One run of the simulation, drawn from its seed.
pub(crate) struct Scenario {
    /// Which sources there are, of [`REPEATABLE`] and [`LIVE`].
    pub streams: Vec<&'static str>,
    /// In the order of the pipeline.
    pub outputs: Vec<OutputSpec>,
    pub interval_micros: i64,
    /// Rows of a chunk.
    pub chunk_rows: usize,
    /// Words that lines are made of.
    pub words: u64,
    /// The time between two lines is at most this, but for pauses.
    pub gap_micros_max: u64,
    /// Snapshots are made after so many commits.
    pub snapshot_commits: usize,
    /// So many batches are kept beyond what is needed.
    pub keep_batches: usize,
    /// Bytes that the checkpoint may have before input waits.
    pub budget_bytes: Option<u64>,
    /// Bytes of the disk that stay free for what was begun.
    pub free_bytes_min: u64,
    /// Faults that are injected before the feeds come to their end.
    pub faults: u32,
}

/// An output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputSpec {
    pub name: &'static str,
    pub content: Content,
    /// Its sink knows its batches; another one may get a batch again.
    pub is_exact: bool,
}

impl Scenario {
    pub fn of(seed: u64) -> Scenario {
        let random = &mut Random::new(seed, 1);
        let streams = random.pick(&[vec![REPEATABLE], vec![LIVE], vec![REPEATABLE, LIVE]]);
        Scenario {
            streams,
            outputs: outputs(random),
            interval_micros: random.pick(&[100_000, 500_000, 1_000_000]),
            chunk_rows: random.length(1, 5),
            words: random.between(2, 12),
            gap_micros_max: random.pick(&[50_000, 300_000, 1_000_000]),
            snapshot_commits: random.length(1, 8),
            keep_batches: random.length(0, 3),
            budget_bytes: random.pick(&[None, Some(60_000), Some(200_000)]),
            free_bytes_min: random.pick(&[0, 2_000]),
            faults: random.between(10, 20) as u32,
        }
    }

    /// The pipeline's text.
    pub fn pipeline(&self) -> String {
        let mut text = format!(
            "[pipeline]\nname = \"simulated\"\ninterval = \"{}ms\"\n\n[plugins]\nwordcount = \"wordcount.wasm\"\n\
             hostile = \"hostile.wasm\"\n\n",
            self.interval_micros / 1_000
        );
        for stream in &self.streams {
            let _ = writeln!(text, "[streams.{stream}]\nqueue = {{ schema = \"{SCHEMA}\", batches = [] }}\n");
        }
        let lines = match &self.streams[..] {
            [single] => *single,
            _ => {
                let _ = writeln!(text, "[streams.both]\nfrom = [\"{REPEATABLE}\", \"{LIVE}\"]\nunion = true\n");
                "both"
            }
        };
        let _ = writeln!(text, "[streams.words]\nfrom = \"{lines}\"\nmap = \"wordcount/split\"\n");
        for OutputSpec { name, content, .. } in &self.outputs {
            let from = if *content == Content::Lines { lines } else { name };
            text.push_str(&menu::streams(*content).replace("LINES", lines));
            let _ = writeln!(text, "\n[outputs.{name}]\nfrom = \"{from}\"\nprint = true\n");
        }
        text
    }
}

/// Some of the menu in any order, and always the lines, which say what a batch is made of.
fn outputs(random: &mut Random) -> Vec<OutputSpec> {
    let mut left: Vec<_> = MENU.to_vec();
    let mut chosen = vec![("lines", Content::Lines)];
    for _ in 0..random.length(1, 4) {
        chosen.push(left.swap_remove(random.length(0, left.len() - 1)));
    }
    let place = random.length(0, chosen.len() - 1);
    chosen.swap(0, place);
    let spec = |(name, content)| {
        let is_exact = random.once_in(2) || content == Content::Lines;
        OutputSpec { name, content, is_exact }
    };
    chosen.into_iter().map(spec).collect()
}
