//! Tables: what streams keep from batch to batch.

use crate::schema::Schema;

/// A table that a stream keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name among the tables of the stream; empty where there is one. Part of checkpoints.
    pub name: String,
    /// How it is kept.
    pub kind: TableKind,
    /// The fields of the key, by which rows belong to partitions. None: they belong to the partition that they came up in.
    pub keys: Schema,
    /// What is kept for a key, or what the rows of a block are.
    pub rows: Schema,
    /// The version of their meaning.
    pub version: u32,
    /// What else the rows depend on, in the words of who keeps it. It is kept with the table and given back with it.
    pub settings: String,
}

/// How a table is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableKind {
    /// A row a key.
    Keyed,
    /// Blocks of rows by number. A block comes as a whole and goes as a whole.
    Blocks,
}
