//! Runs `cases/*.txt`. A case is
//!
//! ```text
//! === what it shows
//! --set a.b=c            (any number of them)
//! the pipeline's text
//! ---
//! what is said about it, and the plan if there is one
//! ```
//!
//! Where a case leaves out a section or the stream `lines`, a good one is put behind its text; a title that ends with
//! `(whole)` says that the text is all there is. `UPDATE_EXPECT=1` writes what came out into the files.

use std::{fmt::Write, fs, path::Path};

use tidemill_connect::CONNECTORS;
use tidemill_plan::{Manifest, Override};

use crate::{fake::Fake, show};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are cases");
    let update = option_env!("UPDATE_EXPECT").is_some();
    for file in files {
        check(&file, update);
    }
}

#[test]
fn the_examples_of_the_page_are_pipelines() {
    let page = concat!(include_str!("../../PIPELINE.md"), include_str!("../../OPERATORS.md"));
    let examples: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() > 5, "the page has examples");
    for example in examples {
        let got = run("an example", example);
        assert!(!got.contains("error:"), "{example}\n{got}");
    }
}

fn check(file: &Path, update: bool) {
    let old = fs::read_to_string(file).unwrap();
    let mut new = String::new();
    for case in old.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (input, expect) = rest.split_once("---\n").unwrap_or((rest, ""));
        let got = run(title, input);
        if !update {
            assert_eq!(got.trim_end(), expect.trim_end(), "\n{}: {title}\ngot:\n{got}", file.display());
        }
        let _ = write!(new, "=== {title}\n{input}---\n{}\n\n", got.trim_end());
    }
    if update {
        fs::write(file, new.trim_end().to_owned() + "\n").unwrap();
    }
}

fn run(title: &str, input: &str) -> String {
    let (sets, text): (Vec<&str>, Vec<&str>) = input.lines().partition(|line| line.starts_with("--set "));
    let overrides: Vec<Override> = sets.iter().map(|line| line["--set ".len()..].parse().unwrap()).collect();
    let mut text = text.join("\n") + "\n";
    if !title.ends_with("(whole)") {
        complete(&mut text);
    }
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &overrides, CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(plan.is_none(), diagnostics.error_count() > 0, "{title}: a plan, or errors");
    let mut shown = diagnostics.render(false);
    if let Some(plan) = plan {
        shown.push_str(&show::plan(&plan));
    }
    shown
}

pub fn complete(text: &mut String) {
    for (begin, section) in [
        ("[pipeline", "[pipeline]\nname = \"test\"\ninterval = \"1s\"\n"),
        ("[plugins", "[plugins]\nwords = \"words.wasm\"\n"),
        ("[streams.lines", "[streams.lines]\nsocket = \"localhost:9999\"\n"),
        ("[outputs", "[outputs.out]\nfrom = \"lines\"\nprint = true\n"),
    ] {
        if !text.contains(begin) {
            text.push_str(section);
        }
    }
}
