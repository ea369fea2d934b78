//! What changes in a pipeline between two runs: names, the versions of functions that keep state, sources, outputs, and what
//! is done about functions that fail.

/// The newest version there is of functions that migrate states.
pub(crate) const VERSION_MAX: u32 = 3;

/// A pipeline as one host has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edition {
    /// How often sources and streams with state have got other names.
    pub names: u32,
    /// It says what they were called before.
    pub says_previously: bool,
    /// Of the functions that migrate states, from 1.
    pub version: u32,
    /// The source that comes and goes is there.
    pub has_passing_source: bool,
    /// The outputs that come and go are there.
    pub has_passing_outputs: bool,
    /// Batches are skipped where a run would stop.
    pub skips: bool,
    /// Of so many batches are windows whose length changes.
    pub window: u32,
    /// The source that keeps its name: one that goes and is to go on where it was, whatever the others are called when it comes back.
    pub keeps_name: Option<&'static str>,
}

impl Edition {
    /// Before anything was changed.
    pub const FIRST: Edition = Edition {
        names: 0,
        says_previously: false,
        version: 1,
        has_passing_source: true,
        has_passing_outputs: true,
        skips: false,
        window: 2,
        keeps_name: None,
    };

    /// What a source, or a stream that keeps state, is called.
    pub fn name(self, stream: &str) -> String {
        if self.keeps_name == Some(stream) { stream.to_owned() } else { name(stream, self.names) }
    }

    /// A stream's heading in the pipeline.
    pub fn heading(self, stream: &str) -> String {
        let heading = format!("[streams.{}]\n", self.name(stream));
        let before = self.names.checked_sub(1).filter(|_| self.says_previously && self.keeps_name != Some(stream));
        before.map_or_else(|| heading.clone(), |before| format!("{heading}previously = \"{}\"\n", name(stream, before)))
    }
}

fn name(stream: &str, names: u32) -> String {
    if names == 0 { stream.to_owned() } else { format!("{stream}-{names}") }
}
