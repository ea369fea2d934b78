//! Functions that do nothing and return something simple.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute, Block, File, GenericArgument, Item, ItemFn, ItemImpl, PathArguments, PathSegment, ReturnType, Signature,
    Type, Visibility, parse_quote, visit_mut::VisitMut,
};

use super::{Kind, Walk, is_for_tests, statements};
use crate::mutants::{
    hash::hash_of,
    switch::{literal, on},
};

const INTEGERS: [&str; 12] = ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize"];

impl Walk<'_> {
    /// A function: its body's mutants, and those that replace the body.
    pub(super) fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &mut Block) {
        if is_for_tests(attributes) || signature.constness.is_some() || has_unsafe(signature, block) {
            return;
        }
        let outer = std::mem::replace(&mut self.function_hash, hash_of_function(signature, block));
        self.within(signature.ident.to_string(), |walk| {
            let mut place = walk.place(signature);
            place.text = "{ ... }".to_owned();
            let (is_short, whole) = (block.stmts.len() < 2, block.stmts.first().map(text_of).unwrap_or_default());
            let is_unit = is_unit(&signature.output);
            if is_unit {
                statements::end_unit(block);
            }
            walk.statements(block);
            // A body of one statement is left out as a statement.
            let results = if is_unit && is_short { Vec::new() } else { results_of(&signature.output) };
            let mut early = Vec::new();
            for result in results.into_iter().filter(|result| !is_short || text_of(result) != whole) {
                let after = format!("return {}", text_of(&result));
                if let Some(number) = walk.mutant(Kind::Body, &place, after.trim_end()) {
                    let switch = on(number);
                    early.push(parse_quote! { if #switch { return #result; } });
                }
            }
            block.stmts.splice(0..0, early);
        });
        self.function_hash = outer;
    }
}

/// The hash of a function's text, without comments and as the printer sets it.
fn hash_of_function(signature: &Signature, block: &Block) -> u32 {
    struct Comments;
    impl VisitMut for Comments {
        fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
            attributes.retain(|attribute| !attribute.path().is_ident("doc"));
        }
    }
    let (sig, block) = (signature.clone(), Box::new(block.clone()));
    let mut function = ItemFn { attrs: Vec::new(), vis: Visibility::Inherited, sig, block };
    Comments.visit_item_fn_mut(&mut function);
    let file = File { shebang: None, attrs: Vec::new(), items: vec![Item::Fn(function)] };
    let hash = hash_of(prettyplease::unparse(&file).as_bytes());
    (hash ^ (hash >> 32)) as u32
}

/// What a block of methods is called in the path of a function.
pub(super) fn name_of_impl(block: &ItemImpl) -> String {
    let of = text_of(&block.self_ty);
    match &block.trait_ {
        Some((_, path, _)) => format!("<{of} as {}>", text_of(path)),
        None => of,
    }
}

fn has_unsafe(signature: &Signature, block: &Block) -> bool {
    signature.unsafety.is_some() || text_of(block).split_whitespace().any(|word| word == "unsafe")
}

fn text_of(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    // Tokens are printed with blanks between all of them.
    [(" :: ", "::"), (" <", "<"), ("< ", "<"), (" >", ">"), (" (", "("), ("( ", "("), (" )", ")"), ("& ", "&")]
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

fn is_unit(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => true,
        ReturnType::Type(_, of) => is_unit_type(of),
    }
}

fn is_unit_type(of: &Type) -> bool {
    matches!(of, Type::Tuple(tuple) if tuple.elems.is_empty())
}

fn results_of(output: &ReturnType) -> Vec<TokenStream> {
    match output {
        ReturnType::Default => vec![TokenStream::new()],
        ReturnType::Type(_, of) if is_unit_type(of) => vec![TokenStream::new()],
        ReturnType::Type(_, of) => values_of(of),
    }
}

/// Simple values of a type.
fn values_of(of: &Type) -> Vec<TokenStream> {
    match of {
        _ if is_unit_type(of) => vec![quote!(())],
        Type::Reference(reference) if text_of(&reference.elem) == "str" => vec![quote!("")],
        Type::Path(path) => path.path.segments.last().map(values_of_named).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn values_of_named(segment: &PathSegment) -> Vec<TokenStream> {
    let name = segment.ident.to_string();
    match name.as_str() {
        "bool" => vec![quote!(true), quote!(false)],
        "String" => vec![quote!(String::new())],
        "Vec" => vec![quote!(Vec::new())],
        "Option" => vec![quote!(None)],
        "Result" => {
            let good = first_argument(segment).map_or_else(|| vec![quote!(())], values_of);
            good.into_iter().map(|value| quote!(Ok(#value))).collect()
        }
        _ if INTEGERS.contains(&name.as_str()) => {
            let (zero, one) = (literal(0), literal(1));
            vec![quote!(#zero), quote!(#one)]
        }
        _ => Vec::new(),
    }
}

fn first_argument(segment: &PathSegment) -> Option<&Type> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(of) => Some(of),
            _ => None,
        }),
        _ => None,
    }
}
