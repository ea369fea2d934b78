//! `#[update_state]`.

mod options;

use proc_macro2::TokenStream;
use syn::{Type, parse_quote};

use crate::{
    author::{Author, Parameter, RowType},
    migrations::Migrations,
    types::{argument_of, arguments_of, check_taken, check_value, is_named, of_signature, text},
};

/// What the function returns.
enum Returned {
    /// `Option<State>` or `Update<State, Emitted>`.
    Update { state: Box<Type>, emitted: Box<Type> },
    /// The new state.
    State(Box<Type>),
    /// Any of these, or a reason why not.
    Fallible(Box<Returned>),
}

/// A checked update-state function.
struct UpdateState {
    options: Migrations,
    key: RowType,
    new: Type,
    state: Type,
    returned: Returned,
    author: Author,
}

const ADVICE: &str = "an update-state function takes the key's new rows and its state: \
                      `fn total(new: Values<i64>, total: Option<i64>) -> Option<i64>`, with `context: &Context` and `key: ...` \
                      before them if it asks for these";

const RETURN_ADVICE: &str =
    "return the new state (`Option<T>`: `None` deletes it), or `Update<T>`, or a `Result` of one";

pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let options = options::parse(arguments)?;
    let update = UpdateState::parse(options, Author::parse("update_state", item)?)?;
    let (function, implementation) = (update.function(), update.implementation());
    let emitted = update.returned.emitted();
    let keys = update.author.parameters.iter().take(update.key.names.len()).map(|parameter| &parameter.ty);
    let is_nothing = |ty: &&Type| matches!(ty, Type::Tuple(_));
    let values: Vec<&Type> = keys
        .chain([&update.new, &update.state, update.returned.state(), &emitted])
        .filter(|ty| !is_nothing(ty))
        .collect();
    Ok(update.author.with_companion(&values, code!(#function #implementation)))
}

/// Says what to write where a function is nearly one.
fn check_almost(author: &Author) -> syn::Result<()> {
    let [.., new, state] = &author.parameters[..] else { return Ok(()) };
    if let (Some(row), Some(_)) = (argument_of(&new.ty, "Vec"), argument_of(&state.ty, "Option")) {
        let message = format!("a key's new rows are `Values<{}>`", text(row));
        return Err(syn::Error::new_spanned(&new.ty, message));
    }
    if argument_of(&new.ty, "Values").is_some() && argument_of(&state.ty, "Option").is_none() {
        let message = format!("a new key has no state: take `Option<{}>`", text(&state.ty));
        return Err(syn::Error::new_spanned(&state.ty, message));
    }
    Ok(())
}

impl UpdateState {
    fn parse(options: Migrations, author: Author) -> syn::Result<UpdateState> {
        author.parameters.iter().try_for_each(|parameter| check_taken(&parameter.ty))?;
        check_almost(&author)?;
        let place = author.parameters.iter().position(|parameter| argument_of(&parameter.ty, "Values").is_some());
        let (Some(place), Some(state)) = (place, author.parameters.last()) else {
            return Err(syn::Error::new_spanned(&author.item.sig, ADVICE));
        };
        let new = argument_of(&author.parameters[place].ty, "Values");
        let (Some(new), Some(state), true) =
            (new, argument_of(&state.ty, "Option"), place + 2 == author.parameters.len())
        else {
            return Err(syn::Error::new_spanned(&author.item.sig.inputs, ADVICE));
        };
        let keys: &[Parameter] = &author.parameters[..place];
        keys.iter().try_for_each(|parameter| check_value(&parameter.ty))?;
        check_value(new)?;
        check_value(state)?;
        let returned = Returned::of(author.returned(RETURN_ADVICE)?)?;
        let (new, state, key) = (new.clone(), state.clone(), RowType::new(keys));
        Ok(UpdateState { options, key, new, state, returned, author })
    }

    fn function(&self) -> TokenStream {
        let (ident, signature, version) =
            (self.author.ident(), self.author.signature("UpdateStates"), self.options.version);
        let [new, state, emitted] =
            [&self.new, &self.state, &self.returned.emitted()].map(|ty| of_signature(ty, "'static"));
        code! {
            impl __sdk::Function for #ident {
                fn signature() -> __sdk::Signature {
                    let mut signature = #signature;
                    signature.input = <#new as __sdk::Value>::fields("value");
                    signature.state = <#state as __sdk::Value>::fields("value");
                    signature.output = <#emitted as __sdk::ReadRow<'static>>::row_fields(&["value"]);
                    signature.state_version = #version;
                    signature
                }

                fn open(
                    binding: &__sdk::Binding,
                ) -> ::core::result::Result<::std::boxed::Box<dyn __sdk::Operator>, ::std::string::String> {
                    __sdk::open_update::<#ident>(binding)
                }
            }
        }
    }

    fn implementation(&self) -> TokenStream {
        let (ident, context, parameters) =
            (self.author.ident(), self.author.context_argument(), self.author.parameters_type());
        let [new, state, emitted] = [&self.new, &self.state, &self.returned.emitted()].map(|ty| of_signature(ty, "'a"));
        let [written, emitted_fixed] =
            [self.returned.state(), &self.returned.emitted()].map(|ty| of_signature(ty, "'static"));
        let (key, key_fixed, names) = (self.key.ty("'a"), self.key.ty("'static"), &self.key.names);
        let (pattern, bindings) = (self.key.pattern(), &self.key.bindings);
        let migrate = self.options.function(&code!(Self::StateWriter), &code!(Self::written_fields()));
        let apply = self.returned.apply(code!(#ident(#context #(#bindings,)* new, state)));
        code! {
            impl __sdk::UpdateFunction for #ident {
                type Parameters = #parameters;
                type Key<'a> = #key;
                type New<'a> = #new;
                type State<'a> = #state;
                type StateWriter = <#written as __sdk::Write>::Writer;
                type Emitted<'a> = #emitted;
                type EmittedWriter = <#emitted_fixed as __sdk::WriteRow>::RowWriter;

                fn key_fields() -> __sdk::Fields {
                    <#key_fixed as __sdk::ReadRow<'static>>::row_fields(&[#(#names),*])
                }

                fn written_fields() -> __sdk::Fields {
                    <#written as __sdk::Value>::fields("value")
                }

                #migrate

                #[inline]
                fn call<'a>(
                    context: &__sdk::Context<Self::Parameters>,
                    #pattern: Self::Key<'a>,
                    new: __sdk::Values<'a, Self::New<'a>>,
                    state: ::core::option::Option<Self::State<'a>>,
                    changes: &mut __sdk::Changed<Self::StateWriter, Self::EmittedWriter>,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    #apply
                    ::core::result::Result::Ok(())
                }
            }
        }
    }
}

impl Returned {
    fn of(ty: &Type) -> syn::Result<Returned> {
        if let Some(ok) = argument_of(ty, "Result") {
            return Ok(Returned::Fallible(Box::new(Returned::of(ok)?)));
        }
        let nothing: Type = parse_quote!(());
        let returned = match (argument_of(ty, "Option"), arguments_of(ty, "Update")) {
            (Some(state), _) => Returned::Update { state: Box::new(state.clone()), emitted: Box::new(nothing) },
            (_, Some(types)) => {
                let emitted = types.get(1).map_or(nothing, |emitted| (*emitted).clone());
                Returned::Update { state: Box::new(types[0].clone()), emitted: Box::new(emitted) }
            }
            _ if is_named(ty, "Update") => {
                return Err(syn::Error::new_spanned(
                    ty,
                    "say what the state is: `Update<State>` or `Update<State, Row>`",
                ));
            }
            _ if matches!(ty, Type::Tuple(_)) => {
                return Err(syn::Error::new_spanned(ty, "to emit rows beside the state return `Update<State, Row>`"));
            }
            _ => Returned::State(Box::new(ty.clone())),
        };
        check_value(returned.state())?;
        match &returned.emitted() {
            Type::Tuple(tuple) if tuple.elems.is_empty() => {}
            emitted => check_value(emitted)?,
        }
        Ok(returned)
    }

    fn state(&self) -> &Type {
        match self {
            Returned::Update { state, .. } | Returned::State(state) => state,
            Returned::Fallible(inner) => inner.state(),
        }
    }

    /// The type of an emitted row, `()` for none.
    fn emitted(&self) -> Type {
        match self {
            Returned::Update { emitted, .. } => (**emitted).clone(),
            Returned::State(_) => parse_quote!(()),
            Returned::Fallible(inner) => inner.emitted(),
        }
    }

    /// Code that applies `value` to `changes`, in a function that returns `Result<(), String>`.
    fn apply(&self, value: TokenStream) -> TokenStream {
        let emitted = of_signature(&self.emitted(), "'a");
        match self {
            Returned::Update { .. } => code!(changes.apply(__sdk::Update::<_, #emitted>::from(#value));),
            Returned::State(_) => code!(changes.apply(__sdk::Update::<_, #emitted>::put(#value));),
            Returned::Fallible(inner) => {
                let apply = inner.apply(code!(value));
                code! {
                    match #value {
                        ::core::result::Result::Ok(value) => { #apply }
                        ::core::result::Result::Err(error) => {
                            return ::core::result::Result::Err(::std::string::ToString::to_string(&error));
                        }
                    }
                }
            }
        }
    }
}
