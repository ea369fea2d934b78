//! Pipelines that are too large.

use std::fmt::Write;

use tidemill_connect::CONNECTORS;
use tidemill_model::limits::PipelineLimits;
use tidemill_plan::Manifest;

use crate::fake::Fake;

/// What is said of a pipeline of these streams, with an output of the stream `out`; nothing if it is good.
fn said(streams: &str) -> String {
    said_of(4, streams)
}

/// The same of one with so many partitions.
fn said_of(partitions: u32, streams: &str) -> String {
    said_within(partitions, "512GiB", "64MiB", streams)
}

/// The same where all instances may have so much memory, and one of them so much.
fn said_within(partitions: u32, all: &str, one: &str, streams: &str) -> String {
    let text = format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\npartitions = {partitions}\nlimits = {{ instance-memory = \"{all}\" }}\n\
         [plugins]\nodd = {{ path = \"odd.wasm\", limits = {{ memory = \"{one}\" }} }}\nwords = \"words.wasm\"\n{streams}\n\
         [outputs.out]\nfrom = \"out\"\nprint = true\n"
    );
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(plan.is_none(), diagnostics.error_count() > 0);
    if plan.is_some() { String::new() } else { diagnostics.render(false) }
}

/// So many filters in a row; every so many rows are sorted.
fn chain(filters: usize, sort_every: usize) -> String {
    let mut text = "[streams.s0]\nqueue = { schema = \"ok: boolean\", batches = [] }\n".to_owned();
    for filter in 1..=filters {
        let name = if filter == filters { "out".to_owned() } else { format!("s{filter}") };
        let operator = if filter % sort_every == 0 { "sort = \"ok\"" } else { "filter = \"ok\"" };
        let _ = writeln!(text, "[streams.{name}]\nfrom = \"s{}\"\n{operator}", filter - 1);
    }
    text
}

#[test]
fn rows_go_through_so_many_steps_in_a_row() {
    assert_eq!(said(&chain(64, usize::MAX)), "");
    // An output's function is one more, and an output without one is none.
    let with_function = |filters: usize| {
        let text = chain(filters, usize::MAX).replacen("ok: boolean", "ok: boolean, word: text, count: integer", 1);
        said(&format!("{text}[outputs.more]\nfrom = \"out\"\noutput = \"words/to-line\"\nprint = true\n"))
    };
    assert_eq!(with_function(63), "");
    let output = with_function(64);
    assert!(output.contains("output `more` stands behind more than 64 maps and filters in a row"), "{output}");
    assert!(output.contains("[outputs.more]") && output.contains("^ too far behind"), "{output}");
    for filters in [65, 9_000] {
        let said = said(&chain(filters, usize::MAX));
        let name = if filters == 65 { "out" } else { "s65" };
        assert!(
            said.contains(&format!("stream `{name}` stands behind more than 64 maps and filters in a row")),
            "{said}"
        );
        assert!(said.contains(&format!("[streams.{name}]")) && said.contains("^ too far behind"), "{said}");
        assert_eq!(said.matches("error:").count(), 1, "{said}");
    }
    assert_eq!(said(&chain(9_000, 50)), "");
}

#[test]
fn a_pipeline_has_so_many_instances() {
    let chain = |maps: usize, partitions: u32| {
        let mut streams = "[streams.s0]\nsocket = \"h:1\"\n".to_owned();
        for map in 1..=maps {
            let name = if map == maps { "out".to_owned() } else { format!("s{map}") };
            let _ = writeln!(streams, "[streams.{name}]\nfrom = \"s{}\"\nmap = \"odd/echo\"", map - 1);
        }
        said_of(partitions, &streams)
    };
    assert_eq!(chain(2, 4_096), "");
    let three = chain(3, 4_096);
    assert!(three.contains("the pipeline would have 12288 instances of its plugins at once"), "{three}");
    assert_eq!(chain(63, 130), "");
    assert!(chain(63, 131).contains("would have 8253 instances"));
}

/// Few instances with much memory each are as much as many with little.
#[test]
fn instances_have_so_much_memory_together() {
    let within = |partitions: u32, all: &str, one: &str| {
        let streams = "[streams.lines]\nsocket = \"h:1\"\n[streams.one]\nfrom = \"lines\"\nmap = \"odd/echo\"\n\
                       [streams.out]\nfrom = \"one\"\nmap = \"odd/echo\"\n";
        said_within(partitions, all, one, streams)
    };
    // What is allowed where nothing is written.
    assert_eq!(PipelineLimits::default().instance_memory, 256 << 30);
    assert_eq!(within(1_024, "128GiB", "64MiB"), "");
    let said = within(1_025, "128GiB", "64MiB");
    assert!(said.contains("the instances of the pipeline's plugins could have 131200MiB of memory together"), "{said}");
    assert!(said.contains("and `instance-memory` allows 128GiB"), "{said}");
    assert!(said.contains("2050 of `odd` with 64MiB each"), "{said}");
    assert!(said.contains("limits = { instance-memory = \"131200MiB\" } in [pipeline]"), "{said}");
    // What it says to do helps.
    assert_eq!(within(1_025, "131200MiB", "64MiB"), "");
    assert_eq!(within(1_025, "128GiB", "32MiB"), "");
    assert_eq!(within(64, "128GiB", "1GiB"), "");
    assert!(within(65, "128GiB", "1GiB").contains("could have 130GiB of memory together"));
}

/// Each stream takes memory for each of its partitions, before there are rows.
#[test]
fn streams_have_so_many_partitions_together() {
    let with = |out: &str, filters: usize| {
        let mut text = format!("[streams.s0]\nqueue = {{ schema = \"ok: boolean\", batches = [] }}\n{out}");
        for filter in 1..=filters {
            let output = format!("[outputs.f{filter}]\nfrom = \"f{filter}\"\nprint = true\n");
            let _ = write!(text, "[streams.f{filter}]\nfrom = \"s0\"\nfilter = \"ok\"\n{output}");
        }
        said_of(4_096, &text)
    };
    let filters = |filters: usize| with("[streams.out]\nfrom = \"s0\"\nlimit = 1\n", filters);
    // The source, what is left for the limit, the filters and their outputs; and one partition of the limit and of its output.
    assert_eq!(filters(126), "");
    let said = filters(127);
    assert!(said.contains("the pipeline would have 1048578 partitions of its streams and outputs"), "{said}");
    assert!(said.contains("1048576 at most"), "{said}");
    // As many as there may be: the source, two filters in a row with an output, and the others with theirs.
    let two = "[streams.one]\nfrom = \"s0\"\nfilter = \"ok\"\n[streams.out]\nfrom = \"one\"\nfilter = \"ok\"\n";
    assert_eq!(with(two, 126), "");
    assert!(with(two, 127).contains("would have 1056768 partitions"));
}

#[test]
fn rows_have_so_many_columns() {
    let map = |rest: &str| {
        said(&format!("[streams.lines]\ngenerate = \"words\"\n[streams.out]\nfrom = \"lines\"\nmap = \"odd/{rest}\n"))
    };
    assert_eq!(map("wide\""), "");
    let kept = map("wide\"\nkeep = \"line\"");
    assert!(kept.contains("stream `out` would have 4097 columns"), "{kept}");
}

/// Two hundred mistakes are shown, and of the others it is said how many there are, of whatever kind.
#[test]
fn more_mistakes_than_are_shown_are_counted() {
    let mut text = String::from("[pipeline]\nname = \"p\"\ninterval = \"1s\"\n");
    (0..210).for_each(|number| text += &format!("[streams.s{number}]\nsocket = \"h:1\"\nodd-{number} = 1\n"));
    text += "[outputs.o]\nfrom = \"s0\"\nprint = true\n";
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], CONNECTORS);
    assert!(manifest.resolve(&Fake::new(), &mut diagnostics).is_none());
    let all = diagnostics.error_count();
    let said = diagnostics.render(false);
    let shown = said.matches("error: ").count() + said.matches("warning: ").count();
    assert_eq!(shown, 200, "{said}");
    assert!(all >= 210 && said.contains(&format!("... and {} more", all - 200)), "{all}: {said}");
}
