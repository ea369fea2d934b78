//! Signatures as a plugin tells them, checked: names, types, sizes, and what each kind of function may have.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests;

use std::collections::HashSet;

use tidemill_model::{
    function::{Binding, Description, FunctionKind, Signature},
    limits,
    schema::{Field, Kind, Schema, Type},
    text::{self, counted, is_visible},
};

use crate::boundary::wire::{DescriptionOut, FieldOut, KindOut, SignatureOut};

/// A whole description with at most `functions_max` functions, or what is wrong with it.
pub(crate) fn description(told: DescriptionOut, functions_max: usize) -> Result<Description, String> {
    for (what, text) in [("the plugin's name", &told.name), ("the plugin's version", &told.version)] {
        if text.len() > limits::NAME_BYTES || !text.chars().all(is_visible) {
            return Err(format!("{what} is longer than {} bytes or no line of text", limits::NAME_BYTES));
        }
    }
    if told.functions.len() > functions_max {
        return Err(format!("it has {}, limit={functions_max}", counted(told.functions.len(), "function")));
    }
    let functions = told.functions.into_iter().map(signature).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    if let Some(twice) = functions.iter().find(|function| !names.insert(&function.name)) {
        return Err(format!("two functions have the name `{}`", twice.name));
    }
    Ok(Description { name: told.name, version: told.version, functions })
}

/// One function's signature, or what is wrong with it.
pub(crate) fn signature(told: SignatureOut) -> Result<Signature, String> {
    let name = told.name;
    if !is_function_name(&name) {
        return Err(format!("`{}` is no function's name (lower-case letters, digits and `-`)", shown(&name)));
    }
    let of = |what: String| format!("function `{name}`: {what}");
    if told.doc.len() > limits::DOC_BYTES {
        return Err(of(format!("its documentation is longer than {} bytes", limits::DOC_BYTES)));
    }
    if told.shared.len() > limits::SHARED {
        return Err(of(format!("it reads {} side inputs, limit={}", told.shared.len(), limits::SHARED)));
    }
    let mut shared = Vec::new();
    for (input, fields) in told.shared {
        if !is_field_name(&input) {
            return Err(of(format!("`{}` is no side input's name", shown(&input))));
        }
        let fields = schema(fields).map_err(|what| of(format!("side input `{input}`: {what}")))?;
        shared.push((input, fields));
    }
    let signature = Signature {
        kind: kind(told.kind),
        doc: told.doc,
        input: schema(told.input).map_err(|what| of(format!("input: {what}")))?,
        output: schema(told.output).map_err(|what| of(format!("output: {what}")))?,
        state: schema(told.state).map_err(|what| of(format!("state: {what}")))?,
        state_version: told.state_version,
        whole_partition: told.whole_partition,
        finishes: told.finishes,
        invertible: told.invertible,
        shared,
        name: name.clone(),
    };
    fits_kind(&signature).map_err(|what| of(what.to_owned()))?;
    Ok(signature)
}

/// Checks what a function answered to `open` against what it was described as and what it was bound to.
pub(crate) fn check_opened(opened: &Signature, described: &Signature, binding: &Binding) -> Result<(), String> {
    if opened.name != described.name || opened.kind != described.kind {
        return Err(format!(
            "it is `{}` ({}), not `{}` ({})",
            opened.name,
            opened.kind.name(),
            described.name,
            described.kind.name()
        ));
    }
    for (what, opened, described) in [
        ("input", &opened.input, &described.input),
        ("output", &opened.output, &described.output),
        ("state", &opened.state, &described.state),
    ] {
        if opened.fields().iter().any(|field| field.ty.is_open()) {
            return Err(format!("the {what} `{opened}` has types that are not settled"));
        }
        if !settles_schema(opened, described) {
            return Err(format!("the {what} is `{opened}`, described as `{described}`"));
        }
    }
    check_properties(opened, described)?;
    let bound = opened.input.fields().iter().zip(binding.input.fields());
    if opened.input.len() != binding.input.len() || bound.clone().any(|(ours, given)| !ours.ty.accepts(&given.ty)) {
        return Err(format!("the input is `{}`, bound to `{}`", opened.input, binding.input));
    }
    Ok(())
}

/// What is no type is settled by the description: the host decides by it how the function is called, and whose states it takes.
fn check_properties(opened: &Signature, described: &Signature) -> Result<(), String> {
    // Taken apart, so that a new one is not forgotten here.
    let properties = |signature: &Signature| {
        let Signature {
            name: _,
            kind: _,
            doc: _,
            input: _,
            output: _,
            state: _,
            state_version,
            whole_partition,
            finishes,
            invertible,
            shared,
        } = signature;
        // Their types are settled like all others.
        let shared: Vec<&str> = shared.iter().map(|(name, _)| name.as_str()).collect();
        [
            ("state-version", state_version.to_string()),
            ("whole-partition", whole_partition.to_string()),
            ("finishes", finishes.to_string()),
            ("invertible", invertible.to_string()),
            ("shared", shared.join(", ")),
        ]
    };
    for ((what, opened), (_, described)) in properties(opened).into_iter().zip(properties(described)) {
        if opened != described {
            return Err(format!("its {what} is `{opened}`, described as `{described}`"));
        }
    }
    let mut shared = opened.shared.iter().zip(&described.shared);
    match shared.find(|((_, opened), (_, described))| !settles_schema(opened, described)) {
        Some(((name, opened), (_, described))) => {
            Err(format!("the side input {name} is `{opened}`, described as `{described}`"))
        }
        None => Ok(()),
    }
}

fn kind(told: KindOut) -> FunctionKind {
    match told {
        KindOut::MapRows => FunctionKind::Map,
        KindOut::ReduceGroups => FunctionKind::Reduce,
        KindOut::UpdateStates => FunctionKind::UpdateState,
        KindOut::OutputRows => FunctionKind::Output,
    }
}

fn fits_kind(signature: &Signature) -> Result<(), &'static str> {
    let keeps = !signature.state.is_empty();
    match signature.kind {
        FunctionKind::Map | FunctionKind::Output if keeps => Err("a function of its kind has no state"),
        FunctionKind::Reduce | FunctionKind::UpdateState if !keeps => Err("a function of its kind needs a state"),
        FunctionKind::Reduce if !signature.finishes && signature.state != signature.output => {
            Err("a reduce that does not finish has the same fields as state and as output")
        }
        FunctionKind::Map | FunctionKind::Output if signature.output.is_empty() => Err("it needs an output"),
        _ => Ok(()),
    }
}

fn schema(told: Vec<FieldOut>) -> Result<Schema, String> {
    if told.len() > limits::FIELDS {
        return Err(format!("{}, limit={}", counted(told.len(), "field"), limits::FIELDS));
    }
    let fields = told.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    let schema = Schema::try_new(fields).map_err(|error| error.to_string())?;
    match schema.nodes() {
        nodes if nodes > limits::NODES => Err(format!(
            "{}, those inside lists and records included, limit={}",
            counted(nodes, "column"),
            limits::NODES
        )),
        _ => Ok(schema),
    }
}

fn field(told: FieldOut) -> Result<Field, String> {
    if !is_field_name(&told.name) {
        return Err(format!("`{}` is no field's name (letters, digits, `_` and `-`)", shown(&told.name)));
    }
    if told.kind.len() > limits::TYPE_BYTES {
        return Err(format!("the type of `{}` is longer than {} bytes", told.name, limits::TYPE_BYTES));
    }
    let ty: Type = told.kind.parse().map_err(|error| format!("the type of `{}`: {error}", told.name))?;
    Ok(Field::new(told.name, ty))
}

fn is_function_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=limits::NAME_BYTES).contains(&name.len()) && name.chars().all(letter)
}

fn is_field_name(name: &str) -> bool {
    // Unicode has letters that nobody sees.
    let letter = |c: char| c.is_alphanumeric() && is_visible(c) || c == '_' || c == '-';
    (1..=limits::NAME_BYTES).contains(&name.len()) && name.chars().all(letter)
}

/// A name that may be anything, for a message.
fn shown(name: &str) -> String {
    let head: String = name.chars().take(40).collect();
    text::shown(&head).into_owned()
}

fn settles_schema(settled: &Schema, described: &Schema) -> bool {
    let mut fields = settled.fields().iter().zip(described.fields());
    settled.len() == described.len() && fields.all(|(a, b)| a.name == b.name && settles(&a.ty, &b.ty))
}

fn settles(settled: &Type, described: &Type) -> bool {
    if described.kind == Kind::Any {
        return true;
    }
    settled.optional == described.optional
        && match (&settled.kind, &described.kind) {
            (Kind::List(a), Kind::List(b)) => settles(a, b),
            (Kind::Record(a), Kind::Record(b)) => settles_schema(a, b),
            (a, b) => a == b,
        }
}
