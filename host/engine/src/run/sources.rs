//! The sources of a run: which stage each one feeds, and which partition gets which chunk.

use std::collections::BTreeMap;

use tidemill_model::{
    ports::{Chunk, Irregularity, Source},
    time::Timestamp,
};
use tidemill_plan::{
    graph::{NodeId, Plan},
    stages::{Input, Stages},
};

use crate::failure::RunError;

pub(super) struct Sources {
    feeds: Vec<SourceFeed>,
}

struct SourceFeed {
    stream: String,
    node: NodeId,
    stage: usize,
    partitions: usize,
    source: Box<dyn Source>,
    /// The partition whose turn it is: chunks go round, beginning with partition 0 in every batch.
    next: usize,
    last: bool,
}

/// Chunks that were taken ahead of a tick, by stage and partition.
#[derive(Default)]
pub(super) struct Round {
    by_stage: BTreeMap<usize, Vec<Vec<Chunk>>>,
}

impl Round {
    pub(super) fn is_empty(&self) -> bool {
        self.by_stage.is_empty()
    }

    pub(super) fn rows(&self) -> u64 {
        self.by_stage.values().flatten().flatten().map(|chunk| chunk.rows.num_rows() as u64).sum()
    }

    pub(super) fn by_stage(self) -> impl Iterator<Item = (usize, Vec<Vec<Chunk>>)> {
        self.by_stage.into_iter()
    }
}

impl Sources {
    pub(super) fn new(plan: &Plan, stages: &Stages, sources: Vec<(NodeId, Box<dyn Source>)>) -> Sources {
        let feeds = sources.into_iter().filter_map(|(node, source)| {
            let stage = stages.stages.iter().position(|stage| stage.input == Input::Source(node))?;
            Some(SourceFeed {
                stream: plan.nodes[node.0].name.clone(),
                node,
                stage,
                partitions: stages.stages[stage].partitions as usize,
                source,
                next: 0,
                last: false,
            })
        });
        Sources { feeds: feeds.collect() }
    }

    /// Whether no source will have rows any more.
    pub(super) fn are_used_up(&self) -> bool {
        self.feeds.iter().all(|feed| feed.last)
    }

    /// Complete chunks of the open batch.
    pub(super) fn take_open(&mut self, bytes_max: usize) -> Result<Round, RunError> {
        let mut by_stage = BTreeMap::new();
        for feed in &mut self.feeds {
            let (chunks, _) = feed.take(bytes_max)?;
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
            let sealed = feed.source.seal(tick).map_err(|error| feed.failed(error))?;
            feed.last = sealed.last;
            if !sealed.present {
                absent.push(feed.node);
            }
        }
        Ok(absent)
    }

    /// More of the sealed batch of the source that feeds `stage`, and whether that was all.
    pub(super) fn take_sealed(&mut self, stage: usize, bytes_max: usize) -> Result<(Vec<Vec<Chunk>>, bool), RunError> {
        match self.feeds.iter_mut().find(|feed| feed.stage == stage) {
            Some(feed) => feed.take(bytes_max),
            None => Ok((Vec::new(), true)),
        }
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

impl SourceFeed {
    fn failed(&self, error: tidemill_model::ports::PortError) -> RunError {
        RunError::Source { stream: self.stream.clone(), error }
    }

    fn take(&mut self, bytes_max: usize) -> Result<(Vec<Vec<Chunk>>, bool), RunError> {
        let taken = self.source.take(bytes_max).map_err(|error| self.failed(error))?;
        let mut by_partition = vec![Vec::new(); self.partitions];
        for chunk in taken.chunks {
            let partition = match chunk.partition {
                Some(partition) => partition as usize % self.partitions,
                None => {
                    let turn = self.next;
                    self.next = (turn + 1) % self.partitions;
                    turn
                }
            };
            by_partition[partition].push(chunk);
        }
        if taken.end {
            self.next = 0;
        }
        Ok((by_partition, taken.end))
    }
}
