//! Damaged files: loading says no, or the plugin works; nothing else.

use std::fs;

use tidemill_guest::{Plugin, Runtime, RuntimeSettings, encode_component};
use tidemill_model::limits::Limits;

use crate::{
    support::{guests_folder, hostile, only},
    validation::Random,
    verdicts::outcome,
};

/// Compiling takes most of the time, and most damage is found only there.
const COMPONENTS: u64 = 12;
const MODULES: u64 = 200;

fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let byte = random.next().to_le_bytes()[0];
        match random.below(6) {
            0 => bytes.truncate(at.max(16)),
            1 => drop(bytes.drain(at..(at + random.below(32)).min(bytes.len()))),
            2 => bytes.insert(at, byte),
            // The sections' headers and the types stand at the beginning.
            3 => bytes[at % 2_000] = byte,
            _ => bytes[at] = byte,
        }
    }
    bytes
}

fn use_it(plugin: &Plugin) {
    for name in plugin.description().functions.iter().map(|function| &function.name).take(3) {
        // Whatever it says: a damaged plugin may do anything that its sandbox lets it.
        let _ = outcome(plugin, name, &only());
    }
}

#[test]
fn damaged_components_are_refused_or_contained() {
    // Without a cache, so that the folder of the other tests does not fill with them.
    let runtime = Runtime::try_new(&RuntimeSettings { instances_max: 4, ..RuntimeSettings::default() }).unwrap();
    let limits = Limits { fuel_per_call: 1_000_000, fuel_per_row: 0, ..Limits::default() };
    let mut loaded = 0;
    for seed in 0..COMPONENTS {
        let bytes = damaged(hostile(), &mut Random(seed));
        if let Ok(plugin) = runtime.load("damaged", &bytes, &limits) {
            use_it(&plugin);
            loaded += 1;
        }
    }
    assert!(loaded < COMPONENTS, "damage is noticed");
}

#[test]
fn damaged_modules_are_encoded_or_refused() {
    hostile();
    let module = fs::read(guests_folder().join("wasm32-unknown-unknown/release/hostile.wasm")).unwrap();
    assert!(encode_component(&module).is_ok());
    let refused = (0..MODULES).filter(|&seed| encode_component(&damaged(&module, &mut Random(seed))).is_err()).count();
    assert!(refused > 0);
}
