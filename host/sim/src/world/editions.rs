//! Which pipeline a host is started with.

use super::World;
use crate::scenario::{Edition, Scenario, VERSION_MAX};

impl World {
    /// The pipeline of the next host. `is_alone`: no other one is up, which could go on with another pipeline later.
    pub fn next_edition(&mut self, scenario: &Scenario, is_alone: bool) -> Edition {
        if is_alone {
            let before = self.edition;
            self.edition = self.draw_edition(scenario);
            self.edition.has_passing_source = self.draw_source(scenario);
            self.edition.has_passing_outputs = self.draw_outputs(scenario);
            self.edition.skips = self.draw_skips();
            self.edition.window = self.draw_window();
            if before.has_passing_source && !self.edition.has_passing_source {
                let passing = scenario.passing.and_then(|passing| self.feeds.get_mut(passing.stream));
                passing.into_iter().for_each(crate::world::Feed::give_up);
            }
        }
        self.edition
    }

    fn draw_edition(&mut self, scenario: &Scenario) -> Edition {
        let Edition { names, .. } = self.edition;
        let random = &mut self.of_editions;
        // What streams were called before has to be said for two batches: the first may have begun under the old name.
        let of_newest = self.committed.values().rev().take(2).filter(|batch| batch.edition.names == names);
        let is_settled = of_newest.count() == 2;
        let is_renamed = scenario.renames && is_settled && random.once_in(3);
        let says_previously = is_renamed || !is_settled || random.once_in(2);
        // A version that has committed nothing can be taken back.
        let least = self.committed.last_key_value().map_or(1, |(_, committed)| committed.edition.version);
        let is_newer = scenario.migrates && random.once_in(4);
        let newer = random.between(least.into(), VERSION_MAX.into()) as u32;
        let names = names + u32::from(is_renamed);
        Edition { names, says_previously, version: if is_newer { newer } else { least }, ..self.edition }
    }

    /// Whether the source that comes and goes is there.
    fn draw_source(&mut self, scenario: &Scenario) -> bool {
        let is_there = self.edition.has_passing_source;
        if scenario.passing.is_none() {
            return is_there;
        }
        is_there != self.of_comings.once_in(3)
    }

    /// Whether the outputs that come and go are there. They have to, if they have not got all of their rows.
    fn draw_outputs(&mut self, scenario: &Scenario) -> bool {
        let changes = self.of_comings.once_in(3) && scenario.outputs.iter().any(|output| output.is_passing);
        std::mem::take(&mut self.lacks_output) || self.edition.has_passing_outputs != changes
    }

    /// Of how many batches windows are.
    fn draw_window(&mut self) -> u32 {
        let random = &mut self.of_windows;
        if random.once_in(3) { random.between(1, 4) as u32 } else { self.edition.window }
    }

    /// Whether batches are skipped where the run would stop: as long as an operator thinks so.
    fn draw_skips(&mut self) -> bool {
        let goes_on = !self.of_comings.once_in(3);
        std::mem::take(&mut self.is_stopped_by_function) || (self.edition.skips && goes_on)
    }
}
