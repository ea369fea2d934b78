//! Rust sources with comments and literals blanked out, so that rules look at code alone.

/// The source with the text of every comment, string and character literal replaced by blanks. Lines stay lines.
pub fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// The part of a file's code before its test module.
pub fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or(code)
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn skipped(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + block_comment(rest),
        ['"', ..] => at + string(rest),
        ['r', '"' | '#', ..] | ['b' | 'c', 'r', '"' | '#', ..] if !in_word(chars, at) => at + raw_string(rest),
        ['\'', ..] => at + character(rest),
        _ => at,
    }
}

fn in_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

/// The length of a block comment; they nest.
fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a string literal with escapes.
fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string; 0 for a raw identifier (`r#type`).
fn raw_string(rest: &[char]) -> usize {
    let prefix = rest.iter().take_while(|&&c| c.is_alphabetic()).count();
    let hashes = rest[prefix..].iter().take_while(|&&c| c == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return 0;
    }
    let ends =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
    (prefix + hashes + 1..rest.len()).find(ends).map_or(rest.len(), |at| at + 1 + hashes)
}

/// The length of a character literal; 0 for a lifetime.
fn character(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => 3 + tail.iter().position(|&c| c == '\'').map_or(0, |at| at + 1),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

#[test]
fn comments_and_literals_are_blanked() {
    let check = |source: &str, expect: &str| assert_eq!(code_of(source), expect, "{source}");
    check("a // b {\nc", "a       \nc");
    check("a /* { /* } */ */ b", "a                 b");
    check(r#"f("{\"", x)"#, "f(     , x)");
    check(r##"r#"{"}"# r#type br"{""##, "         r#type      ");
    check("'{' '\\'' &'a str", "         &'a str");
    check("'\\u{7b}' '\"' x", "             x");
}
