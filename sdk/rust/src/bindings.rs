//! What `wit-bindgen` makes of the WIT package. Nothing of it is part of the SDK's interface: `plugin!` alone
//! names it.
#![allow(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    rust_2018_idioms,
    unsafe_op_in_unsafe_fn,
    reason = "generated code"
)]

wit_bindgen::generate!({
    path: "../../wit/tidemill-0.1.0",
    world: "plugin",
    pub_export_macro: true,
    default_bindings_module: "tidemill_sdk::bindings",
});
