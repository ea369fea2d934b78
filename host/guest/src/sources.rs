//! What a component says of the sources that it was made of.

use crate::section;

/// The custom section of a component; COMPONENT.md has the format.
const SECTION: &str = "tidemill:sources";
const VERSION: u32 = 1;

/// Bytes of a package's name.
const NAME_BYTES: usize = 256;

/// The hash of a plugin's sources, and which package they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcesHash {
    package: Vec<u8>,
    hash: [u8; 32],
}

/// What the component says of its sources, if it says so.
pub fn sources_hash(component: &[u8]) -> Option<SourcesHash> {
    let (_, data) = section::find(component, SECTION)?;
    let (version, data) = data.split_first_chunk()?;
    let (hash, package) = data.split_first_chunk()?;
    let is_known = *version == VERSION.to_le_bytes() && package.len() <= NAME_BYTES;
    is_known.then(|| SourcesHash { package: package.to_owned(), hash: *hash })
}

impl SourcesHash {
    /// Of a package's sources.
    pub fn new(package: &str, hash: [u8; 32]) -> SourcesHash {
        SourcesHash { package: package.into(), hash }
    }

    /// Whether it is of a package of this name.
    pub fn of_package(&self, name: &str) -> bool {
        self.package == name.as_bytes()
    }

    /// Writes it into a component, in place of what it said before.
    #[cfg(feature = "build")]
    pub fn add_to(&self, component: &mut Vec<u8>) {
        let data = [&VERSION.to_le_bytes()[..], &self.hash, &self.package].concat();
        section::append(component, SECTION, &data);
    }
}

#[cfg(all(test, feature = "build"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_nothing_or_another_hash() {
        let hash = SourcesHash::new("words", [7; 32]);
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        assert_eq!(sources_hash(&component), None);
        SourcesHash::new("other", [1; 32]).add_to(&mut component);
        hash.add_to(&mut component);
        assert_eq!(sources_hash(&component), Some(hash.clone()), "the last one counts");
        assert!(hash.of_package("words") && !hash.of_package("word"));
        let mut long = component.clone();
        SourcesHash::new(&"w".repeat(NAME_BYTES + 1), [7; 32]).add_to(&mut long);
        assert_eq!(sources_hash(&long), None, "no package is called so");
        let begin = component.len() - 60;
        for at in begin..component.len() {
            let mut damaged = component.clone();
            damaged[at] ^= 0x11;
            assert_ne!(sources_hash(&damaged), Some(hash.clone()), "byte {at}");
            assert_ne!(sources_hash(&component[..at]), Some(hash.clone()), "cut at {at}");
        }
    }
}
