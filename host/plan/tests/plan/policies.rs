//! What policies mean for a whole pipeline.

use std::time::Duration;

use tidemill_plan::{
    Manifest,
    graph::{OnError, Plan, Then},
};

use crate::{cases::complete, fake::Fake};

fn plan(streams: &str) -> Plan {
    let mut text = streams.to_owned();
    complete(&mut text);
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], tidemill_connect::CONNECTORS);
    manifest.resolve(&Fake::new(), &mut diagnostics).unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

/// Where one function says so, of whatever a pipeline calls, its batches may be skipped.
#[test]
fn batches_may_be_skipped_where_a_function_says_so() {
    let check = |map: &str, reduce: &str, output: &str, expect: bool| {
        let plan = plan(&format!(
            "[streams.words]\nfrom = \"lines\"\nmap = \"words/split\"\n{map}\n\
             [streams.sums]\nfrom = \"words\"\nby = [\"word\"]\nreduce = \"words/sum\"\n{reduce}\n\
             [outputs.sums]\nfrom = \"words\"\noutput = \"words/to-line\"\nprint = true\n{output}\n\
             [outputs.other]\nfrom = \"sums\"\nprint = true\n"
        ));
        assert_eq!(plan.may_skip(), expect, "{map}; {reduce}; {output}");
    };
    let (skip, retry) =
        ("on-error = \"skip-batch\"", "on-error = { retry = 1, delay = \"1s\", then = \"skip-batch\" }");
    check("", "", "", false);
    check("on-error = \"stop\"", "on-error = { retry = 2 }", "on-error = \"stop\"", false);
    for skips in [skip, retry] {
        check(skips, "", "", true);
        check("", skips, "", true);
        check("", "", skips, true);
        check(skips, skips, skips, true);
    }
}

#[test]
fn calls_are_made_again_where_a_policy_has_use_for_it() {
    let calls_again = |retries, then| OnError { retries, delay: Duration::ZERO, then }.calls_again();
    for then in [Then::Stop, Then::SkipBatch] {
        assert!(!calls_again(0, then) && calls_again(1, then) && calls_again(2, then), "{then:?}");
    }
    assert!(calls_again(0, Then::DeadLetter) && calls_again(1, Then::DeadLetter));
}

/// An operator that holds a batch's rows has its own policy, that of its function, or the pipeline's. One that holds nothing has
/// none, and keeps no states to undo.
#[test]
fn a_batch_that_is_too_much_has_the_policy_of_who_holds_it() {
    const OWN: &str = "\non-error = \"dead-letter\"";
    for (operator, own, expect) in [
        ("sort = \"word\"", "", Some(Then::SkipBatch)),
        ("distinct = true", "", Some(Then::SkipBatch)),
        ("by = \"word\"\nreduce = \"count\"", "", Some(Then::SkipBatch)),
        ("by = \"word\"\nreduce = \"count\"", OWN, Some(Then::DeadLetter)),
        ("by = \"word\"\nreduce = \"sum\"", OWN, Some(Then::DeadLetter)),
        ("by = \"word\"\nreduce = \"words/sum\"", "", Some(Then::SkipBatch)),
        ("by = \"word\"\nreduce = \"words/sum\"", OWN, Some(Then::DeadLetter)),
        ("by = \"word\"\nupdate-state = \"words/running-total\"", "", Some(Then::SkipBatch)),
        ("by = \"word\"\nupdate-state = \"words/running-total\"", OWN, Some(Then::DeadLetter)),
        ("count = true", "", Some(Then::SkipBatch)),
        ("limit = 7", "", None),
    ] {
        let plan = plan(&format!(
            "[pipeline]\nname = \"test\"\ninterval = \"1s\"\non-error = \"skip-batch\"\n\
             [streams.words]\nfrom = \"lines\"\nmap = \"words/split\"\non-error = \"stop\"\n\
             [streams.out]\nfrom = \"words\"\n{operator}{own}\n[outputs.out]\nfrom = \"out\"\nprint = true\n"
        ));
        let out = plan.nodes.iter().find(|node| node.name == "out").unwrap();
        assert_eq!(out.holds, expect, "{operator}{own}");
        assert_eq!(out.then(), expect.unwrap_or(Then::Stop), "{operator}{own}");
        assert_eq!(plan.may_skip(), expect == Some(Then::SkipBatch), "{operator}{own}");
        assert_eq!(plan.nodes.iter().find(|node| node.name == "words").unwrap().holds, None);
    }
}
