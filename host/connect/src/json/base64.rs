//! Base64 after RFC 4648, with padding.

use std::io::{self, Write};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes whose text is made at once.
const PIECE_BYTES: usize = 3 << 10;

/// Writes bytes as text, piece by piece.
pub(super) fn write(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    // Every piece but the last is whole groups, so only that one is padded.
    bytes.chunks(PIECE_BYTES).try_for_each(|piece| out.write_all(encode(piece).as_bytes()))
}

/// Bytes as text.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// Text as bytes; `None` if it is not what [`encode`] writes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.as_bytes().chunks(4) {
        let mut bits = 0;
        for byte in group {
            bits = bits << 6 | DIGITS.iter().position(|digit| digit == byte)? as u32;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    // Bits that belong to no byte must be zero: then there is one text for each value.
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        for text in ["Z", "Zg=", "Zh==", "====", "Zg==Zg==", "Zm9*", "Zm 9"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_in_pieces_is_the_text_of_all() {
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 2] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut text = Vec::new();
            assert!(write(&bytes, &mut text).is_ok());
            assert_eq!(String::from_utf8_lossy(&text), encode(&bytes));
        }
    }

    proptest::proptest! {
        #![proptest_config(tidemill_model::testing::cases(256))]

        #[test]
        fn what_is_written_is_read(bytes: Vec<u8>, text: String) {
            proptest::prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
            decode(&text);
        }
    }
}
