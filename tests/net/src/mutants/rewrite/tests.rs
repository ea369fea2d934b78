//! What becomes of small sources.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashSet;

use super::*;

/// The mutants of a source as `function kind change #ordinal`, and the source with them.
fn rewritten(source: &str) -> (Vec<String>, String) {
    let rewritten = rewrite("a.rs", source, 1, &HashSet::new()).unwrap();
    syn::parse_file(&rewritten.text).unwrap();
    let names = rewritten.mutants.iter().map(|mutant| mutant.identity.to_string());
    (names.map(|name| name.strip_prefix("a.rs ").unwrap().to_owned()).collect(), one_text(&rewritten.text))
}

/// Without line breaks, and short names of the switch.
fn one_text(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("crate::mutant_switch::", "")
}

/// Checks the mutants of an expression, which is the body of a function of no known type.
#[track_caller]
fn check(expression: &str, mutants: &[&str], becomes: &str) {
    let (found, text) = rewritten(&format!("fn f() -> X {{ {expression} }}"));
    let expect: Vec<String> = mutants.iter().map(|mutant| format!("f {mutant}")).collect();
    assert_eq!(found, expect, "{expression}");
    // Where lines are broken, the printer sets braces; so the names must be as long as those that it has printed.
    let becomes = becomes.replace("on(", "crate::mutant_switch::on(");
    let syntax = syn::parse_file(&format!("fn f() -> X {{ {becomes} }}")).unwrap();
    assert_eq!(text, one_text(&prettyplease::unparse(&syntax)), "{expression}");
}

/// Checks that a source has no mutants at all.
#[track_caller]
fn check_none(source: &str) {
    let (found, _) = rewritten(source);
    assert!(found.is_empty(), "{source}: {found:?}");
}

#[test]
fn conditions_and_comparisons_are_switched() {
    check("a == b", &["comparison `a == b -> its opposite` #1"], "((a == b) != on(1))");
    check(
        "a < b",
        &["comparison `a < b -> <=` #1"],
        "(match (&(a), &(b)) { (left_1, right_1) => if on(1) { *left_1 <= *right_1 } else { *left_1 < *right_1 } })",
    );
    check("if a { b } else { c }", &["condition `a -> its opposite` #1"], "if ((a) != on(1)) { b } else { c }");
    check(
        "match x { n if fits(n) => y, z => y }",
        &["condition `fits(n) -> its opposite` #1"],
        "match x { n if ((fits(n)) != on(1)) => y, z => y }",
    );
    check("a.is_some()", &["method `a.is_some() -> its opposite` #1"], "((a.is_some()) != on(1))");
}

#[test]
fn a_condition_that_binds_stays() {
    check("if let Some(a) = b { a } else { c }", &[], "if let Some(a) = b { a } else { c }");
    check(
        "if let Some(a) = b && a == c { a } else { c }",
        &["comparison `a == c -> its opposite` #1"],
        "if let Some(a) = b && ((a == c) != on(1)) { a } else { c }",
    );
}

#[test]
fn each_side_is_evaluated_as_often_as_before() {
    check(
        "a && b",
        &["logic `a && b -> ||` #1"],
        "({ let left_1: bool = a; if left_1 != on(1) { b } else { left_1 } })",
    );
    check(
        "a || b",
        &["logic `a || b -> &&` #1"],
        "({ let left_1: bool = a; if left_1 == on(1) { b } else { left_1 } })",
    );
    check(
        "a + b",
        &["arithmetic `a + b -> -` #1"],
        "(match (a, b) { (left_1, right_1) => if on(1) { left_1 - right_1 } else { left_1 + right_1 } })",
    );
    check("a + &b", &[], "a + &b");
}

#[test]
fn numbers_and_truths_are_others() {
    check(
        "7u8",
        &["literal `7u8 -> 8u8` #1", "literal `7u8 -> 0u8` #1"],
        "(if on(2) { 0u8 } else { (if on(1) { 8u8 } else { 7u8 }) })",
    );
    check("0", &["literal `0 -> 1` #1"], "(if on(1) { 1 } else { 0 })");
    check("g(true)", &["literal `true -> its opposite` #1"], "g(((true) != on(1)))");
    check(
        "255",
        &["literal `255 -> 254` #1", "literal `255 -> 0` #1"],
        "(if on(2) { 0 } else { (if on(1) { 254 } else { 255 }) })",
    );
}

#[test]
fn methods_are_others() {
    check(
        "a.min(b)",
        &["method `... .min(b) -> max` #1"],
        "(match (a, b) { (left_1, right_1) => if on(1) { left_1.max(right_1) } else { left_1.min(right_1) } })",
    );
    check(
        "a.first()",
        &["method `... .first() -> last` #1"],
        "(match &(a) { left_1 => if on(1) { left_1.last() } else { left_1.first() } })",
    );
    check("a.any(|x| p(x))", &["method `... .any(|x| p(x)) -> all` #1"], "((a.any(|x| { (p(x)) != on(1) })) != on(1))");
    check("a.all(p)", &["method `... .all(p) -> any` #1"], "((a.all(|left_1| { ((p)(left_1)) != on(1) })) != on(1))");
    check(
        "a.filter(|x| p(x)).take(n)",
        &["method `... .filter(|x| p(x)) -> nothing is left out` #1", "method `... .take(n) -> all are taken` #1"],
        "a.filter(|x| { on(1) || (p(x)) }).take(if on(2) { !0 } else { n })",
    );
}

#[test]
fn statements_are_left_out() {
    check(
        "g()?; a = b; return c; x",
        &["statement `g()? -> (nothing)` #1", "statement `a = b -> (nothing)` #1"],
        "if !on(1) { g()?; } if !on(2) { a = b; } return c; x",
    );
    check("a.reserve(n); log!(m); x", &[], "a.reserve(n); log!(m); x");
    check(
        "a += b; x",
        &["arithmetic `a += b -> -=` #1", "statement `a += b -> (nothing)` #1"],
        "if !on(2) { (match b { right_1 => if on(1) { a -= right_1 } else { a += right_1 } }); } x",
    );
}

#[test]
fn what_has_no_value_is_a_statement_where_it_stands_last() {
    let (found, text) = rewritten("fn f() { g(); match x { A => h(), B => { i() } } }");
    assert_eq!(
        found,
        [
            "f statement `g() -> (nothing)` #1",
            "f statement `h() -> (nothing)` #1",
            "f statement `i() -> (nothing)` #1",
            "f body `{ ... } -> return` #1",
        ]
    );
    assert!(text.contains("A => { if !on(2) { h(); } } B => { if !on(3) { i(); } }"), "{text}");
}

#[test]
fn bodies_return_something_simple() {
    let check = |output: &str, expect: &[&str]| {
        let (found, _) = rewritten(&format!("fn f() -> {output} {{ g() }}"));
        let expect: Vec<String> =
            expect.iter().map(|value| format!("f body `{{ ... }} -> return {value}` #1")).collect();
        assert_eq!(found, expect, "{output}");
    };
    check("bool", &["true", "false"]);
    check("io::Result<()>", &["Ok(())"]);
    check("fmt::Result", &["Ok(())"]);
    check("Result<Option<u8>, E>", &["Ok(None)"]);
    check("Option<X>", &["None"]);
    check("usize", &["0", "1"]);
    check("Vec<X>", &["Vec::new()"]);
    check("&'static str", &["\"\""]);
    check("X", &[]);
    let (found, _) = rewritten("fn f() -> Option<X> { None }");
    assert!(found.is_empty(), "it returns that already: {found:?}");
}

#[test]
fn what_no_test_runs_is_left_alone() {
    check_none("#[cfg(test)] mod tests { fn f() -> bool { g(1 + 2) } }");
    check_none("#[cfg(any(test, feature = \"testing\"))] fn f() -> bool { g() }");
    check_none("const A: u8 = 1 + 2; static B: [u8; 3] = [1; 3]; const fn f() -> u8 { 1 + 2 }");
    check_none("fn f() -> bool { unsafe { g(1) } }");
    check_none("fn f(x: [u8; 3]) -> X { m!(1 + 2) }");
    check_none("macro_rules! m { () => { fn f() -> bool { 1 + 2 } } }");
    check_none("enum E { A = 1 } struct S([u8; 4]);");
    let (found, _) = rewritten("fn f(x: u8) -> X { match x { 1 | 3..=4 => y, z => y } }");
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn modules_for_tests_are_named() {
    let found =
        test_modules("#[cfg(test)] mod one; mod two; mod four { #[cfg(test)] mod five; } #[cfg(test)] mod three {}");
    assert_eq!(found.unwrap(), ["one", "five"]);
}

#[test]
fn an_identity_stays_when_other_functions_change() {
    let names = |source: &str| rewritten(source).0.into_iter().filter(|name| name.starts_with("T::f ")).collect();
    let before: Vec<String> = names("impl T { fn f(&self) { g(1); g(1); } }");
    let after: Vec<String> =
        names("fn e(x: u8) -> bool {\n x == 1 }\n\n impl T { fn d() { h(1); } fn f(&self) { g(1);\n g(1); } }");
    assert_eq!(before, after);
    assert!(before.contains(&"T::f literal `1 -> 2` #2".to_owned()), "{before:?}");
}

#[test]
fn an_entry_tells_whether_its_function_has_changed() {
    let entries = |source: &str| {
        let rewritten = rewrite("a.rs", source, 1, &HashSet::new()).unwrap();
        rewritten.mutants.iter().map(Mutant::entry).collect::<Vec<_>>()
    };
    let before = entries("impl T { fn f(&self) -> X { struct A; g(1); a } fn h() -> X { a == b } }");
    assert!(before[0].starts_with("a.rs T::f literal `1 -> 2` #1 @"), "{before:?}");
    let commented = "impl T {\n /// Does it.\n fn f(&self) -> X {\n // Why.\n /// What.\n struct A;\n g(1);\n a }
                     fn h() -> X { a == b } }";
    assert_eq!(entries(commented), before, "comments say nothing");
    let after = entries("impl T { fn f(&self) -> X { struct A; g(1); b } fn h() -> X { a == b } }");
    assert_ne!(after[0], before[0], "another text of the function");
    assert_eq!(after.last(), before.last(), "another function");
}

#[test]
fn what_is_dropped_has_its_number_and_no_switch() {
    let source = "fn f() -> X { a == b; c == d }";
    let all = rewrite("a.rs", source, 5, &HashSet::new()).unwrap();
    let dropped = HashSet::from([all.mutants[0].identity.clone()]);
    let without = rewrite("a.rs", source, 5, &dropped).unwrap();
    assert_eq!(without.mutants, all.mutants);
    assert!(!without.text.contains("on(5)") && without.text.contains("on(6)"), "{}", without.text);
}

#[test]
fn places_are_those_of_the_original() {
    let all = rewrite("a.rs", "fn f() -> X {\n    a\n        .first()\n}\n", 1, &HashSet::new()).unwrap();
    assert_eq!((all.mutants[0].line, all.mutants[0].column), (3, 10));
}
