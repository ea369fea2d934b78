//! What stands in `#[update_state(...)]`.

use proc_macro2::TokenStream;
use syn::{
    Expr, LitInt, Token, parenthesized,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

/// The state's version, and the ways to it from older ones.
pub struct Options {
    pub version: u32,
    pub migrations: Vec<Migration>,
}

/// `1 = from_one`.
pub struct Migration {
    pub from: u32,
    pub function: Expr,
    place: LitInt,
}

const OPTIONS: &str = "#[update_state] takes nothing or `version = 2`, the version of the state's meaning, and with it \
                       `migrate(1 = from_one)`, a function from the state of version 1 to the new one";

const MIGRATIONS: &str = "say which version each migration is from: `migrate(1 = from_one)`";

impl Options {
    pub fn parse(arguments: TokenStream) -> syn::Result<Options> {
        let mut options = Options { version: 1, migrations: Vec::new() };
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("version") {
                options.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
            } else if meta.path.is_ident("migrate") {
                if !meta.input.peek(syn::token::Paren) {
                    return Err(meta.error(MIGRATIONS));
                }
                let content;
                let parens = parenthesized!(content in meta.input);
                let migrations = Punctuated::<Migration, Token![,]>::parse_terminated(&content)?;
                if migrations.is_empty() {
                    return Err(syn::Error::new(parens.span.join(), MIGRATIONS));
                }
                options.migrations.extend(migrations);
            } else {
                return Err(meta.error(OPTIONS));
            }
            Ok(())
        });
        parser.parse2(arguments)?;
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> syn::Result<()> {
        for (place, Migration { from, place: at, .. }) in self.migrations.iter().enumerate() {
            if *from >= self.version {
                let message = format!(
                    "a migration leads from an older version to the function's own: write `version = {}`, or an older \
                     one than {} here",
                    from + 1,
                    self.version
                );
                return Err(syn::Error::new(at.span(), message));
            }
            if self.migrations[..place].iter().any(|other| other.from == *from) {
                return Err(syn::Error::new(at.span(), format!("there is another migration from version {from}")));
            }
        }
        Ok(())
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
