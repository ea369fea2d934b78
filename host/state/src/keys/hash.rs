//! The part of a key that lies in a slot, and its hash.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keys of up to this many bytes lie whole in the slot.
const INLINE_BYTES: usize = 16;

/// A key's first 16 bytes as two integers, zeros behind its end; of a longer key its hash and its first 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Inline {
    low: u64,
    high: u64,
    len: u32,
}

impl Inline {
    /// Whether the whole key is here.
    #[inline(always)]
    pub(super) fn is_whole(&self) -> bool {
        self.len as usize <= INLINE_BYTES
    }
}

/// A keyed hash: one folded multiplication, for which the seed is secret.
#[derive(Debug)]
pub(super) struct Hasher {
    seed: u64,
    low: u64,
    high: u64,
}

/// For each length up to 16 the bits of the key among the 16 bytes.
const MASKS: [u128; INLINE_BYTES + 1] = {
    let mut masks = [0; INLINE_BYTES + 1];
    let mut len = 1;
    while len <= INLINE_BYTES {
        masks[len] = u128::MAX >> (8 * (INLINE_BYTES - len));
        len += 1;
    }
    masks
};

impl Hasher {
    pub(super) fn new(seed: u64) -> Hasher {
        let spread = |salt: u8| xxh3_64_with_seed(&[salt], seed);
        Hasher { seed: spread(0), low: spread(1), high: spread(2) | 1 }
    }

    /// The slot part of the key at `values[start..end]`. Bytes behind the key are read where they are there.
    #[inline(always)]
    pub(super) fn inline(&self, values: &[u8], start: usize, end: usize) -> Inline {
        let len = end - start;
        if len <= INLINE_BYTES {
            let bits = match values.get(start..start + INLINE_BYTES) {
                Some(bytes) => u128::from_le_bytes(bytes.try_into().expect("16 bytes were asked for")),
                None => tail(&values[start..end]),
            } & MASKS[len];
            Inline { low: bits as u64, high: (bits >> 64) as u64, len: len as u32 }
        } else {
            self.long(&values[start..end])
        }
    }

    #[inline(never)]
    fn long(&self, key: &[u8]) -> Inline {
        let (first, _) = key.split_first_chunk::<8>().expect("a long key has more than 16 bytes");
        // Keys are parts of columns whose offsets have 31 bits.
        Inline { low: xxh3_64_with_seed(key, self.seed), high: u64::from_le_bytes(*first), len: key.len() as u32 }
    }

    #[inline(always)]
    pub(super) fn hash(&self, key: &Inline) -> u64 {
        let left = key.low ^ self.low ^ u64::from(key.len) << 56;
        let right = key.high ^ self.high;
        let product = u128::from(left) * u128::from(right);
        let folded = product as u64 ^ (product >> 64) as u64;
        folded ^ folded >> 32
    }
}

/// The last bytes of a buffer, zeros behind them.
#[cold]
fn tail(key: &[u8]) -> u128 {
    let mut bytes = [0; INLINE_BYTES];
    bytes[..key.len()].copy_from_slice(key);
    u128::from_le_bytes(bytes)
}
