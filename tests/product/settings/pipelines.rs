//! `[pipeline]`, its checkpoint and what happens when a function fails.

use std::{collections::BTreeSet, fs};

use super::{SHOWN, Settings, pipeline, run};
use crate::{on_error, records, running::end_of, s3::S3, stops, stores, tool::Folder, trouble};

pub const KEYS: &[Settings] = &[
    (
        "[pipeline]",
        &[
            ("name", a_checkpoint_is_that_of_a_name),
            ("interval", batches_come_at_the_interval),
            ("partitions", rows_of_keys_are_in_so_many_partitions),
            ("checkpoint", a_checkpoint_is_gone_on_with),
            ("on-error", on_error::rows_are_set_aside_with_what_was_wrong),
            ("dead-letters", dead_letters_come_where_they_are_to),
            ("limits", what_all_functions_use_has_a_bound),
            ("stop-within", stops::a_batch_that_does_not_end_is_undone_in_time_and_run_again),
            ("late-ticks", late_ticks_have_a_batch_each_or_one_for_all),
        ],
    ),
    (
        "the limits of [pipeline]",
        &[
            ("batch-fuel", what_all_functions_use_has_a_bound),
            ("batch-rows", what_all_functions_use_has_a_bound),
            ("batch-bytes", what_all_functions_use_has_a_bound),
            ("instance-memory", all_instances_have_so_much_memory),
        ],
    ),
    (
        "`checkpoint`",
        &[
            ("folder", a_checkpoint_is_gone_on_with),
            ("url", a_checkpoint_lies_in_a_store),
            ("keep-batches", a_checkpoint_is_kept_as_it_is_written),
            ("keep-bytes", a_checkpoint_is_kept_as_it_is_written),
            ("budget", a_budget_that_is_used_up_is_said),
            ("free-space", trouble::without_room_no_input_is_taken_until_there_is_some),
        ],
    ),
    (
        "`on-error`",
        &[
            ("retry", retries_are_counted_and_waited_for),
            ("delay", retries_are_counted_and_waited_for),
            ("then", on_error::a_batch_is_skipped_and_the_end_says_so),
        ],
    ),
];

const LINES: &str = "map = \"hostile/identity\"";

fn folder(stream: &str, output: &str) -> Folder {
    Folder::new().with("p.toml", pipeline(stream, output))
}

#[test]
fn a_checkpoint_is_that_of_a_name() {
    let folder = folder(LINES, SHOWN);
    assert_eq!(run(&folder, &["pipeline.checkpoint=kept"]).code, 0);
    let other = run(&folder, &["pipeline.checkpoint=kept", "pipeline.name=other"]);
    assert_eq!(other.code, 1, "{other:#?}");
    assert!(other.stderr.contains("is the checkpoint of the pipeline `p`, not of `other`"), "{other:#?}");
}

#[test]
fn batches_come_at_the_interval() {
    let times = |set: &[&str]| {
        let set = [set, &["outputs.out.print.style=scala"]].concat();
        let printed = run(&folder(LINES, SHOWN), &set).stdout;
        printed.lines().filter_map(|line| line.strip_prefix("Time: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(times(&[]), ["1000 ms", "2000 ms"]);
    assert_eq!(times(&["pipeline.interval=90m"]), ["5400000 ms", "10800000 ms"]);
}

#[test]
fn rows_of_keys_are_in_so_many_partitions() {
    let files = |set: &[&str]| {
        let folder = folder("by = \"line\"\nreduce = \"count\"", "files = \"written\"");
        assert_eq!(run(&folder, set).code, 0);
        let batches = records::sorted(&folder.path().join("written"));
        let files =
            batches.into_iter().flat_map(|batch| fs::read_dir(batch).unwrap()).map(|file| file.unwrap().file_name());
        files.map(|name| name.into_string().unwrap()).collect::<BTreeSet<_>>()
    };
    assert_eq!(files(&["pipeline.partitions=1"]), BTreeSet::from(["part-00000.txt".to_owned()]));
    let four = files(&[]);
    assert!(four.len() > 1 && four.last().unwrap().as_str() < "part-00004.txt", "{four:?}");
    let many = files(&["pipeline.partitions=64"]);
    assert!(many.last().unwrap().as_str() > "part-00004.txt", "{many:?}");
}

#[test]
fn a_checkpoint_is_gone_on_with() {
    for set in ["pipeline.checkpoint=kept/here", "pipeline.checkpoint={folder=\"kept/here\"}"] {
        let folder = folder(LINES, SHOWN);
        assert!(run(&folder, &[set]).stdout.contains("{\"line\":\"a b\"}"));
        let again = run(&folder, &[set]);
        assert_eq!((again.code, again.stdout.contains("a b")), (0, false), "{again:#?}");
        assert!(folder.stdout(&["inspect", "kept/here"]).contains("checkpoint of the pipeline `p`"));
        assert!(run(&folder, &[]).stdout.contains("a b"), "without one a run begins anew");
    }
}

#[test]
fn dead_letters_come_where_they_are_to() {
    for (set, place) in [("pipeline.name=p", "dead-letters/p"), ("pipeline.dead-letters=kept/apart", "kept/apart")] {
        let folder = folder("map = \"hostile/touchy\"", SHOWN);
        let ended = run(&folder, &["pipeline.on-error=dead-letter", set]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        let batches = records::sorted(&folder.path().join(place).join("out"));
        assert_eq!(batches.len(), 1, "{place}");
    }
}

#[test]
fn a_checkpoint_lies_in_a_store() {
    let (folder, store) = (folder(LINES, SHOWN), S3::start());
    let set = format!("pipeline.checkpoint={{url=\"{}\"}}", stores::URL);
    let run = ["run", "p.toml", "--clock", "manual", "--until-done", "--set", &set];
    let ended = end_of(store.known_to(&mut folder.command(&run)));
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(store.objects().keys().all(|key| key.starts_with("words/a b/")) && !store.objects().is_empty());
}

/// With what a run keeps its checkpoint: as it is written, and where nothing is written what the page says.
#[test]
fn a_checkpoint_is_kept_as_it_is_written() {
    let kept = |checkpoint: &str| {
        let folder = folder(LINES, SHOWN);
        let set = format!("pipeline.checkpoint={checkpoint}");
        let run = ["run", "p.toml", "--clock", "manual", "--until-done", "--log-level", "debug", "--set", &set];
        let ended = folder.run(&run);
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stderr.split("the checkpoint keeps ").nth(1).unwrap().lines().next().unwrap().to_owned()
    };
    let defaults = "batches=100 bytes=1073741824 budget=None free_bytes_min=268435456";
    assert_eq!(kept("kept"), defaults);
    let all = "{folder=\"kept\", keep-batches=3, keep-bytes=\"4MiB\", budget=\"5MiB\", free-space=6}";
    assert_eq!(kept(all), "batches=3 bytes=4194304 budget=Some(5242880) free_bytes_min=6");
}

/// The states of many keys alone have more bytes.
#[test]
fn a_budget_that_is_used_up_is_said() {
    let rows: String = (0..40_000).map(|n| format!("\"key number {n}, which is a long one\",")).collect();
    let text = format!(
        "[pipeline]\nname = \"p\"\ninterval = \"1s\"\npartitions = 1\ncheckpoint = \"kept\"\n\
         [plugins]\nwordcount = \"{}\"\n\
         [streams.rows.queue]\nschema = \"line: text\"\nbatches = [[{rows}], [\"last\"]]\n\
         [streams.counts]\nfrom = \"rows\"\nby = \"line\"\nreduce = \"count\"\n\
         [streams.totals]\nfrom = \"counts\"\nby = \"line\"\nupdate-state = \"wordcount/running-total\"\n\
         fields = {{ value = \"count\" }}\n\
         [outputs.totals]\nfrom = \"totals\"\nprint = {{ rows = 1 }}\n",
        crate::plugins::built("wordcount").display()
    );
    let folder = Folder::new().with("p.toml", text);
    let ended = run(&folder, &["pipeline.checkpoint={folder=\"large\", budget=\"1GiB\"}"]);
    assert!(ended.code == 0 && !ended.stderr.contains("no new input"), "{ended:#?}");
    let set = "pipeline.checkpoint={folder=\"kept\", budget=\"1MiB\"}";
    let mut run = crate::running::Running::start(&mut folder.command(&["run", "p.toml", "--set", set]));
    let said = run.wait_for("no new input is taken until there is room");
    assert!(said.contains("budget"), "{said}");
    run.stop();
}

/// A clock that is moved by what waits for it tells how long a batch has waited: 3 and 6 ms, or five times from 1 ms on.
#[test]
fn retries_are_counted_and_waited_for() {
    let delay = |policy: &str| {
        let folder = folder("map = \"hostile/touchy\"", SHOWN);
        let ended = run(&folder, &[&format!("streams.out.on-error={policy}")]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        let delay = ended.stderr.lines().find(|line| line.contains(" for time 2000 ms")).unwrap();
        delay.split("Total delay: ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(delay("skip-batch"), "0.000");
    assert_eq!(delay("{ retry = 2, delay = \"3ms\", then = \"skip-batch\" }"), "0.009");
    assert_eq!(delay("{ retry = 5, delay = \"1ms\", then = \"skip-batch\" }"), "0.031");
    assert_eq!(delay("{ retry = 3, then = \"dead-letter\" }"), "0.700");
}

/// Three rows of the first batch, and two of the second.
#[test]
fn what_all_functions_use_has_a_bound() {
    for (key, few, enough) in
        [("batch-rows", "29", "30"), ("batch-bytes", "\"100B\"", "\"1KiB\""), ("batch-fuel", "100", "1_000_000_000")]
    {
        let folder = folder("map = \"hostile/tenfold\"", SHOWN);
        let with = |limit: &str, policy: &str| {
            let set = [format!("pipeline.limits.{key}={limit}"), format!("pipeline.on-error={policy}")];
            run(&folder, &[&set[0], &set[1]])
        };
        let ended = with(enough, "stop");
        assert_eq!((ended.code, ended.stdout.matches("{\"line\":").count()), (0, 50), "{key}: {ended:#?}");
        let stopped = with(few, "stop");
        let says = [
            "stream `out`, partition ",
            "`hostile/tenfold`: the functions of the batch have used ",
            &format!("limits = {{ {key} = ... }}"),
        ];
        assert!(stopped.code == 1 && says.iter().all(|says| stopped.stderr.contains(says)), "{key}: {stopped:#?}");
        let skipped = with(few, "skip-batch");
        assert!(skipped.code == 0 && !skipped.stderr.contains("skipped=0"), "{key}: {skipped:#?}");
    }
    // The second batch is within what the first one was not.
    let folder = folder("map = \"hostile/tenfold\"", SHOWN);
    let ended = run(&folder, &["pipeline.limits.batch-rows=20", "pipeline.on-error=skip-batch"]);
    assert!(ended.code == 0 && ended.stderr.contains("skipped=1"), "{ended:#?}");
    assert_eq!(ended.stdout.matches("{\"line\":").count(), 20, "{ended:#?}");
    // And the first one, run again, is no more than it was.
    let set = ["pipeline.limits.batch-rows=20", "pipeline.on-error=skip-batch", "pipeline.checkpoint=kept"];
    assert_eq!(run(&folder, &set).code, 0);
    let set = set.iter().flat_map(|value| ["--set", value]);
    let again = ["replay", "p.toml", "--batch", "1000"].into_iter().chain(set);
    let said = folder.run(&again.collect::<Vec<_>>());
    assert!(said.code == 0 && said.stdout.contains("it failed and was skipped, as the pipeline says"), "{said:#?}");
    assert!(said.stdout.contains("same as committed"), "{said:#?}");
}

#[test]
fn all_instances_have_so_much_memory() {
    let folder = folder("map = \"hostile/tenfold\"", SHOWN);
    assert_eq!(run(&folder, &["pipeline.limits.instance-memory=256MiB"]).code, 0);
    for command in ["check", "run"] {
        let says = "could have 256MiB of memory together, and `instance-memory` allows 255MiB";
        folder.fails(&[command, "p.toml", "--set", "pipeline.limits.instance-memory=255MiB"], 2, &[says]);
    }
}

/// The second batch takes three seconds and a half: the waits before its retries.
#[test]
fn late_ticks_have_a_batch_each_or_one_for_all() {
    let times = |set: &[&str]| {
        let folder = folder("map = \"hostile/touchy\"", "print = { style = \"scala\" }");
        let policy = "streams.out.on-error={ retry = 1, delay = \"3500ms\", then = \"skip-batch\" }";
        let set = [&policy].into_iter().chain(set).flat_map(|value| ["--set", value]);
        let ended = folder
            .run(&["run", "p.toml", "--clock", "manual", "--batches", "4"].into_iter().chain(set).collect::<Vec<_>>());
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout.lines().filter_map(|line| line.strip_prefix("Time: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(times(&[]), ["1000 ms", "3000 ms", "4000 ms"]);
    assert_eq!(times(&["pipeline.late-ticks=each"]), ["1000 ms", "3000 ms", "4000 ms"]);
    assert_eq!(times(&["pipeline.late-ticks=merge"]), ["1000 ms", "5000 ms", "6000 ms"]);
}
