//! `[streams.NAME]`: which rows, keys and batches there are.

use super::{SHOWN, operators::READ, pipeline, rows, run};
use crate::tool::Folder;

/// The lines of rows that are printed.
fn lines(operator: &str) -> Vec<String> {
    let line =
        |row: &String| serde_json::from_str::<serde_json::Value>(row).unwrap()["line"].as_str().unwrap().to_owned();
    rows(operator).iter().map(line).collect()
}

#[test]
pub fn a_stream_without_a_batch_fails_who_needs_it() {
    for (operator, ..) in READ {
        let text = |absent: &str| {
            let text = pipeline(&operator.replace("FROM", "\"rows\""), SHOWN);
            let text = text.replace("[streams.out]\nfrom = \"rows\"\n", &format!("[streams.out]\n{absent}\n"));
            text.replace("batches = [", "batches = [\"none\", ")
        };
        let counts = run(&Folder::new().with("p.toml", text("absent = \"empty\"")), &[]);
        assert_eq!(counts.code, 0, "{operator}: {counts:#?}");
        let fails = run(&Folder::new().with("p.toml", text("absent = \"fail\"")), &[]);
        assert!(
            fails.code == 1 && fails.stderr.contains("stream `rows` has no batch at this tick"),
            "{operator}: {fails:#?}"
        );
    }
}

#[test]
pub fn the_first_of_each_key_are_taken() {
    assert_eq!(lines("limit = 1\nsort = \"-n\""), ["b", "panic"]);
    assert_eq!(lines("limit = 2\nsort = [\"other\", \"-n\"]"), ["a b", "c", "panic", "b"]);
    let mut by_key = lines("limit = 1\nby = \"other\"");
    by_key.sort();
    assert_eq!(by_key, ["a b", "b", "panic"]);
    let mut smallest = lines("limit = 1\nby = \"other\"\nsort = \"n\"");
    smallest.sort();
    assert_eq!(smallest, ["b", "b", "c"]);
}

#[test]
pub fn samples_have_a_part_of_the_rows() {
    let of = |sample: &str| {
        let generate = "[streams.rows]\ngenerate = { kind = \"words\", count = 20000, rate = 20000 }\n[streams.out]";
        let text = pipeline(sample, SHOWN);
        let (before, rest) = text.split_once("[streams.rows.queue]").unwrap();
        let behind = rest.split_once("[streams.out]").unwrap().1;
        let text = format!("{before}{generate}{behind}").replace("rows = 100 }", "rows = 100000 }");
        let ended = run(&Folder::new().with("p.toml", text), &[]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect::<Vec<_>>()
    };
    let [all, tenth, other, none] = ["sample = 1", "sample = 0.1", "sample = 0.1\nseed = 1", "sample = 0"].map(of);
    assert_eq!((all.len(), none.len()), (20_000, 0));
    // Twenty times the deviation of as many draws away from it.
    assert!((1_150..2_850).contains(&tenth.len()), "{}", tenth.len());
    assert_ne!(tenth, other);
    assert_eq!(tenth, of("sample = 0.1"));
}

#[test]
pub fn rows_are_spread_over_partitions() {
    let whole = "[streams.spread]\nfrom = \"sorted\"\nrepartition = 3\n[streams.out]\nfrom = \"spread\"\n\
                 map = \"hostile/context\"\nfields = { line = \"line\" }\n";
    let text = pipeline("", SHOWN).replace(
        "[streams.out]\nfrom = \"rows\"\n",
        &format!("[streams.sorted]\nfrom = \"rows\"\nsort = \"n\"\n{whole}"),
    );
    let ended = run(&Folder::new().with("p.toml", text), &[]);
    assert!(ended.code == 0, "{ended:#?}");
    // Three rows in the first batch, and two in the second: each in a partition of its own, of three.
    let rows: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with('{')).collect();
    let of_three = |partition: usize| rows.iter().filter(|row| row.contains(&format!(": {partition} of 3,"))).count();
    assert_eq!([0, 1, 2].map(of_three), [2, 2, 1], "{rows:?}");
}

#[test]
pub fn keys_have_first_states() {
    let totals = "by = \"other\"\nupdate-state = \"wordcount/running-total\"\nfields = { value = \"n\" }\ninitial = \"first\"\n\
                  [streams.first.queue]\nschema = \"other: text, was: integer\"\nbatches = [[{ other = \"y\", was = 100 }, { other = \"z\", was = 7 }]]";
    let mut all = rows(totals);
    all.sort();
    let expect = [
        "{\"other\":\"x\",\"n\":1}",
        "{\"other\":\"y\",\"n\":102}",
        "{\"other\":\"y\",\"n\":109}",
        "{\"other\":\"z\",\"n\":7}",
    ];
    assert_eq!(all, expect);
}

/// `x` has rows in the first batch alone, and is gone two batches later.
#[test]
pub fn idle_keys_go() {
    let states = |more: &str| {
        let totals = format!(
            "by = \"other\"\nupdate-state = \"wordcount/running-total\"\nfields = {{ value = \"n\" }}\nemit = \"all\"\n{more}"
        );
        let text = pipeline(&totals, SHOWN).replace("ok = false }],\n]", "ok = false }], []]");
        let ended = run(&Folder::new().with("p.toml", text), &[]);
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stdout.lines().filter(|line| line.starts_with('{')).count()
    };
    assert_eq!((states(""), states("idle-timeout = \"1s\""), states("idle-timeout = \"2s\"")), (6, 5, 6));
}

/// Each function has what another stream has of the same batch.
#[test]
pub fn side_inputs_reach_functions() {
    let of = |side: &str, operator: &str| {
        let side = format!("[streams.side]\nfrom = \"rows\"\nfields = {{ value = \"n\" }}\n{side}\n[streams.out]\n");
        let text = pipeline(operator, SHOWN).replace("[streams.out]\n", &side);
        let ended = run(&Folder::new().with("p.toml", text), &[]);
        assert_eq!(ended.code, 0, "{operator}: {ended:#?}");
        let mut rows: Vec<String> =
            ended.stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
        rows.sort();
        rows
    };
    let scores = "shared = { scores = { stream = \"side\", fields = { key = \"other\", score = \"n\" } } }";
    let sums = "by = \"other\"\nreduce = \"sum\"";
    let mapped = of(sums, &format!("map = \"hostile/scored\"\nfields = {{ line = \"other\" }}\n{scores}"));
    assert_eq!(mapped, [1, 1, 2, 7, 7].map(|score| format!("{{\"score\":{score}}}")));
    let weighed = format!("by = \"other\"\nupdate-state = \"hostile/weighed\"\nfields = {{ value = \"n\" }}\n{scores}");
    let expect = [r#"{"other":"x","total":1}"#, r#"{"other":"y","total":4}"#, r#"{"other":"y","total":53}"#];
    assert_eq!(of(sums, &weighed), expect);
    let above = "filter = \"hostile/is-above\"\nfields = { value = \"n\" }\nshared = { limits = \"side\" }";
    assert_eq!((of("reduce = \"min\"", above).len(), of("reduce = \"max\"", above).len()), (3, 0));
}

/// Rows stay in a batch that has none, and go when there are others.
#[test]
pub fn tables_stay() {
    let of = |table: &str| {
        let text = pipeline(table, SHOWN).replace("ok = false }],\n]", "ok = false }], []]");
        run(&Folder::new().with("p.toml", text), &[])
    };
    let table = of("table = true");
    let rows = table.stdout.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!((table.code, rows), (0, 3 + 2 + 2), "{table:#?}");
    let refused = of("table = true\nbytes-max = 20");
    let says = "more than it can hold at once, which is 20 bytes";
    assert!(refused.code == 1 && refused.stderr.contains(says), "{refused:#?}");
}
