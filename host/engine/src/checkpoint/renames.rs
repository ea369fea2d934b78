//! Streams that have another name than in the checkpoint.

use std::collections::BTreeMap;

use tidemill_checkpoint::TableSchema;
use tidemill_plan::graph::Plan;

/// By each name that a stream had, the one that it has. Names that streams have now stand for those streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renames {
    current: Vec<String>,
    names: BTreeMap<String, String>,
    /// A name that a stream had, and another one has now; and what the first one is called.
    pub(crate) taken: Option<(String, String)>,
}

impl Renames {
    /// As a pipeline says.
    pub(crate) fn of(plan: &Plan) -> Renames {
        let current = plan.nodes.iter().map(|node| node.name.clone()).collect();
        let mut renames = Renames { current, ..Renames::default() };
        for node in &plan.nodes {
            renames.add(node.previously.as_deref(), &node.name);
        }
        renames
    }

    /// Where there is no pipeline: these streams are those of now.
    pub(crate) fn of_states(states: &[TableSchema]) -> Renames {
        let current = states.iter().map(|state| state.stream.clone()).collect();
        Renames { current, ..Renames::default() }
    }

    /// And as commits say, the newest first: a pipeline need not say it any more once one of them does.
    pub(crate) fn learn<'a>(mut self, commits: impl Iterator<Item = &'a [TableSchema]>) -> Renames {
        for state in commits.flatten() {
            self.add(state.previously.as_deref(), &state.stream);
        }
        self
    }

    fn add(&mut self, old: Option<&str>, name: &str) {
        let Some(old) = old else { return };
        let now = self.now(name).to_owned();
        if !self.current.iter().any(|current| current == old) {
            self.names.entry(old.to_owned()).or_insert(now);
        } else if now != old {
            self.taken.get_or_insert((old.to_owned(), now));
        }
    }

    /// The name that a stream of the checkpoint has now.
    pub(crate) fn now<'a>(&'a self, stream: &'a str) -> &'a str {
        self.names.get(stream).map_or(stream, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tables::schema_of, *};

    fn state(stream: &str, previously: Option<&str>) -> TableSchema {
        TableSchema { previously: previously.map(str::to_owned), ..schema_of(stream) }
    }

    #[test]
    fn a_name_is_followed_through_all_that_it_was() {
        let now = [state("c", Some("b")), state("x", None)];
        let (before, first) = ([state("b", Some("a")), state("x", Some("c"))], [state("a", None)]);
        let commits = [&now[..], &before, &first];
        let renames = Renames::of_states(&now).learn(commits.into_iter());
        assert_eq!(["a", "b", "c", "x", "y"].map(|name| renames.now(name)), ["c", "c", "c", "x", "y"]);
        assert_eq!(renames.taken, Some(("c".to_owned(), "x".to_owned())), "what there is of c may be of either");
    }

    #[test]
    fn a_name_may_come_back() {
        let (now, before) = ([state("a", Some("b"))], [state("b", Some("a"))]);
        let renames = Renames::of_states(&now).learn([&now[..], &before].into_iter());
        assert_eq!(["a", "b"].map(|name| renames.now(name)), ["a", "a"]);
        assert_eq!(renames.taken, None);
    }
}
