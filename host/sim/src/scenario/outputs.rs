//! Which outputs a pipeline has.

use super::{
    Content, Trouble,
    menu::{LATER, MENU, MORE, troubled},
};
use crate::random::Random;

/// An output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputSpec {
    pub name: &'static str,
    /// Of the stream, before it gets other names.
    pub stream: &'static str,
    pub content: Content,
    pub sink: SinkKind,
    /// Some hosts have it and others not.
    pub is_passing: bool,
}

/// What a sink knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SinkKind {
    /// Nothing: it may get a batch again.
    Plain,
    /// Its batches.
    Exact,
    /// Its batches, as a folder for each that has rows; and whether its place is new.
    Folder,
}

/// Where the draws come from, each a row of its own.
pub(super) struct Draws {
    pub of_menu: Random,
    pub of_trouble: Random,
    pub of_more: Random,
    pub of_mixed: Random,
    pub of_sinks: Random,
    pub of_passing: Random,
    pub of_later: Random,
}

impl Draws {
    /// `of` gives the row of a concern.
    pub fn new(of: impl Fn(&str) -> Random) -> Draws {
        Draws {
            of_menu: of("outputs"),
            of_trouble: of("troubled outputs"),
            of_more: of("more outputs"),
            of_mixed: of("mixed trouble"),
            of_sinks: of("kinds of sinks"),
            of_passing: of("passing outputs"),
            of_later: of("later outputs"),
        }
    }
}

/// Some of the menu in any order, and always the lines, which say what a batch is made of; behind them some of what functions
/// stumble over, with its dead letters.
pub(super) fn draw(draws: &mut Draws, trouble: Trouble) -> Vec<OutputSpec> {
    let mut outputs = of_menu(&mut draws.of_menu);
    for &chosen in MORE {
        let (is_there, spec) = (draws.of_more.once_in(4), spec(&mut draws.of_more, chosen));
        outputs.extend(is_there.then_some(spec));
    }
    for &chosen in LATER {
        let (is_there, spec) = (draws.of_later.once_in(4), spec(&mut draws.of_later, chosen));
        outputs.extend(is_there.then_some(spec));
    }
    outputs.extend(of_trouble(&mut draws.of_trouble, trouble));
    outputs.extend(mixed(&mut draws.of_mixed, trouble));
    if trouble.skips() && outputs.iter().any(|output| output.content == Content::Behind) {
        // It would fail over the same lines before any state is touched.
        outputs.retain(|output| output.content != Content::Taken);
    }
    for output in &mut outputs {
        let is_folder = draws.of_sinks.once_in(2) && output.content != Content::Lines;
        if is_folder && output.sink == SinkKind::Exact {
            output.sink = SinkKind::Folder;
        }
    }
    pass(&mut draws.of_passing, &mut outputs);
    outputs
}

fn spec(random: &mut Random, (name, content): (&'static str, Content)) -> OutputSpec {
    let is_exact = random.once_in(2) || content == Content::Lines;
    let sink = if is_exact { SinkKind::Exact } else { SinkKind::Plain };
    let stream = if let Content::Letters(stream) = content { stream } else { name };
    OutputSpec { name, stream, content, sink, is_passing: false }
}

fn of_menu(random: &mut Random) -> Vec<OutputSpec> {
    let mut left: Vec<_> = MENU.to_vec();
    let mut chosen = vec![("lines", Content::Lines)];
    for _ in 0..random.length(1, 4) {
        chosen.push(left.swap_remove(random.length(0, left.len() - 1)));
    }
    let place = random.length(0, chosen.len() - 1);
    chosen.swap(0, place);
    chosen.into_iter().map(|chosen| spec(random, chosen)).collect()
}

fn of_trouble(random: &mut Random, trouble: Trouble) -> Vec<OutputSpec> {
    let mut outputs = Vec::new();
    let mut left = troubled(trouble).to_vec();
    for _ in 0..random.length(1, 2).min(left.len()) {
        let (name, content) = left.swap_remove(random.length(0, left.len() - 1));
        outputs.push(spec(random, (name, content)));
        if trouble == Trouble::Letters {
            outputs.push(spec(random, letters(name)));
        }
    }
    outputs
}

/// What stumbles behind states, and what has dead letters where batches are skipped or runs stop.
fn mixed(random: &mut Random, trouble: Trouble) -> Vec<OutputSpec> {
    let mut outputs = Vec::new();
    let (is_behind, has_letters) = (random.once_in(2), random.once_in(2));
    let other = random.pick(&[("sums", Content::Sums), ("touchy", Content::Touchy)]);
    // Before what has the batch skipped, so that there are letters that must not be seen.
    if trouble.skips() && has_letters {
        outputs.extend([spec(random, other), spec(random, letters(other.0))]);
    }
    if trouble != Trouble::None && is_behind {
        outputs.push(spec(random, ("behind", Content::Behind)));
        if trouble == Trouble::Letters {
            outputs.push(spec(random, letters("behind")));
        }
    }
    outputs
}

/// The output of a stream's dead letters.
fn letters(stream: &'static str) -> (&'static str, Content) {
    let name = match stream {
        "taken" => "dead letters of taken",
        "sums" => "dead letters of sums",
        "behind" => "dead letters of behind",
        _ => "dead letters of touchy",
    };
    (name, Content::Letters(stream))
}

/// Some outputs come and go, and a stream may have a second one.
fn pass(random: &mut Random, outputs: &mut Vec<OutputSpec>) {
    let may_pass = |output: &OutputSpec| !matches!(output.content, Content::Lines | Content::Letters(_));
    let chosen: Vec<usize> = (0..outputs.len()).filter(|&place| may_pass(&outputs[place])).collect();
    let (passes, is_double) = (random.once_in(2), random.once_in(3));
    let [passing, doubled] = [(); 2].map(|()| random.pick(&chosen));
    outputs[passing].is_passing = passes;
    if is_double {
        let second = OutputSpec { name: "second", is_passing: random.once_in(2), ..outputs[doubled] };
        outputs.insert(doubled, second);
    }
}
