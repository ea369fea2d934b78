//! What is counted: by guests, and by each host of its own batches.

use std::collections::BTreeMap;

use tidemill_engine::Summary;
use tidemill_model::time::Timestamp;

use super::model::Model;
use crate::{
    scenario::Content,
    world::{Committed, HostId, World},
};

/// Counters of guests that the model knows, by name. Another one counts calls.
pub(super) const COUNTED: [(&str, Content); 2] =
    [("counted/hostile/rows", Content::Counted), ("behind/hostile/rows", Content::Behind)];

/// Counters by name, those that are 0 left out.
pub(super) type Counters = BTreeMap<String, u64>;

/// See the module.
#[derive(Default)]
pub(super) struct Tallies {
    /// Behind each batch.
    pub counters: BTreeMap<Timestamp, Counters>,
    hosts: BTreeMap<HostId, Tally>,
}

/// Of the batches of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    batches: u64,
    skipped: u64,
    rejected: u64,
    /// `None`: a batch was skipped, of which it is not known how many it had.
    rows: Option<u64>,
    counters: Counters,
}

impl Tallies {
    /// The next batch counts. `lines`: as many came of it; `None`: it was skipped.
    pub fn add(&mut self, time: Timestamp, committed: &Committed, model: &Model, world: &World, lines: Option<usize>) {
        let has = |content: Content| world.outputs.iter().any(|output| output.spec.content == content);
        let counted = COUNTED.iter().filter(|(_, content)| has(*content));
        let counters = counted.map(|(name, content)| ((*name).to_owned(), model.counted(*content)));
        let counters: Counters = counters.filter(|(_, count)| *count > 0).collect();
        let tally = self.hosts.entry(committed.host).or_insert_with(|| Tally { rows: Some(0), ..Tally::default() });
        tally.batches += 1;
        match lines {
            None => (tally.skipped, tally.rows) = (tally.skipped + 1, None),
            Some(lines) => {
                tally.rows = tally.rows.map(|rows| rows + lines as u64);
                tally.rejected += model.rejected(has);
            }
        }
        tally.counters.clone_from(&counters);
        self.counters.insert(time, counters);
    }

    /// What hosts say in the end is what their batches had.
    pub fn check(&self, world: &World) -> Result<(), String> {
        world.hosts.iter().enumerate().try_for_each(|(host, state)| match &state.summary {
            Some(summary) => self.check_host(host, summary),
            None => Ok(()),
        })
    }

    fn check_host(&self, host: HostId, summary: &Summary) -> Result<(), String> {
        let Some(expect) = self.hosts.get(&host) else {
            let is_nothing = summary.batches == 0;
            return if is_nothing { Ok(()) } else { Err(format!("host {host} says {summary:?}, and has no batch")) };
        };
        let found = Tally {
            batches: summary.batches,
            skipped: summary.skipped,
            rejected: summary.rejected,
            rows: expect.rows.map(|_| summary.rows),
            counters: known(&summary.counters),
        };
        if found == *expect { Ok(()) } else { Err(format!("host {host} says {found:?}, and {expect:?} is right")) }
    }
}

/// Those of some counters that the model knows.
pub(super) fn known(counters: &[(String, u64)]) -> Counters {
    let is_known = |name: &str| COUNTED.iter().any(|(known, _)| *known == name);
    counters.iter().filter(|(name, count)| is_known(name) && *count > 0).cloned().collect()
}
