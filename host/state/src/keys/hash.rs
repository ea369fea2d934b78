//! The part of a key that lies in a slot, and its hash.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Keys of up to this many bytes lie whole in the slot.
pub(super) const INLINE_BYTES: usize = 16;

/// A key's first 16 bytes as two integers, zeros behind its end; of a longer key its hash and its first 8 bytes.
/// Together with the length it tells keys apart that lie whole in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Inline {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// A keyed hash: one folded multiplication, for which the seed is secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hasher {
    seed: u64,
    low: u64,
    high: u64,
}

/// For each length up to 16 the bits of the key among the 16 bytes.
const MASKS: [Inline; INLINE_BYTES + 1] = {
    let mut masks = [Inline { low: 0, high: 0 }; INLINE_BYTES + 1];
    let mut len = 1;
    while len <= INLINE_BYTES {
        let mask = u128::MAX >> (8 * (INLINE_BYTES - len));
        masks[len] = Inline { low: mask as u64, high: (mask >> 64) as u64 };
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
        if len > INLINE_BYTES {
            return self.long(&values[start..end]);
        }
        match values.get(start..start + INLINE_BYTES).and_then(|bytes| bytes.first_chunk()) {
            Some(bytes) => first(bytes, len),
            None => tail(&values[start..end]),
        }
    }

    #[inline(never)]
    fn long(&self, key: &[u8]) -> Inline {
        let (first, _) = key.split_first_chunk::<8>().expect("a long key has more than 16 bytes");
        Inline { low: xxh3_64_with_seed(key, self.seed), high: u64::from_le_bytes(*first) }
    }

    /// The hash of a key of `len` bytes.
    #[inline(always)]
    pub(super) fn hash(&self, key: Inline, len: u32) -> u64 {
        let left = key.low ^ self.low ^ u64::from(len) << 56;
        let right = key.high ^ self.high;
        let product = u128::from(left) * u128::from(right);
        let folded = product as u64 ^ (product >> 64) as u64;
        folded ^ folded >> 32
    }
}

/// The first `len` of 16 bytes.
#[inline(always)]
fn first(bytes: &[u8; INLINE_BYTES], len: usize) -> Inline {
    let bits = u128::from_le_bytes(*bytes);
    let mask = MASKS[len];
    Inline { low: bits as u64 & mask.low, high: (bits >> 64) as u64 & mask.high }
}

/// The last bytes of a buffer, zeros behind them.
#[cold]
#[inline(never)]
fn tail(key: &[u8]) -> Inline {
    let mut bytes = [0; INLINE_BYTES];
    bytes[..key.len()].copy_from_slice(key);
    first(&bytes, key.len())
}
