//! From one table of slots to a larger or smaller one, without a pause: keys are looked for in the new one first, and who is not
//! there is looked for in the old one, and moves. With each key that is new, and at each batch, some others move too, so that the old
//! one is empty long before the new one is full.

use super::{
    KeyTable, TableSlot, find,
    hash::{INLINE_BYTES, Inline},
};

/// So many old slots are looked at with each new key. Two would do: a table of twice the size has room for three keys for each
/// four slots of the old one.
pub(super) const SLOTS_OF_KEY: usize = 4;

/// And so many at each batch. Few in tests, so that they meet tables that are on their way.
pub(super) const SLOTS_OF_BATCH: usize = if cfg!(test) { 2 } else { 1 << 13 };

/// The table before, on its way.
#[derive(Debug, Default)]
pub(super) struct Old {
    /// None: there is none. A slot whose key has moved is not free, so that those behind it are found.
    pub(super) slots: Vec<TableSlot>,
    /// The first slot that was not looked at yet.
    next: usize,
}

impl Old {
    #[inline(always)]
    pub(super) fn is_there(&self) -> bool {
        !self.slots.is_empty()
    }

    /// The slot of an id's key, if it is here.
    pub(super) fn find(&mut self, hash: u64, id: u32) -> Option<&mut TableSlot> {
        let at = self.is_there().then(|| find(&self.slots, hash, id)).flatten()?;
        Some(&mut self.slots[at])
    }

    /// Forgets an id's key, and says whether it was here.
    pub(super) fn remove(&mut self, hash: u64, id: u32) -> bool {
        self.find(hash, id).map(TableSlot::leave).is_some()
    }
}

impl TableSlot {
    /// What was in it; its key has moved.
    fn leave(&mut self) -> TableSlot {
        let slot = *self;
        self.len_plus_one = super::MOVED;
        slot
    }
}

impl KeyTable {
    /// Begins to move the keys to a table of `slots` slots, a power of two.
    pub(super) fn grow(&mut self, slots: usize) {
        self.move_old(usize::MAX);
        let slots = std::mem::replace(&mut self.slots, vec![TableSlot::default(); slots]);
        self.mask = self.slots.len() - 1;
        self.old = Old { slots, next: 0 };
        if self.used == 0 {
            self.old = Old::default();
        }
    }

    /// Moves the keys of the next `slots` slots of the old table.
    pub(super) fn move_old(&mut self, slots: usize) {
        if !self.old.is_there() {
            return;
        }
        let end = self.old.next.saturating_add(slots).min(self.old.slots.len());
        for at in self.old.next..end {
            let slot = &mut self.old.slots[at];
            if !slot.is_free() && !slot.has_moved() {
                let slot = slot.leave();
                let to = self.free_slot(slot.hash(&self.hasher));
                self.slots[to] = slot;
            }
        }
        self.old.next = end;
        if end == self.old.slots.len() {
            self.old = Old::default();
        }
    }

    /// The slot of a key that is not in the new table, if it is in the old one, which it leaves.
    pub(super) fn take_old(&mut self, key: Inline, hash: u64, bytes: &[u8]) -> Option<TableSlot> {
        let mask = self.old.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.old.slots[at];
            if slot.is_free() {
                return None;
            }
            let is_alike = slot.low == key.low && slot.high == key.high && slot.len_plus_one == bytes.len() as u32 + 1;
            if is_alike && (bytes.len() <= INLINE_BYTES || self.is_key(slot.id, bytes)) {
                return Some(self.old.slots[at].leave());
            }
            at = (at + 1) & mask;
        }
    }
}
