//! What is wrong with a pipeline, where it stands, and what to do about it.

mod render;

use std::ops::Range;

/// How many diagnostics are kept; more are only counted.
const KEPT_MAX: usize = 200;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The pipeline cannot run.
    Error,
    /// It can, but something in it is probably not meant.
    Warning,
}

/// A place: bytes of the pipeline's text, or of a `--set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// 0: the pipeline's file; n: the n-th `--set`.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// One thing to say about a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; `None`: in no one place of the file.
    pub span: Option<Span>,
    /// What to say at the place itself; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Where a diagnostic stands, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or that it is the command line.
    pub file: String,
    /// From 1 on; `None` on the command line.
    pub line: Option<usize>,
    /// In characters, from 1 on.
    pub column: usize,
}

/// All that there is to say about a pipeline, with the texts that it is about.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sources: Vec<Source>,
    items: Vec<Diagnostic>,
    errors: usize,
    left_out: usize,
}

/// A text that spans point into.
#[derive(Clone, Debug)]
struct Source {
    /// The file's name; of a `--set` what stands in its place.
    name: String,
    text: String,
    /// Whether lines are worth a number.
    numbered: bool,
}

// === impl Span ===

impl Span {
    /// Bytes of the pipeline's file.
    pub(crate) fn of_file(range: Range<usize>) -> Span {
        Span { source: 0, start: range.start, end: range.end }
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Diagnostic {
        let severity = Severity::Error;
        Diagnostic { severity, message: message.into(), span: Some(span), label: String::new(), help: None }
    }

    /// A warning at `span`.
    pub fn warning(span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(span, message) }
    }

    /// An error of the whole file.
    pub fn whole(message: impl Into<String>) -> Diagnostic {
        Diagnostic { span: None, ..Diagnostic::error(Span::of_file(0..0), message) }
    }

    /// With something to say at the place itself.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// With what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into()).filter(|help| !help.is_empty());
        self
    }
}

// === impl Diagnostics ===

impl Diagnostics {
    /// Nothing said yet about the file.
    pub(crate) fn new(file_name: &str, text: &str) -> Diagnostics {
        let file = Source { name: file_name.to_owned(), text: text.to_owned(), numbered: true };
        Diagnostics { sources: vec![file], items: Vec::new(), errors: 0, left_out: 0 }
    }

    /// Adds a text of the command line; the number is that of [`Span::source`].
    pub(crate) fn add_override(&mut self, text: String) -> usize {
        self.sources.push(Source { name: "command line".to_owned(), text, numbered: false });
        self.sources.len() - 1
    }

    /// Says one thing more.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        if self.items.len() < KEPT_MAX {
            self.items.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// Like [`Diagnostics::push`] of an error; it is not even made if there are too many to keep it.
    pub fn push_error_with(&mut self, error: impl FnOnce() -> Diagnostic) {
        if self.items.len() < KEPT_MAX {
            self.push(error());
        } else {
            self.errors += 1;
            self.left_out += 1;
        }
    }

    /// Puts them in the order of the text; what has no place comes last.
    pub(crate) fn sort(&mut self) {
        self.items.sort_by_key(|item| (item.span.is_none(), item.span));
    }

    /// Whether there is nothing to say, warnings included.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many errors there are; a pipeline with any cannot run.
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// In the order of the text. Of very many only the first ones that were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Where one of them stands; `None`: in no one place.
    pub fn place(&self, diagnostic: &Diagnostic) -> Option<Place> {
        let span = diagnostic.span?;
        let source = self.sources.get(span.source)?;
        let before = &source.text[..source.text.floor_char_boundary(span.start)];
        let line = source.numbered.then(|| 1 + before.matches('\n').count());
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        Some(Place { file: source.name.clone(), line, column })
    }

    /// For a terminal: file, line and column, the text underlined, and what to do. Ends with a line feed, unless there
    /// is nothing to say.
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_shown_where_there_is_any() {
        let render = |help: &str| {
            let mut said = Diagnostics::new("p.toml", "a = 1\n");
            said.push(Diagnostic::error(Span::of_file(0..1), "wrong").help(help));
            said.render(false)
        };
        assert!(render("mend it").contains("= help: mend it"));
        assert!(!render("").contains("help"), "{}", render(""));
    }

    #[test]
    fn so_many_are_kept_and_all_are_counted() {
        for pushed in [0, 1, KEPT_MAX - 1, KEPT_MAX, KEPT_MAX + 1, 2 * KEPT_MAX] {
            let (mut said, mut made) = (Diagnostics::new("p.toml", ""), 0);
            for number in 0..pushed {
                match number % 3 {
                    0 => said.push(Diagnostic::whole("an error")),
                    1 => said.push(Diagnostic::warning(Span::of_file(0..0), "a warning")),
                    _ => said.push_error_with(|| {
                        made += 1;
                        Diagnostic::whole("another error")
                    }),
                }
            }
            let kept = pushed.min(KEPT_MAX);
            assert_eq!((said.iter().count(), said.is_empty()), (kept, pushed == 0));
            assert_eq!(said.error_count(), pushed - (pushed + 1) / 3, "{pushed}");
            assert_eq!(made, kept / 3, "what is not kept is not made");
            let more = format!("... and {} more", pushed - kept);
            assert_eq!(said.render(false).contains(&more), pushed > kept, "{pushed}");
        }
    }
}
