//! The index of a file that lies in parts: what its name holds in the place of its content.
//!
//! | bytes | what |
//! |--|--|
//! | 8 | magic |
//! | 4 | version |
//! | 2, n | the draft whose parts these are |
//! | 4, 8 each | how many parts there are, and their lengths |
//! | 4 | CRC32C of the above |

/// Begins every index.
const MAGIC: [u8; 8] = *b"\xf1TMparts";
const VERSION: u32 = 1;

/// The parts of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// Whose parts.
    pub draft: String,
    /// Their lengths.
    pub lengths: Vec<u64>,
}

/// What an object's content is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The index of a file.
    Index(Index),
    /// An index that a later version wrote.
    Newer,
    /// The file itself; also an index that is damaged, and that whoever reads the file will not understand.
    Content,
}

impl Index {
    /// So much must be seen of an object to tell whether it is meant to be an index.
    pub const BYTES_MIN: usize = MAGIC.len();

    /// Whether an object that begins so may be an index.
    pub fn is_meant(beginning: &[u8]) -> bool {
        beginning.starts_with(&MAGIC)
    }

    /// The file's length.
    pub fn bytes(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.draft.len() as u16).to_le_bytes());
        bytes.extend_from_slice(self.draft.as_bytes());
        bytes.extend_from_slice(&(self.lengths.len() as u32).to_le_bytes());
        self.lengths.iter().for_each(|length| bytes.extend_from_slice(&length.to_le_bytes()));
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// What an object's whole content is.
    pub fn find(content: &[u8]) -> Found {
        let Some(rest) = content.strip_prefix(&MAGIC) else { return Found::Content };
        let Some((body, checksum)) = content.split_last_chunk::<4>() else { return Found::Content };
        if crc32c::crc32c(body).to_le_bytes() != *checksum {
            return Found::Content;
        }
        match rest.first_chunk::<4>() {
            Some(version) if u32::from_le_bytes(*version) > VERSION => Found::Newer,
            Some(_) => Index::decode(&rest[4..rest.len() - 4]).map_or(Found::Content, Found::Index),
            None => Found::Content,
        }
    }

    fn decode(body: &[u8]) -> Option<Index> {
        let (length, rest) = body.split_first_chunk::<2>()?;
        let (draft, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (lengths, rest) = rest.as_chunks::<8>();
        if !rest.is_empty() || lengths.len() as u64 != u64::from(u32::from_le_bytes(*count)) {
            return None;
        }
        let lengths: Vec<u64> = lengths.iter().map(|length| u64::from_le_bytes(*length)).collect();
        // A sum that does not fit belongs to no file.
        lengths.iter().try_fold(0_u64, |sum, &length| sum.checked_add(length))?;
        Some(Index { draft: String::from_utf8(draft.to_vec()).ok()?, lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(lengths: &[u64]) -> Index {
        Index { draft: "0123-4".to_owned(), lengths: lengths.to_vec() }
    }

    #[test]
    fn an_index_is_found_again() {
        let check = |lengths: &[u64], bytes: u64| {
            let index = index(lengths);
            assert_eq!(index.bytes(), bytes);
            assert_eq!(Index::find(&index.encode()), Found::Index(index));
        };
        check(&[], 0);
        check(&[8 << 20, 8 << 20, 17], (16 << 20) + 17);
        check(&[u64::MAX], u64::MAX);
        check(&[u64::MAX - 1, 1], u64::MAX);
    }

    #[test]
    fn damage_makes_it_no_index() {
        let whole = index(&[1, 2, 3]).encode();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert_eq!(Index::find(&damaged), Found::Content, "byte {at}");
            assert_eq!(Index::find(&whole[..at]), Found::Content, "{at} bytes");
        }
        assert_eq!(Index::find(&index(&[u64::MAX, 1]).encode()), Found::Content);
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut later = index(&[1]).encode();
        later[8] = 2;
        let body = later.len() - 4;
        let checksum = crc32c::crc32c(&later[..body]).to_le_bytes();
        later[body..].copy_from_slice(&checksum);
        assert_eq!(Index::find(&later), Found::Newer);
    }
}
