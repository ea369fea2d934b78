//! Parameters that a function declares: read and checked when it is opened, before there is a row.

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::Binding,
        tidemill::plugin::data::{Batch, Field},
    },
    shared::DeclaredShared,
};

/// What a function takes from `parameters = { ... }` of its pipeline. `#[derive(Parameters)]` implements it for structs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a pipeline's parameters",
    label = "no parameters",
    note = "write #[derive(Parameters)] above the struct, and a field for each parameter"
)]
pub trait Parameters: Sized + 'static {
    /// What there is to give; `None`: whatever the function asks its context for.
    fn declared() -> Option<Vec<Declared>>;

    /// The values. The error is for the pipeline's author.
    fn read(given: &Given<'_>) -> Result<Self, String>;

    /// The side inputs.
    fn shared() -> Vec<DeclaredShared> {
        Vec::new()
    }

    /// The content of a side input, until there is another.
    fn share(&mut self, name: &str, _rows: &Batch) -> Result<(), String> {
        Err(format!("the function reads no side input `{name}`"))
    }
}

/// A type that a parameter can have. An optional one is missing where nothing is given.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter",
    label = "not a parameter's type",
    note = "parameters are i64, f64, bool, String, or an Option of one of them"
)]
pub trait ParameterValue: Sized {
    /// The type as pipelines write it.
    const KIND: &'static str;

    /// The value of a text.
    fn parse(text: &str) -> Option<Self>;
}

/// A parameter as it is told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name in pipelines.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Whether nothing need be given.
    pub is_optional: bool,
    /// What it is then.
    pub default: Option<String>,
    /// The doc comment.
    pub doc: &'static str,
}

/// What a pipeline gives to a function.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a>(&'a [(String, String)]);

/// Of a function that asks its context for parameters by name, which are texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnyParameters;

/// Of a function that has no context, and so takes none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoParameters;

/// The parameters of a binding, or all that is wrong with them.
pub(crate) fn read<P: Parameters>(binding: &Binding) -> Result<P, String> {
    let read = P::read(&Given(&binding.parameters));
    match (unknown::<P>(binding), read) {
        (None, read) => read,
        (Some(unknown), Ok(_)) => Err(unknown),
        (Some(unknown), Err(wrong)) => Err(format!("{wrong}; {unknown}")),
    }
}

/// Says which parameters nobody declares.
fn unknown<P: Parameters>(binding: &Binding) -> Option<String> {
    let declared = P::declared()?;
    let is_one = |name: &str| declared.iter().any(|parameter| parameter.name == name);
    let unknown = binding.parameters.iter().filter(|(name, _)| !is_one(name));
    let unknown: Vec<String> = unknown.map(|(name, _)| format!("`{name}`")).collect();
    let all: Vec<String> = declared.iter().map(Declared::text).collect();
    let all = if all.is_empty() { "takes none".to_owned() } else { format!("takes {}", all.join(", ")) };
    (!unknown.is_empty()).then(|| format!("there is no parameter {}: the function {all}", unknown.join(", ")))
}

/// A function's documentation with what its parameters and side inputs are.
pub fn documented<P: Parameters>(doc: &str) -> String {
    let lines = P::declared().unwrap_or_default().into_iter().map(|parameter| {
        let doc = if parameter.doc.is_empty() { String::new() } else { format!(". {}", set_in(parameter.doc)) };
        format!("- parameter {}{doc}", parameter.text())
    });
    let shared = P::shared().into_iter().map(|input| {
        let doc = if input.doc.is_empty() { String::new() } else { format!(". {}", set_in(input.doc)) };
        format!("- side input {}: {}{doc}", input.name, fields(&input.fields))
    });
    let lines: Vec<String> = lines.chain(shared).collect();
    match (doc.is_empty(), lines.is_empty()) {
        (_, true) => doc.to_owned(),
        (true, false) => lines.join("\n"),
        (false, false) => format!("{doc}\n{}", lines.join("\n")),
    }
}

fn fields(fields: &[Field]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
    fields.join(", ")
}

/// The lines behind the first one stand below it.
fn set_in(doc: &str) -> String {
    let lines = doc.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    lines.collect::<Vec<_>>().join("\n").trim_start().to_owned()
}

impl Declared {
    /// `minimum: integer = 2`.
    fn text(&self) -> String {
        let (name, kind) = (self.name, self.kind);
        match (&self.default, self.is_optional) {
            (Some(default), _) => format!("{name}: {kind} = {default}"),
            (None, true) => format!("{name}: {kind}?"),
            (None, false) => format!("{name}: {kind}"),
        }
    }
}

impl Given<'_> {
    /// A parameter that has to be there.
    pub fn needed<T: ParameterValue>(&self, name: &str) -> Result<T, String> {
        self.optional(name)?.ok_or_else(|| format!("the function needs the parameter `{name}`, {}", T::KIND))
    }

    /// One that need not.
    pub fn optional<T: ParameterValue>(&self, name: &str) -> Result<Option<T>, String> {
        let Some((_, text)) = self.0.iter().find(|(other, _)| other == name) else { return Ok(None) };
        // Without what it is, which may be a secret.
        T::parse(text).map(Some).ok_or_else(|| format!("the parameter `{name}` has to be {}, and is not", T::KIND))
    }
}

impl Parameters for AnyParameters {
    fn declared() -> Option<Vec<Declared>> {
        None
    }

    fn read(_: &Given<'_>) -> Result<AnyParameters, String> {
        Ok(AnyParameters)
    }
}

impl Parameters for NoParameters {
    fn declared() -> Option<Vec<Declared>> {
        Some(Vec::new())
    }

    fn read(_: &Given<'_>) -> Result<NoParameters, String> {
        Ok(NoParameters)
    }
}

macro_rules! parsed {
    ($($ty:ty: $kind:literal),*) => {
        $(impl ParameterValue for $ty {
            const KIND: &'static str = $kind;

            fn parse(text: &str) -> Option<$ty> {
                text.parse().ok()
            }
        })*
    };
}

parsed!(i64: "integer", f64: "float", bool: "boolean", String: "text");
