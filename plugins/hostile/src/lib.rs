//! A zoo of functions that misbehave, each in one way, and a few honest ones to stand beside them. It speaks to the host
//! without the SDK, because the SDK would not let it lie.
//!
//! Not an example of how to write a plugin. `table.rs` lists the functions; the other modules hold them by kind.
//! Natively the crate is empty: the names of its exports are nothing that a native linker takes.

#![cfg(target_family = "wasm")]

mod allocator;
mod bindings;
mod columns;
mod map;
mod migrate;
mod much;
mod open;
mod reduce;
mod shared;
mod table;
mod touchy;
mod trouble;
mod update;
