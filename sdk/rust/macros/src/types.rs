//! Types as the author wrote them: which can be in a row, and the same type for another lifetime.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{
    AngleBracketedGenericArguments, GenericArgument, Ident, Lifetime, LitStr, PathArguments, PathSegment, ReturnType,
    Signature, Type, TypeImplTrait, TypeReference, parse_quote,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

/// The type with every lifetime replaced, `'static` too: what lives for ever can be written wherever something that lives
/// shorter can.
pub fn with_lifetime(ty: &Type, lifetime: &str) -> Type {
    let mut ty = ty.clone();
    ReplaceLifetimes(Lifetime::new(lifetime, Span::mixed_site())).visit_type_mut(&mut ty);
    ty
}

/// The same for a type in a function's signature, where a lifetime may be left out: `Seen` for `Seen<'_>`. Whether a type has one
/// is not to be seen from its name, so the compiler is asked. It takes the type for a mistake that it has told if `CHECKED` is one:
/// see [`be_values`].
pub fn of_signature(ty: &Type, lifetime: &str) -> Type {
    let (ty, place) = (with_open_lifetime(ty, lifetime), ty.span());
    Type::Verbatim(quote_spanned!(place => <#ty as ::tidemill_sdk::__private::If<CHECKED>>::Type))
}

fn with_open_lifetime(ty: &Type, lifetime: &str) -> Type {
    let mut ty = with_lifetime(ty, lifetime);
    FindOutLifetimes(Lifetime::new(lifetime, Span::mixed_site())).visit_type_mut(&mut ty);
    ty
}

/// Code that compiles if the types of the author's in these are values of a row: what is none is told here, once. Whatever hangs on
/// a constant that does not compile is told no more.
pub fn be_values(types: &[&Type]) -> TokenStream {
    let mut told = Vec::new();
    let checks = types.iter().filter_map(|ty| {
        let ty = innermost(ty);
        let name = ty.to_token_stream().to_string();
        let is_new = !told.contains(&name);
        told.push(name);
        let (fixed, place) = (with_open_lifetime(ty, "'static"), Span::mixed_site().located_at(ty.span()));
        is_new.then(|| quote_spanned!(place => ::tidemill_sdk::__private::be_value::<#fixed>();))
    });
    let checks: TokenStream = checks.collect();
    code! {
        const CHECKED: usize = {
            #checks
            0
        };
    }
}

/// What is in lists, and may be missing.
fn innermost(ty: &Type) -> &Type {
    let of = |name: &str| argument_of(ty, name).filter(|_| !is_bytes(ty));
    ["Vec", "Values", "Option"].into_iter().find_map(of).map_or(ty, innermost)
}

struct FindOutLifetimes(Lifetime);

impl VisitMut for FindOutLifetimes {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if is_open(ty) {
            let (lifetime, place) = (&self.0, ty.span());
            // What is left out in what a function returns is the lifetime of what it takes.
            *ty = Type::Verbatim(quote_spanned! { place =>
                <fn(&()) -> #ty as ::tidemill_sdk::__private::For<#lifetime>>::Type
            });
        }
    }
}

/// Whether it is a type of the author's that may have a lifetime which was left out.
fn is_open(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let has_no_arguments = |segment: &PathSegment| matches!(segment.arguments, PathArguments::None);
    is_the_authors(ty) && path.path.segments.last().is_some_and(has_no_arguments)
}

/// Whether it may be a type of the author's.
fn is_the_authors(ty: &Type) -> bool {
    const KNOWN: [&str; 9] = ["Self", "String", "Timestamp", "Vec", "bool", "f64", "i64", "str", "u8"];
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last().filter(|_| path.qself.is_none());
    last.is_some_and(|last| !KNOWN.contains(&last.ident.to_string().as_str()))
}

struct ReplaceLifetimes(Lifetime);

impl VisitMut for ReplaceLifetimes {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        match &mut reference.lifetime {
            Some(lifetime) => self.visit_lifetime_mut(lifetime),
            None => reference.lifetime = Some(self.0.clone()),
        }
        self.visit_type_mut(&mut reference.elem);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        *lifetime = self.0.clone();
    }

    fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
        if let Some(arguments) = arguments_of_values(segment) {
            let lifetime = self.0.clone();
            arguments.args.insert(0, parse_quote!(#lifetime));
        }
        visit_mut::visit_path_segment_mut(self, segment);
    }
}

/// Authors write `Values<i64>` and `Values<&str>`: the lifetime that it has, which is that of its values too, is put in here; and
/// that of `impl Iterator<Item = &str>`.
///
/// `checked`: the function whose companion says whether types are values, if one does.
pub fn name_lifetimes(signature: &mut Signature, checked: Option<&Ident>) {
    let mut names = NameLifetimes { named: Vec::new(), of_all: None, checked: checked.cloned() };
    signature.inputs.iter_mut().for_each(|argument| names.visit_fn_arg_mut(argument));
    // Elsewhere the compiler knows what is returned for so long, but not of an iterator.
    if let (Some(lifetime), ReturnType::Type(_, ty)) = (names.of_all, &mut signature.output) {
        ReplaceLifetimes(lifetime.clone()).visit_type_mut(ty);
        FindOutLifetimes(lifetime).visit_type_mut(ty);
    }
    for lifetime in names.named {
        signature.generics.params.insert(0, parse_quote!(#lifetime));
    }
}

struct NameLifetimes {
    /// The lifetimes that the function gets.
    named: Vec<Lifetime>,
    /// That of all rows of a partition, if the author has given none.
    of_all: Option<Lifetime>,
    checked: Option<Ident>,
}

impl NameLifetimes {
    /// The lifetime that the author has given, or a new one.
    fn lifetime(&mut self, find: impl FnOnce(&mut FindLifetime)) -> Lifetime {
        let mut found = FindLifetime(None);
        find(&mut found);
        found.0.unwrap_or_else(|| {
            let lifetime = Lifetime::new(&format!("'values{}", self.named.len()), Span::mixed_site());
            self.named.push(lifetime.clone());
            lifetime
        })
    }
}

impl VisitMut for NameLifetimes {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        if !may_borrow(ty) {
            return;
        }
        let before = self.named.len();
        let lifetime = self.lifetime(|found| found.visit_type_impl_trait_mut(ty));
        self.of_all = self.named.get(before).cloned();
        ReplaceLifetimes(lifetime.clone()).visit_type_impl_trait_mut(ty);
        FindOutLifetimes(lifetime).visit_type_impl_trait_mut(ty);
    }

    fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
        if let Some(arguments) = arguments_of_values(segment) {
            let lifetime = self.lifetime(|found| found.visit_angle_bracketed_generic_arguments_mut(arguments));
            ReplaceLifetimes(lifetime.clone()).visit_path_segment_mut(segment);
            let mut checked = CheckValues(self.checked.clone(), FindOutLifetimes(lifetime));
            checked.visit_path_arguments_mut(&mut segment.arguments);
        }
        visit_mut::visit_path_segment_mut(self, segment);
    }
}

/// What is in `Values` has to be a value where its function is, too: the compiler would tell of each place.
struct CheckValues(Option<Ident>, FindOutLifetimes);

impl VisitMut for CheckValues {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        let is_the_authors = is_the_authors(innermost(ty));
        let place = ty.span();
        self.1.visit_type_mut(ty);
        if let Some(ident) = self.0.as_ref().filter(|_| is_the_authors) {
            *ty = Type::Verbatim(quote_spanned! { place =>
                <#ty as ::tidemill_sdk::__private::If<{ #ident::CHECKED }>>::Type
            });
        }
    }
}

/// Whether there is a place for a lifetime in it.
fn may_borrow(ty: &TypeImplTrait) -> bool {
    let mut other = ty.clone();
    let lifetime = Lifetime::new("'any", Span::mixed_site());
    ReplaceLifetimes(lifetime.clone()).visit_type_impl_trait_mut(&mut other);
    FindOutLifetimes(lifetime).visit_type_impl_trait_mut(&mut other);
    other != *ty
}

/// Finds the first lifetime that has a name.
struct FindLifetime(Option<Lifetime>);

impl VisitMut for FindLifetime {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if self.0.is_none() && lifetime.ident != "_" {
            self.0 = Some(lifetime.clone());
        }
    }
}

/// The arguments of `Values<...>` without a lifetime.
fn arguments_of_values(segment: &mut PathSegment) -> Option<&mut AngleBracketedGenericArguments> {
    match &mut segment.arguments {
        PathArguments::AngleBracketed(arguments) if segment.ident == "Values" => {
            let has_lifetime = matches!(arguments.args.first(), Some(GenericArgument::Lifetime(_)));
            (!has_lifetime).then_some(arguments)
        }
        _ => None,
    }
}

/// The last segment of a type that is a path: `Option<i64>` of `std::option::Option<i64>`.
pub fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        Type::Group(inner) => last_segment(&inner.elem),
        _ => None,
    }
}

/// The type arguments of a path that ends with `name`, if `ty` is one and has any.
pub fn arguments_of<'t>(ty: &'t Type, name: &str) -> Option<Vec<&'t Type>> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    let types: Vec<&Type> = arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect();
    (!types.is_empty()).then_some(types)
}

/// The one type argument of `name<...>`.
pub fn argument_of<'t>(ty: &'t Type, name: &str) -> Option<&'t Type> {
    arguments_of(ty, name).and_then(|types| types.first().copied())
}

/// Whether the type is a path that ends with `name` and has no arguments.
pub fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

/// Refuses what is borrowed and has to be taken.
pub fn check_taken(ty: &Type) -> syn::Result<()> {
    match ty {
        Type::Reference(reference) if is_named(&reference.elem, "Values") || is_named(&reference.elem, "Option") => {
            Err(syn::Error::new_spanned(ty, format!("take it by value: `{}`", text(&reference.elem))))
        }
        _ => Ok(()),
    }
}

/// Refuses a context that is not `&Context`.
pub fn check_context(ty: &Type) -> syn::Result<()> {
    let of = match ty {
        Type::Reference(reference) if reference.mutability.is_some() => &reference.elem,
        Type::Reference(_) => return Ok(()),
        ty => ty,
    };
    if !is_named(of, "Context") {
        return Ok(());
    }
    Err(syn::Error::new_spanned(ty, format!("a function borrows its context: write `&{}`", text(of))))
}

/// What a `&Context` says that it takes for parameters, if the type is one: `Settings` of `&Context<Settings>`.
pub fn context_of(ty: &Type) -> Option<Option<&Type>> {
    let Type::Reference(reference) = ty else { return None };
    is_named(&reference.elem, "Context").then(|| argument_of(&reference.elem, "Context"))
}

/// `Vec<u8>`, which is one value of bytes and no list.
pub fn is_bytes(ty: &Type) -> bool {
    argument_of(ty, "Vec").is_some_and(|item| is_named(item, "u8"))
}

/// Says what is wrong with a type that cannot be in a row, as far as it can be seen from its name.
pub fn check_value(ty: &Type) -> syn::Result<()> {
    match ty {
        Type::Paren(inner) => check_value(&inner.elem),
        Type::Group(inner) => check_value(&inner.elem),
        Type::Reference(reference) => check_reference(ty, reference),
        Type::Tuple(_) => {
            refuse(ty, "the fields of a tuple have no names; use a struct with #[derive(Record)]".to_owned())
        }
        Type::Array(_) | Type::Slice(_) => refuse(ty, "use `Vec<T>` for a list, and `&[u8]` for bytes".to_owned()),
        Type::Path(_) => check_path(ty),
        Type::ImplTrait(_) => refuse(ty, "name the type".to_owned()),
        _ => refuse(ty, VALUES.to_owned()),
    }
}

const VALUES: &str = "rows hold i64, f64, bool, &str, String, &[u8], Vec<u8>, Timestamp, Option<T>, Vec<T>, and structs \
                      with #[derive(Record)]";

fn check_path(ty: &Type) -> syn::Result<()> {
    let Some(segment) = last_segment(ty) else { return Ok(()) };
    if is_bytes(ty) {
        return Ok(());
    }
    for generic in ["Vec", "Values", "Option"] {
        if let Some(inner) = argument_of(ty, generic) {
            if generic == "Option" && argument_of(inner, "Option").is_some() {
                return refuse(ty, "a value is there or missing, once: use `Option<T>`".to_owned());
            }
            return check_value(inner);
        }
    }
    let instead = match segment.ident.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i128" | "isize" => "use `i64`",
        "f32" => "use `f64`",
        "char" | "str" | "CString" | "OsString" => "use `&str` or `String`",
        "Result" => "only the whole function can return a `Result`, and then the row is rejected",
        "HashMap" | "BTreeMap" => "use `Vec` of a struct with #[derive(Record)]",
        "HashSet" | "BTreeSet" | "VecDeque" | "LinkedList" => "use `Vec<T>`",
        "Box" | "Rc" | "Arc" => "use what is in it, `String` for text",
        "PathBuf" | "OsStr" => "use `String`",
        "SystemTime" | "Instant" | "DateTime" => "use `Timestamp`",
        _ => return Ok(()),
    };
    refuse(ty, instead.to_owned())
}

fn check_reference(ty: &Type, reference: &TypeReference) -> syn::Result<()> {
    let instead = match &*reference.elem {
        _ if reference.mutability.is_some() => "take it by value".to_owned(),
        Type::Slice(slice) if is_named(&slice.elem, "u8") => return Ok(()),
        Type::Slice(slice) => format!("use `Vec<{}>`", text(&slice.elem)),
        elem if is_named(elem, "str") => return Ok(()),
        elem if is_named(elem, "String") => "use `&str`".to_owned(),
        elem if is_bytes(elem) => "use `&[u8]`".to_owned(),
        elem if is_open(elem) => {
            let name = text(elem);
            format!(
                "use `{name}`, or `context: &Context<{name}>` in front of all if it is what a pipeline gives as parameters"
            )
        }
        elem => format!("use `{}`", text(elem)),
    };
    refuse(ty, instead)
}

fn refuse(ty: &Type, instead: String) -> syn::Result<()> {
    Err(syn::Error::new_spanned(ty, format!("`{}` cannot be a value of a row: {instead}", text(ty))))
}

/// All of them, or all that is wrong.
pub fn all<T>(parsed: impl Iterator<Item = syn::Result<T>>) -> syn::Result<Vec<T>> {
    let (mut good, mut wrong) = (Vec::new(), None::<syn::Error>);
    for parsed in parsed {
        match (parsed, &mut wrong) {
            (Ok(parsed), _) => good.push(parsed),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    wrong.map_or(Ok(good), Err)
}

/// A name that the author gives to something that a pipeline names.
pub fn check_name(whose: &str, given: &LitStr) -> syn::Result<String> {
    let name = given.value();
    let good = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if good {
        return Ok(name);
    }
    Err(syn::Error::new_spanned(given, format!("{whose} name is letters, digits, `_` and `-`")))
}

/// The type as an author would write it.
pub fn text(ty: &Type) -> String {
    let spaced = ty.to_token_stream().to_string();
    ["& ", " <", "< ", " >", " ,", "[ ", " ]", "' "].iter().fold(spaced, |text, pair| text.replace(pair, pair.trim()))
}
