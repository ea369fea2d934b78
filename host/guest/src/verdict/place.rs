//! Where in its author's source a function was.

use std::fmt;

/// Lines of the author's source, as `src/lib.rs:12`: the innermost one first, then from where it was called. None where the component
/// does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<String>);

impl Place {
    pub(crate) fn new(lines: Vec<String>) -> Place {
        Place(lines)
    }

    /// The innermost line.
    pub fn innermost(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Nothing where `message` says the innermost line itself.
    pub(super) fn unless_in(self, message: &str) -> Place {
        // A panic has its file as the compiler was given it, which is longer, and a column.
        let is_told = |line: &str| message.contains(&format!("{line}:")) || message.ends_with(line);
        if self.innermost().is_some_and(is_told) { Place::default() } else { self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place(lines) = self;
        match lines.is_empty() {
            true => Ok(()),
            false => write!(f, " (at {})", lines.join(", called at ")),
        }
    }
}
