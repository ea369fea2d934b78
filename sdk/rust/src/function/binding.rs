//! Whether a binding's fields are what a function wants, and where a function finds its key.

use crate::bindings::{
    exports::tidemill::plugin::operators::{Binding, Signature},
    tidemill::plugin::data::Field,
};

/// Refuses a binding whose input fields are not those of the signature.
pub(super) fn check(signature: &Signature, binding: &Binding) -> Result<(), String> {
    let (wanted, given) = (&signature.input, &binding.input);
    if wanted.len() != given.len() {
        let (name, wanted, given) = (&signature.name, list(wanted), list(given));
        return Err(format!("`{name}` reads other fields than it is bound to: it wants {wanted}, and gets {given}"));
    }
    match wanted.iter().zip(given).find(|(wanted, given)| !accepts(&wanted.kind, &given.kind)) {
        Some((wanted, given)) => Err(format!(
            "`{}` wants `{}` to be {}, and the field `{}` is {}",
            signature.name, wanted.name, wanted.kind, given.name, given.kind
        )),
        None => Ok(()),
    }
}

/// The places of a function's key columns among the columns of the whole key.
pub(super) fn key_columns(wanted: &[Field], keys: &[Field]) -> Result<Vec<usize>, String> {
    places_of(wanted, keys, "the function", "key")
}

/// The places of the columns of the fields `wanted` among those of the fields `given`: fields are found by name; a single
/// one binds by itself. An error says `who` wants it of `what`.
pub(super) fn places_of(wanted: &[Field], given: &[Field], who: &str, what: &str) -> Result<Vec<usize>, String> {
    let mut places = Vec::new();
    for field in wanted {
        let by_name = given.iter().position(|other| other.name == field.name);
        let place = by_name.or(if wanted.len() == 1 && given.len() == 1 { Some(0) } else { None });
        let place = place.ok_or_else(|| {
            format!("{who} wants the {what}'s field `{}`, and the {what} is {}", field.name, list(given))
        })?;
        if !accepts(&field.kind, &given[place].kind) {
            let (name, wanted, given) = (&field.name, &field.kind, &given[place].kind);
            return Err(format!("{who} wants the {what}'s field `{name}` to be {wanted}, and it is {given}"));
        }
        let first: usize = given[..place].iter().map(|other| nodes(&other.kind)).sum();
        places.extend(first..first + nodes(&given[place].kind));
    }
    Ok(places)
}

/// Whether a field of type `given` can be handed to a parameter of type `wanted`: the same, or one that is never missing
/// where the wanted one may be.
fn accepts(wanted: &str, given: &str) -> bool {
    let plain = |kind: &str| kind.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (wanted, given) = (plain(wanted), plain(given));
    wanted == given || wanted.strip_suffix('?') == Some(given.as_str())
}

/// Number of columns of a field: one for each type in its type expression, names of a record's fields left out.
fn nodes(kind: &str) -> usize {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let (mut count, mut rest) = (0, kind);
    while let Some(start) = rest.find(is_name) {
        let word = &rest[start..];
        let end = word.find(|c| !is_name(c)).unwrap_or(word.len());
        rest = &word[end..];
        count += usize::from(!rest.trim_start().starts_with(':'));
    }
    count
}

pub(super) fn list(fields: &[Field]) -> String {
    let texts: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.name, field.kind)).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_types_not_names() {
        for (kind, expect) in [
            ("text", 1),
            ("text?", 1),
            ("list<text?>?", 2),
            ("record<text: integer, list-2: list<float>>", 4),
            ("list<record<a: record<b : bytes, c: boolean>>>", 5),
        ] {
            assert_eq!(nodes(kind), expect, "{kind}");
        }
    }

    #[test]
    fn a_field_that_is_never_missing_serves_where_one_may_be() {
        for (wanted, given, expect) in [
            ("text", "text", true),
            ("text?", "text", true),
            ("text", "text?", false),
            ("record<a: text, b: float?>", "record<a:text,b:float?>", true),
            ("list<text?>", "list<text>", false),
        ] {
            assert_eq!(accepts(wanted, given), expect, "{wanted} from {given}");
        }
    }

    fn fields(list: &[(&str, &str)]) -> Vec<Field> {
        list.iter().map(|(name, kind)| Field { name: (*name).to_owned(), kind: (*kind).to_owned() }).collect()
    }

    #[test]
    fn key_fields_are_found_by_name_in_any_order() {
        let keys = fields(&[("user", "record<id: integer, name: text>"), ("page", "text")]);
        let places = |wanted: &[(&str, &str)]| key_columns(&fields(wanted), &keys);
        assert_eq!(places(&[("page", "text")]), Ok(vec![3]));
        assert_eq!(places(&[("page", "text?"), ("user", "record<id: integer, name: text>")]), Ok(vec![3, 0, 1, 2]));
        assert!(places(&[("page", "integer")]).is_err_and(|reason| reason.contains("and it is text")));
        assert!(places(&[("word", "text")]).is_err_and(|reason| reason.contains("`word`")));
        assert_eq!(key_columns(&fields(&[("key", "text")]), &fields(&[("word", "text")])), Ok(vec![0]));
    }
}
