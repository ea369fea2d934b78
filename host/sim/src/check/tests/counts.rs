//! What is counted.

use tidemill_engine::Summary;
use tidemill_model::time::Timestamp;

use super::{committed, world};
use crate::{
    check::{lines::Numbered, model::Model, tallies::Tallies},
    scenario::{Content, OutputSpec, REPEATABLE, SinkKind, Trouble},
    world::{Output, World},
};

fn numbered<'a>(lines: &[(&'a str, i64)]) -> Vec<Numbered<'a>> {
    (0..).zip(lines).map(|(number, &(text, value))| Numbered { number, value, text }).collect()
}

/// A host has run a batch of three lines, of which functions did not take five rows in all, and skipped another one.
fn counted() -> (World, Tallies) {
    let mut world = world(REPEATABLE);
    world.trouble = Trouble::Skip;
    let spec = |content| OutputSpec { name: "out", stream: "out", content, sink: SinkKind::Plain, is_passing: false };
    let contents = [Content::Counted, Content::Behind, Content::Alarms, Content::Taken, Content::Sums];
    world.outputs = contents.map(|content| Output::new(&spec(content))).into();
    let mut model = Model::new(REPEATABLE, 1_000_000);
    model.batch(Timestamp(1), &numbered(&[("a b", 13), ("reject", 1), ("b", -1)]));
    let mut tallies = Tallies::default();
    tallies.add(Timestamp(1), &committed(REPEATABLE, 0..3), &model, &world, Some(3));
    (world, tallies)
}

#[test]
fn what_a_host_says_is_what_its_batches_had() {
    let (mut world, mut tallies) = counted();
    let counters = [("behind/hostile/rows", 3), ("counted/hostile/rows", 3), ("counted/hostile/calls", 9)];
    let counters = counters.map(|(name, count)| (name.to_owned(), count)).to_vec();
    // Two values of `b`, because the last one is -1; two of 13, and the word and the line that are rejected.
    let right = Summary { batches: 1, rows: 3, rejected: 6, counters, ..Summary::default() };
    let mut said = |tallies: &Tallies, summary: Summary| {
        world.hosts[0].summary = Some(summary);
        tallies.check(&world).is_ok()
    };
    assert!(said(&tallies, right.clone()));
    assert!(!said(&tallies, Summary { rejected: 5, ..right.clone() }));
    assert!(!said(&tallies, Summary { rows: 4, ..right.clone() }));
    assert!(!said(&tallies, Summary { batches: 2, ..right.clone() }));
    assert!(!said(&tallies, Summary { skipped: 1, ..right.clone() }));
    assert!(!said(&tallies, Summary { counters: right.counters[1..].to_vec(), ..right.clone() }));
    assert!(!said(&Tallies::default(), right.clone()), "it has no batch at all");
    let (other, _) = counted();
    tallies.add(Timestamp(2), &committed(REPEATABLE, 3..4), &Model::new(REPEATABLE, 1_000_000), &other, None);
    assert!(
        !said(&tallies, Summary { batches: 2, skipped: 1, ..right }),
        "the model of the skipped batch is another one"
    );
}
