//! Nearest names, and lists for people.

/// The one of `known` that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(given);
    known
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter_map(|name| Some((distance(&plain, &self::plain(name))?, name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Only so many names are looked at: a suggestion is not worth more.
const CANDIDATES_MAX: usize = 200;

/// How far apart two names are, if they are near enough to be taken for one another.
fn distance(given: &str, name: &str) -> Option<usize> {
    let (shorter, longer) = if given.len() < name.len() { (given, name) } else { (name, given) };
    let distance = strsim::osa_distance(given, name);
    if distance < shorter.chars().count() && distance <= (name.chars().count() / 3).max(1) {
        return Some(distance);
    }
    // `memory-bytes` for `memory`, `sha` for `sha256`.
    (shorter.len() >= 3 && longer.starts_with(shorter)).then_some(usize::MAX)
}

/// What differs only in this was meant. Long names are cut: distance costs the product of the lengths.
fn plain(name: &str) -> String {
    name.chars().take(64).flat_map(char::to_lowercase).map(|c| if c == '_' || c == ' ' { '-' } else { c }).collect()
}

/// "did you mean ...?" if a name is near, and which names there are. `what` is a plural.
pub(crate) fn help<'a>(given: &str, what: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let all = list(known.clone());
    if all.is_empty() {
        return format!("there are no {what}");
    }
    match nearest(given, known) {
        Some(name) => format!("did you mean `{name}`? {what}: {all}"),
        None => format!("{what}: {all}"),
    }
}

/// How many names a list shows.
const LISTED_MAX: usize = 30;

/// `a, b, c`.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut shown: Vec<&str> = names.by_ref().take(LISTED_MAX).collect();
    if names.next().is_some() {
        shown.push("...");
    }
    shown.join(", ")
}

/// `a`, `a and b`, `a, b and c`, each in backticks.
pub(crate) fn and<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["interval", "name", "update-state", "by"];
        for (given, expect) in [
            ("intervall", Some("interval")),
            ("Name", Some("name")),
            ("update_state", Some("update-state")),
            ("yb", Some("by")),
            ("frequency", None),
            ("update", Some("update-state")),
            ("ba", Some("by")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), expect, "{given}");
        }
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(and([]), "");
        assert_eq!(and(["a"]), "`a`");
        assert_eq!(and(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
