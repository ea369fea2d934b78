//! Who knows which operators there are: the files of the operators themselves, and nobody else. What others must know of one
//! stands on the node of the plan.

use crate::{assert_none, source, texts};

/// The rooms of the operators.
const ROOMS: [&str; 4] =
    ["host/plan/src/operators", "host/plan/src/graph.rs", "host/engine/src/operators/", "host/engine/src/reduce.rs"];

/// What names one of them.
const NAMES: [&str; 2] = ["Operator::", "Role::"];

/// Not an operator between streams; and the trait of those at work.
const OTHERS: [&str; 3] = ["Source", "Pass", "begin"];

#[test]
fn only_operators_know_operators() {
    let mut wrong = Vec::new();
    for (path, text) in texts(".rs") {
        if !path.starts_with("host/") || !path.contains("/src/") || ROOMS.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        let code = source::code_of(&text);
        for (number, line) in source::without_tests(&code).lines().enumerate() {
            for name in NAMES {
                let named = line.split(name).skip(1).map(|rest| {
                    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
                    &rest[..end]
                });
                let before = line.find(name).and_then(|at| line[..at].chars().last());
                let is_whole = !before.is_some_and(char::is_alphanumeric);
                let others = named.filter(|named| is_whole && !OTHERS.contains(named));
                wrong.extend(others.map(|named| format!("{path}:{}: {name}{named}", number + 1)));
            }
        }
    }
    assert_none(wrong, "put what this asks of the operator on its node, in the operator's own file");
}
