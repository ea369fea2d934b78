//! What a seed stands for: the pipeline, its feeds, and what may change from host to host.

mod edition;
mod menu;
mod outputs;
mod streams;
mod trouble;

use std::fmt::Write as _;

use crate::random::Random;

pub(crate) use edition::{Edition, VERSION_MAX};
pub(crate) use menu::Content;
use outputs::Draws;
pub(crate) use outputs::{OutputSpec, SinkKind};
pub(crate) use streams::{ACKNOWLEDGED, FILES, LIVE, Passing, REPEATABLE, first_number, stream_of_number};
pub(crate) use trouble::{POISON, REJECTED, Trouble};

/// What the pipeline is called.
pub(crate) const PIPELINE: &str = "simulated";

/// What every source gives.
pub(crate) const SCHEMA: &str = "number: integer, value: integer, line: text";

/// One run of the simulation, drawn from its seed.
pub(crate) struct Scenario {
    /// Which sources there are.
    pub streams: Vec<&'static str>,
    /// The one of them that comes and goes.
    pub passing: Option<Passing>,
    /// The one whose lines [`Content::InOrder`] has.
    pub single: &'static str,
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

impl Scenario {
    pub fn of(seed: u64) -> Scenario {
        // Each concern has numbers of its own: a new one does not change what a seed stands for otherwise.
        let of = |concern: &str| Random::new(seed, concern);
        let (mut pace, mut room) = (of("pace"), of("room"));
        let trouble = of("trouble").pick(&[Trouble::None, Trouble::Letters, Trouble::Skip, Trouble::Retry]);
        let stops = of("trouble that stops").once_in(2);
        let trouble = if trouble == Trouble::Skip && stops { Trouble::Stop } else { trouble };
        let mut editions = of("editions");
        let streams = streams::draw(&mut of("streams"), &mut of("more streams"));
        let passing = streams::draw_passing(&mut of("passing source"), &streams);
        let stays = |stream: &&&str| passing.is_none_or(|passing| passing.stream != **stream);
        let staying: Vec<&str> = streams.iter().filter(stays).copied().collect();
        Scenario {
            renames: editions.once_in(2),
            migrates: editions.once_in(2),
            single: of("single stream").pick(&staying),
            streams,
            passing,
            outputs: outputs::draw(&mut Draws::new(of), trouble),
            trouble,
            interval_micros: pace.pick(&[100_000, 500_000, 1_000_000]),
            chunk_rows: pace.length(1, 5),
            words: pace.between(2, 12),
            gap_micros_max: pace.pick(&[50_000, 300_000, 1_000_000]),
            snapshot_commits: room.length(1, 8),
            keep_batches: room.length(0, 3) + of("longer history").pick(&[0, 0, 4, 8]),
            budget_bytes: room.pick(&[None, Some(60_000), Some(200_000)]),
            free_bytes_min: room.pick(&[0, 2_000]),
            faults: of("count of faults").between(10, 20) as u32,
        }
    }

    /// The sources of a pipeline.
    pub fn sources(&self, edition: Edition) -> impl Iterator<Item = &'static str> {
        let is_away = move |stream: &str| {
            !edition.has_passing_source && self.passing.is_some_and(|passing| passing.stream == stream)
        };
        self.streams.iter().copied().filter(move |stream| !is_away(stream))
    }

    /// The pipeline's text.
    pub fn pipeline(&self, edition: Edition) -> String {
        let mut text = format!(
            "[pipeline]\nname = \"{PIPELINE}\"\ninterval = \"{}ms\"\n\n[plugins]\nwordcount = \"wordcount.wasm\"\n\
             hostile = \"hostile.wasm\"\n\n",
            self.interval_micros / 1_000
        );
        let sources: Vec<&str> = self.sources(edition).collect();
        for stream in &sources {
            let heading = edition.heading(stream);
            let _ = writeln!(text, "{heading}simulated = true\n");
        }
        let lines = if let [single] = sources[..] {
            edition.name(single)
        } else {
            let all: Vec<String> = sources.iter().map(|stream| format!("\"{}\"", edition.name(stream))).collect();
            let _ = writeln!(text, "[streams.both]\nfrom = [{}]\nunion = true\n", all.join(", "));
            "both".to_owned()
        };
        let _ = writeln!(text, "[streams.words]\nfrom = \"{lines}\"\nmap = \"wordcount/split\"\n");
        let _ = writeln!(text, "[streams.valued]\nfrom = \"{lines}\"\nmap = \"wordcount/split\"\nkeep = \"value\"\n");
        let mut streams: Vec<&str> = Vec::new();
        for output in &self.outputs {
            if matches!(output.content, Content::Letters(_)) {
                continue;
            }
            if !streams.contains(&output.stream) {
                streams.push(output.stream);
                text.push_str(&self.stream(output, &lines, edition));
            }
            let is_lines = output.content == Content::Lines;
            let from = match output.content {
                _ if is_lines => lines.clone(),
                Content::Idle => stream_of(output, edition) + ".state",
                _ => stream_of(output, edition),
            };
            if edition.has_passing_outputs || !output.is_passing {
                let _ = writeln!(text, "\n[outputs.{}]\nfrom = \"{from}\"\nsimulated = true\n", output.name);
            }
        }
        text
    }

    /// The stream of an output, and those that it is made of.
    fn stream(&self, output: &OutputSpec, lines: &str, edition: Edition) -> String {
        let [total, alarm] = menu::functions(edition.version);
        let streams = menu::streams(output.content).replace("LINES", lines);
        let streams = streams.replace("POLICY", self.trouble.policy(edition.skips));
        let mut streams = streams.replace("SINGLE", &edition.name(self.single));
        if menu::is_renamed(output.content) {
            streams = streams.replace(&format!("[streams.{}]\n", output.stream), &edition.heading(output.stream));
        }
        let time = |batches: u32| format!("{}ms", i64::from(batches) * self.interval_micros / 1_000);
        let streams =
            streams.replace("WINDOW", &time(edition.window)).replace("TWO", &time(2)).replace("THREE", &time(3));
        streams.replace("TOTAL", total).replace("ALARM", alarm)
    }

    /// The pipeline of the first host.
    pub fn first_edition(&self) -> Edition {
        let has_passing_source = self.passing.is_none_or(|passing| passing.is_there_first);
        let passing = self.passing.map(|passing| passing.stream);
        let keeps_name = passing.filter(|&stream| stream == ACKNOWLEDGED);
        Edition { has_passing_source, keeps_name, ..Edition::FIRST }
    }
}

/// What an output's stream is called.
pub(crate) fn stream_of(output: &OutputSpec, edition: Edition) -> String {
    if menu::is_renamed(output.content) { edition.name(output.stream) } else { output.stream.to_owned() }
}

/// What the stream is called that has the states of an output.
pub(crate) fn state_stream_of(output: &OutputSpec, edition: Edition) -> String {
    if output.content == Content::Behind { "beneath".to_owned() } else { stream_of(output, edition) }
}
