//! How operators are written: what the manual says, and what keys are looked for.

use std::fmt::Write;

use super::OPERATORS;

/// The key that every operator has.
const FROM: &str = "from";

/// Of an operator.
pub(crate) struct Page {
    /// The key that a stream has to be one.
    pub(crate) key: &'static str,
    /// It reads several streams, and not one.
    pub(crate) reads_several: bool,
    /// What can be written.
    pub(crate) forms: &'static [Form],
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
    Key(FROM, "text, or a list for `union`", "needed", "the stream that is read"),
    Key(
        "by",
        "text or list of texts",
        "`reduce`: one group of all rows; `update-state`: needed",
        "the fields of the key",
    ),
    Key("fields", "table", "by name", "which field of the stream is which field of the function, see below"),
    Key("keep", "text or list of texts", "none", "fields of the input rows that go past a map"),
    Key(
        "parameters",
        "table",
        "none",
        "for the function: texts, numbers, booleans; one that it declares otherwise, or not at all, is refused",
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
        "on-error",
        "text or table",
        "the pipeline's",
        "what happens when the function fails, see [below](#when-a-function-fails), or a batch has more than can be \
         [held](#what-is-held)",
    ),
    Key(
        "previously",
        "text",
        "none",
        "of an `update-state`: what the stream was called when the checkpoint got its state. It can go once two batches \
         were run with it: the first may have begun under the old name",
    ),
];

impl Page {
    /// Whether a key can stand beside its own.
    pub(crate) fn has_beside(&self, key: &str) -> bool {
        key == FROM || self.forms.iter().any(|form| form.beside.contains(&key))
    }

    /// All keys beside its own.
    pub(crate) fn beside(&self) -> Vec<&'static str> {
        let mut keys = vec![FROM];
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

    const MANUAL: &str = include_str!("../../PIPELINE.md");

    #[test]
    fn the_manual_has_the_tables_of_all_operators() {
        assert!(MANUAL.contains(&operator_tables()), "PIPELINE.md is to have:\n{}", operator_tables());
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
