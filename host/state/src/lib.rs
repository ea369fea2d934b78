//! What the host keeps in memory about keys: tables from keys to dense numbers, and columnar state by key.
//!
//! It does no I/O and knows no batches beyond "a new one began". It is not a database: everything is in memory, and
//! durability is the checkpoint's.
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

#![deny(unsafe_code)]

pub mod keys;
pub mod table;
