//! What is written arrives: every key of the tables that a plan does not show, each with a value of its own, and what holds
//! where nothing is written.

use std::{path::PathBuf, time::Duration};

use tidemill_connect::{CONNECTORS, files::FilesSource, text::TextOptions};
use tidemill_model::{
    limits::{Limits, PipelineLimits},
    object_url::ObjectUrl,
};
use tidemill_plan::{
    CheckpointEntry, CheckpointPlace, Manifest, PluginEntry,
    graph::{KeySet, LateTicks, OnError, Operator, Plan, Then},
};

use crate::fake::Fake;

fn read(pipeline: &str, rest: &str) -> (Manifest, Option<Plan>) {
    let text = format!(
        "[pipeline]\nname = \"test\"\ninterval = \"1s\"\n{pipeline}\n[plugins]\nwords = \"words.wasm\"\n{rest}\n\
         [streams.lines]\nfiles = \"in\"\n[outputs.lines]\nfrom = \"lines\"\nprint = true\n"
    );
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(diagnostics.error_count(), 0, "{}", diagnostics.render(false));
    (manifest, plan)
}

#[test]
fn checkpoints_arrive() {
    let checkpoint = |text: &str| read(&format!("checkpoint = {text}"), "").0.checkpoint().cloned().unwrap();
    let folder = |folder: &str| CheckpointPlace::Folder(PathBuf::from(folder));
    let plain = CheckpointEntry {
        place: folder("kept"),
        keep_batches: None,
        keep_bytes: None,
        budget_bytes: None,
        free_bytes_min: None,
    };
    assert_eq!(checkpoint("\"kept\""), plain);
    assert_eq!(checkpoint("{ folder = \"kept\" }"), plain);
    let all = "{ folder = \"kept\", keep-batches = 1, keep-bytes = 2, budget = \"3MiB\", free-space = 4 }";
    let expect = CheckpointEntry {
        keep_batches: Some(1),
        keep_bytes: Some(2),
        budget_bytes: Some(3 << 20),
        free_bytes_min: Some(4),
        ..plain.clone()
    };
    assert_eq!(checkpoint(all), expect);
    let place = CheckpointPlace::Objects(ObjectUrl::parse("s3://bucket/prefix").unwrap());
    let expect = CheckpointEntry { place, keep_batches: Some(7), ..plain };
    assert_eq!(checkpoint("{ url = \"s3://bucket/prefix\", keep-batches = 7 }"), expect);
    assert!(read("", "").0.checkpoint().is_none());
}

#[test]
fn what_a_pipeline_says_of_its_runs_arrives() {
    let told = |text: &str| {
        let plan = read(text, "").1.unwrap();
        let PipelineLimits { batch_fuel, batch_rows, batch_bytes, instance_memory } = plan.limits;
        (plan.stop_within, plan.late_ticks, [batch_fuel, batch_rows, batch_bytes, instance_memory])
    };
    let limits = [100_000_000_000_000, 10_000_000_000, 1 << 40, 256 << 30];
    assert_eq!(told(""), (Duration::from_secs(30), LateTicks::Each, limits));
    let rest = (LateTicks::Each, limits);
    assert_eq!(told("stop-within = \"250ms\""), (Duration::from_millis(250), rest.0, rest.1));
    assert_eq!(told("late-ticks = \"each\""), (Duration::from_secs(30), rest.0, rest.1));
    assert_eq!(told("late-ticks = \"merge\""), (Duration::from_secs(30), LateTicks::Merge, limits));
    let some = "limits = { batch-fuel = 1, batch-rows = 2, batch-bytes = 3, instance-memory = \"512GiB\" }";
    assert_eq!(told(some), (Duration::from_secs(30), LateTicks::Each, [1, 2, 3, 512 << 30]));
}

#[test]
fn plugins_arrive() {
    let plugin = |text: &str| {
        let (manifest, _) = Manifest::read("pipeline.toml", &format!("[plugins]\nmore = {text}"), &[], CONNECTORS);
        let entry: PluginEntry = manifest.plugins()[0].clone();
        (entry.path, entry.sha256, entry.limits)
    };
    assert_eq!(plugin("\"a.wasm\""), ("a.wasm".to_owned(), None, Limits::default()));
    let digest = "0123456789abcdefABCDEF".repeat(3)[..64].to_owned();
    let all = format!(
        "{{ path = \"a.wasm\", sha256 = \"{digest}\", limits = {{ fuel-per-call = 1, fuel-per-row = 2, memory = 65536, \
         table-elements = 4, result-bytes = 5, result-rows = 6, rejections = 7, log-lines-per-batch = 8, \
         log-line-bytes = 9, counters = 10, component-bytes = 11, functions = 12, compile-time = \"13s\", \
         compile-wait = \"14s\", compile-memory = \"15GiB\", compiled-bytes = 16 }} }}"
    );
    let limits = Limits {
        fuel_per_call: 1,
        fuel_per_row: 2,
        memory_bytes: 65_536,
        table_elements: 4,
        result_bytes: 5,
        result_rows: 6,
        rejections: 7,
        log_lines_per_batch: 8,
        log_line_bytes: 9,
        counters: 10,
        component_bytes: 11,
        functions: 12,
        compile_time: Duration::from_secs(13),
        compile_wait: Duration::from_secs(14),
        compile_memory: 15 << 30,
        compiled_bytes: 16,
    };
    assert_eq!(plugin(&all), ("a.wasm".to_owned(), Some(digest.to_ascii_lowercase()), limits));
}

#[test]
fn policies_arrive() {
    let policy = |text: &str| {
        let stream = format!("[streams.words]\nfrom = \"lines\"\nmap = \"words/split\"\non-error = {text}");
        let plan = read("", &stream).1.unwrap();
        let node = plan.nodes.iter().find(|node| node.name == "words").unwrap();
        node.function.as_ref().unwrap().on_error
    };
    let millis = Duration::from_millis;
    let expect = |retries, delay, then| OnError { retries, delay, then };
    assert_eq!(policy("\"stop\""), expect(0, millis(0), Then::Stop));
    assert_eq!(policy("\"retry\""), expect(3, millis(100), Then::Stop));
    assert_eq!(policy("\"skip-batch\""), expect(0, millis(0), Then::SkipBatch));
    assert_eq!(policy("\"dead-letter\""), expect(0, millis(0), Then::DeadLetter));
    assert_eq!(policy("{ then = \"skip-batch\" }").retries, 0);
    assert_eq!(policy("{ retry = 7 }"), expect(7, millis(100), Then::Stop));
    assert_eq!(
        policy("{ retry = 1, delay = \"9ms\", then = \"dead-letter\" }"),
        expect(1, millis(9), Then::DeadLetter)
    );
}

#[test]
fn sources_and_states_arrive() {
    let files = |text: &str| {
        let plan =
            read("", &format!("[streams.more]\nfiles = {text}\n[outputs.more]\nfrom = \"more\"\nprint = true")).1;
        let plan = plan.unwrap();
        let node = plan.nodes.iter().find(|node| node.name == "more").unwrap();
        format!("{:?}", node.source().unwrap())
    };
    let as_told = |(existing, settled_after)| {
        let text = TextOptions::default();
        format!("{:?}", FilesSource { path: "a".into(), existing, settled_after, text })
    };
    let no = as_told((false, None));
    assert_eq!((files("\"a\""), files("{ path = \"a\" }")), (no.clone(), no.clone()));
    assert_eq!(
        (files("{ path = \"a\", existing = false }"), files("{ path = \"a\", existing = true }")),
        (no, as_told((true, None)))
    );
    let rests = |micros| as_told((false, Some(Duration::from_micros(micros))));
    assert_eq!(files("{ path = \"a\", settled-after = \"1.5s\" }"), rests(1_500_000));
    assert_eq!(files("{ path = \"a\", settled-after = \"2m\" }"), rests(120_000_000));
    let sets = |more: &str| {
        let streams = "[streams.words]\nfrom = \"lines\"\nmap = \"words/split\"\n[streams.totals]\nfrom = \"words\"\n\
                       by = \"word\"\nupdate-state = \"words/running-total\"\n";
        let plan = read("", &format!("{streams}{more}")).1.unwrap();
        let node = plan.nodes.iter().find(|node| node.name == "totals").unwrap();
        let Operator::UpdateState(update) = &node.operator else { panic!("{node:?}") };
        (update.run, update.emit)
    };
    assert_eq!(sets(""), (KeySet::Changed, KeySet::Changed));
    assert_eq!(sets("run = \"all\""), (KeySet::All, KeySet::Changed));
    assert_eq!(sets("emit = \"all\""), (KeySet::Changed, KeySet::All));
    assert_eq!(sets("run = \"changed\"\nemit = \"changed\""), (KeySet::Changed, KeySet::Changed));
}
