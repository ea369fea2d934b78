//! How connectors are written: what a pipeline says to read from one or to write to one. Which there are the program says, by
//! a table; a connector is a file (or a crate) of its own and a line there.

use std::{fmt::Write, path::Path, sync::Arc};

use tidemill_model::connector::{SinkSettings, SourceSettings};

use crate::{
    diagnostics::Diagnostics,
    reader::{Name, Reader, Table, Value, ValueKind, values},
};

/// All that a pipeline may read from or write to, in the order in which people are told of them.
pub type Connectors = &'static [&'static Connector];

/// Makes the sink of dead letters in a folder.
pub type Letters = fn(&Path) -> Arc<dyn SinkSettings>;

/// What streams can be read from, or outputs written to.
#[derive(Debug)]
pub struct Connector {
    /// The key that a stream or an output has to be one.
    pub key: &'static str,
    /// How it is read from, if it is.
    pub source: Option<Form<dyn SourceSettings>>,
    /// How it is written to, if it is.
    pub sink: Option<Form<dyn SinkSettings>>,
    /// The sink of the rows that a function could not take, in this folder, if it is one for them.
    pub letters: Option<Letters>,
}

/// How a source or a sink is written.
#[derive(Debug)]
pub struct Form<S: ?Sized + 'static> {
    /// What the manual says of it.
    pub page: Page,
    /// Reads and checks the value of its key. The keys that are not on the page have been reported. `None`: what is wrong has
    /// been reported too.
    pub read: fn(&mut Reader<'_, '_>) -> Option<Arc<S>>,
}

/// What the manual says of a source or a sink.
#[derive(Debug)]
pub struct Page {
    /// What it is, and its short form.
    pub says: &'static str,
    /// What its value may be besides a table.
    pub short: Short,
    /// The keys of the table.
    pub keys: &'static [Key],
}

/// A value that stands for a table.
#[derive(Clone, Copy, Debug)]
pub enum Short {
    /// There is none.
    None,
    /// A text stands for the table of this key with it.
    Text {
        /// The key.
        key: &'static str,
        /// What the value can be, the table with it: "the path of a folder, or a table".
        what: &'static str,
    },
    /// `true` stands for the table without any key. With another value, one of whose keys `--set` changes, it is this key's.
    True {
        /// The key.
        key: &'static str,
    },
}

/// A key: its name, its type, what holds without it, and what it says.
#[derive(Debug)]
pub struct Key(pub &'static str, pub &'static str, pub &'static str, pub &'static str);

impl<S: ?Sized> Form<S> {
    /// Reads the value of `key`. `later`: where keys are known that a later version will have.
    pub(crate) fn read(&self, key: &str, value: &Value, later: &str, diagnostics: &mut Diagnostics) -> Option<Arc<S>> {
        let long;
        let value = match self.page.short.long(key, value, diagnostics)? {
            Some(table) => {
                long = Value { kind: ValueKind::Table(table), span: value.span, typed: None };
                &long
            }
            None => value,
        };
        let mut reader = Reader::try_new(format!("`{key}`"), value, diagnostics)?;
        let known: Vec<&str> = self.page.keys.iter().map(|key| key.0).collect();
        reader.check_keys(&known, later);
        (self.read)(&mut reader)
    }
}

impl Short {
    /// The key whose value it is.
    pub(crate) fn key(self) -> Option<&'static str> {
        match self {
            Short::None => None,
            Short::Text { key, .. } | Short::True { key } => Some(key),
        }
    }

    /// The table that a value stands for, or `Some(None)` if it has to be one itself. `None`: it is neither, which has been
    /// reported.
    fn long(self, whose: &str, value: &Value, diagnostics: &mut Diagnostics) -> Option<Option<Table>> {
        let wrong = |what: &str, diagnostics: &mut Diagnostics| {
            values::wrong_type(value, what, diagnostics);
            None
        };
        match (self, &value.kind) {
            (Short::None, _) | (_, ValueKind::Table(_)) => Some(None),
            (Short::Text { key, .. }, kind) if matches!(kind, ValueKind::Text(_)) || value.typed.is_some() => {
                let name = Name { text: key.to_owned(), span: value.span };
                Some(Some(Table { entries: vec![(name, value.clone())] }))
            }
            (Short::Text { what, .. }, _) => wrong(what, diagnostics),
            (Short::True { .. }, ValueKind::Boolean(_)) => {
                values::only_true(value, whose, diagnostics)?;
                Some(Some(Table::default()))
            }
            (Short::True { .. }, _) => wrong("true or a table", diagnostics),
        }
    }
}

impl Connector {
    /// What the manual says of it as a source.
    pub fn source_page(&self) -> Option<String> {
        self.source.as_ref().map(|form| form.page.text(self.key))
    }

    /// What the manual says of it as a sink.
    pub fn sink_page(&self) -> Option<String> {
        self.sink.as_ref().map(|form| form.page.text(self.key))
    }
}

impl Page {
    fn text(&self, key: &str) -> String {
        let mut text = format!("### `{key}`\n\n{}\n\n| key | type | default | |\n|--|--|--|--|\n", self.says);
        for Key(key, ty, default, says) in self.keys {
            let spaced = |text: &str| if text.is_empty() { String::new() } else { format!(" {text}") };
            let _ = writeln!(text, "| `{key}` | {ty} |{} |{} |", spaced(default), spaced(says));
        }
        text
    }
}
