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

    /// A third of a name may be wrong, one letter at least; but not all of what was given.
    #[test]
    fn names_are_near_by_their_length() {
        for (given, known, is_near) in [
            ("b", "a", false),
            ("ac", "ab", true),
            ("ad", "abc", false),
            ("abd", "abc", true),
            ("axy", "abc", false),
            ("abcxe", "abcde", true),
            ("abxye", "abcde", false),
            ("abcdxy", "abcdef", true),
            ("abcxyz", "abcdef", false),
            ("abcdefxyz", "abcdefghi", true),
            ("abcdewxyz", "abcdefghi", false),
            // What begins with it, or what it begins with, if that are three letters.
            ("mem", "memory", true),
            ("me", "memory", false),
            ("sha256sum", "sha", true),
            ("shall", "sh", false),
        ] {
            assert_eq!(nearest(given, [known]), is_near.then_some(known), "{given} for {known}");
        }
        // The nearest one, and the first of several.
        assert_eq!(nearest("abcdxf", ["abcdef", "abcdxx", "abcdxg"]), Some("abcdef"));
        assert_eq!(nearest("abcdxf", ["xbcdyf", "abcdef"]), Some("abcdef"));
        // So many are looked at.
        let names: Vec<String> = (0..CANDIDATES_MAX).map(|number| format!("{number:06}-other")).collect();
        let known = |before: usize| names.iter().take(before).map(String::as_str).chain(["interval"]);
        assert_eq!(nearest("intervall", known(CANDIDATES_MAX - 1)), Some("interval"));
        assert_eq!(nearest("intervall", known(CANDIDATES_MAX)), None);
    }

    #[test]
    fn lists_end_somewhere() {
        let names: Vec<String> = (0..32).map(|number| number.to_string()).collect();
        let shown = |count: usize| list(names.iter().take(count).map(String::as_str));
        assert_eq!((shown(0), shown(1), shown(3)), (String::new(), "0".to_owned(), "0, 1, 2".to_owned()));
        assert!(shown(30).ends_with(", 29") && shown(31).ends_with(", 29, ...") && shown(32).ends_with(", 29, ..."));
        assert_eq!(help("a", "fields", []), "there are no fields");
        assert_eq!(help("a", "fields", ["xyz"]), "fields: xyz");
        assert_eq!(help("xya", "fields", ["xyz"]), "did you mean `xyz`? fields: xyz");
    }

    #[test]
    fn lists_read_well() {
        assert_eq!(and([]), "");
        assert_eq!(and(["a"]), "`a`");
        assert_eq!(and(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
