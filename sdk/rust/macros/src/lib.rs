//! The attributes and macros of `tidemill-sdk`, which documents them and is the only crate to use them through.
//!
//! Each attribute leaves the function as it is and adds an empty type of the same name, which implements the SDK's trait for
//! that kind of function. Errors are told at the place in the source that they are about, and say what to write instead.
#![forbid(unsafe_code)]

mod author;
mod map;
mod plugin;
mod record;
mod reduce;
mod returned;
mod types;
mod update_state;

use proc_macro::TokenStream;

/// A function from one row to any number of rows.
#[proc_macro_attribute]
pub fn map(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(map::expand(arguments.into(), item.into(), map::Role::Map))
}

/// A function from one row to what a sink takes.
#[proc_macro_attribute]
pub fn output(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(map::expand(arguments.into(), item.into(), map::Role::Output))
}

/// A function that reduces the rows of a key to one.
#[proc_macro_attribute]
pub fn reduce(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(reduce::expand(arguments.into(), item.into()))
}

/// A function from a key's new rows and its state to its new state.
#[proc_macro_attribute]
pub fn update_state(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(update_state::expand(arguments.into(), item.into()))
}

/// A struct whose fields are fields of rows.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(item: TokenStream) -> TokenStream {
    finish(record::expand(item.into()))
}

/// The plugin: the list of its functions.
#[proc_macro]
pub fn plugin(functions: TokenStream) -> TokenStream {
    finish(plugin::expand(functions.into()))
}

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
