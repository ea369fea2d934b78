//! A function as the author wrote it, checked as far as that is the same for every kind of function.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident};
use syn::{
    Attribute, Expr, FnArg, GenericParam, Ident, ItemFn, Lit, Meta, Pat, ReturnType, Type, ext::IdentExt,
    spanned::Spanned,
};

use crate::types::{be_values, check_context, context_of, name_lifetimes, with_lifetime};

/// A free function with plain parameters.
pub struct Author {
    pub item: ItemFn,
    /// As pipelines name it: `running-total`.
    pub name: String,
    pub doc: String,
    /// If the first parameter is `&Context<P>`: with `P`, or without.
    context: Option<Option<Type>>,
    /// The other parameters.
    pub parameters: Vec<Parameter>,
    /// What it returns, as the author wrote it.
    output: ReturnType,
}

/// A parameter, which is a field unless the kind of function says otherwise.
pub struct Parameter {
    /// The field's name.
    pub name: String,
    pub ty: Type,
}

impl Author {
    /// Reads the function below an attribute.
    pub fn parse(attribute: &str, item: TokenStream) -> syn::Result<Author> {
        let mut item: ItemFn = syn::parse2(item.clone()).map_err(|_| {
            syn::Error::new_spanned(&item, format!("#[{attribute}] belongs above a function (`fn name(...) -> ...`)"))
        })?;
        check_signature(attribute, &item)?;
        let mut parameters = Vec::new();
        let mut context = None;
        for (place, argument) in item.sig.inputs.iter().enumerate() {
            let FnArg::Typed(argument) = argument else { continue };
            check_context(&argument.ty)?;
            if let Some(of) = context_of(&argument.ty) {
                if place > 0 {
                    return Err(syn::Error::new_spanned(argument, "`&Context` has to be the first parameter"));
                }
                context = Some(of.cloned());
                continue;
            }
            parameters.push(Parameter { name: field_name(&argument.pat)?, ty: (*argument.ty).clone() });
        }
        let written = item.sig.clone();
        name_lifetimes(&mut item.sig, Some(&written.ident));
        if item.sig != written {
            item.attrs.push(syn::parse_quote! {
                #[allow(clippy::type_complexity, reason = "the lifetimes that its author has left out are in it")]
            });
        }
        let name = item.sig.ident.unraw().to_string().trim_matches('_').replace('_', "-").to_lowercase();
        Ok(Author { name, doc: doc_of(&item.attrs), context, parameters, output: written.output, item })
    }

    /// The function's own name.
    pub fn ident(&self) -> &Ident {
        &self.item.sig.ident
    }

    /// The type that it returns, or an error that says what to return.
    pub fn returned(&self, advice: &str) -> syn::Result<&Type> {
        match &self.output {
            ReturnType::Type(_, ty) => Ok(ty),
            ReturnType::Default => {
                let message = format!("`{}` returns nothing: {advice}", self.ident());
                Err(syn::Error::new(self.item.sig.paren_token.span.close(), message))
            }
        }
    }

    /// The function, and the type of its name that implements the SDK's traits. `values`: the types that are to be in rows.
    pub fn with_companion(&self, values: &[&Type], implementation: TokenStream) -> TokenStream {
        let (item, ident, visibility) = (&self.item, self.ident(), &self.item.vis);
        let checked = be_values(values);
        code! {
            #item

            #[doc(hidden)]
            #[allow(non_camel_case_types, reason = "it has the function's name")]
            #[derive(Debug)]
            #visibility enum #ident {}

            #[allow(unused_variables, reason = "not every function asks for its context")]
            #[allow(clippy::type_complexity, reason = "whether a type has a lifetime is a question")]
            const _: () = {
                use ::tidemill_sdk::__private as __sdk;
                impl #ident {
                    #checked
                }
                const CHECKED: usize = #ident::CHECKED;
                #implementation
            };
        }
    }

    /// `__sdk::signature::<Parameters>("name", kind, "doc")`.
    pub fn signature(&self, kind: &str) -> TokenStream {
        let (name, doc, kind, parameters) = (&self.name, &self.doc, format_ident!("{kind}"), self.parameters_type());
        code!(__sdk::signature::<#parameters>(#name, __sdk::Kind::#kind, #doc))
    }

    /// The type of what it takes from its pipeline besides fields.
    pub fn parameters_type(&self) -> TokenStream {
        match &self.context {
            // Parameters borrow nothing.
            Some(Some(ty)) => with_lifetime(ty, "'static").to_token_stream(),
            Some(None) => code!(__sdk::AnyParameters),
            None => code!(__sdk::NoParameters),
        }
    }

    /// `context,` where the function takes it.
    pub fn context_argument(&self) -> TokenStream {
        if self.context.is_some() { code!(context,) } else { TokenStream::new() }
    }
}

/// An item whose attribute cannot be served: it stays as it is, and `plugin!` takes it for a function all the same.
pub fn without_attribute(item: &TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ItemFn>(item.clone()) else { return item.clone() };
    if function.sig.receiver().is_some() {
        return item.clone();
    }
    name_lifetimes(&mut function.sig, None);
    let (ident, visibility) = (&function.sig.ident, &function.vis);
    code! {
        #[allow(unused, reason = "it has an error of its own")]
        #function

        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, reason = "it has the function's name")]
        #visibility enum #ident {}

        impl ::tidemill_sdk::__private::Function for #ident {
            fn signature() -> ::tidemill_sdk::__private::Signature {
                ::core::unreachable!("the function does not compile")
            }

            fn open(
                _binding: &::tidemill_sdk::__private::Binding,
            ) -> ::core::result::Result<::std::boxed::Box<dyn ::tidemill_sdk::__private::Operator>, ::std::string::String> {
                ::core::unreachable!("the function does not compile")
            }
        }
    }
}

/// What a row of parameters is: its type for a lifetime, the pattern that takes it apart, and the names of its fields.
pub struct RowType {
    ty: Vec<Type>,
    pub names: Vec<String>,
    pub bindings: Vec<Ident>,
}

impl RowType {
    pub fn new(parameters: &[Parameter]) -> RowType {
        RowType {
            ty: parameters.iter().map(|parameter| parameter.ty.clone()).collect(),
            names: parameters.iter().map(|parameter| parameter.name.clone()).collect(),
            bindings: (0..parameters.len())
                .map(|place| Ident::new(&format!("field_{place}"), Span::mixed_site()))
                .collect(),
        }
    }

    /// The type: `()`, the parameter's own, or a tuple.
    pub fn ty(&self, lifetime: &str) -> TokenStream {
        match &self.types(lifetime)[..] {
            [one] => code!(#one),
            types => code!((#(#types),*)),
        }
    }

    /// The parameters' types.
    pub fn types(&self, lifetime: &str) -> Vec<Type> {
        self.ty.iter().map(|ty| crate::types::of_signature(ty, lifetime)).collect()
    }

    /// The pattern.
    pub fn pattern(&self) -> TokenStream {
        match &self.bindings[..] {
            [one] => code!(#one),
            several => code!((#(#several),*)),
        }
    }
}

/// The most parameters that one row can bind to.
const PARAMETERS_MAX: usize = 8;

fn check_signature(attribute: &str, item: &ItemFn) -> syn::Result<()> {
    let signature = &item.sig;
    if let Some(asyncness) = &signature.asyncness {
        let message = "a plugin's function cannot be async: nothing that it can call would ever wait; remove `async`";
        return Err(syn::Error::new_spanned(asyncness, message));
    }
    if let Some(receiver) = signature.receiver() {
        let message = format!("#[{attribute}] belongs above a free function, not a method: remove `self`");
        return Err(syn::Error::new_spanned(receiver, message));
    }
    let generic = signature.generics.params.iter().find(|parameter| !matches!(parameter, GenericParam::Lifetime(_)));
    if let Some(generic) = generic {
        let message = "a plugin's function cannot be generic: its rows have one type; name the type";
        return Err(syn::Error::new_spanned(generic, message));
    }
    if signature.inputs.len() > PARAMETERS_MAX {
        let message = format!("more than {PARAMETERS_MAX} parameters: take a struct with #[derive(Record)]");
        return Err(syn::Error::new_spanned(&signature.inputs, message));
    }
    match &signature.unsafety {
        Some(unsafety) => Err(syn::Error::new_spanned(unsafety, "a plugin's function cannot be unsafe")),
        None => Ok(()),
    }
}

/// A parameter's name is its field's; an underscore before it says that the function does not use it.
fn field_name(pattern: &Pat) -> syn::Result<String> {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => {
            let name = pattern.ident.unraw().to_string();
            Ok(name.trim_start_matches('_').to_owned())
        }
        _ => {
            let message = "a parameter needs a plain name: it is the field that the parameter is bound to";
            Err(syn::Error::new(pattern.span(), message))
        }
    }
}

/// The text of the doc comments, as it is to be read: without what stands in front of every line.
pub fn doc_of(attributes: &[Attribute]) -> String {
    let comments = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &meta.value else { return None };
        let Lit::Str(comment) = &literal.lit else { return None };
        Some(without_stars(&comment.value()))
    });
    let text = comments.collect::<Vec<_>>().join("\n");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let least = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let lines: Vec<&str> = text.lines().map(|line| line.get(least..).unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The lines of a comment between `/**` and `*/`, where a star may stand in front of each.
fn without_stars(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().collect();
    let Some((first, rest)) = lines.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return comment.to_owned();
    };
    let rest_has = |what: fn(&str) -> bool| rest.iter().all(|line| line.trim().is_empty() || what(line));
    if !rest_has(|line| line.trim_start().starts_with('*')) {
        // What begins behind `/**` has the indent of the lines below it.
        let indent =
            rest.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
        let first = format!("{}{}", " ".repeat(indent.min().unwrap_or(0)), first.trim_start());
        return [&[first.as_str()], rest].concat().join("\n");
    }
    let starless = |line: &&str| line.trim_start().strip_prefix('*').unwrap_or_default().to_owned();
    std::iter::once((*first).to_owned()).chain(rest.iter().map(starless)).collect::<Vec<_>>().join("\n")
}
