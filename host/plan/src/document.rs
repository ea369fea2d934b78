//! A pipeline's TOML as a tree that keeps the order and the place of everything.

pub(crate) mod overrides;
mod parse;

pub(crate) use parse::{Parsed, parse, parse_value};

use crate::diagnostics::Span;

/// A text and its place.
#[derive(Clone, Debug)]
pub struct Name {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it stands.
    pub span: Span,
    /// Of a `--set` whose value is not quoted: what was typed, so that `name=5` is a text where a text belongs.
    pub typed: Option<String>,
}

/// A value of TOML.
#[derive(Clone, Debug)]
pub enum ValueKind {
    /// Text.
    Text(String),
    /// `None`: it does not fit 64 bits.
    Integer(Option<i64>),
    /// As it is written.
    Float(String),
    /// True or false.
    Boolean(bool),
    /// A date, a time, or both.
    Datetime(toml::value::Datetime),
    /// Several values.
    List(Vec<Value>),
    /// Values by name.
    Table(Table),
    /// It could not be read, and that has been reported.
    Broken,
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// In the order of the file.
    pub entries: Vec<(Name, Value)>,
}

impl Value {
    /// What it is, with its article left out.
    pub fn type_name(&self) -> &'static str {
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
    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|(name, _)| name.text.as_str())
    }
}
