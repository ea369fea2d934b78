//! What stands in `#[update_state(...)]`.

use proc_macro2::TokenStream;
use syn::{LitInt, parse::Parser};

use crate::migrations::Migrations;

const OPTIONS: &str = "#[update_state] takes nothing or `version = 2`, the version of the state's meaning, and with it \
                       `migrate(1 = from_one)`, a function from the state of version 1 to the new one";

/// The state's version, and the ways to it from older ones.
pub fn parse(arguments: TokenStream) -> syn::Result<Migrations> {
    let mut options = Migrations::default();
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("version") {
            options.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
        } else if meta.path.is_ident("migrate") {
            options.read_steps(&meta)?;
        } else {
            return Err(meta.error(OPTIONS));
        }
        Ok(())
    });
    parser.parse2(arguments)?;
    options.check()?;
    Ok(options)
}
