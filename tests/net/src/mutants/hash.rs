//! Hashes of what stays from one build of this tool to the next.

/// The hash FNV-1a: it is the same with every compiler.
pub struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub fn value(&self) -> u64 {
        self.0
    }
}

/// The hash of one text.
pub fn hash_of(text: &[u8]) -> u64 {
    let mut hash = Fnv::default();
    hash.add(text);
    hash.value()
}
