//! One field of the states of all keys.

use tidemill_model::{
    columns::{Column, ColumnBuffer, blank_node},
    key::{decode_value, encode_value},
    schema::{Kind, Type},
};

use super::{Action, StateError, size::ColumnSize};

/// Bytes that were overwritten are dropped when there are this many, and as many as all that is copied then.
/// Few in tests, so that they meet it.
const GARBAGE_BYTES_MIN: usize = if cfg!(test) { 1 << 4 } else { 1 << 16 };

/// A field's values, by row.
#[derive(Debug)]
pub(crate) struct StateColumn {
    ty: Type,
    /// Whether the value is there, where the type allows that it is not.
    valid: Option<Vec<bool>>,
    store: Store,
    size: ColumnSize,
}

#[derive(Debug)]
enum Store {
    /// Numbers and truth values.
    Words(Vec<u64>),
    /// Text and bytes as they are; lists and records as `encode_value` writes them.
    Blobs(Blobs),
}

/// Byte strings that can be replaced.
#[derive(Debug, Default)]
struct Blobs {
    /// Where a row's bytes begin, and how many they are.
    spans: Vec<(u64, u32)>,
    bytes: Vec<u8>,
    garbage: usize,
}

impl StateColumn {
    pub(crate) fn new(ty: &Type) -> StateColumn {
        let store = match ty.kind {
            Kind::Boolean | Kind::Integer | Kind::Timestamp | Kind::Float => Store::Words(Vec::new()),
            _ => Store::Blobs(Blobs::default()),
        };
        StateColumn { ty: ty.clone(), valid: ty.optional.then(Vec::new), store, size: ColumnSize::of(ty) }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let valid = self.valid.as_ref().map_or(0, Vec::capacity);
        valid
            + match &self.store {
                Store::Words(words) => words.capacity() * 8,
                Store::Blobs(blobs) => blobs.spans.capacity() * size_of::<(u64, u32)>() + blobs.bytes.capacity(),
            }
    }

    /// Makes room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        if let Some(valid) = &mut self.valid {
            valid.reserve(rows);
        }
        match &mut self.store {
            Store::Words(words) => words.reserve(rows),
            Store::Blobs(blobs) => blobs.spans.reserve(rows),
        }
    }

    /// Whether values differ in their bytes.
    pub(crate) fn has_blobs(&self) -> bool {
        matches!(self.store, Store::Blobs(_))
    }

    /// At least the bytes that a row's value takes as columns, bitmaps aside.
    pub(crate) fn bytes_as_columns(&self, row: u32) -> usize {
        match &self.store {
            Store::Words(_) => 8,
            Store::Blobs(blobs) => {
                self.size.bytes_min + self.size.bytes_per_byte * blobs.spans[row as usize].1 as usize
            }
        }
    }

    /// Makes room for `rows` rows; new ones are blank.
    pub(crate) fn resize(&mut self, rows: usize) {
        if let Some(valid) = &mut self.valid {
            valid.resize(rows, false);
        }
        match &mut self.store {
            Store::Words(words) => words.resize(rows, 0),
            Store::Blobs(blobs) => blobs.spans.resize(rows, (0, 0)),
        }
    }

    /// A row's value gets another number, whose row has none.
    pub(crate) fn renumber(&mut self, from: usize, to: usize) {
        if let Some(valid) = &mut self.valid {
            valid.swap(from, to);
        }
        match &mut self.store {
            Store::Words(words) => words[to] = words[from],
            Store::Blobs(blobs) => blobs.spans.swap(from, to),
        }
    }

    /// Drops all rows from this one on, which have no values any more, and memory that is far more than is needed.
    pub(crate) fn truncate(&mut self, rows: usize) {
        if let Some(valid) = &mut self.valid {
            cut(valid, rows);
        }
        match &mut self.store {
            Store::Words(words) => cut(words, rows),
            Store::Blobs(blobs) => {
                cut(&mut blobs.spans, rows);
                blobs.drop_garbage();
            }
        }
    }

    /// Appends the values of `rows` to a node and its children; a blank where `present` is false.
    pub(crate) fn read(&self, rows: &[u32], present: &[bool], nodes: &mut [ColumnBuffer]) -> Result<(), StateError> {
        for &row in rows {
            let at = row as usize;
            if !present[at] || self.valid.as_ref().is_some_and(|valid| !valid[at]) {
                blank_node(&self.ty, nodes, 1);
                continue;
            }
            match (&self.store, &self.ty.kind) {
                (Store::Words(words), Kind::Boolean) => nodes[0].push_boolean(words[at] != 0),
                (Store::Words(words), _) => nodes[0].push_word(words[at]),
                (Store::Blobs(blobs), Kind::Text | Kind::Bytes) => nodes[0].push_bytes(blobs.get(at))?,
                (Store::Blobs(blobs), _) => decode_value(&self.ty, blobs.get(at), nodes)?,
            }
        }
        Ok(())
    }

    /// Puts the values of `columns` (a node and its children) where the action says so.
    pub(crate) fn write(&mut self, rows: &[u32], actions: &[Action], columns: &[Column<'_>]) {
        let from = &columns[0];
        let mut encoded = Vec::new();
        for (i, (&row, &action)) in rows.iter().zip(actions).enumerate() {
            let at = row as usize;
            let there = action == Action::Put && from.is_valid(i);
            if let (Action::Put, Some(valid)) = (action, &mut self.valid) {
                valid[at] = there;
            }
            match (&mut self.store, &self.ty.kind) {
                _ if action == Action::Keep => {}
                (Store::Blobs(blobs), _) if !there => blobs.put(at, &[]),
                _ if !there => {}
                (Store::Words(words), Kind::Boolean) => words[at] = u64::from(from.boolean(i)),
                (Store::Words(words), _) => words[at] = from.integers()[i].cast_unsigned(),
                (Store::Blobs(blobs), Kind::Text | Kind::Bytes) => blobs.put(at, from.slice(i)),
                (Store::Blobs(blobs), _) => {
                    encoded.clear();
                    encode_value(&self.ty, columns, i, &mut encoded);
                    blobs.put(at, &encoded);
                }
            }
        }
        if let Store::Blobs(blobs) = &mut self.store {
            blobs.drop_garbage();
        }
    }
}

fn cut<T>(values: &mut Vec<T>, rows: usize) {
    values.truncate(rows);
    if values.capacity() > 4 * rows {
        values.shrink_to(2 * rows);
    }
}

// === impl Blobs ===

impl Blobs {
    fn get(&self, at: usize) -> &[u8] {
        let (start, len) = self.spans[at];
        &self.bytes[start as usize..start as usize + len as usize]
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let (start, len) = &mut self.spans[at];
        let new_len = u32::try_from(bytes.len()).expect("a value is part of a column whose offsets have 31 bits");
        if new_len <= *len {
            self.garbage += (*len - new_len) as usize;
            self.bytes[*start as usize..][..bytes.len()].copy_from_slice(bytes);
        } else {
            self.garbage += *len as usize;
            *start = self.bytes.len() as u64;
            self.bytes.extend_from_slice(bytes);
        }
        *len = new_len;
    }

    /// What this costs is paid for by the bytes that became garbage since the last time, however many rows there are.
    fn drop_garbage(&mut self) {
        let live = self.bytes.len() - self.garbage;
        if self.garbage >= GARBAGE_BYTES_MIN.max(live + self.spans.len() * size_of::<(u64, u32)>()) {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.spans.iter().map(|&(_, len)| len as usize).sum());
        for (start, len) in &mut self.spans {
            let old = *start as usize..*start as usize + *len as usize;
            *start = bytes.len() as u64;
            bytes.extend_from_slice(&self.bytes[old]);
        }
        self.bytes = bytes;
        self.garbage = 0;
    }
}

#[cfg(test)]
impl StateColumn {
    /// Holds the bytes of texts, lists and records to what is counted of them: a row without a value has none, and
    /// garbage does not pile up.
    pub(super) fn check(&self, present: &[bool]) {
        let Store::Blobs(blobs) = &self.store else { return };
        let live: usize = blobs.spans.iter().map(|&(_, len)| len as usize).sum();
        assert_eq!(blobs.bytes.len(), live + blobs.garbage);
        assert!(blobs.garbage < GARBAGE_BYTES_MIN.max(live + size_of_val(&blobs.spans[..])), "garbage piles up");
        for (row, (&(_, len), &present)) in blobs.spans.iter().zip(present).enumerate() {
            let there = present && self.valid.as_ref().is_none_or(|valid| valid[row]);
            assert!(there || len == 0, "row {row} has no value and {len} bytes");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_column_takes_what_its_values_do() {
        for (ty, bytes_of_row) in [
            ("boolean", 8),
            ("integer", 8),
            ("integer?", 9),
            ("timestamp?", 9),
            ("float", 8),
            ("text", 16),
            ("text?", 17),
            ("list<integer>", 16),
            ("record<a: text, b: integer>?", 17),
        ] {
            let mut column = StateColumn::new(&ty.parse().unwrap());
            assert_eq!(column.memory_bytes(), 0, "{ty}");
            column.resize(1_000);
            assert_eq!(column.memory_bytes(), 1_000 * bytes_of_row, "{ty}");
            if let Store::Blobs(blobs) = &mut column.store {
                blobs.put(7, &[1; 500]);
                assert_eq!(column.memory_bytes(), 1_000 * bytes_of_row + 500, "{ty}");
            }
        }
    }

    /// To drop garbage costs as much as there are rows and bytes that stay, so there must be as much of it.
    #[test]
    fn garbage_is_dropped_when_it_is_as_much_as_what_stays() {
        for (rows, live) in [(1, 0), (10, 0), (10, 300), (1_000, 50)] {
            let mut blobs = Blobs { spans: vec![(0, 0); rows], ..Blobs::default() };
            blobs.put(0, &vec![7; live]);
            let last = rows - 1;
            let most = GARBAGE_BYTES_MIN.max(live + rows * 16);
            let other = if last == 0 { vec![7; live] } else { Vec::new() };
            blobs.put(last, &vec![1; most - 1 + other.len()]);
            blobs.put(last, &other);
            blobs.drop_garbage();
            assert_eq!((blobs.garbage, blobs.bytes.len()), (most - 1, live + most - 1), "{rows} rows, {live} bytes");
            blobs.put(last, &[&other[..], &[1]].concat());
            blobs.put(last, &other);
            blobs.drop_garbage();
            assert_eq!((blobs.garbage, blobs.bytes.len()), (0, live), "{rows} rows, {live} bytes");
            assert!(blobs.get(0) == &vec![7; live][..]);
        }
    }
}
