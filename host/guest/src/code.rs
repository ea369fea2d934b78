//! Compiled code as bytes: what a compiler gives, and what lies in the cache.
//!
//! Code is machine code, and cannot be checked by its form. What is checked is that it is whole, that an engine like this one
//! made it, and which component it was made of: what says of itself that it is another component's is not taken for this one's,
//! whatever the file is called.

use std::hash::{Hash, Hasher};

use wasmtime::{Engine, component::Component};

/// What packed code begins with; the last digit is the format's version.
const MAGIC: &[u8; 16] = b"tidemill-code-2\n";

/// Behind it: the engine, the component, and the code by their hashes, and the code's length.
const HEADER_BYTES: usize = MAGIC.len() + 3 * blake3::OUT_LEN + size_of::<u64>();

/// Which engine can use code: its version, settings and processor.
pub(crate) type EngineHash = [u8; blake3::OUT_LEN];

/// What packed code has more than the code itself.
pub(crate) const PACKED_BYTES: usize = HEADER_BYTES;

/// Everything that makes code of one engine useless to another is in wasmtime's own fingerprint.
pub(crate) fn engine_hash(engine: &Engine) -> EngineHash {
    let mut fingerprint = Fingerprint(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut fingerprint);
    *fingerprint.0.finalize().as_bytes()
}

/// The code of `component` with what says so.
pub(crate) fn pack(engine: &EngineHash, component: &[u8], code: Vec<u8>) -> Vec<u8> {
    let mut packed = code;
    let header = header(engine, &blake3::hash(component), &packed);
    packed.splice(..0, header);
    packed
}

/// Whether it has a header and all the code that the header tells of, for whatever component and engine.
pub(crate) fn is_whole(packed: &[u8]) -> bool {
    let Some((header, code)) = packed.split_at_checked(HEADER_BYTES) else { return false };
    let (told, hash) = header.split_at(HEADER_BYTES - blake3::OUT_LEN);
    told.starts_with(MAGIC)
        && told.ends_with(&(code.len() as u64).to_le_bytes())
        && blake3::hash(code).as_bytes() == hash
}

/// The code of the very component for the very engine, whole; nothing of any other.
pub(crate) fn unpack<'a>(packed: &'a [u8], engine: &EngineHash, component: &[u8]) -> Option<&'a [u8]> {
    let (told, code) = packed.split_at_checked(HEADER_BYTES)?;
    (told == header(engine, &blake3::hash(component), code)).then_some(code)
}

/// What a file of the component's code is called.
pub(crate) fn file_name(engine: &EngineHash, component: &[u8]) -> String {
    let mut name = blake3::Hasher::new();
    name.update(MAGIC).update(engine).update(blake3::hash(component).as_bytes());
    format!("{}.code", name.finalize().to_hex())
}

/// Ready to be run.
#[allow(unsafe_code, reason = "compiled code cannot be checked by its form")]
pub(crate) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what `Component::serialize` of an engine with this fingerprint gave. Either it has just come from the
    // compiler, which is this process or one that runs the same program and writes into a pipe that no other holds; or it was
    // read from a file that belongs to this user alone, as its folder does, and whose hash was checked over the bytes in
    // memory. Nobody else could write either. A guest decides what is compiled, and not what the compiler makes of it.
    unsafe { Component::deserialize(engine, code) }
}

fn header(engine: &EngineHash, component: &blake3::Hash, code: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let length = (code.len() as u64).to_le_bytes();
    let code = blake3::hash(code);
    let parts: [&[u8]; 5] = [MAGIC, engine, component.as_bytes(), &length, code.as_bytes()];
    let mut rest = &mut header[..];
    for part in parts {
        let (here, behind) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = behind;
    }
    header
}

struct Fingerprint(blake3::Hasher);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.finalize().as_bytes().iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &EngineHash = &[7; 32];

    #[test]
    fn only_what_was_packed_is_believed() {
        let good = pack(ENGINE, b"component", b"machine code".to_vec());
        assert_eq!(good.len(), PACKED_BYTES + 12);
        assert_eq!(unpack(&good, ENGINE, b"component"), Some(&b"machine code"[..]));
        assert!(is_whole(&good));
        for end in 0..good.len() {
            assert_eq!(unpack(&good[..end], ENGINE, b"component"), None, "cut at {end}");
            assert!(!is_whole(&good[..end]), "cut at {end}");
        }
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            assert_eq!(unpack(&damaged, ENGINE, b"component"), None, "byte {at}");
        }
        let more = [&good[..], b"\0"].concat();
        assert_eq!(unpack(&more, ENGINE, b"component"), None);
        assert!(!is_whole(&more));
    }

    #[test]
    fn code_is_that_of_its_component_and_its_engine() {
        let good = pack(ENGINE, b"component", b"machine code".to_vec());
        assert_eq!(unpack(&good, ENGINE, b"componenT"), None);
        assert_eq!(unpack(&good, &[8; 32], b"component"), None);
        let names =
            [file_name(ENGINE, b"component"), file_name(ENGINE, b"componenT"), file_name(&[8; 32], b"component")];
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
    }
}
