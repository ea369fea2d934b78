//! The attributes and macros of `tidemill-sdk`, which documents them and is the only crate to use them through.
//!
//! Each attribute leaves the function as it is and adds an empty type of the same name, which implements the SDK's trait for
//! that kind of function. Errors are told at the place in the source that they are about, and say what to write instead.
#![forbid(unsafe_code)]

/// Code whose local names the author's functions and closures do not see, whatever they are called.
macro_rules! code {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned! { ::proc_macro2::Span::mixed_site() => $($tokens)* }
    };
}

mod author;
mod map;
mod migrations;
mod parameters;
mod plugin;
mod record;
mod reduce;
mod returned;
mod shared;
mod types;
mod update_state;

use proc_macro::TokenStream;

/// A function from one row to any number of rows.
#[proc_macro_attribute]
pub fn map(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function(item, |item| map::expand(arguments.into(), item, map::Role::Map))
}

/// A function from one row to what a sink takes.
#[proc_macro_attribute]
pub fn output(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function(item, |item| map::expand(arguments.into(), item, map::Role::Output))
}

/// A function that reduces the rows of a key to one. It must be associative and commutative: partitions are reduced each for
/// itself and put together in any order. For the newest value of a key use `#[update_state]`, whose `Values` come in order of
/// arrival.
#[proc_macro_attribute]
pub fn reduce(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function(item, |item| reduce::expand(arguments.into(), item))
}

/// A function from a key's new rows and its state to its new state.
#[proc_macro_attribute]
pub fn update_state(arguments: TokenStream, item: TokenStream) -> TokenStream {
    function(item, |item| update_state::expand(arguments.into(), item))
}

/// A struct whose fields are fields of rows.
#[proc_macro_derive(Record, attributes(record))]
pub fn record(item: TokenStream) -> TokenStream {
    finish(record::expand(item.into()))
}

/// A struct with a field for each parameter that a function takes from its pipeline: `context: &Context<Settings>`.
#[proc_macro_derive(Parameters, attributes(parameter, shared))]
pub fn parameters(item: TokenStream) -> TokenStream {
    finish(parameters::expand(item.into()))
}

/// The plugin: the list of its functions.
#[proc_macro]
pub fn plugin(functions: TokenStream) -> TokenStream {
    finish(plugin::expand(functions.into()))
}

type Expanded = syn::Result<proc_macro2::TokenStream>;

/// An attribute's code. After an error the function stays, so that the error is told alone.
fn function(item: TokenStream, expand: impl FnOnce(proc_macro2::TokenStream) -> Expanded) -> TokenStream {
    let item: proc_macro2::TokenStream = item.into();
    let rest = author::without_attribute(&item);
    expand(item).unwrap_or_else(|error| [error.into_compile_error(), rest].into_iter().collect()).into()
}

fn finish(expanded: Expanded) -> TokenStream {
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
