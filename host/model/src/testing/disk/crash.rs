//! What a power cut takes away.

use super::tree::{Folder, Node, Tree, apply};

/// What is forgotten of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// All of it.
    Everything,
    /// Nothing: a system may have written it by itself.
    Nothing,
    /// Names; what files have is kept.
    Names,
    /// What files have; names are kept. `zeros`: their lengths are kept, too.
    Bytes {
        /// See there.
        zeros: bool,
    },
    /// Some of it, whatever the seed says: the last names, or any; a part of the bytes.
    Some {
        /// The seed.
        seed: u64,
    },
}

impl Forgets {
    /// Each kind, and so many by seed.
    pub fn all(seeds: u64) -> Vec<Forgets> {
        let zeros = [false, true].map(|zeros| Forgets::Bytes { zeros });
        let kinds = [Forgets::Everything, Forgets::Nothing, Forgets::Names].into_iter().chain(zeros);
        kinds.chain((0..seeds).map(|seed| Forgets::Some { seed })).collect()
    }
}

impl Tree {
    /// What is there afterwards is certain.
    pub fn forget(&mut self, forgets: Forgets) {
        let mut random = Random(match forgets {
            Forgets::Some { seed } => seed,
            _ => 0,
        });
        for node in &mut self.nodes {
            match node {
                Node::File { bytes, synced } => {
                    forget_bytes(forgets, bytes, *synced, &mut random);
                    *synced = bytes.len();
                }
                Node::Folder(folder) => forget_names(forgets, folder, &mut random),
            }
        }
    }
}

fn forget_bytes(forgets: Forgets, bytes: &mut Vec<u8>, synced: usize, random: &mut Random) {
    let kind = match forgets {
        Forgets::Nothing | Forgets::Names => 0,
        Forgets::Everything | Forgets::Bytes { zeros: false } => 1,
        Forgets::Bytes { zeros: true } => 2,
        Forgets::Some { .. } => random.below(4),
    };
    match kind {
        0 => {}
        1 => bytes.truncate(synced),
        2 => bytes[synced..].fill(0),
        _ => bytes.truncate(synced + random.below(bytes.len() - synced + 1)),
    }
}

fn forget_names(forgets: Forgets, folder: &mut Folder, random: &mut Random) {
    let count = folder.changes.len();
    let (first, any) = match forgets {
        Forgets::Nothing | Forgets::Bytes { .. } => (count, false),
        Forgets::Everything | Forgets::Names => (0, false),
        Forgets::Some { .. } => (random.below(count + 1), random.below(2) == 0),
    };
    let mut names = std::mem::take(&mut folder.synced);
    for (number, change) in std::mem::take(&mut folder.changes).iter().enumerate() {
        if number < first || (any && random.below(2) == 0) {
            apply(&mut names, change);
        }
    }
    folder.synced = names.clone();
    folder.names = names;
}

/// Numbers that look random (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}
