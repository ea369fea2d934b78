//! What a seed stands for: the pipeline, its feeds, and what may change from host to host.

mod edition;
mod menu;
mod trouble;

use std::fmt::Write as _;

use crate::random::Random;

pub(crate) use edition::{Edition, VERSION_MAX};
pub(crate) use menu::Content;
use menu::{MENU, troubled};
pub(crate) use trouble::{POISON, REJECTED, Trouble};

/// The stream that can be read again.
pub(crate) const REPEATABLE: &str = "in";

/// The stream that cannot: what is taken of it is logged.
pub(crate) const LIVE: &str = "live";

/// What every source gives.
const SCHEMA: &str = "number: integer, value: integer, line: text";

/// One run of the simulation, drawn from its seed.
pub(crate) struct Scenario {
    /// Which sources there are, of [`REPEATABLE`] and [`LIVE`].
    pub streams: Vec<&'static str>,
    /// In the order of the pipeline.
    pub outputs: Vec<OutputSpec>,
    /// What functions stumble over, and what is done about it.
    pub trouble: Trouble,
    /// Sources and streams get other names between two runs.
    pub renames: bool,
    /// Functions get newer versions.
    pub migrates: bool,
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
        // Each concern has numbers of its own: a new one does not change what a seed stands for otherwise.
        let of = |concern| Random::new(seed, concern);
        let (mut pace, mut room) = (of("pace"), of("room"));
        let trouble = of("trouble").pick(&[Trouble::None, Trouble::Letters, Trouble::Skip, Trouble::Retry]);
        let mut editions = of("editions");
        Scenario {
            renames: editions.once_in(2),
            migrates: editions.once_in(2),
            streams: of("streams").pick(&[vec![REPEATABLE], vec![LIVE], vec![REPEATABLE, LIVE]]),
            outputs: outputs(&mut of("outputs"), &mut of("troubled outputs"), trouble),
            trouble,
            interval_micros: pace.pick(&[100_000, 500_000, 1_000_000]),
            chunk_rows: pace.length(1, 5),
            words: pace.between(2, 12),
            gap_micros_max: pace.pick(&[50_000, 300_000, 1_000_000]),
            snapshot_commits: room.length(1, 8),
            keep_batches: room.length(0, 3),
            budget_bytes: room.pick(&[None, Some(60_000), Some(200_000)]),
            free_bytes_min: room.pick(&[0, 2_000]),
            faults: of("count of faults").between(10, 20) as u32,
        }
    }

    /// The pipeline's text.
    pub fn pipeline(&self, edition: Edition) -> String {
        let mut text = format!(
            "[pipeline]\nname = \"simulated\"\ninterval = \"{}ms\"\n\n[plugins]\nwordcount = \"wordcount.wasm\"\n\
             hostile = \"hostile.wasm\"\n\n",
            self.interval_micros / 1_000
        );
        for stream in &self.streams {
            let heading = edition.heading(stream);
            let _ = writeln!(text, "{heading}queue = {{ schema = \"{SCHEMA}\", batches = [] }}\n");
        }
        let lines = match &self.streams[..] {
            [single] => edition.name(single),
            _ => {
                let [repeatable, live] = [REPEATABLE, LIVE].map(|stream| edition.name(stream));
                let _ = writeln!(text, "[streams.both]\nfrom = [\"{repeatable}\", \"{live}\"]\nunion = true\n");
                "both".to_owned()
            }
        };
        let _ = writeln!(text, "[streams.words]\nfrom = \"{lines}\"\nmap = \"wordcount/split\"\n");
        let _ = writeln!(text, "[streams.valued]\nfrom = \"{lines}\"\nmap = \"wordcount/split\"\nkeep = \"value\"\n");
        for output in &self.outputs {
            let OutputSpec { name, content, .. } = output;
            if matches!(content, Content::Letters(_)) {
                continue;
            }
            let [total, alarm] = menu::functions(edition.version);
            let from = match content {
                Content::Lines => lines.clone(),
                _ => stream_of(output, edition),
            };
            let mut streams = menu::streams(*content).replace("LINES", &lines).replace("POLICY", self.trouble.policy());
            if menu::is_renamed(*content) {
                streams = streams.replace(&format!("[streams.{name}]\n"), &edition.heading(name));
            }
            text.push_str(&streams.replace("TOTAL", total).replace("ALARM", alarm));
            let _ = writeln!(text, "\n[outputs.{name}]\nfrom = \"{from}\"\nprint = true\n");
        }
        text
    }
}

/// What an output's stream is called.
pub(crate) fn stream_of(output: &OutputSpec, edition: Edition) -> String {
    if menu::is_renamed(output.content) { edition.name(output.name) } else { output.name.to_owned() }
}

/// Some of the menu in any order, and always the lines, which say what a batch is made of; behind them some of what functions
/// stumble over, with its dead letters.
fn outputs(random: &mut Random, of_trouble: &mut Random, trouble: Trouble) -> Vec<OutputSpec> {
    let mut left: Vec<_> = MENU.to_vec();
    let mut chosen = vec![("lines", Content::Lines)];
    for _ in 0..random.length(1, 4) {
        chosen.push(left.swap_remove(random.length(0, left.len() - 1)));
    }
    let place = random.length(0, chosen.len() - 1);
    chosen.swap(0, place);
    let spec = |random: &mut Random, (name, content)| {
        let is_exact = random.once_in(2) || content == Content::Lines;
        OutputSpec { name, content, is_exact }
    };
    let mut outputs: Vec<_> = chosen.into_iter().map(|chosen| spec(random, chosen)).collect();
    let mut left = troubled(trouble).to_vec();
    for _ in 0..of_trouble.length(1, 2).min(left.len()) {
        let (name, content) = left.swap_remove(of_trouble.length(0, left.len() - 1));
        outputs.push(spec(of_trouble, (name, content)));
        if trouble == Trouble::Letters {
            outputs.push(spec(of_trouble, (letters_of(name), Content::Letters(name))));
        }
    }
    outputs
}

/// The output of a stream's dead letters.
fn letters_of(stream: &str) -> &'static str {
    match stream {
        "taken" => "dead letters of taken",
        "sums" => "dead letters of sums",
        _ => "dead letters of touchy",
    }
}
