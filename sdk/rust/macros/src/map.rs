//! `#[map]` and `#[output]`.

use proc_macro2::TokenStream;
use syn::{Ident, Type};

use crate::{
    author::{Author, RowType},
    returned::{Returned, item_of, iterator_bounds},
    types::{check_value, of_signature},
};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Map,
    Output,
}

const RETURN_ADVICE: &str =
    "return a row, `Option` or `Vec` of rows, `impl Iterator<Item = ...>`, or a `Result` of one of them";

pub fn expand(arguments: TokenStream, item: TokenStream, role: Role) -> syn::Result<TokenStream> {
    let (attribute, kind) = match role {
        Role::Map => ("map", "MapRows"),
        Role::Output => ("output", "OutputRows"),
    };
    let whole = whole_partition(&arguments, role)?;
    let author = Author::parse(attribute, item)?;
    let returned = Returned::of(author.returned(RETURN_ADVICE)?)?;
    check_value(returned.row())?;
    if author.parameters.is_empty() {
        let message = format!("`{}` reads no fields: add a parameter for each field that it reads", author.ident());
        return Err(syn::Error::new_spanned(author.ident(), message));
    }
    if whole {
        let input = whole_input(&author)?;
        let implementation = whole_function(&author, &input, &returned);
        return Ok(author.with_companion(&[&input, returned.row()], implementation));
    }
    let implementation = row_function(&author, &returned, kind)?;
    let values: Vec<&Type> = author.parameters.iter().map(|parameter| &parameter.ty).chain([returned.row()]).collect();
    Ok(author.with_companion(&values, implementation))
}

fn whole_partition(arguments: &TokenStream, role: Role) -> syn::Result<bool> {
    match arguments.to_string().as_str() {
        "" => Ok(false),
        "whole_partition" if role == Role::Map => Ok(true),
        _ if role == Role::Map => Err(syn::Error::new_spanned(
            arguments,
            "#[map] takes nothing or `whole_partition`: `#[map(whole_partition)]`",
        )),
        _ => Err(syn::Error::new_spanned(arguments, "#[output] takes no arguments")),
    }
}

/// A function that is called for each row.
fn row_function(author: &Author, returned: &Returned, kind: &str) -> syn::Result<TokenStream> {
    author.parameters.iter().try_for_each(|parameter| check_value(&parameter.ty))?;
    let row = RowType::new(&author.parameters);
    let (ident, context, bindings, pattern) = (author.ident(), author.context_argument(), &row.bindings, row.pattern());
    let push = returned.push(code!(#ident(#context #(#bindings),*)));
    let body = code! {
        fn call(
            context: &__sdk::Context<Self::Parameters>,
            #pattern: Self::Input<'_>,
            rows: &mut __sdk::Rows<Self::Writer>,
        ) -> ::core::result::Result<(), ::std::string::String> {
            #push
            ::core::result::Result::Ok(())
        }
    };
    let types = types(author, &row.ty("'a"), returned.row());
    let (signature, names) = (author.signature(kind), &row.names);
    let function = function(ident, returned.row(), &row.ty("'static"), names, &signature, &code!(open_map), false);
    Ok(code! {
        #function
        #types
        impl __sdk::MapFunction for #ident { #[inline] #body }
    })
}

/// The rows that a function over a whole partition takes.
fn whole_input(author: &Author) -> syn::Result<Type> {
    let advice = "#[map(whole_partition)] takes one parameter, `rows: impl Iterator<Item = ...>`";
    let [parameter] = &author.parameters[..] else {
        return Err(syn::Error::new_spanned(&author.item.sig.inputs, advice));
    };
    let input = iterator_bounds(&parameter.ty).and_then(|bounds| bounds.iter().find_map(item_of));
    let input = input.ok_or_else(|| syn::Error::new_spanned(&parameter.ty, advice))?;
    check_value(&input)?;
    Ok(input)
}

/// A function that is called for all rows of a partition.
fn whole_function(author: &Author, input: &Type, returned: &Returned) -> TokenStream {
    let (ident, context) = (author.ident(), author.context_argument());
    let push = returned.push(code!(#ident(#context input)));
    let body = code! {
        fn call<'a>(
            context: &__sdk::Context<Self::Parameters>,
            input: impl ::core::iter::Iterator<Item = Self::Input<'a>>,
            rows: &mut __sdk::Rows<Self::Writer>,
        ) -> ::core::result::Result<(), ::std::string::String> {
            #push
            ::core::result::Result::Ok(())
        }
    };
    let (borrowed, fixed) = (of_signature(input, "'a"), of_signature(input, "'static"));
    let types = types(author, &code!(#borrowed), returned.row());
    let (signature, names) = (author.signature("MapRows"), ["value".to_owned()]);
    let function = function(ident, returned.row(), &code!(#fixed), &names, &signature, &code!(open_whole), true);
    code! {
        #function
        #types
        impl __sdk::WholeFunction for #ident { #body }
    }
}

/// `impl RowsFunction`.
fn types(author: &Author, input: &TokenStream, row: &Type) -> TokenStream {
    let (ident, parameters) = (author.ident(), author.parameters_type());
    let (borrowed, fixed) = (of_signature(row, "'a"), of_signature(row, "'static"));
    code! {
        impl __sdk::RowsFunction for #ident {
            type Parameters = #parameters;
            type Input<'a> = #input;
            type Output<'a> = #borrowed;
            type Writer = <#fixed as __sdk::Write>::Writer;
        }
    }
}

/// `impl Function`.
fn function(
    ident: &Ident,
    row: &Type,
    input: &TokenStream,
    names: &[String],
    signature: &TokenStream,
    open: &TokenStream,
    whole: bool,
) -> TokenStream {
    let row = of_signature(row, "'static");
    code! {
        impl __sdk::Function for #ident {
            fn signature() -> __sdk::Signature {
                let mut signature = #signature;
                signature.input = <#input as __sdk::ReadRow<'static>>::row_fields(&[#(#names),*]);
                signature.output = <#row as __sdk::Value>::fields("value");
                signature.whole_partition = #whole;
                signature
            }

            fn open(
                binding: &__sdk::Binding,
            ) -> ::core::result::Result<::std::boxed::Box<dyn __sdk::Operator>, ::std::string::String> {
                __sdk::#open::<#ident>(binding)
            }
        }
    }
}
