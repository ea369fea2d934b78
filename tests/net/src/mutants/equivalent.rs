//! The list of mutants that no test can see: `tests/net/equivalent.txt`.
//!
//! A line is an entry as the tool prints it for a survivor, ` : `, and why the program that it makes cannot be told from the
//! original. The last part of an entry is the hash of its function: in another text of it, the alike ones may be others.

use std::collections::HashSet;

use super::mutant::Mutant;

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    pub why: String,
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
            Ok(_) => wrong.push(Wrong { line: at + 1, why: "it is listed already".to_owned() }),
            Err(why) => wrong.push(Wrong { line: at + 1, why }),
        }
    }
    if wrong.is_empty() { Ok(numbers) } else { Err(wrong) }
}

fn entry(line: &str, mutants: &[Mutant]) -> Result<u32, String> {
    // Code may have ` : ` in it, and so may a reason; an entry ends with a hash.
    let parts = || line.match_indices(" : ").map(|(at, _)| (&line[..at], line[at + 3..].trim()));
    for (text, reason) in parts() {
        let (identity, hash) = text.rsplit_once(" @").unwrap_or((text, ""));
        let Some(mutant) = mutants.iter().find(|mutant| mutant.identity.to_string() == identity) else {
            continue;
        };
        if hash != format!("{:08x}", mutant.function_hash) {
            return Err(format!(
                "its function has changed; if the reason still holds for this one, the line begins with\n{}",
                mutant.entry()
            ));
        }
        return if reason.is_empty() { Err("there is no reason".to_owned()) } else { Ok(mutant.number) };
    }
    let why =
        if parts().next().is_none() { "there is no ` : ` with a reason behind it" } else { "there is no such mutant" };
    Err(why.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::collections::BTreeSet;

    use tidemill_tests::repository;

    use super::*;
    use crate::mutants::{
        mutant::{Identity, Kind},
        rewrite::rewrite,
    };

    fn mutants() -> Vec<Mutant> {
        let mutant = |number: u32, change: &str| {
            let (file, function, change) = ("a.rs".to_owned(), "f".to_owned(), change.to_owned());
            let identity = Identity { file, function, kind: Kind::Literal, change, ordinal: 1 };
            Mutant { number, identity, line: 1, column: 1, after: String::new(), function_hash: 0xab }
        };
        vec![mutant(4, "1 -> 2"), mutant(5, "a : b -> c")]
    }

    /// The list that there is, without a build: what compiles is not known here, and need not be.
    #[test]
    fn what_is_listed_is_in_the_sources() {
        let list = std::fs::read_to_string(repository().join("tests/net/equivalent.txt")).unwrap();
        let entries = list.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
        let files: BTreeSet<&str> = entries.filter_map(|line| line.split(' ').next()).collect();
        let mut mutants = Vec::new();
        for file in files {
            let source = std::fs::read_to_string(repository().join(file)).unwrap();
            mutants.extend(rewrite(file, &source, mutants.len() as u32, &HashSet::new()).unwrap().mutants);
        }
        let wrong = read(&list, &mutants).err().unwrap_or_default();
        let wrong: Vec<String> = wrong.iter().map(|wrong| format!("line {}: {}", wrong.line, wrong.why)).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[track_caller]
    fn check(list: &str, expect: Result<&[u32], (usize, &str)>) {
        let found = read(list, &mutants()).map(|numbers| {
            let mut numbers: Vec<u32> = numbers.into_iter().collect();
            numbers.sort();
            numbers
        });
        let found = found.map_err(|wrong| (wrong[0].line, wrong[0].why.clone()));
        assert_eq!(found, expect.map(<[u32]>::to_vec).map_err(|(line, why)| (line, why.to_owned())), "{list}");
    }

    #[test]
    fn entries_are_read() {
        check("", Ok(&[]));
        check("# Why.\n\na.rs f literal `1 -> 2` #1 @000000ab : A hint : no more.\n", Ok(&[4]));
        check(
            "a.rs f literal `1 -> 2` #1 @000000ab : One.\na.rs f literal `a : b -> c` #1 @000000ab : Two.\n",
            Ok(&[4, 5]),
        );
    }

    #[test]
    fn wrong_entries_are_named() {
        check("a.rs f literal `1 -> 2` #1", Err((1, "there is no ` : ` with a reason behind it")));
        check("\na.rs f literal `1 -> 2` #2 @000000ab : A reason.", Err((2, "there is no such mutant")));
        check("a.rs f literal `1 -> 2` #1 @000000ab :  ", Err((1, "there is no reason")));
        let changed = "its function has changed; if the reason still holds for this one, the line begins with\n\
                       a.rs f literal `1 -> 2` #1 @000000ab";
        check("a.rs f literal `1 -> 2` #1 @000000ac : A reason.", Err((1, changed)));
        check("a.rs f literal `1 -> 2` #1 : A reason.", Err((1, changed)));
        let twice = "a.rs f literal `1 -> 2` #1 @000000ab : One.\na.rs f literal `1 -> 2` #1 @000000ab : Two.";
        check(twice, Err((2, "it is listed already")));
    }
}
