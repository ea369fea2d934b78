//! `#[derive(Parameters)]`: a struct whose fields a pipeline gives values.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Data, DeriveInput, Expr, Field, Fields, Ident, Lit, LitStr, Type, UnOp, ext::IdentExt, parse_quote};

use crate::{
    author::doc_of,
    shared::{self, SharedField},
    types::{all, argument_of, check_name, last_segment},
};

/// A field that a pipeline gives a value.
struct Parameter {
    ident: Ident,
    name: String,
    /// Without the `Option` around it.
    ty: Type,
    is_optional: bool,
    default: Option<Expr>,
    doc: String,
}

pub fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    let ident = &item.ident;
    let (error, (parameters, shared)) = match parse(&item) {
        Ok(fields) => (None, fields),
        // Told alone, and not once more wherever the type is used.
        Err(error) => (Some(error.into_compile_error()), (Vec::new(), Vec::new())),
    };
    let mut generics = item.generics.clone();
    if error.is_some() && !generics.params.is_empty() {
        generics.make_where_clause().predicates.push(parse_quote!(Self: 'static));
    }
    let (generics, ty, bounds) = generics.split_for_impl();
    let declared = parameters.iter().map(Parameter::declared);
    let methods_of_shared = shared::methods(&shared);
    let read = match &error {
        Some(_) => code!(::core::unreachable!("the parameters do not compile")),
        None => {
            let fields: Vec<&Ident> = parameters.iter().map(|parameter| &parameter.ident).collect();
            let values = parameters.iter().map(Parameter::read);
            let later = shared.iter().map(|input| &input.ident);
            // All that is wrong is told at once.
            code! {
                let mut wrong = ::std::vec::Vec::<::std::string::String>::new();
                #(let #fields = #values.map_err(|reason| wrong.push(reason));)*
                match (#(#fields,)*) {
                    (#(::core::result::Result::Ok(#fields),)*) => ::core::result::Result::Ok(Self {
                        #(#fields,)*
                        #(#later: ::core::default::Default::default(),)*
                    }),
                    #[allow(unreachable_patterns, reason = "there may be no field")]
                    _ => ::core::result::Result::Err(wrong.join("; ")),
                }
            }
        }
    };
    Ok(code! {
        #error
        #[allow(unused_variables, unused_mut, reason = "there may be no field")]
        const _: () = {
            use ::tidemill_sdk::__private as __sdk;

            impl #generics __sdk::Parameters for #ident #ty #bounds {
                fn declared() -> ::core::option::Option<::std::vec::Vec<__sdk::Declared>> {
                    ::core::option::Option::Some(::std::vec![#(#declared),*])
                }

                fn read(given: &__sdk::Given<'_>) -> ::core::result::Result<Self, ::std::string::String> {
                    #read
                }

                #methods_of_shared
            }
        };
    })
}

fn parse(item: &DeriveInput) -> syn::Result<(Vec<Parameter>, Vec<SharedField>)> {
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "Parameters are not generic: name the types"));
    }
    let Data::Struct(data) = &item.data else {
        return Err(syn::Error::new_spanned(&item.ident, "Parameters are a struct with a field for each parameter"));
    };
    let Fields::Named(named) = &data.fields else {
        let message = "Parameters need names for their fields: write `struct Name { field: type }`";
        return Err(syn::Error::new_spanned(&item.ident, message));
    };
    let (shared, parameters): (Vec<&Field>, Vec<&Field>) =
        named.named.iter().partition(|field| SharedField::is_one(field));
    let parameters = all(parameters.into_iter().map(Parameter::parse))?;
    let shared = shared::parse(&shared)?;
    for (place, parameter) in parameters.iter().enumerate() {
        if parameters[..place].iter().any(|other| other.name == parameter.name) {
            let message = format!("two parameters have the name `{}`", parameter.name);
            return Err(syn::Error::new_spanned(&parameter.ident, message));
        }
    }
    Ok((parameters, shared))
}

impl Parameter {
    fn parse(field: &Field) -> syn::Result<Parameter> {
        let Some(ident) = field.ident.clone() else {
            return Err(syn::Error::new_spanned(field, "a parameter needs a name"));
        };
        let (inner, is_optional) = match argument_of(&field.ty, "Option") {
            Some(inner) => (inner, true),
            None => (&field.ty, false),
        };
        check_type(inner)?;
        let mut parameter = Parameter {
            name: ident.unraw().to_string(),
            ident,
            ty: inner.clone(),
            is_optional,
            default: None,
            doc: doc_of(&field.attrs),
        };
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("parameter")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("default") {
                    parameter.default = Some(meta.value()?.parse()?);
                    Ok(())
                } else if meta.path.is_ident("name") {
                    parameter.name = check_name("a parameter's", &meta.value()?.parse::<LitStr>()?)?;
                    Ok(())
                } else {
                    Err(meta.error("the attribute is `#[parameter(default = ..., name = \"...\")]`"))
                }
            })?;
        }
        if let (Some(default), true) = (&parameter.default, is_optional) {
            return Err(syn::Error::new_spanned(
                default,
                "an optional parameter is missing unless it is given: no default",
            ));
        }
        if let Some(default) = &parameter.default {
            literal(default)?;
            check_default(default, inner)?;
        }
        Ok(parameter)
    }

    fn declared(&self) -> TokenStream {
        let Parameter { name, ty, is_optional, doc, .. } = self;
        let default = match &self.default {
            Some(default) => {
                let text = literal(default).unwrap_or_default();
                code!(::core::option::Option::Some(::std::string::String::from(#text)))
            }
            None => code!(::core::option::Option::None),
        };
        code! {
            __sdk::Declared {
                name: #name,
                kind: <#ty as __sdk::ParameterValue>::KIND,
                is_optional: #is_optional,
                default: #default,
                doc: #doc,
            }
        }
    }

    /// A `Result` of the value.
    fn read(&self) -> TokenStream {
        let Parameter { name, ty, is_optional, default, .. } = self;
        match (default, is_optional) {
            (Some(default), _) => {
                let value = value(default, ty);
                code!(given.optional::<#ty>(#name).map(|given| given.unwrap_or_else(|| #value)))
            }
            (None, true) => code!(given.optional::<#ty>(#name)),
            (None, false) => code!(given.needed::<#ty>(#name)),
        }
    }
}

/// Refuses a default that is nothing of its type.
fn check_default(default: &Expr, ty: &Type) -> syn::Result<()> {
    let (kind, fits) = match (kind_of(ty).as_str(), unsigned(default)) {
        ("i64", Some(Lit::Int(number))) => ("integer", matches!(number.suffix(), "" | "i64")),
        ("i64", _) => ("integer", false),
        ("f64", Some(Lit::Float(number))) => ("float", matches!(number.suffix(), "" | "f64")),
        ("f64", Some(Lit::Int(number))) => ("float", number.suffix().is_empty()),
        ("f64", _) => ("float", false),
        ("bool", literal) => ("boolean", matches!((literal, default), (Some(Lit::Bool(_)), Expr::Lit(_)))),
        ("String", literal) => ("text", matches!((literal, default), (Some(Lit::Str(_)), Expr::Lit(_)))),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(syn::Error::new_spanned(default, format!("this default is not {kind}"))) }
}

/// The default's value. A number has the type that it is for, before it is looked whether it fits.
fn value(default: &Expr, ty: &Type) -> TokenStream {
    match (kind_of(ty).as_str(), unsigned(default), literal(default)) {
        ("f64", Some(Lit::Int(_)), Ok(text)) => match syn::parse_str::<Expr>(&format!("{text}f64")) {
            Ok(float) => code!(#float),
            Err(_) => code!(#default),
        },
        ("i64" | "f64" | "bool", ..) => code!(#default),
        _ => code!(<#ty as ::core::convert::From<_>>::from(#default)),
    }
}

/// The last part of a type's name.
fn kind_of(ty: &Type) -> String {
    last_segment(ty).map(|segment| segment.ident.to_string()).unwrap_or_default()
}

/// A literal without its sign.
fn unsigned(default: &Expr) -> Option<&Lit> {
    match default {
        Expr::Lit(literal) => Some(&literal.lit),
        Expr::Unary(unary) => unsigned(&unary.expr),
        _ => None,
    }
}

/// A literal as pipelines write it.
fn literal(default: &Expr) -> syn::Result<String> {
    match default {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Ok(format!("{:?}", text.value())),
            Lit::Int(number) => Ok(number.base10_digits().to_owned()),
            Lit::Float(number) => Ok(number.base10_digits().to_owned()),
            Lit::Bool(_) => Ok(literal.lit.to_token_stream().to_string()),
            _ => Err(syn::Error::new_spanned(default, "a default is a number, a text or a boolean")),
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => Ok(format!("-{}", literal(&unary.expr)?)),
        _ => Err(syn::Error::new_spanned(default, "a default is a number, a text or a boolean")),
    }
}

fn check_type(ty: &Type) -> syn::Result<()> {
    let text = crate::types::text(ty);
    let instead = match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "isize" => "use `i64`",
        "f32" => "use `f64`",
        "&str" | "&'static str" | "char" => "use `String`",
        _ if argument_of(ty, "Option").is_some() => "it is given or not, once: use `Option<T>`",
        _ if argument_of(ty, "Vec").is_some() => "use `String`, and take it apart",
        _ => return Ok(()),
    };
    Err(syn::Error::new_spanned(ty, format!("`{text}` cannot be a parameter: {instead}")))
}
