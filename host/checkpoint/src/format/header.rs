//! What files say of themselves, in the forms of all versions.

use serde::{Serialize, de::DeserializeOwned};

use super::{FormatError, decode};

/// The header of a kind of files.
pub(crate) trait Header: Serialize + DeserializeOwned {
    /// The header of these bytes, which were written in the form of a version; `at` is where they stand.
    fn read(bytes: &[u8], at: u64, version: u16) -> Result<Self, FormatError> {
        let _ = version;
        decode(bytes, at)
    }
}
