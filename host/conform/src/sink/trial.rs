//! One run's sink, and its calls in order.

use tidemill_model::ports::{Owner, PortError, Sink, SinkParts, SinkRows};

use super::{Kept, Place, Walk, batches::Batch};

/// A sink of a run.
pub(super) struct Trial {
    pub(super) sink: Box<dyn Sink>,
    run: u64,
}

/// A call, as far as a batch is concerned.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// The rows at this place of the batch's.
    Write(usize),
    Stage,
    Deliver,
}

/// The calls by which a batch is seen.
pub(super) fn calls(batch: &Batch) -> Vec<Call> {
    let writes: usize = batch.parts.iter().map(|(_, rows)| rows.len()).sum();
    (0..writes).map(Call::Write).chain([Call::Stage, Call::Deliver]).collect()
}

impl Trial {
    /// Opens the sink of a run.
    pub(super) fn open(walk: &Walk<'_>, place: &dyn Place, run: u64) -> Trial {
        let (settings, name) = (walk.settings(place), walk.sample.name);
        let opened = settings.open("out", &place.world(run));
        let sink = opened.unwrap_or_else(|error| panic!("{name}: it cannot be opened: {error}"));
        assert_eq!(sink.rows_max(), settings.rows_max(), "{name}: how many rows it looks at");
        sink.look("p", true).unwrap_or_else(|error| panic!("{name}: its own place is refused: {error}"));
        Trial { sink, run }
    }

    /// The same, and begins: the run has taken the checkpoint over from those with lower numbers.
    pub(super) fn begin(walk: &Walk<'_>, place: &dyn Place, run: u64) -> Trial {
        let mut trial = Trial::open(walk, place, run);
        trial.own(true).unwrap_or_else(|error| panic!("{}: it cannot begin: {error}", walk.sample.name));
        trial
    }

    /// Begins, where the claim stands or does not.
    pub(super) fn own(&mut self, is_held: bool) -> Result<(), PortError> {
        self.sink.begin(&Owner { pipeline: "p", generation: Some(self.run), is_held: &|| is_held })
    }

    pub(super) fn call(&mut self, batch: &Batch, call: Call) -> Result<(), PortError> {
        match call {
            Call::Write(place) => {
                let all = batch.parts.iter().flat_map(|(part, all)| all.iter().map(move |rows| (*part, rows)));
                // A part's rows come in their order, and those of the parts among each other as they will.
                let mut all: Vec<_> = all.collect();
                all.sort_by_key(|(part, _)| *part);
                let (part, rows) = all[place];
                self.sink.write(&SinkRows { batch: batch.time, part, schema: &batch.schema, rows })
            }
            Call::Stage => {
                let parts: Vec<u32> = batch.parts.iter().map(|(part, _)| *part).collect();
                self.sink.prepare(&SinkParts { time: batch.time, schema: &batch.schema, parts: &parts })
            }
            Call::Deliver => self.sink.deliver(batch.time),
        }
    }

    /// Gives a batch, all of it.
    #[track_caller]
    pub(super) fn give(&mut self, batch: &Batch, what: &str) {
        for call in calls(batch) {
            self.call(batch, call).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }

    /// Whether it can tell which batches it has.
    pub(super) fn knows(&self) -> bool {
        self.sink.newest().is_ok_and(|newest| newest.is_some())
    }
}

/// What is seen, without what is seen once more: the same both times.
#[track_caller]
pub(super) fn once(seen: Vec<Kept>, what: &str) -> Vec<Kept> {
    let mut once: Vec<Kept> = Vec::new();
    for kept in seen {
        match once.iter().find(|other| other.batch == kept.batch) {
            Some(other) => assert_eq!(*other, kept, "{what}: a batch is seen again, and is another"),
            None => once.push(kept),
        }
    }
    once
}
