//! Keys: their canonical bytes, and the slot and partition that they belong to.
//!
//! Both are durable formats: state is placed by them. They have golden vectors in `key/golden.rs`.
//!
//! # Canonical bytes
//! The fields of a key one after the other. Two keys are equal if their bytes are, and sort as their bytes do.
//!
//! | type | bytes |
//! |--|--|
//! | `T?` | 0 where the value is missing, else 1 and then `T`'s bytes |
//! | boolean | 0 or 1 |
//! | integer, timestamp | 8 bytes, big-endian, the sign bit inverted |
//! | float | 8 bytes, big-endian, of the binary64 bits: all inverted if negative, else the sign bit inverted |
//! | text, bytes | the bytes with 0 written as 0 255, then 0 0 |
//! | list | for each item 1 and the item's bytes, then 0 |
//! | record | its fields one after the other |
//!
//! A float -0.0 is taken as 0.0, and every NaN as `0x7ff8000000000000`. Where a text or bytes (missing or not) is the
//! key's last field itself, not inside a list or record, its bytes stand as they are, without an end.
//!
//! # Slot and partition
//! A key's slot is the low 12 bits of XXH3-64 with seed [`SLOT_SEED`] over its canonical bytes; of n partitions, slot s
//! belongs to partition s·n/4096, rounded down.

mod check;
mod decode;
mod encode;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::schema::{Kind, Schema, Type};

pub use check::{InvalidKey, check_key};
pub use decode::{DecodeError, decode, decode_value};
pub use encode::{KeyBuffer, encode, encode_value};

/// Number of slots. Fixed for ever.
pub const SLOTS: u32 = 4_096;

/// The seed of the slot hash. Fixed for ever.
pub const SLOT_SEED: u64 = 0x7469_6465_6d69_6c6c;

/// One of [`SLOTS`] places of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a key.
    pub fn of(key: &[u8]) -> Slot {
        Slot((xxh3_64_with_seed(key, SLOT_SEED) & u64::from(SLOTS - 1)) as u16)
    }

    /// Its number, below [`SLOTS`].
    pub fn number(self) -> u16 {
        self.0
    }

    /// Its partition of `partitions`.
    pub fn partition(self, partitions: u32) -> u32 {
        // The slot is below SLOTS, so the quotient is below `partitions`.
        (u64::from(self.0) * u64::from(partitions) / u64::from(SLOTS)) as u32
    }
}

/// Whether the canonical bytes of keys of this schema are the values of its one column as they lie there.
pub fn is_plain(schema: &Schema) -> bool {
    match schema.fields() {
        [field] => is_plain_type(&field.ty),
        _ => false,
    }
}

/// Whether the canonical bytes of keys of one field of this type are its values as they lie in their column.
pub fn is_plain_type(ty: &Type) -> bool {
    !ty.optional && matches!(ty.kind, Kind::Text | Kind::Bytes)
}
