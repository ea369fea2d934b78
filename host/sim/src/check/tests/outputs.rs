//! What outputs have.

use tidemill_model::time::Timestamp;

use super::undated;
use crate::{
    check::{check_nothing, check_order, check_output, lines::Numbered, model::Model},
    scenario::{Content, OutputSpec, SinkKind},
    world::{Delivery, Output},
};

fn spec(content: Content) -> OutputSpec {
    OutputSpec { name: "out", stream: "out", content, sink: SinkKind::Plain, is_passing: false }
}

fn delivery(time: i64, rows: &[&str], by_owner: bool) -> Delivery {
    let rows = vec![rows.iter().map(|&row| row.to_owned()).collect()];
    Delivery { time: Timestamp(time), rows, host: 0, by_owner }
}

#[test]
fn batches_have_the_rows_of_the_model() {
    let mut model = Model::default();
    let line = |number, text| Numbered { number, value: 1, text };
    model.batch(Timestamp(1), &[line(0, "a b"), line(1, "a")]);
    let check = |content, deliveries: &[Delivery], is_absent, expect: &str| {
        let mut output = Output::new(&spec(content));
        output.deliveries = deliveries.to_vec();
        let said = undated(check_output(&output, Timestamp(1), &model, is_absent));
        assert_eq!(said, expect);
    };
    let right = delivery(1, &["b 1", "a 2"], true);
    check(Content::Counts, std::slice::from_ref(&right), false, "");
    check(Content::Counts, &[right.clone(), right.clone()], false, "");
    check(Content::Counts, &[delivery(2, &[], true)], false, "output `out` lacks the batch 0 ms");
    let wrong = [delivery(1, &["a 1", "b 1"], true)];
    check(
        Content::Counts,
        &wrong,
        false,
        "output `out`, batch 0 ms: [\"a 1\", \"b 1\"], and [\"a 2\", \"b 1\"] is right",
    );
    let unasked = "output `out` has the batch 0 ms, and its source has none";
    check(Content::Counts, std::slice::from_ref(&right), true, unasked);
    check(Content::Totals, &[right], true, "");
}

#[test]
fn batches_come_in_order_and_are_the_same_again() {
    let check = |deliveries: &[Delivery], expect: &str| {
        let mut output = Output::new(&spec(Content::Counts));
        output.deliveries = deliveries.to_vec();
        let times = [1, 2].map(Timestamp).into();
        assert_eq!(undated(check_order(&output, &times)), expect);
    };
    let [first, second] = [delivery(1, &["a"], true), delivery(2, &["b"], true)];
    check(&[first.clone(), first.clone(), second.clone(), second.clone()], "");
    check(&[first.clone(), second.clone(), first.clone()], "output `out` gets the batch 0 ms after a later one");
    check(&[first.clone(), second, delivery(1, &["a"], false)], "");
    let other = delivery(1, &["a", "a"], true);
    check(&[first, other], "output `out` gets the batch 0 ms again with other rows");
    check(&[delivery(3, &[], true)], "output `out` has the batch 0 ms, which does not count");
}

#[test]
fn a_folder_shows_batches_with_rows_only() {
    let mut model = Model::new("in", 1_000_000);
    model.batch(Timestamp(1), &[]);
    let said = |content, sink| {
        let output = Output::new(&OutputSpec { sink, ..spec(content) });
        undated(check_output(&output, Timestamp(1), &model, false))
    };
    assert_eq!(said(Content::Counts, SinkKind::Folder), "");
    assert_eq!(said(Content::Counts, SinkKind::Exact), "output `out` lacks the batch 0 ms");
    assert_eq!(said(Content::Rows, SinkKind::Folder), "output `out` lacks the batch 0 ms");
}

#[test]
fn a_batch_that_was_skipped_or_run_without_an_output_is_nowhere_in_it() {
    let mut output = Output::new(&spec(Content::Counts));
    assert_eq!(check_nothing(&output, Timestamp(1), true), Ok(()));
    output.deliveries.push(delivery(1, &[], true));
    let said = |is_skipped| undated(check_nothing(&output, Timestamp(1), is_skipped));
    assert_eq!(said(true), "output `out` has the batch 0 ms, which was skipped");
    assert_eq!(said(false), "output `out` has the batch 0 ms, which was run without it");
}

#[test]
fn a_host_delivers_a_batch_once() {
    for sink in [SinkKind::Plain, SinkKind::Exact, SinkKind::Folder] {
        let mut output = Output::new(&OutputSpec { sink, ..spec(Content::Counts) });
        assert_eq!(output.deliver(delivery(1, &["a"], true)), Ok(()));
        let said = undated(output.deliver(delivery(1, &["a"], true)));
        assert_eq!(said, "host 0 delivers the batch 0 ms to output `out` twice");
        let later = |rows| Delivery { host: 1, ..delivery(1, rows, true) };
        assert_eq!(output.deliver(later(&["a"])), Ok(()), "a later host cannot know that it has");
        let other = output.deliver(Delivery { host: 2, ..later(&["b"]) });
        assert_eq!(other.is_err(), sink != SinkKind::Plain);
    }
}

#[test]
fn a_folder_is_new_for_the_host_that_makes_it() {
    let mut output = Output::new(&OutputSpec { sink: SinkKind::Folder, ..spec(Content::Counts) });
    assert!(output.is_new());
    output.open();
    assert!(!output.is_new());
    assert!(!Output::new(&spec(Content::Counts)).is_new());
}
