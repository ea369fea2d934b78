//! A pipeline's TOML as a tree that keeps the order and the place of everything.

pub(crate) mod overrides;
mod parse;

pub(crate) use parse::{Parsed, parse, parse_value};

use crate::diagnostics::Span;

/// A text and its place.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) span: Span,
    /// Of a `--set` whose value is not quoted: what was typed, so that `name=5` is a text where a text belongs.
    pub(crate) typed: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum ValueKind {
    Text(String),
    /// `None`: it does not fit 64 bits.
    Integer(Option<i64>),
    /// As it is written.
    Float(String),
    Boolean(bool),
    Datetime(toml::value::Datetime),
    List(Vec<Value>),
    Table(Table),
    /// It could not be read, and that has been reported.
    Broken,
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<(Name, Value)>,
}

impl Value {
    /// What it is, with its article left out.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind {
            ValueKind::Text(_) => "text",
            ValueKind::Integer(_) => "integer",
            ValueKind::Float(_) => "float",
            ValueKind::Boolean(_) => "boolean",
            ValueKind::Datetime(_) => "date-time",
            ValueKind::List(_) => "list",
            ValueKind::Table(_) => "table",
            ValueKind::Broken => "nothing",
        }
    }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|(name, _)| name.text.as_str())
    }
}
