//! Which mutants the compiler's errors stand at.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs,
    path::Path,
};

use serde_json::Value;
use syn::{spanned::Spanned, visit::Visit};

use crate::mutants::mutant::{Identity, Mutant};

/// More mutants than this in one place of an error are not dropped for it while there is a narrower place.
const NARROW: usize = 6;
/// How many lines above an error its mutant is looked for.
const LINES_ABOVE: usize = 6;

/// The mutants that errors stand at.
pub fn guilty(errors: &[Value], tree: &Path, mutants: &[Mutant], dropped: &HashSet<Identity>) -> Vec<Identity> {
    let by_number: HashMap<u32, &Mutant> = mutants.iter().map(|mutant| (mutant.number, mutant)).collect();
    let mut numbers = BTreeSet::new();
    for error in errors {
        let places = places_of(error, tree);
        let found = numbers_at(&places);
        if found.is_empty() && !places.is_empty() {
            eprintln!("mutants: no mutant found at {}", error["rendered"].as_str().unwrap_or_default());
        }
        numbers.extend(found);
    }
    let found = numbers.iter().filter_map(|number| by_number.get(number)).map(|mutant| mutant.identity.clone());
    found.filter(|identity| !dropped.contains(identity)).collect()
}

/// A part of a file that an error names.
struct Place {
    text: String,
    from: (usize, usize),
    to: (usize, usize),
}

/// All the places of an error and of what is said to explain it.
fn places_of(error: &Value, tree: &Path) -> Vec<Place> {
    let spans = |message: &Value| message["spans"].as_array().cloned().unwrap_or_default();
    let children = error["children"].as_array().into_iter().flatten().flat_map(spans);
    let place = |span: Value| {
        let text = fs::read_to_string(tree.join(span["file_name"].as_str()?)).ok()?;
        let number = |name: &str| span[name].as_u64().map(|number| number as usize);
        let from = (number("line_start")?, number("column_start")?);
        Some(Place { text, from, to: (number("line_end")?, number("column_end")?) })
    };
    spans(error).into_iter().chain(children).filter_map(place).collect()
}

/// The mutants at an error: in what it underlines, in those lines, above them, or in the function around it.
fn numbers_at(places: &[Place]) -> BTreeSet<u32> {
    let ways: [fn(&Place) -> BTreeSet<u32>; 4] =
        [|place| numbers_in(&place.underlined()), |place| numbers_in(&place.lines()), Place::above, Place::around];
    let mut widest = BTreeSet::new();
    for way in ways {
        let found: BTreeSet<u32> = places.iter().flat_map(way).collect();
        if !found.is_empty() && found.len() <= NARROW {
            return found;
        }
        if widest.is_empty() {
            widest = found;
        }
    }
    widest
}

impl Place {
    fn lines(&self) -> String {
        self.text.lines().skip(self.from.0 - 1).take(self.to.0 + 1 - self.from.0).collect::<Vec<_>>().join("\n")
    }

    fn underlined(&self) -> String {
        let lines = self.lines();
        let behind =
            lines.lines().last().map_or(0, |last| last.chars().count() + 1 - self.to.1.min(last.chars().count() + 1));
        let length = lines.chars().count().saturating_sub(behind);
        lines.chars().take(length).skip(self.from.1 - 1).collect()
    }

    fn above(&self) -> BTreeSet<u32> {
        let lines: Vec<&str> = self.text.lines().take(self.from.0).collect();
        let found = lines.iter().rev().take(LINES_ABOVE).map(|line| numbers_in(line));
        found.into_iter().find(|numbers| !numbers.is_empty()).unwrap_or_default()
    }

    fn around(&self) -> BTreeSet<u32> {
        let Ok(syntax) = syn::parse_file(&self.text) else {
            return BTreeSet::new();
        };
        let mut functions = Functions { line: self.from.0, found: None };
        functions.visit_file(&syntax);
        let Some((from, to)) = functions.found else {
            return BTreeSet::new();
        };
        numbers_in(&self.text.lines().skip(from - 1).take(to + 1 - from).collect::<Vec<_>>().join("\n"))
    }
}

/// The innermost function around a line.
struct Functions {
    line: usize,
    found: Option<(usize, usize)>,
}

impl Functions {
    fn look(&mut self, function: &impl Spanned) {
        let (from, to) = (function.span().start().line, function.span().end().line);
        if (from..=to).contains(&self.line) {
            self.found = Some((from, to));
        }
    }
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.look(function);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.look(function);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'a syn::TraitItemFn) {
        self.look(function);
        syn::visit::visit_trait_item_fn(self, function);
    }
}

/// The numbers of mutants in rewritten code.
fn numbers_in(code: &str) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for mark in ["mutant_switch::on(", "left_", "right_"] {
        for (at, _) in code.match_indices(mark) {
            let digits: String = code[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            numbers.extend(digits.parse::<u32>());
        }
    }
    numbers
}

#[test]
fn the_mutant_of_an_error_is_found() {
    let text = "fn one() {\n    on(3);\n}\nfn two() {\n    if crate::mutant_switch::on(12) {\n        return None;\n    }\n    \
                a(left_7 - right_7);\n\n\n\n\n\n\n\n    b\n}\n";
    let at = |from: (usize, usize), to: (usize, usize)| {
        let place = Place { text: text.to_owned(), from, to };
        numbers_at(&[place]).into_iter().collect::<Vec<u32>>()
    };
    assert_eq!(at((8, 7), (8, 23)), [7], "what is underlined");
    assert_eq!(at((8, 5), (8, 6)), [7], "its line");
    assert_eq!(at((6, 9), (6, 15)), [12], "above");
    assert_eq!(at((16, 5), (16, 6)), [7, 12], "in the function");
    assert_eq!(at((1, 1), (1, 3)), [] as [u32; 0], "no mutant");
}

#[test]
fn what_is_underlined_is_cut_out() {
    let place = |from, to| Place { text: "abcdef\nghijkl\n".to_owned(), from, to }.underlined();
    assert_eq!(place((1, 2), (1, 4)), "bc");
    assert_eq!(place((1, 5), (2, 3)), "ef\ngh");
    assert_eq!(place((2, 1), (2, 7)), "ghijkl");
}
