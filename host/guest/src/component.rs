//! Component files: what a file is, and how a core module becomes a component.

use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use crate::error::LoadError;

/// Bytes in front of the first section of a module or component.
pub(crate) const PREAMBLE_BYTES: usize = 8;

/// A component of a core module that was compiled for wasm32-unknown-unknown with bindings of the WIT package, checked
/// to be valid.
pub fn encode_component(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    if let Some(what) = not_wasm(module) {
        return Err(LoadError::Encode { reason: what.to_owned() });
    }
    // The encoder reads before it checks, and panics at the end of a module that is cut off.
    Module::validate(&Engine::default(), module)
        .map_err(|error| LoadError::Encode { reason: format!("it is no valid module: {error:#}") })?;
    // And it relies on the types that the bindings left in the module, beyond what can be checked from here: of 20,000
    // damaged modules it panicked over a few.
    let encode = || ComponentEncoder::default().validate(true).module(module)?.encode();
    let encoded = std::panic::catch_unwind(encode)
        .map_err(|_| LoadError::Encode { reason: "its description of the WIT types is damaged".to_owned() })?;
    encoded.map_err(|error| LoadError::Encode { reason: format!("{error:#}") })
}

/// What the file is if it cannot be a component, in words for a person; `None` if its beginning is a component's.
pub(crate) fn not_a_component(bytes: &[u8]) -> Option<&'static str> {
    if let Some(what) = not_wasm(bytes) {
        return Some(what);
    }
    match bytes[4..8] {
        [0x0d, 0, 1, 0] => None,
        [1, 0, 0, 0] => Some("it is a core module: make a component of it with `tidemill build`"),
        _ => Some("it is Wasm of an unknown version: build it with `tidemill build`"),
    }
}

fn not_wasm(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("the file is empty");
    }
    let begins_well = bytes.starts_with(b"\0asm");
    if begins_well {
        return (bytes.len() < PREAMBLE_BYTES).then_some("the file ends in the middle of its first line");
    }
    if bytes.starts_with(b"(") {
        return Some("it is Wasm text: a plugin is a binary, which `tidemill build` makes");
    }
    Some("the file is no Wasm at all: name the .wasm file that `tidemill build` made")
}
