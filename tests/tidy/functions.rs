//! Functions are short.

use crate::{assert_none, source::code_of, texts};

/// Lines between a function's braces.
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn functions_have_at_most_70_lines() {
    let mut wrong = Vec::new();
    for (path, source) in texts(".rs") {
        for function in functions(&code_of(&source)).iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            wrong.push(format!("{path}:{}: `{}` has {} lines", function.line, function.name, function.lines));
        }
    }
    assert_none(wrong, "split these functions into parts that have names");
}

struct Function {
    name: String,
    /// Where `fn` stands, from 1.
    line: usize,
    /// Lines of the body.
    lines: usize,
}

/// The functions with a body in code without comments and literals, inner ones too.
fn functions(code: &str) -> Vec<Function> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name: String = code[at + 3..].chars().take_while(|&c| is_word(c)).collect();
        if name.is_empty() || code[..at].ends_with(is_word) {
            continue;
        }
        if let Some(body) = body(&code[at..]) {
            let lines = body.matches('\n').count().saturating_sub(1);
            found.push(Function { name, line: code[..at].matches('\n').count() + 1, lines });
        }
    }
    found
}

/// From the opening brace of a function that begins the text to its closing one; `None` if it has no body.
fn body(function: &str) -> Option<&str> {
    let mut nesting = 0_usize;
    let mut open = None;
    for (at, c) in function.char_indices() {
        match c {
            '{' if nesting == 0 && open.is_none() => open = Some(at),
            '(' | '[' | '{' => {}
            ';' if nesting == 0 => return None,
            ')' | ']' | '}' => nesting = nesting.checked_sub(1)?,
            _ => continue,
        }
        if matches!(c, '(' | '[' | '{') {
            nesting += 1;
        }
        if let (Some(open), 0) = (open, nesting) {
            return Some(&function[open..=at]);
        }
    }
    None
}

#[test]
fn functions_are_found_and_measured() {
    let check = |code: &str, expect: &[(&str, usize, usize)]| {
        let found: Vec<_> = functions(code).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        let expect: Vec<_> = expect.iter().map(|&(name, line, lines)| (name.to_owned(), line, lines)).collect();
        assert_eq!(found, expect, "{code}");
    };
    check("fn one() {}", &[("one", 1, 0)]);
    check("\nfn two(x: [u8; 2]) -> [u8; 2] {\n    x\n}\n", &[("two", 2, 1)]);
    check("trait T { fn none(&self); }\nfn some() {\n    { }\n    a;\n}", &[("some", 2, 2)]);
    check("fn outer() {\n    fn inner() {\n        a\n    }\n}", &[("outer", 1, 3), ("inner", 2, 1)]);
    check("type F = fn (u8) -> u8;", &[]);
}
