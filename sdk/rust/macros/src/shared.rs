//! Fields with `#[shared]` of a struct with `#[derive(Parameters)]`: side inputs.

use proc_macro2::TokenStream;
use syn::{Field, Ident, LitStr, Meta, Type, ext::IdentExt};

use crate::{
    author::doc_of,
    types::{all, check_name},
};

/// A field that holds the rows of another stream.
pub struct SharedField {
    pub ident: Ident,
    name: String,
    ty: Type,
    doc: String,
}

impl SharedField {
    /// Whether a field is one.
    pub fn is_one(field: &Field) -> bool {
        field.attrs.iter().any(|attribute| attribute.path().is_ident("shared"))
    }

    fn parse(field: &Field) -> syn::Result<SharedField> {
        let Some(ident) = field.ident.clone() else {
            return Err(syn::Error::new_spanned(field, "a side input needs a name"));
        };
        let (name, doc) = (ident.unraw().to_string(), doc_of(&field.attrs));
        let mut shared = SharedField { name, ident, ty: field.ty.clone(), doc };
        if let Some(other) = field.attrs.iter().find(|attribute| attribute.path().is_ident("parameter")) {
            return Err(syn::Error::new_spanned(other, "a field is a parameter or a side input, not both"));
        }
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("shared")) {
            if matches!(attribute.meta, Meta::Path(_)) {
                continue;
            }
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    shared.name = check_name("a side input's", &meta.value()?.parse::<LitStr>()?)?;
                    Ok(())
                } else {
                    Err(meta.error("the attribute is `#[shared]`, or `#[shared(name = \"...\")]`"))
                }
            })?;
        }
        Ok(shared)
    }
}

/// The side inputs among the fields; no two have one name.
pub fn parse(fields: &[&Field]) -> syn::Result<Vec<SharedField>> {
    let shared = all(fields.iter().map(|field| SharedField::parse(field)))?;
    for (place, input) in shared.iter().enumerate() {
        if shared[..place].iter().any(|other| other.name == input.name) {
            let message = format!("two side inputs have the name `{}`", input.name);
            return Err(syn::Error::new_spanned(&input.ident, message));
        }
    }
    Ok(shared)
}

/// `shared` and `share` of the trait `Parameters`; nothing, where there are none.
pub fn methods(shared: &[SharedField]) -> TokenStream {
    if shared.is_empty() {
        return TokenStream::new();
    }
    let declared = shared.iter().map(|SharedField { name, ty, doc, .. }| {
        code! {
            __sdk::DeclaredShared { name: #name, fields: <#ty as __sdk::SideInput>::fields(), doc: #doc }
        }
    });
    let arms = shared.iter().map(
        |SharedField { ident, name, ty, .. }| code!(#name => self.#ident = <#ty as __sdk::SideInput>::of_rows(rows)?,),
    );
    code! {
        fn shared() -> ::std::vec::Vec<__sdk::DeclaredShared> {
            ::std::vec![#(#declared),*]
        }

        fn share(
            &mut self,
            name: &str,
            rows: &__sdk::Batch,
        ) -> ::core::result::Result<(), ::std::string::String> {
            match name {
                #(#arms)*
                _ => return ::core::result::Result::Err(::std::format!("the function reads no side input `{name}`")),
            }
            ::core::result::Result::Ok(())
        }
    }
}
