//! How operators are written: what the manual says, and what keys are looked for.

use std::fmt::Write;

use super::OPERATORS;

/// The keys that every operator has.
const OF_ALL: [&str; 2] = [FROM, ABSENT];
const FROM: &str = "from";
/// What becomes of ticks at which a stream that is read has no batch.
pub(crate) const ABSENT: &str = "absent";

/// Of an operator.
pub(crate) struct Page {
    /// The key that a stream has to be one.
    pub(crate) key: &'static str,
    /// How many streams it reads.
    pub(crate) reads: Reads,
    /// What can be written.
    pub(crate) forms: &'static [Form],
}

/// How many streams an operator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// One.
    One,
    /// Two.
    Two,
    /// Two, or more.
    Several,
    /// One, or more.
    Any,
}

/// A way to write an operator.
pub(crate) struct Form {
    /// The key with a value, or several of them.
    pub(crate) written: &'static [&'static str],
    /// Other keys beside it and `from`.
    pub(crate) beside: &'static [&'static str],
    /// What its rows are.
    pub(crate) rows: &'static str,
    /// What it must hold of a batch until that ends.
    pub(crate) holds: &'static str,
}

/// A key beside operators: its name, its type, what holds without it, and what it says.
pub(crate) struct Key(pub(crate) &'static str, &'static str, &'static str, &'static str);

/// All of them.
pub(crate) const KEYS: &[Key] = &[
    Key(
        FROM,
        "text, or a list for `union`, `group` and `join`",
        "needed",
        "the stream that is read, or the streams; `NAME.state` and `NAME.rejected` are what stands \
         [beside a stream](#what-stands-beside-a-stream)",
    ),
    Key(
        ABSENT,
        "`\"empty\"`, `\"fail\"`",
        "`\"empty\"`",
        "what a stream that is read counts as at a tick at which it has no batch: as one without rows, or as a failure, of which \
         `on-error` says whether the run stops or the batch is skipped",
    ),
    Key(
        "by",
        "text or list of texts; of several streams also a list for each",
        "`reduce`, `group`, `limit`: all rows are one group; `update-state`, `join`: needed",
        "the fields of the key. Where they have other names in the streams that are read: `by = [[\"user\"], [\"buyer\"]]`; the \
         first ones' names stay",
    ),
    Key("fields", "table", "by name", "which field of the stream is which field of the function, see below"),
    Key("keep", "text or list of texts", "none", "fields of the input rows that go past a map"),
    Key(
        "parameters",
        "table",
        "none",
        "for the function: texts, numbers, booleans; one that is not what it declares, or that it does not declare, is refused; a text is whatever stands there, a number too",
    ),
    Key(
        "shared",
        "table",
        "none",
        "streams of which the function gets all rows of the batch, each under the function's name for it, see \
         [below](#side-inputs)",
    ),
    Key("as", "text", "see below", "the name of the single field that a function returns"),
    Key(
        "run",
        "`\"changed\"`, `\"all\"`",
        "`\"changed\"`",
        "call the function for keys with new rows and for those that are woken, or in every batch for every key that has a \
         state too",
    ),
    Key(
        "emit",
        "`\"changed\"`, `\"all\"`",
        "`\"changed\"`",
        "the stream holds the states of keys with new rows and of those that were woken, or of all keys. Keys without a \
         state are not in it. Not used where the function emits rows itself",
    ),
    Key(
        "initial",
        "text",
        "none",
        "of an `update-state`: the stream whose rows are the first states of keys that have none, see \
         [below](#first-states-and-keys-that-go)",
    ),
    Key(
        "idle-timeout",
        "time",
        "none",
        "of an `update-state`: a key that has had no new rows for longer is called once more and then goes, see \
         [below](#first-states-and-keys-that-go)",
    ),
    Key("sort", "text or list of texts", "the order of the stream", "of a `limit`: which rows are the first ones"),
    Key("seed", "integer", "0", "of a `sample`: another one gives other rows"),
    Key(
        "window",
        "time",
        "the batch alone",
        "of a `reduce`, `count` or `distinct`: over so long a time until now, see [below](#windows)",
    ),
    Key(
        "slide",
        "time",
        "that of the stream that is read",
        "how often a window comes; a multiple of how often that stream does",
    ),
    Key(
        "bytes-max",
        "size",
        "64MiB",
        "of a `table`: what it may have; with more the batch fails, and `on-error` of the pipeline says what happens",
    ),
    Key(
        "prefix",
        "list of two texts",
        "none",
        "of a `join`: what is put before the names of the fields of each stream that are not of the key",
    ),
    Key(
        "pairs-max",
        "integer",
        "10000000",
        "of a `join`: so many pairs a key may have in a batch; with more it fails, and `on-error` says what happens: \
         `dead-letter` sets the key aside",
    ),
    Key(
        "on-error",
        "text or table",
        "the pipeline's",
        "what happens when the function fails, see [below](PIPELINE.md#when-a-function-fails), or a batch has more than can be \
         [held](#what-is-held)",
    ),
    Key(
        "previously",
        "text",
        "none",
        "of a stream that keeps state: what it was called when the checkpoint got its state. It can go once two \
         batches were run with it: the first may have begun under the old name",
    ),
];

impl Reads {
    /// Whether it may be so many streams.
    pub(crate) fn may_be(self, streams: usize) -> bool {
        match self {
            Reads::One => streams == 1,
            Reads::Two => streams == 2,
            Reads::Several => streams >= 2,
            Reads::Any => streams >= 1,
        }
    }
}

impl Page {
    /// Whether a key can stand beside its own.
    pub(crate) fn has_beside(&self, key: &str) -> bool {
        OF_ALL.contains(&key) || self.forms.iter().any(|form| form.beside.contains(&key))
    }

    /// All keys beside its own.
    pub(crate) fn beside(&self) -> Vec<&'static str> {
        let mut keys = OF_ALL.to_vec();
        for &key in self.forms.iter().flat_map(|form| form.beside) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

/// What the manual says of all operators, as two tables.
pub fn operator_tables() -> String {
    let mut text = "| operator | its other keys | rows | [holds](#what-is-held) |\n|--|--|--|--|\n".to_owned();
    for form in OPERATORS.iter().flat_map(|operator| operator.page().forms) {
        let code = |texts: &[&str]| texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
        let beside = [code(form.beside), String::new()].concat();
        let beside = if beside.is_empty() { String::new() } else { format!(" {beside}") };
        let _ = writeln!(text, "| {} |{beside} | {} | {} |", code(form.written), form.rows, form.holds);
    }
    text += "\nTheir keys:\n\n| key | type | default | |\n|--|--|--|--|\n";
    for Key(key, ty, default, says) in KEYS {
        let _ = writeln!(text, "| `{key}` | {ty} | {default} | {says} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: &str = include_str!("../../OPERATORS.md");

    #[test]
    fn the_manual_has_the_tables_of_all_operators() {
        assert!(MANUAL.contains(&operator_tables()), "OPERATORS.md is to have:\n{}", operator_tables());
    }

    #[test]
    fn keys_beside_operators_are_told_of() {
        for page in OPERATORS.iter().map(|operator| operator.page()) {
            assert!(page.forms.iter().all(|form| form.written.iter().all(|written| written.starts_with(page.key))));
            for key in page.beside() {
                assert!(KEYS.iter().any(|known| known.0 == key), "`{key}` of `{}` is not in the table", page.key);
            }
        }
        for Key(key, ..) in KEYS {
            let is_used = OPERATORS.iter().any(|operator| operator.page().has_beside(key));
            assert!(is_used, "`{key}` belongs to no operator");
        }
    }
}
