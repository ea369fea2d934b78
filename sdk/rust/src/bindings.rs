//! What `wit-bindgen` makes of the WIT package. Nothing of it is part of the SDK's interface: `plugin!` alone
//! names it.
#![allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::panic,
    clippy::unwrap_used,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    rust_2018_idioms,
    unsafe_op_in_unsafe_fn,
    reason = "generated code"
)]

// As source: a plugin's author does not build the generator and its thirty crates.
include!("bindings/generated.rs");
