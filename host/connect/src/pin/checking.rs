//! Holds a source to its pins: whatever batch a run stops at, it goes on, and gives that batch again, as if it had not.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use arrow_array::RecordBatch;
use tidemill_model::{
    ports::{PortError, Repeatable, Source, SourceRows},
    time::Timestamp,
};

/// What a source reads from, and how it changes.
pub(crate) trait World {
    /// What happens before the batch of this number is sealed, from 0.
    fn pass(&mut self, batch: usize);

    /// Opens the source at this time.
    fn open(&self, now: Timestamp) -> Box<dyn Source>;

    /// What of a pin is the same in every world that was made so.
    fn comparable(&self, pin: &str) -> String {
        pin.to_owned()
    }
}

/// A world that stays as it is.
pub(crate) struct Still<F>(pub F);

/// One batch as it was given.
#[derive(Debug)]
pub(crate) struct Given {
    present: bool,
    last: bool,
    chunks: Vec<(Option<u32>, RecordBatch)>,
    told: Vec<String>,
    pub pin: Kept,
    /// What of it is compared.
    comparable: String,
}

impl<F: Fn(Timestamp) -> Box<dyn Source>> World for Still<F> {
    fn pass(&mut self, _batch: usize) {}

    fn open(&self, now: Timestamp) -> Box<dyn Source> {
        self.0(now)
    }
}

impl PartialEq for Given {
    fn eq(&self, other: &Given) -> bool {
        let Given { present, last, chunks, told, pin: _, comparable } = self;
        (present, last, chunks, told, comparable)
            == (&other.present, &other.last, &other.chunks, &other.told, &other.comparable)
    }
}

impl Given {
    pub fn rows(&self) -> usize {
        self.chunks.iter().map(|(_, rows)| rows.num_rows()).sum()
    }
}

/// Runs the batches that are sealed at `ticks`, the source opened at `begin`; and again from each of them on, in worlds
/// made anew. Gives the batches.
pub(crate) fn check_repeats<W: World>(make: impl Fn() -> W, begin: Timestamp, ticks: &[Timestamp]) -> Vec<Given> {
    let mut world = make();
    let mut source = world.open(begin);
    let start = pin(source.as_mut());
    let expect = run(&mut world, source.as_mut(), ticks, 0, &start);

    let mut world = make();
    assert!(repeatable(world.open(begin).as_mut()).repeat(&start).is_err());
    let mut source = world.open(begin);
    start.resume(source.as_mut());
    check_same(&run(&mut world, source.as_mut(), ticks, 0, &start), &expect, "resumed before the first batch");

    for (stop, given) in expect.iter().enumerate() {
        let mut world = past(make(), stop);
        let mut source = world.open(ticks[stop]);
        given.pin.resume(source.as_mut());
        check_same(&run(&mut world, source.as_mut(), ticks, stop + 1, &given.pin), &expect[stop + 1..], "resumed");

        let mut world = past(make(), stop);
        let mut source = world.open(ticks[stop]);
        given.pin.repeat(source.as_mut());
        // Another head start than the first time: the batch is the same.
        let again = batch(&world, source.as_mut(), ticks[stop], stop + 1, &given.pin);
        check_same(&[again], &expect[stop..=stop], "repeated");
        check_same(
            &run(&mut world, source.as_mut(), ticks, stop + 1, &given.pin),
            &expect[stop + 1..],
            "gone on after repeating",
        );
    }
    expect
}

/// Every one of these texts is refused, by name of the stream; and so are all beginnings of `pin`.
pub(crate) fn check_refusals(open: impl Fn() -> Box<dyn Source>, pin: &str, damaged: &[&str]) {
    let beginnings = (0..pin.len()).filter_map(|end| pin.get(..end));
    for text in beginnings.chain(damaged.iter().copied()) {
        for error in [repeatable(open().as_mut()).resume_after(text), repeatable(open().as_mut()).repeat(text)] {
            let message = error.expect_err(text).to_string();
            assert!(message.starts_with("stream `lines`"), "{text}: {message}");
        }
    }
    // Not every flipped bit can be seen here (checkpoints have checksums for that), but each error says where.
    for at in 0..pin.len() {
        let mut bytes = pin.as_bytes().to_vec();
        bytes[at] ^= 1;
        let text = String::from_utf8(bytes).unwrap();
        for done in [repeatable(open().as_mut()).resume_after(&text), repeatable(open().as_mut()).repeat(&text)] {
            let message = done.map_or_else(|error| error.to_string(), |()| "stream `lines`".to_owned());
            assert!(message.starts_with("stream `lines`"), "{text}: {message}");
        }
    }
    // What a later version adds is passed over.
    let longer = pin.replacen('{', r#"{"added-later":[1,{"a":null}],"#, 1);
    repeatable(open().as_mut()).resume_after(&longer).unwrap();
}

/// Why a pin cannot be repeated.
pub(crate) fn refusal(mut source: Box<dyn Source>, pin: &str) -> String {
    let error: PortError = repeatable(source.as_mut()).repeat(pin).unwrap_err();
    error.to_string()
}

pub(crate) fn repeatable(source: &mut dyn Source) -> &mut dyn Repeatable {
    source.repeatable().unwrap()
}

/// What a checkpoint keeps of a source: its pin, and what its table has changed by until then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub pin: String,
    pub changes: Vec<SourceRows>,
}

impl std::ops::Deref for Kept {
    type Target = str;

    fn deref(&self) -> &str {
        &self.pin
    }
}

impl Kept {
    /// What is kept behind this one.
    pub fn next(&self, source: &mut dyn Source) -> Kept {
        let source = repeatable(source);
        let pin = source.pin().unwrap();
        Kept { pin, changes: [self.changes.clone(), source.changes().unwrap()].concat() }
    }

    pub fn resume(&self, source: &mut dyn Source) {
        repeatable(source).restore(&self.changes).unwrap();
        repeatable(source).resume_after(&self.pin).unwrap();
    }

    pub fn repeat(&self, source: &mut dyn Source) {
        repeatable(source).restore(&self.changes).unwrap();
        repeatable(source).repeat(&self.pin).unwrap();
    }
}

/// What is kept of a source first.
pub(crate) fn pin(source: &mut dyn Source) -> Kept {
    Kept::default().next(source)
}

/// Says what is small about batches that differ: they may have many rows.
#[track_caller]
fn check_same(given: &[Given], expect: &[Given], when: &str) {
    assert_eq!(given.len(), expect.len());
    for (given, expect) in given.iter().zip(expect) {
        assert_eq!((given.rows(), &given.comparable), (expect.rows(), &expect.comparable), "{when}");
        assert!(given == expect, "{when}: batches with the pin {} differ", given.pin.pin);
    }
}

/// A world after the batch `stop`.
fn past<W: World>(mut world: W, stop: usize) -> W {
    (0..=stop).for_each(|batch| world.pass(batch));
    world
}

/// The batches from the one of number `first` on.
fn run(world: &mut impl World, source: &mut dyn Source, ticks: &[Timestamp], first: usize, kept: &Kept) -> Vec<Given> {
    repeatable(source);
    let mut given: Vec<Given> = Vec::new();
    for (number, &tick) in ticks.iter().enumerate().skip(first) {
        world.pass(number);
        let kept = given.last().map_or(kept, |given| &given.pin);
        given.push(batch(world, source, tick, number, kept));
    }
    given
}

/// One batch. How much is taken ahead of its seal goes by its number.
fn batch(world: &impl World, source: &mut dyn Source, at: Timestamp, number: usize, kept: &Kept) -> Given {
    let mut chunks = Vec::new();
    let mut keep = |taken: tidemill_model::ports::Taken| {
        chunks.extend(taken.chunks.into_iter().map(|chunk| (chunk.partition, chunk.rows)));
        taken.end
    };
    for _ in 0..number % 4 {
        assert!(!keep(source.take(1 << 19).unwrap()));
    }
    let sealed = source.seal(at).unwrap();
    while !keep(source.take(1 << number).unwrap()) {}
    let told = source.irregularities().into_iter().map(|told| format!("{}: {}", told.what, told.count)).collect();
    let pin = kept.next(source);
    Given { present: sealed.present, last: sealed.last, chunks, told, comparable: world.comparable(&pin), pin }
}
