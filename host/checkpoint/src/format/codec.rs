//! The one place that knows bincode: headers and heads as bytes, of a bounded size, and nothing after them.

use bincode::config::{self, Config};
use serde::{Serialize, de::DeserializeOwned};
use tidemill_model::text::counted;

use super::{FormatError, HEADER_BYTES_MAX};

/// Integers of variable length, little-endian.
fn form() -> impl Config {
    config::standard().with_limit::<HEADER_BYTES_MAX>()
}

/// The value's bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, FormatError> {
    let bytes = bincode::serde::encode_to_vec(value, form())
        .map_err(|error| FormatError::Unwritable { what: error.to_string() })?;
    match bytes.len() {
        length if length > HEADER_BYTES_MAX => Err(FormatError::Unwritable {
            what: format!("its header has {}, at most {HEADER_BYTES_MAX}", counted(length, "byte")),
        }),
        _ => Ok(bytes),
    }
}

/// The value of these bytes; `at` is where they stand.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], at: u64) -> Result<T, FormatError> {
    match bincode::serde::decode_from_slice(bytes, form()) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok((_, read)) => Err(FormatError::damaged("bytes after a header", at + read as u64)),
        Err(error) => Err(FormatError::damaged(format!("a header ({error})"), at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_nothing_may_follow() {
        let value = (7_u64, "text".to_owned(), vec![Some(-1_i64), None]);
        let bytes = encode(&value).expect("encodes");
        assert_eq!(decode::<(u64, String, Vec<Option<i64>>)>(&bytes, 0).expect("decodes"), value);
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(decode::<(u64, String, Vec<Option<i64>>)>(&longer, 0).is_err());
        for length in 0..bytes.len() {
            assert!(decode::<(u64, String, Vec<Option<i64>>)>(&bytes[..length], 0).is_err(), "{length}");
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        // The marker of a 64-bit number, and the longest length.
        let huge = [253, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(decode::<Vec<u64>>(&huge, 0).is_err());
        assert!(decode::<String>(&huge, 0).is_err());
    }
}
