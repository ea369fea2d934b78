//! What a function returns: how many rows, and of which type.

use proc_macro2::TokenStream;
use syn::{AssocType, GenericArgument, PathArguments, Type, TypeParamBound, punctuated::Punctuated, token::Plus};

use crate::types::{argument_of, is_bytes};

/// The shape of a returned value.
pub enum Returned {
    /// One row.
    One(Type),
    /// One row or none.
    Optional(Type),
    /// Any number of rows.
    Many(Type),
    /// Any of these, or a reason why not.
    Fallible(Box<Returned>),
}

impl Returned {
    /// The shape of a type.
    pub fn of(ty: &Type) -> syn::Result<Returned> {
        if let Some(ok) = argument_of(ty, "Result") {
            return Ok(Returned::Fallible(Box::new(Returned::of(ok)?)));
        }
        if let Some(row) = argument_of(ty, "Option") {
            return Ok(Returned::Optional(row.clone()));
        }
        if let Some(row) = argument_of(ty, "Vec").filter(|_| !is_bytes(ty)) {
            return Ok(Returned::Many(row.clone()));
        }
        if let Some(bounds) = iterator_bounds(ty) {
            let row = bounds.iter().find_map(item_of).ok_or_else(|| {
                syn::Error::new_spanned(ty, "say what the iterator's rows are: `impl Iterator<Item = ...>`")
            })?;
            return Ok(Returned::Many(row));
        }
        Ok(Returned::One(ty.clone()))
    }

    /// The type of a row.
    pub fn row(&self) -> &Type {
        match self {
            Returned::One(row) | Returned::Optional(row) | Returned::Many(row) => row,
            Returned::Fallible(inner) => inner.row(),
        }
    }

    /// Code that puts the rows of `value` into `rows`, in a function that returns `Result<(), String>`.
    pub fn push(&self, value: TokenStream) -> TokenStream {
        match self {
            Returned::One(_) => code!(rows.push(&#value);),
            Returned::Optional(_) => code!(if let ::core::option::Option::Some(row) = #value { rows.push(&row); }),
            Returned::Many(_) => code! {
                ::core::iter::Iterator::for_each(::core::iter::IntoIterator::into_iter(#value), |row| rows.push(&row));
            },
            Returned::Fallible(inner) => {
                let push = inner.push(code!(value));
                code! {
                    match #value {
                        ::core::result::Result::Ok(value) => { #push }
                        ::core::result::Result::Err(error) => {
                            return ::core::result::Result::Err(::std::string::ToString::to_string(&error));
                        }
                    }
                }
            }
        }
    }
}

/// The bounds of `impl ...` or `Box<dyn ...>`.
pub fn iterator_bounds(ty: &Type) -> Option<&Punctuated<TypeParamBound, Plus>> {
    match ty {
        Type::ImplTrait(iterator) => Some(&iterator.bounds),
        Type::TraitObject(iterator) => Some(&iterator.bounds),
        Type::Paren(inner) => iterator_bounds(&inner.elem),
        _ => argument_of(ty, "Box").and_then(iterator_bounds),
    }
}

/// The `Item` of an iterator's bound.
pub fn item_of(bound: &TypeParamBound) -> Option<Type> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => Some(ty.clone()),
        _ => None,
    })
}
