//! Text: the whole buffer at once, then the cuts.

/// Checks that `values` is UTF-8 and that no offset lies inside a character. The offsets are known to ascend from 0 to
/// the end of the values.
pub(super) fn check(offsets: &[i32], values: &[u8]) -> Result<(), &'static str> {
    if values.is_ascii() {
        return Ok(());
    }
    if simdutf8::basic::from_utf8(values).is_err() {
        return Err("it holds bytes that are no text");
    }
    let inside = |&offset: &i32| {
        let byte = values.get(offset as usize).copied().unwrap_or(0);
        // Bytes within a character are 0b10xxxxxx, the lowest of the signed bytes.
        u8::from(byte.cast_signed() < -0x40)
    };
    let cut = offsets.iter().fold(0, |found, offset| found | inside(offset));
    if cut == 0 { Ok(()) } else { Err("a value is cut inside a character") }
}
