//! `version = 2, migrate(1 = from_one)`: the version of what a function keeps, and the ways to it from older ones.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{
    Expr, LitInt, Token,
    meta::ParseNestedMeta,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

/// The version, and the ways to it.
pub struct Migrations {
    pub version: u32,
    pub steps: Vec<Migration>,
}

/// `1 = from_one`.
pub struct Migration {
    from: u32,
    function: Expr,
    place: LitInt,
}

const MIGRATIONS: &str = "say which version each migration is from: `migrate(1 = from_one)`";

impl Default for Migrations {
    fn default() -> Migrations {
        Migrations { version: 1, steps: Vec::new() }
    }
}

impl Migrations {
    /// Reads what stands behind `migrate`.
    pub fn read_steps(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if !meta.input.peek(syn::token::Paren) {
            return Err(meta.error(MIGRATIONS));
        }
        let content;
        let parens = parenthesized!(content in meta.input);
        let steps = Punctuated::<Migration, Token![,]>::parse_terminated(&content)?;
        if steps.is_empty() {
            return Err(syn::Error::new(parens.span.join(), MIGRATIONS));
        }
        self.steps.extend(steps);
        Ok(())
    }

    pub fn check(&self) -> syn::Result<()> {
        for (place, Migration { from, place: at, .. }) in self.steps.iter().enumerate() {
            if *from >= self.version {
                let message = format!(
                    "a migration leads from an older version to the function's own: write `version = {}`, or an older \
                     one than {} here",
                    from + 1,
                    self.version
                );
                return Err(syn::Error::new(at.span(), message));
            }
            if self.steps[..place].iter().any(|other| other.from == *from) {
                return Err(syn::Error::new(at.span(), format!("there is another migration from version {from}")));
            }
        }
        Ok(())
    }

    /// The function of the companion that takes over what older versions kept. `writer` writes it now, with these fields.
    pub fn function(&self, writer: &TokenStream, fields: &TokenStream) -> TokenStream {
        let versions: Vec<u32> = self.steps.iter().map(|step| step.from).collect();
        let calls = self.steps.iter().map(|Migration { function, .. }| {
            // What the compiler has to say of the function it says there.
            let place = Span::mixed_site().located_at(function.span());
            quote_spanned! { place =>
                __sdk::migrate_rows::<#writer, _, _>(stored, states, &#fields, #function)
            }
        });
        code! {
            fn migrate(
                from_version: u32,
                stored: &[__sdk::Field],
                states: &__sdk::Batch,
            ) -> ::core::result::Result<__sdk::Batch, __sdk::Failure> {
                match from_version {
                    #(#versions => #calls,)*
                    _ => __sdk::no_migration(from_version, &[#(#versions),*]),
                }
            }
        }
    }
}

impl Parse for Migration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Migration> {
        let place: LitInt = input.parse().map_err(|error| syn::Error::new(error.span(), MIGRATIONS))?;
        let from = place.base10_parse()?;
        input.parse::<Token![=]>().map_err(|error| syn::Error::new(error.span(), MIGRATIONS))?;
        Ok(Migration { from, function: input.parse()?, place })
    }
}
