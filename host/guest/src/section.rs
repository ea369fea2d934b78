//! Sections of a component that are of no concern to Wasm: what `tidemill build` says of how it was made.
//!
//! To find one, the sections of the file itself are passed over by their lengths. What is in them is not looked at.

use crate::component::PREAMBLE_BYTES;

/// Sections that are passed over: a component of one module has some dozens.
const SECTIONS_MAX: usize = 10_000;

/// The id of a custom section.
const CUSTOM: u8 = 0;

/// The last custom section of a name, and where in the file it begins. `None` also where the file is damaged before it.
pub(crate) fn find<'a>(component: &'a [u8], name: &str) -> Option<(usize, &'a [u8])> {
    let mut found = None;
    let mut rest = component.get(PREAMBLE_BYTES..)?;
    for _ in 0..SECTIONS_MAX {
        let begin = component.len() - rest.len();
        let Some((&id, behind)) = rest.split_first() else { return found };
        let (length, behind) = leb(behind)?;
        let (content, behind) = behind.split_at_checked(length)?;
        if id == CUSTOM
            && let Some((told, data)) = named(content)
            && told == name.as_bytes()
        {
            found = Some((begin, data));
        }
        rest = behind;
    }
    None
}

/// `component` with a custom section at its end.
#[cfg(feature = "build")]
pub(crate) fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut content = Vec::new();
    write_leb(&mut content, name.len());
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    write_section(component, CUSTOM, &content);
}

/// A section of a module or component.
#[cfg(feature = "build")]
pub(crate) fn write_section(file: &mut Vec<u8>, id: u8, content: &[u8]) {
    file.push(id);
    write_leb(file, content.len());
    file.extend_from_slice(content);
}

#[cfg(feature = "build")]
fn write_leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn named(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = leb(content)?;
    rest.split_at_checked(length)
}

/// A number of at most 32 bits, 7 in a byte, and what is behind it.
fn leb(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(5) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(number).ok()?).ok()?, &bytes[at + 1..]));
        }
    }
    None
}
