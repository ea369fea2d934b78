//! `plugin!`: the table of functions, and the exports.

use proc_macro2::TokenStream;
use syn::{Path, Token, ext::IdentExt, parse::Parser, punctuated::Punctuated};

pub fn expand(functions: TokenStream) -> syn::Result<TokenStream> {
    let parser = Punctuated::<Path, Token![,]>::parse_terminated;
    let functions = parser.parse2(functions).map_err(|error| {
        syn::Error::new(error.span(), "plugin! takes the names of functions: `plugin!(split, sum);`")
    })?;
    if functions.is_empty() {
        let message = "plugin! needs at least one function: `plugin!(split, sum);`";
        return Err(syn::Error::new(proc_macro2::Span::call_site(), message));
    }
    let mut names: Vec<String> = Vec::new();
    for function in &functions {
        let name = function.segments.last().map(|segment| segment.ident.unraw().to_string()).unwrap_or_default();
        if names.contains(&name) {
            let message = format!("two functions have the name `{name}`: a pipeline could not tell them apart");
            return Err(syn::Error::new_spanned(function, message));
        }
        names.push(name);
    }
    Ok(exports(&functions))
}

fn exports(functions: &Punctuated<Path, Token![,]>) -> TokenStream {
    let functions: Vec<&Path> = functions.iter().collect();
    // A name without a function's type behind it would be told as "expected type, found function". These empty types are
    // found only then, and the compiler says instead that they are no functions of a plugin.
    let unknown = functions.iter().filter_map(|function| function.get_ident());
    code! {
        const _: () = {
            use ::tidemill_sdk::__private as __sdk;

            struct Plugin;

            impl __sdk::Table for Plugin {
                const NAME: &'static str = ::core::env!("CARGO_PKG_NAME");
                const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
                const FUNCTIONS: &'static [__sdk::Entry] = {
                    #(
                        #[allow(non_camel_case_types, dead_code, reason = "only for a clear error")]
                        enum #unknown {}
                    )*
                    {
                        #[allow(unused_imports, reason = "paths need it not")]
                        use self::*;
                        &[#(__sdk::Entry::of::<#functions>()),*]
                    }
                };
            }

            #[cfg(not(target_arch = "wasm32"))]
            const _: &[__sdk::Entry] = <Plugin as __sdk::Table>::FUNCTIONS;
            #[cfg(target_arch = "wasm32")]
            type Exported = __sdk::Exports<Plugin>;
            #[cfg(target_arch = "wasm32")]
            ::tidemill_sdk::bindings::export!(Exported with_types_in ::tidemill_sdk::bindings);
        };
    }
}
