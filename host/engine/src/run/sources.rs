//! The sources of a run: which stage each one feeds, and which partition gets which chunk.

mod feed;

use std::collections::BTreeMap;

use tidemill_checkpoint::{BatchPlan, LoggedRange, Recovery, SourcePin, TableSchema};
use tidemill_model::{
    ports::{Irregularity, Owner, Source, SourceRows},
    text::counted,
    time::Timestamp,
};
use tidemill_plan::{
    graph::{Node, NodeId, Plan},
    stages::{Input, Stages},
};

use crate::{
    arrival::Arrived,
    checkpoint::{InputKeeper, Pending, Renames, Settled, check_sources},
    failure::RunError,
    stop::Stopper,
};
use feed::SourceFeed;

pub(crate) struct Sources {
    feeds: Vec<SourceFeed>,
    /// Where the chunks of those are logged that cannot be read again.
    input: Option<InputKeeper>,
    /// Where those are that the pipeline has no more, and that go on there if they come back.
    away: Vec<SourcePin>,
}

/// Chunks that were taken ahead of a tick, by stage and partition.
#[derive(Default)]
pub(super) struct Round {
    by_stage: BTreeMap<usize, Vec<Vec<Arrived>>>,
}

impl Round {
    pub(super) fn is_empty(&self) -> bool {
        self.by_stage.is_empty()
    }

    pub(super) fn rows(&self) -> u64 {
        self.by_stage.values().flatten().flatten().map(|arrived| arrived.rows() as u64).sum()
    }

    pub(super) fn by_stage(self) -> impl Iterator<Item = (usize, Vec<Vec<Arrived>>)> {
        self.by_stage.into_iter()
    }
}

/// Of which sources it is kept where they begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Starts {
    /// Those whose input is logged: before they receive, or what they receive first may be nobody's.
    Logged,
    /// Those that have a table, when they have looked what is there.
    Tables,
}

/// What a checkpoint says of sources.
#[derive(Clone, Copy)]
pub(super) struct Resumed<'a> {
    /// The last batch that counts.
    pub(super) last: Option<&'a BatchPlan>,
    /// The one that was planned after it.
    pub(super) planned: Option<&'a BatchPlan>,
    /// Where those begin of which no batch was planned.
    pub(super) starts: &'a [SourcePin],
    /// By stream the rows of its table.
    pub(super) tables: &'a BTreeMap<String, Vec<SourceRows>>,
}

impl Sources {
    pub(crate) fn new(plan: &Plan, stages: &Stages, sources: Vec<(NodeId, Box<dyn Source>)>) -> Sources {
        let feeds = sources.into_iter().filter_map(|(node, source)| {
            let stage = stages.stages.iter().position(|stage| stage.input == Input::Source(node))?;
            let partitions = stages.stages[stage].partitions;
            let Node { name, previously, .. } = plan.node(node);
            let settings = plan.node(node).source();
            let comes_once =
                settings.is_some_and(|source| source.logged().is_some() && source.acknowledges().is_none());
            let mut feed = SourceFeed::new((name, previously.as_deref()), node, stage, partitions, source);
            feed.comes_once = comes_once;
            Some(feed)
        });
        Sources { feeds: feeds.collect(), input: None, away: Vec::new() }
    }

    /// Whether no source will have rows any more.
    pub(super) fn are_used_up(&self) -> bool {
        self.feeds.iter().all(|feed| feed.last)
    }

    /// Complete chunks of the open batch.
    pub(super) fn take_open(&mut self, bytes_max: usize) -> Result<Round, RunError> {
        let mut by_stage = BTreeMap::new();
        for feed in &mut self.feeds {
            let (chunks, _) = feed.take(bytes_max, self.input.as_mut())?;
            if chunks.iter().any(|chunks| !chunks.is_empty()) {
                by_stage.insert(feed.stage, chunks);
            }
        }
        Ok(Round { by_stage })
    }

    /// Ends the open batch of every source; says which of them have none at this tick.
    pub(super) fn seal(&mut self, tick: Timestamp) -> Result<Vec<NodeId>, RunError> {
        let mut absent = Vec::new();
        for feed in &mut self.feeds {
            let sealed = feed.seal(tick)?;
            feed.last = sealed.last;
            if !sealed.present {
                absent.push(feed.node);
            }
        }
        Ok(absent)
    }

    /// More of the sealed batch of the source that feeds `stage`, and whether that was all.
    pub(super) fn take_sealed(
        &mut self,
        stage: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Vec<Arrived>>, bool), RunError> {
        match self.feeds.iter_mut().find(|feed| feed.stage == stage) {
            Some(feed) => feed.take(bytes_max, self.input.as_mut()),
            None => Ok((Vec::new(), true)),
        }
    }

    /// Drops what is left of the sealed batch of the source that feeds `stage`; gives the number of rows.
    pub(super) fn drop_sealed(&mut self, stage: usize, bytes_max: usize) -> Result<u64, RunError> {
        let mut rows = 0;
        if let Some(feed) = self.feeds.iter_mut().find(|feed| feed.stage == stage) {
            while feed.sealed {
                let (chunks, _) = feed.take(bytes_max, self.input.as_mut())?;
                rows += chunks.iter().flatten().map(|arrived| arrived.rows() as u64).sum::<u64>();
            }
        }
        Ok(rows)
    }

    /// What they keep in tables, where there is a checkpoint.
    pub(crate) fn tables(&mut self) -> Vec<TableSchema> {
        self.feeds.iter_mut().filter_map(|feed| Some(feed.table(false)?.1)).collect()
    }

    /// Where those begin that the checkpoint does not know; `None`: there are none.
    pub(super) fn starts(&mut self, of: Starts) -> Result<Option<Settled>, RunError> {
        let mut settled = Settled::default();
        let end = self.input.as_ref().map(InputKeeper::end);
        for feed in self.feeds.iter_mut().filter(|feed| feed.is_new) {
            if feed.is_logged() != (of == Starts::Logged) {
                continue;
            }
            feed.is_new = false;
            if let Some(end) = end.filter(|_| of == Starts::Logged) {
                let pin = feed.begin_logged(end);
                feed.began = Some(pin.clone());
                settled.pins.push(pin);
                continue;
            }
            let Some((spec, schema)) = feed.table(true) else { continue };
            let pin = feed.pin(None)?;
            feed.began = Some(pin.clone());
            settled.pins.push(pin);
            settled.tables.push(schema);
            settled.sections.extend(feed.changes(&spec)?);
        }
        Ok((!settled.pins.is_empty()).then_some(settled))
    }

    /// Goes on from what a checkpoint says: behind the `last` batch, or with the one that was `planned` after it.
    pub(super) fn resume(
        &mut self,
        Resumed { last, planned, starts, tables }: Resumed<'_>,
        mut pending: Pending,
        renames: &Renames,
    ) -> Result<(), RunError> {
        let rows = |stream: &str| tables.get(stream).map_or(&[][..], Vec::as_slice);
        let start = |stream: &str| {
            let found = starts.iter().find(|source| renames.now(&source.stream) == stream);
            found.cloned()
        };
        let pin = |plan: Option<&BatchPlan>, stream: &str| {
            let is_of = |source: &&SourcePin| renames.now(&source.stream) == stream;
            let source = plan.and_then(|plan| plan.sources.iter().find(is_of));
            source.map(|source| source.pin.clone())
        };
        let sources: Vec<&str> = self.feeds.iter().map(|feed| feed.stream.as_str()).collect();
        check_sources(last, planned, &sources, renames)?;
        let known = placed(last);
        let is_away = |source: &SourcePin| !sources.contains(&renames.now(&source.stream));
        self.away = known.iter().filter(|source| is_away(source)).cloned().collect();
        tell_gone(planned.or(last), &self.away, &sources, renames);
        // Where peers were told of that may have gone meanwhile.
        let told = |stream: &str| {
            let found = known.iter().find(|source| renames.now(&source.stream) == stream);
            found.map(|source| source.pin.clone())
        };
        let end = self.input.as_ref().map(InputKeeper::end);
        for feed in &mut self.feeds {
            if planned.is_some() && pin(planned, &feed.stream).is_none() {
                // The plan of that batch stays as it is, and so does what it says of the sources.
                feed.stay_away();
                if feed.resume_peers(told(&feed.stream).as_deref(), end)? {
                    pending.open.remove(&feed.stream);
                } else if let Some(start) = start(&feed.stream) {
                    feed.began = Some(start.clone());
                    match start.logged {
                        Some(began) => feed.resume_begun(&mut pending, began.first),
                        None => feed.resume_after(&start.pin, rows(&feed.stream))?,
                    }
                }
            } else if pin(planned.or(last), &feed.stream).is_none()
                && feed.resume_peers(told(&feed.stream).as_deref(), end)?
            {
                pending.open.remove(&feed.stream);
            } else if feed.is_logged() {
                let pin = pin(planned.or(last), &feed.stream);
                let began = start(&feed.stream);
                let is_first = last.is_none() && planned.is_none() && starts.is_empty();
                if pin.is_none() && began.is_none() && !is_first {
                    // What was logged under its name was given up with the source that it was of.
                    continue;
                }
                feed.resume_logged(&mut pending, planned.is_some(), pin.as_deref(), end)?;
                feed.is_new &= !(is_first && feed.has_logged());
                if let (None, Some(began)) = (&pin, began.and_then(|source| source.logged)) {
                    feed.goes_on_from(began.first);
                }
            } else if let Some(pin) = pin(planned, &feed.stream) {
                feed.repeat(&pin, rows(&feed.stream))?;
            } else if let Some(pin) = pin(last, &feed.stream).or_else(|| Some(start(&feed.stream)?.pin)) {
                feed.resume_after(&pin, rows(&feed.stream))?;
            }
        }
        pending.tell_dropped();
        Ok(())
    }

    /// Refuses a checkpoint whose sources are others than these, by what is known of it before it is taken over.
    pub(crate) fn check(&mut self, recovery: &Recovery, renames: &Renames) -> Result<(), RunError> {
        let newest = recovery.planned.as_ref().map(|planned| &planned.plan);
        let newest = newest.or(recovery.last.as_ref().map(|last| &last.plan));
        let known: Vec<&SourcePin> = newest.iter().flat_map(|plan| &plan.sources).chain(&recovery.starts).collect();
        // Of a source that was away there is where its peers were told to go on.
        let told = placed(recovery.last.as_ref().map(|last| &last.plan));
        self.feeds.iter_mut().try_for_each(|feed| {
            let is_of = |source: &SourcePin| renames.now(&source.stream) == feed.stream;
            let of_known = known.iter().copied().find(|source| is_of(source));
            let of_told = told.iter().filter(|_| feed.source.acknowledging().is_some()).find(|source| is_of(source));
            of_known.or(of_told).map_or(Ok(()), |source| feed.check(&source.pin))
        })
    }

    /// Has them receive.
    pub(super) fn begin(&mut self, owner: &Owner<'_>, stopper: &Stopper) -> Result<(), RunError> {
        self.feeds.iter_mut().try_for_each(|feed| feed.begin(owner, stopper))
    }

    /// Logs chunks of sources that cannot be read again, from now on.
    pub(super) fn log_to(&mut self, input: InputKeeper) {
        self.input = Some(input);
    }

    /// Whether there is a source that cannot be read again.
    pub(crate) fn need_log(&mut self) -> bool {
        self.feeds.iter_mut().any(SourceFeed::is_logged)
    }

    /// Logs what was received until now and has not been taken, where there is a log: the next run begins with it. What peers
    /// send again is not. A source that fails, or that has not begun because another one could not, keeps none from it.
    pub(super) fn keep_received(&mut self, now: Timestamp) -> Result<(), RunError> {
        let Some(input) = &mut self.input else { return Ok(()) };
        let mut kept = Ok(());
        for feed in self.feeds.iter_mut().filter(|feed| feed.has_begun) {
            kept = kept.and(feed.keep_received(now, input));
        }
        let synced = input.sync();
        kept?;
        Ok(synced?)
    }

    /// A batch leaves the loop: it has what was taken for it.
    pub(super) fn leave(&mut self) {
        self.feeds.iter_mut().for_each(|feed| feed.open_rows = 0);
    }

    /// Says what was received until now and is in no batch, where nobody keeps it.
    pub(super) fn tell_lost(&mut self, now: Timestamp) {
        for feed in &mut self.feeds {
            let stream = feed.stream.clone();
            match feed.count_lost(now) {
                Ok(0) => {}
                Ok(count) => tracing::warn!(
                    stream,
                    said.rows = count,
                    "received and lost, in no batch: {}; only a checkpoint keeps what a batch has not",
                    counted(count, "row"),
                ),
                Err(error) => tracing::warn!(stream, "how much was received and is lost is not known: {error}"),
            }
        }
    }

    /// The log of chunks, if there is one.
    pub(super) fn input(&mut self) -> Option<&mut InputKeeper> {
        self.input.as_mut()
    }

    /// What a checkpoint keeps of the sealed batch, when all of it was taken. `logged`: where its input lies in the log.
    /// `is_again`: it is kept already what changed in tables.
    pub(super) fn settled(&mut self, logged: Option<LoggedRange>, is_again: bool) -> Result<Settled, RunError> {
        let mut settled = Settled { away: self.away.clone(), ..Settled::default() };
        settled.starts =
            self.feeds.iter().filter(|feed| !feed.has_pin()).filter_map(|feed| feed.began.clone()).collect();
        for feed in self.feeds.iter_mut().filter(|feed| feed.has_pin()) {
            settled.pins.push(feed.pin(logged)?);
            let Some((spec, schema)) = feed.table(false).filter(|_| !is_again) else { continue };
            if let Some(section) = feed.changes(&spec)? {
                settled.tables.push(schema);
                settled.sections.push(section);
            }
        }
        Ok(settled)
    }

    /// Tells peers that want to know what is durable up to the last pins. A source that was planned with no batch yet has none.
    pub(super) fn acknowledge(&mut self) {
        let feeds = self.feeds.iter_mut().filter(|feed| feed.is_pinned);
        let feeds = feeds.filter_map(|feed| feed.source.acknowledging());
        feeds.for_each(|source| source.acknowledge());
    }

    /// Input that was not taken as it was, with the stream's name.
    pub(super) fn irregularities(&mut self) -> Vec<(String, Irregularity)> {
        let of_feed = |feed: &mut SourceFeed| {
            let found = feed.source.irregularities();
            found.into_iter().map(|irregularity| (feed.stream.clone(), irregularity)).collect::<Vec<_>>()
        };
        self.feeds.iter_mut().flat_map(of_feed).collect()
    }

    pub(super) fn stop(&mut self) {
        self.feeds.iter_mut().for_each(|feed| feed.source.stop());
    }
}

/// Where sources are whose peers were told what is durable: those of the last batch, and those that were away then.
fn placed(last: Option<&BatchPlan>) -> Vec<SourcePin> {
    let of_peers = |source: &&SourcePin| source.logged.is_some() && !source.pin.is_empty();
    let here = last.iter().flat_map(|plan| &plan.sources).filter(of_peers);
    let here = here.map(|source| SourcePin { logged: None, ..source.clone() });
    here.chain(last.iter().flat_map(|plan| &plan.away).cloned()).collect()
}

/// Says which sources of the newest plan the pipeline has no more.
fn tell_gone(newest: Option<&BatchPlan>, away: &[SourcePin], sources: &[&str], renames: &Renames) {
    for source in newest.iter().flat_map(|plan| &plan.sources) {
        let gone = renames.now(&source.stream);
        if sources.contains(&gone) {
            continue;
        }
        let what = match away.iter().any(|away| away.stream == source.stream) {
            true => "its place is kept, because its peers count on what they were told",
            false => "it is forgotten",
        };
        tracing::warn!(stream = gone, "a source of the checkpoint that the pipeline has no more: {what}");
    }
}
