//! The list of mutants that no test can see: `tests/net/equivalent.txt`.
//!
//! A line is an identity as the tool prints it, ` : `, and why the program that it makes cannot be told from the original.

use std::collections::HashSet;

use super::mutant::Mutant;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    pub why: &'static str,
}

/// The mutants that are listed.
pub fn read(list: &str, mutants: &[Mutant]) -> Result<HashSet<u32>, Vec<Wrong>> {
    let (mut numbers, mut wrong) = (HashSet::new(), Vec::new());
    for (at, line) in list.lines().enumerate() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        match entry(line, mutants) {
            Ok(number) if numbers.insert(number) => {}
            Ok(_) => wrong.push(Wrong { line: at + 1, why: "it is listed already" }),
            Err(why) => wrong.push(Wrong { line: at + 1, why }),
        }
    }
    if wrong.is_empty() { Ok(numbers) } else { Err(wrong) }
}

fn entry(line: &str, mutants: &[Mutant]) -> Result<u32, &'static str> {
    // Code may have ` : ` in it, and so may a reason; an identity ends with a number.
    let mut found = None;
    for (at, _) in line.match_indices(" : ") {
        found = found.or_else(|| mutants.iter().find(|mutant| mutant.identity.to_string() == line[..at]).zip(Some(at)));
    }
    match found {
        None if !line.contains(" : ") => Err("there is no ` : ` with a reason behind it"),
        None => Err("there is no such mutant"),
        Some((_, at)) if line[at + 3..].trim().is_empty() => Err("there is no reason"),
        Some((mutant, _)) => Ok(mutant.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::mutant::{Identity, Kind};

    fn mutants() -> Vec<Mutant> {
        let mutant = |number: u32, change: &str| {
            let (file, function, change) = ("a.rs".to_owned(), "f".to_owned(), change.to_owned());
            let identity = Identity { file, function, kind: Kind::Literal, change, ordinal: 1 };
            Mutant { number, identity, line: 1, column: 1, after: String::new() }
        };
        vec![mutant(4, "1 -> 2"), mutant(5, "a : b -> c")]
    }

    #[track_caller]
    fn check(list: &str, expect: Result<&[u32], (usize, &str)>) {
        let found = read(list, &mutants()).map(|numbers| {
            let mut numbers: Vec<u32> = numbers.into_iter().collect();
            numbers.sort();
            numbers
        });
        let found = found.map_err(|wrong| (wrong[0].line, wrong[0].why));
        assert_eq!(found, expect.map(<[u32]>::to_vec), "{list}");
    }

    #[test]
    fn entries_are_read() {
        check("", Ok(&[]));
        check("# Why.\n\na.rs f literal `1 -> 2` #1 : A hint : no more.\n", Ok(&[4]));
        check("a.rs f literal `1 -> 2` #1 : One.\na.rs f literal `a : b -> c` #1 : Two.\n", Ok(&[4, 5]));
    }

    #[test]
    fn wrong_entries_are_named() {
        check("a.rs f literal `1 -> 2` #1", Err((1, "there is no ` : ` with a reason behind it")));
        check("\na.rs f literal `1 -> 2` #2 : A reason.", Err((2, "there is no such mutant")));
        check("a.rs f literal `1 -> 2` #1 :  ", Err((1, "there is no reason")));
        let twice = "a.rs f literal `1 -> 2` #1 : One.\na.rs f literal `1 -> 2` #1 : Two.";
        check(twice, Err((2, "it is listed already")));
    }
}
