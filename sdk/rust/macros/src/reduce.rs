//! `#[reduce]`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, LitInt, Type, meta::ParseNestedMeta, parse::Parser};

use crate::{
    author::{Author, RowType},
    migrations::Migrations,
    types::{check_value, of_signature, text, with_lifetime},
};

/// `#[reduce(name = expression, ..., version = 2, migrate(1 = from_one))]`.
#[derive(Default)]
struct Options {
    inverse: Option<Expr>,
    create: Option<Expr>,
    zero: Option<Expr>,
    merge: Option<Expr>,
    finish: Option<Expr>,
    migrations: Migrations,
}

/// How the function takes the accumulator.
enum Accumulator {
    /// `fn add(total: i64, value: i64) -> i64`.
    Value,
    /// `fn add(total: &mut Vec<i64>, value: i64)`.
    Mutable,
}

/// A checked reduce.
struct Reduce {
    author: Author,
    options: Options,
    accumulator: Accumulator,
    state: Type,
    row: RowType,
}

const ADVICE: &str = "a reduce makes one value of two: `fn sum(a: i64, b: i64) -> i64`; or it adds a row to an accumulator: \
                      `#[reduce(create = ..., merge = ...)] fn add(total: Total, value: f64) -> Total`";

pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = Options::parse(arguments)?;
    let reduce = Reduce::parse(options, Author::parse("reduce", item)?)?;
    let (function, implementation) = (reduce.function(), reduce.implementation());
    let rows = reduce.author.parameters.iter().skip(1).map(|parameter| &parameter.ty);
    let values: Vec<&Type> = rows.chain([&reduce.state]).collect();
    Ok(reduce.author.with_companion(&values, code!(#function #implementation)))
}

impl Options {
    fn parse(arguments: TokenStream) -> syn::Result<Options> {
        let mut options = Options::default();
        let parser = syn::meta::parser(|meta| options.read(&meta));
        parser.parse2(arguments)?;
        options.migrations.check()?;
        if let (Some(_), Some(zero)) = (&options.create, &options.zero) {
            return Err(syn::Error::new_spanned(zero, "a group begins with `create` or with `zero`, not with both"));
        }
        Ok(options)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let place = match name.as_str() {
            "inverse" => &mut self.inverse,
            "create" => &mut self.create,
            "zero" => &mut self.zero,
            "merge" => &mut self.merge,
            "finish" => &mut self.finish,
            "version" => {
                self.migrations.version = meta.value()?.parse::<LitInt>()?.base10_parse()?;
                return Ok(());
            }
            "migrate" => return self.migrations.read_steps(meta),
            _ => {
                let message = "#[reduce] takes `inverse`, `create`, `zero`, `merge` and `finish`, each `= function`; and \
                               `version = 2`, the version of the accumulator's meaning, with `migrate(1 = from_one)`, a \
                               function from the accumulator of version 1 to the new one";
                return Err(syn::Error::new_spanned(&meta.path, message));
            }
        };
        if place.replace(meta.value()?.parse()?).is_some() {
            return Err(syn::Error::new_spanned(&meta.path, format!("`{name}` is given twice")));
        }
        Ok(())
    }
}

impl Reduce {
    fn parse(options: Options, author: Author) -> syn::Result<Reduce> {
        let [first, rest @ ..] = &author.parameters[..] else {
            return Err(syn::Error::new_spanned(&author.item.sig.ident, ADVICE));
        };
        if rest.is_empty() {
            return Err(syn::Error::new_spanned(&author.item.sig.inputs, ADVICE));
        }
        let (accumulator, state) = match &first.ty {
            Type::Reference(reference) if reference.mutability.is_some() => {
                (Accumulator::Mutable, (*reference.elem).clone())
            }
            ty => (Accumulator::Value, ty.clone()),
        };
        check_value(&state)?;
        rest.iter().try_for_each(|parameter| check_value(&parameter.ty))?;
        check_owned(&state)?;
        check_returned(&author, &accumulator, &state)?;
        let simple = options.create.is_none() && options.zero.is_none();
        if simple {
            check_simple(&author, &options, &state)?;
        } else if options.merge.is_none() {
            let message = "say how two accumulators become one: `merge = |a, b| ...`";
            return Err(syn::Error::new_spanned(author.ident(), message));
        }
        let mut row = RowType::new(rest);
        if simple {
            row.names = vec!["value".to_owned()];
        }
        Ok(Reduce { options, accumulator, state, row, author })
    }

    fn function(&self) -> TokenStream {
        let (ident, signature, state) =
            (self.author.ident(), self.author.signature("ReduceGroups"), self.checked_state());
        let (input, names) = (self.row.ty("'static"), &self.row.names);
        let (finishes, invertible) = (self.options.finish.is_some(), self.options.inverse.is_some());
        let version = self.options.migrations.version;
        code! {
            impl __sdk::Function for #ident {
                fn signature() -> __sdk::Signature {
                    let mut signature = #signature;
                    signature.input = <#input as __sdk::ReadRow<'static>>::row_fields(&[#(#names),*]);
                    signature.state = <#state as __sdk::Value>::fields("value");
                    signature.output = __sdk::finished_fields::<#ident>();
                    signature.finishes = #finishes;
                    signature.invertible = #invertible;
                    signature.state_version = #version;
                    signature
                }

                fn open(
                    binding: &__sdk::Binding,
                ) -> ::core::result::Result<::std::boxed::Box<dyn __sdk::Operator>, ::std::string::String> {
                    __sdk::open_reduce::<#ident>(binding)
                }
            }
        }
    }

    fn checked_state(&self) -> Type {
        of_signature(&self.state, "'static")
    }

    fn implementation(&self) -> TokenStream {
        let (ident, state, parameters) = (self.author.ident(), self.checked_state(), self.author.parameters_type());
        let input = self.row.ty("'a");
        let (pattern, bindings) = (self.row.pattern(), &self.row.bindings);
        let (create, add) = (self.create(), self.call(code!(#(#bindings),*)));
        let (merge, subtract, finish) = (self.merge(), self.subtract(), self.finish());
        let (writer, fields) =
            (code!(<#state as __sdk::Write>::Writer), code!(<#state as __sdk::Value>::fields("value")));
        let migrate = self.options.migrations.function(&writer, &fields);
        code! {
            impl __sdk::ReduceFunction for #ident {
                type Parameters = #parameters;
                type Input<'a> = #input;
                type State = #state;

                #migrate

                #[inline]
                fn create(context: &__sdk::Context<Self::Parameters>, #pattern: Self::Input<'_>) -> Self::State { #create }

                #[inline]
                fn add(context: &__sdk::Context<Self::Parameters>, state: &mut Self::State, #pattern: Self::Input<'_>) { #add }

                #[inline]
                fn merge(context: &__sdk::Context<Self::Parameters>, state: &mut Self::State, other: Self::State) { #merge }

                #[inline]
                fn subtract(
                    state: Self::State,
                    part: Self::State,
                ) -> ::core::result::Result<Self::State, ::std::string::String> { #subtract }

                #[inline]
                fn finish(state: Self::State) -> impl __sdk::Write { #finish }
            }
        }
    }

    /// The function itself, with `state` for its accumulator.
    fn call(&self, row: TokenStream) -> TokenStream {
        let (ident, context) = (self.author.ident(), self.author.context_argument());
        match self.accumulator {
            Accumulator::Value => code!(*state = #ident(#context ::core::clone::Clone::clone(state), #row);),
            Accumulator::Mutable => code!(#ident(#context state, #row);),
        }
    }

    fn create(&self) -> TokenStream {
        let bindings = &self.row.bindings;
        match (&self.options.create, &self.options.zero) {
            (Some(create), _) => {
                let types = self.row.types("'a");
                code! {
                    #[inline(always)]
                    fn begin<'a, S>(create: impl FnOnce(#(#types),*) -> S, #(#bindings: #types),*) -> S {
                        create(#(#bindings),*)
                    }
                    begin(#create, #(#bindings),*)
                }
            }
            (None, Some(zero)) => {
                let add = self.call(code!(#(#bindings),*));
                code!({ let mut state_value: Self::State = #zero; let state = &mut state_value; #add state_value })
            }
            (None, None) => code!(#(#bindings)*),
        }
    }

    fn merge(&self) -> TokenStream {
        match (&self.options.merge, &self.accumulator) {
            (None, _) => self.call(code!(other)),
            (Some(merge), Accumulator::Mutable) => code!(__sdk::merge_into::<Self::State>(state, other, #merge)),
            (Some(merge), Accumulator::Value) => code! {
                *state = __sdk::merge_two::<Self::State>(::core::clone::Clone::clone(state), other, #merge);
            },
        }
    }

    fn subtract(&self) -> TokenStream {
        match &self.options.inverse {
            Some(inverse) => {
                code!(::core::result::Result::Ok(__sdk::merge_two::<Self::State>(state, part, #inverse)))
            }
            None => code!(__sdk::no_inverse::<Self::State>(state, part)),
        }
    }

    fn finish(&self) -> TokenStream {
        match &self.options.finish {
            Some(finish) => code!(__sdk::finish_one::<Self::State, _>(state, #finish)),
            None => code!(state),
        }
    }
}

/// Accumulators outlive the batch that they were made from.
fn check_owned(state: &Type) -> syn::Result<()> {
    if with_lifetime(state, "'a").to_token_stream().to_string()
        == with_lifetime(state, "'b").to_token_stream().to_string()
    {
        return Ok(());
    }
    let message = "an accumulator is kept from chunk to chunk and cannot borrow from one: use `String` for `&str`, `Vec<u8>` \
                   for `&[u8]`, and a struct without a lifetime";
    Err(syn::Error::new_spanned(state, message))
}

fn check_returned(author: &Author, accumulator: &Accumulator, state: &Type) -> syn::Result<()> {
    match (accumulator, &author.item.sig.output) {
        (Accumulator::Mutable, syn::ReturnType::Default) => Ok(()),
        (Accumulator::Mutable, syn::ReturnType::Type(_, ty)) => {
            let message = "a reduce that changes its accumulator in place (`&mut`) returns nothing";
            Err(syn::Error::new_spanned(ty, message))
        }
        (Accumulator::Value, _) => {
            let returned = author.returned(&format!("return the accumulator, `-> {}`", text(state)))?;
            if returned == state {
                return Ok(());
            }
            let message = format!(
                "a reduce returns its accumulator, the type of its first parameter: `{}`, not `{}`",
                text(state),
                text(returned)
            );
            Err(syn::Error::new_spanned(returned, message))
        }
    }
}

/// Without `create` and `zero` a group's first row is its accumulator, so rows and accumulators have one type.
fn check_simple(author: &Author, options: &Options, state: &Type) -> syn::Result<()> {
    let rest = &author.parameters[1..];
    if let ([row], None) = (rest, &options.merge)
        && row.ty == *state
    {
        return Ok(());
    }
    if rest.len() == 1 && rest[0].ty == *state {
        let message = "`merge` is the function itself here; give `create` or `zero` if accumulators differ from rows";
        return Err(syn::Error::new_spanned(&options.merge, message));
    }
    let message = format!(
        "rows differ from the accumulator `{}`: say how a group begins, `create = |first row| ...` or `zero = ...`, and how \
         two accumulators become one, `merge = |a, b| ...`. {ADVICE}",
        text(state)
    );
    Err(syn::Error::new_spanned(&author.item.sig.inputs, message))
}
