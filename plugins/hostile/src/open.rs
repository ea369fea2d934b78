//! The description, and what `open` answers.

use crate::{
    bindings::operators::{Binding, Description, Failure, Field, Signature},
    shared,
    table::{Entry, TABLE, set_opened},
    trouble,
};

/// What a terminal would follow, and what nobody would see.
const DOC: &str = "Says\u{1b}[2J \u{9b}2J\u{202e}rows\u{200b}\u{2028}\u{e0041}\u{fe0f}\u{7f}\n\u{2066}as they are.";

pub(crate) fn describe() -> Description {
    Description {
        name: "hostile".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        functions: TABLE.iter().map(signature).collect(),
    }
}

pub(crate) fn open(binding: &Binding) -> Result<Signature, Failure> {
    let entry = &TABLE[binding.function as usize];
    // Any function tells in this way what it was given.
    if let Some((_, reason)) = binding.parameters.iter().find(|(name, _)| name == "refuse") {
        return Err(Failure { reason: format!("refused: {reason}"), retryable: false });
    }
    set_opened(entry.name);
    let mut signature = signature(entry);
    match entry.name {
        "traps-in-open" => trouble::trap(),
        "loops-in-open" => trouble::loop_forever(),
        "refuses-open" => {
            let given = binding.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            return Err(Failure { reason: format!("not with {}", given.join(" ")), retryable: false });
        }
        "other-name" => signature.name = "identity".to_owned(),
        "other-output" => signature.output.push(Field { name: "more".to_owned(), kind: "integer".to_owned() }),
        "open-types" => signature.output[0].kind = "any".to_owned(),
        "wide-types" => {
            let fields: Vec<String> = (0..400).map(|field| format!("f{field}:text")).collect();
            let kind = format!("record<{}>", fields.join(","));
            signature.output = (0..11).map(|field| Field { name: format!("r{field}"), kind: kind.clone() }).collect();
        }
        "bad-types" => signature.output[0].kind = "text<".to_owned(),
        "anything" => {
            signature.input[0].kind.clone_from(&binding.input[0].kind);
            signature.output[0].kind.clone_from(&binding.input[0].kind);
        }
        _ => {}
    }
    Ok(signature)
}

fn signature(entry: &Entry) -> Signature {
    let fields = |fields: &[(&str, &str)]| {
        fields.iter().map(|(name, kind)| Field { name: (*name).to_owned(), kind: (*kind).to_owned() }).collect()
    };
    Signature {
        name: entry.name.to_owned(),
        kind: entry.kind,
        doc: if entry.name == "says-rows" { DOC.to_owned() } else { String::new() },
        input: fields(entry.input),
        output: fields(entry.output),
        state: fields(entry.state),
        state_version: entry.version,
        whole_partition: entry.name == "loops-at-last",
        finishes: false,
        invertible: false,
        shared: shared::read_by(entry.name),
    }
}
