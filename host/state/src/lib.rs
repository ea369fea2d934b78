//! What the host keeps in memory about keys: tables from keys to dense numbers, and columnar state by key; what a batch
//! changed in it, as blocks of rows; and state of an old schema as state of a new one.
//!
//! It does no I/O and knows no batches beyond "a new one began". It is not a database: everything is in memory, and
//! durability is the checkpoint's, which stores the blocks. Keys are numbered with 32 bits; a table has no other bound.
//!
//! ```
//! use tidemill_model::{columns::Column, key::KeyBuffer, schema::Schema};
//! use tidemill_state::keys::KeyTable;
//!
//! let mut table = KeyTable::new(7);
//! let words = Column { validity: None, offsets: &[0, 1, 2, 3], values: b"aba" };
//! let mut groups = Vec::new();
//! table.begin_batch();
//! table.group(words, &mut groups);
//! assert_eq!(groups, [0, 1, 0]);
//! ```
//!
//! The changes of one table make another the same:
//!
//! ```
//! use tidemill_model::{columns::{Column, RowsBuffer}, schema::Schema};
//! use tidemill_state::{keyed::{Action, KeyedTable}, table::BlockLimits};
//!
//! let (key, state): (Schema, Schema) = ("word: text".parse()?, "count: integer".parse()?);
//! let (mut table, mut copy) = (KeyedTable::new(&state, 7), KeyedTable::new(&state, 8));
//! table.note_changes(true);
//!
//! table.begin_batch();
//! table.group(Column { validity: None, offsets: &[0, 1, 2], values: b"ab" }, &mut Vec::new());
//! let mut states = RowsBuffer::new(&state);
//! states.push_blanks(2)?;
//! table.write(&[0, 1], &[Action::Put, Action::Keep], &states.with_columns(&states.columns()))?;
//! for block in table.changes(BlockLimits::default()) {
//!     copy.apply(&key, &block?)?;
//! }
//! table.end_batch();
//!
//! assert_eq!((copy.len(), copy.key(0)), (1, &b"a"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(unsafe_code)]

pub mod evolve;
pub mod history;
pub mod keyed;
pub mod keys;
pub mod numbered;
pub mod table;
