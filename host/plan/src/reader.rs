//! From the tree to typed values: every getter reports what is wrong and goes on with nothing. For the plan itself, and for
//! connectors, which read what a pipeline says of them.

pub mod quantity;
mod rows;
pub mod values;

pub use crate::document::{Name, Table, Value, ValueKind};
pub use rows::row;

use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    keys, suggest,
};

/// A table whose keys are being read.
pub struct Reader<'v, 'd> {
    /// As a person names it: `[streams.lines]`, `the limits of ...`.
    place: String,
    span: Span,
    table: &'v Table,
    /// Keys that have been reported.
    unknown: Vec<&'v str>,
    /// Where what is wrong is said.
    pub diagnostics: &'d mut Diagnostics,
}

impl<'v, 'd> Reader<'v, 'd> {
    /// `None`, reported, if the value is not a table.
    pub fn try_new(
        place: impl Into<String>,
        value: &'v Value,
        diagnostics: &'d mut Diagnostics,
    ) -> Option<Reader<'v, 'd>> {
        let table = values::table(value, diagnostics)?;
        Some(Reader { place: place.into(), span: value.span, table, unknown: Vec::new(), diagnostics })
    }

    /// The value at `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&'v Value> {
        self.table.get(key)
    }

    /// The value at `key`, which must be there. `example` says how the line would look. Where a key that has been
    /// reported as unknown was probably meant, nothing more is said.
    pub fn need(&mut self, key: &str, example: &str) -> Option<&'v Value> {
        let value = self.table.get(key);
        if value.is_none() && suggest::nearest(key, self.unknown.iter().copied()).is_none() {
            let error = Diagnostic::error(self.span, format!("{} has no `{key}`", self.place));
            self.diagnostics.push(error.label(format!("`{key}` is missing")).help(format!("for example: {example}")));
        }
        value
    }

    /// What `read` makes of the value at `key`.
    pub fn read<T>(&mut self, key: &str, read: impl FnOnce(&'v Value, &mut Diagnostics) -> Option<T>) -> Option<T> {
        let value = self.table.get(key)?;
        read(value, self.diagnostics)
    }

    /// The keys and values in their order.
    pub fn entries(&self) -> impl Iterator<Item = &'v (Name, Value)> + use<'v> {
        self.table.entries.iter()
    }

    /// Reports every key that is not of `known`. `later`: where keys are known that a later version will have; none where it is
    /// empty.
    pub(crate) fn check_keys(&mut self, known: &[&str], later: &str) {
        for (key, _) in self.entries() {
            if !known.contains(&key.text.as_str()) {
                self.unknown_key(key, known, later);
            }
        }
    }

    /// Reports a key that is not of `known`.
    pub(crate) fn unknown_key(&mut self, key: &'v Name, known: &[&str], later: &str) {
        if keys::is_later(later, &key.text) {
            self.diagnostics.push(not_yet(key));
            return;
        }
        self.unknown.push(&key.text);
        self.diagnostics.push_error_with(|| {
            let error = Diagnostic::error(key.span, format!("unknown key `{}` in {}", key.text, self.place));
            let help = suggest::help(&key.text, "keys here", known.iter().copied());
            error.label("unknown").help(help)
        });
    }

    /// Whether a key has been reported that was probably meant to be one of `keys`.
    pub(crate) fn has_misspelt(&self, keys: &[&str]) -> bool {
        self.unknown.iter().any(|unknown| suggest::nearest(unknown, keys.iter().copied()).is_some())
    }
}

/// For what a later version will have.
pub fn not_yet(key: &Name) -> Diagnostic {
    Diagnostic::error(key.span, format!("`{}` is not in this version", key.text)).label("comes later")
}

/// Whether a value could not be read at all, which has been reported.
pub(crate) fn is_broken(value: &Value) -> bool {
    matches!(value.kind, ValueKind::Broken)
}
