//! One small mistake that can be switched on, and what it is known by.

use std::{collections::HashMap, fmt};

/// A mistake that was put into the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What switches it on. It may be another one after an edit.
    pub number: u32,
    pub identity: Identity,
    pub line: usize,
    pub column: usize,
    /// What stands there instead.
    pub after: String,
    /// Of the text of the function around it.
    pub function_hash: u32,
}

impl Mutant {
    /// What it is listed by as equivalent: its identity would be that of another one after some edits of its function.
    pub fn entry(&self) -> String {
        format!("{} @{:08x}", self.identity, self.function_hash)
    }

    /// What stands there.
    pub fn before(&self) -> &str {
        self.identity.change.strip_suffix(&self.after).and_then(|text| text.strip_suffix(" -> ")).unwrap_or_default()
    }
}

/// What a mutant is known by when other functions, or other lines of a file, have been edited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// Relative to the repository.
    pub file: String,
    /// Modules, type and name.
    pub function: String,
    pub kind: Kind,
    /// The original, and what becomes of it.
    pub change: String,
    /// Which one in its function, from 1, of those that are alike up to here.
    pub ordinal: usize,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { file, function, kind, change, ordinal } = self;
        write!(f, "{file} {function} {kind} `{change}` #{ordinal}")
    }
}

/// What a mutant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A statement is left out.
    Statement,
    /// A function does nothing, and returns something simple.
    Body,
    /// A condition is its opposite.
    Condition,
    /// Another comparison.
    Comparison,
    /// "And" is "or", and the other way round.
    Logic,
    /// Another sum.
    Arithmetic,
    /// Another number, or the other truth.
    Literal,
    /// Another method, or its opposite.
    Method,
}

const NAMES: [(Kind, &str); 8] = [
    (Kind::Statement, "statement"),
    (Kind::Body, "body"),
    (Kind::Condition, "condition"),
    (Kind::Comparison, "comparison"),
    (Kind::Logic, "logic"),
    (Kind::Arithmetic, "arithmetic"),
    (Kind::Literal, "literal"),
    (Kind::Method, "method"),
];

impl Kind {
    pub fn named(name: &str) -> Option<Kind> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name))
    }
}

/// Counts what is alike.
#[derive(Default)]
pub struct Ordinals(HashMap<(String, Kind, String), usize>);

impl Ordinals {
    pub fn next(&mut self, function: &str, kind: Kind, change: &str) -> usize {
        let seen = self.0.entry((function.to_owned(), kind, change.to_owned())).or_default();
        *seen += 1;
        *seen
    }
}
