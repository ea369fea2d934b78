//! `[streams.NAME]`: operators and the keys beside them.

use super::{
    SHOWN, Settings,
    choices::{
        a_stream_without_a_batch_fails_who_needs_it, idle_keys_go, keys_have_first_states,
        rows_are_spread_over_partitions, samples_have_a_part_of_the_rows, side_inputs_reach_functions, tables_stay,
        the_first_of_each_key_are_taken,
    },
    pipeline, refused, rows, run,
};
use crate::tool::Folder;

pub const KEYS: &[Settings] = &[
    (
        "stream `map`",
        &[
            ("map", a_map_is_called),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("fields", fields_are_wired),
            ("keep", kept_fields_go_past_a_map),
            ("parameters", parameters_reach_functions),
            ("shared", side_inputs_reach_functions),
            ("as", what_comes_out_is_renamed),
            ("on-error", each_function_has_its_policy),
        ],
    ),
    (
        "stream `filter`",
        &[
            ("filter", filters_are_fields_or_functions),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("fields", filters_are_fields_or_functions),
            ("parameters", parameters_reach_functions),
            ("shared", side_inputs_reach_functions),
            ("on-error", each_function_has_its_policy),
        ],
    ),
    (
        "stream `reduce`",
        &[
            ("reduce", rows_are_reduced_by_key),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("by", rows_are_reduced_by_key),
            ("fields", rows_are_reduced_by_key),
            ("parameters", parameters_reach_functions),
            ("as", what_comes_out_is_renamed),
            ("on-error", each_function_has_its_policy),
            ("window", windows_have_the_last_batches),
            ("slide", windows_have_the_last_batches),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
    (
        "stream `update-state`",
        &[
            ("update-state", states_are_kept_by_key),
            ("from", streams_read_what_they_name),
            ("initial", keys_have_first_states),
            ("idle-timeout", idle_keys_go),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("by", states_are_kept_by_key),
            ("fields", states_are_kept_by_key),
            ("parameters", parameters_reach_functions),
            ("shared", side_inputs_reach_functions),
            ("run", keys_without_rows_are_run_and_emitted_if_it_is_said),
            ("emit", keys_without_rows_are_run_and_emitted_if_it_is_said),
            ("as", what_comes_out_is_renamed),
            ("on-error", each_function_has_its_policy),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
    (
        "stream `count`",
        &[
            ("count", whole_batches_are_made_into_others),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("window", windows_have_the_last_batches),
            ("slide", windows_have_the_last_batches),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
    (
        "stream `window`",
        &[
            ("window", windows_have_the_last_batches),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("slide", windows_have_the_last_batches),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
    (
        "stream `group`",
        &[
            ("group", rows_are_grouped),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("by", rows_are_grouped),
        ],
    ),
    (
        "stream `join`",
        &[
            ("join", rows_are_joined),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("by", rows_are_joined),
            ("prefix", rows_are_joined),
            ("pairs-max", a_key_with_too_many_pairs_has_a_policy),
            ("on-error", a_key_with_too_many_pairs_has_a_policy),
        ],
    ),
    (
        "stream `union`",
        &[
            ("union", streams_read_what_they_name),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
        ],
    ),
    (
        "stream `sort`",
        &[
            ("sort", whole_batches_are_made_into_others),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
        ],
    ),
    (
        "stream `limit`",
        &[
            ("limit", whole_batches_are_made_into_others),
            ("from", streams_read_what_they_name),
            ("by", the_first_of_each_key_are_taken),
            ("sort", the_first_of_each_key_are_taken),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
        ],
    ),
    (
        "stream `sample`",
        &[
            ("sample", samples_have_a_part_of_the_rows),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("seed", samples_have_a_part_of_the_rows),
        ],
    ),
    (
        "stream `repartition`",
        &[
            ("repartition", rows_are_spread_over_partitions),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
        ],
    ),
    (
        "stream `table`",
        &[
            ("table", tables_stay),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("bytes-max", tables_stay),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
    (
        "stream `distinct`",
        &[
            ("distinct", whole_batches_are_made_into_others),
            ("from", streams_read_what_they_name),
            ("absent", a_stream_without_a_batch_fails_who_needs_it),
            ("window", windows_have_the_last_batches),
            ("slide", windows_have_the_last_batches),
            ("previously", a_state_under_another_name_is_gone_on_with),
        ],
    ),
];

/// The rows, whatever their order.
fn sorted(stream: &str) -> Vec<String> {
    let mut rows = rows(stream);
    rows.sort();
    rows
}

#[test]
fn a_map_is_called() {
    let words = rows("map = \"wordcount/split\"");
    assert_eq!(words.len(), 6);
    assert_eq!(words[..2], ["{\"word\":\"a\",\"count\":1}", "{\"word\":\"b\",\"count\":1}"]);
}

/// The rows of both batches as they are printed, in the order of their texts.
const A: &str = r#"{"line":"a b","n":1,"other":"x","ok":true}"#;
const B: &str = r#"{"line":"b","n":2,"other":"y","ok":false}"#;
const B_MISSING: &str = r#"{"line":"b","n":2,"other":"y","ok":null}"#;
const C: &str = r#"{"line":"c","n":0,"other":"x","ok":null}"#;
const PANIC: &str = r#"{"line":"panic","n":5,"other":"y","ok":true}"#;

/// For each kind of stream what comes out of it, whatever the order: where it reads `rows`, and where it reads `two`, which
/// has one of those rows.
pub(super) const READ: [(&str, &[&str], &[&str]); 15] = [
    (
        "from = FROM\nmap = \"hostile/identity\"",
        &[r#"{"line":"a b"}"#, r#"{"line":"b"}"#, r#"{"line":"b"}"#, r#"{"line":"c"}"#, r#"{"line":"panic"}"#],
        &[r#"{"line":"panic"}"#],
    ),
    ("from = FROM\nfilter = \"ok\"", &[A, PANIC], &[PANIC]),
    (
        "from = FROM\nby = \"other\"\nreduce = \"sum\"\nfields = { value = \"n\" }",
        &[r#"{"other":"x","n":1}"#, r#"{"other":"y","n":2}"#, r#"{"other":"y","n":7}"#],
        &[r#"{"other":"y","n":5}"#],
    ),
    (
        "from = FROM\nby = \"other\"\nupdate-state = \"wordcount/running-total\"\nfields = { value = \"n\" }",
        &[r#"{"other":"x","n":1}"#, r#"{"other":"y","n":2}"#, r#"{"other":"y","n":9}"#],
        &[r#"{"other":"y","n":5}"#],
    ),
    ("from = FROM\ncount = true", &[r#"{"count":2}"#, r#"{"count":3}"#], &[r#"{"count":0}"#, r#"{"count":1}"#]),
    ("from = [FROM, FROM]\nunion = true", &[A, A, B, B, B_MISSING, B_MISSING, C, C, PANIC, PANIC], &[PANIC, PANIC]),
    ("from = FROM\nsort = [\"line\"]", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    ("from = FROM\nlimit = 1", &[A, PANIC], &[PANIC]),
    ("from = FROM\nsample = 1.0", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    ("from = FROM\nrepartition = 3", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    ("from = FROM\ndistinct = true", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    ("from = FROM\ntable = true", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    ("from = FROM\nwindow = \"1s\"", &[A, B, B_MISSING, C, PANIC], &[PANIC]),
    (
        "from = FROM\nby = [\"line\", \"other\", \"ok\"]\ngroup = \"ns\"",
        &[
            r#"{"line":"a b","other":"x","ok":true,"ns":[1]}"#,
            r#"{"line":"b","other":"y","ok":false,"ns":[2]}"#,
            r#"{"line":"b","other":"y","ok":null,"ns":[2]}"#,
            r#"{"line":"c","other":"x","ok":null,"ns":[0]}"#,
            r#"{"line":"panic","other":"y","ok":true,"ns":[5]}"#,
        ],
        &[r#"{"line":"panic","other":"y","ok":true,"ns":[5]}"#],
    ),
    (
        "from = [FROM, FROM]\nby = [\"line\", \"n\", \"other\", \"ok\"]\njoin = \"inner\"",
        &[A, B, B_MISSING, C, PANIC],
        &[PANIC],
    ),
];

#[test]
fn streams_read_what_they_name() {
    for (kind, keys) in KEYS.iter().filter(|(_, keys)| keys.iter().any(|(key, _)| *key == "from")) {
        let is_read = READ.iter().any(|(operator, ..)| operator.contains(&format!("\n{} = ", keys[0].0)));
        assert!(is_read, "{kind}");
    }
    for (operator, of_rows, of_two) in READ {
        let read = |from: &str| {
            let two = "[streams.two]\nfrom = \"rows\"\nfilter = \"hostile/is-panic\"\n[streams.out]\n";
            let text = pipeline(&operator.replace("FROM", from), SHOWN);
            let text = text.replace("[streams.out]\nfrom = \"rows\"\n", two);
            let ended = run(&Folder::new().with("p.toml", text), &[]);
            assert_eq!(ended.code, 0, "{operator}: {ended:#?}");
            let mut rows: Vec<_> =
                ended.stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect();
            rows.sort();
            rows
        };
        assert_eq!(read("\"rows\""), of_rows, "{operator}");
        assert_eq!(read("\"two\""), of_two, "{operator}");
    }
}

#[test]
fn fields_are_wired() {
    assert_eq!(rows("map = \"hostile/identity\"")[0], "{\"line\":\"a b\"}");
    assert_eq!(rows("map = \"hostile/identity\"\nfields = { line = \"other\" }")[0], "{\"line\":\"x\"}");
}

#[test]
fn kept_fields_go_past_a_map() {
    let kept = rows("map = \"wordcount/split\"\nkeep = [\"n\", \"other\"]");
    assert_eq!(kept[1], "{\"word\":\"b\",\"count\":1,\"n\":1,\"other\":\"x\"}");
}

#[test]
pub fn parameters_reach_functions() {
    const PARAMETERS: &str = "parameters = { refuse = \"it says so\", other = 1 }";
    const SAYS: &str = "refused: it says so";
    for operator in [
        "map = \"hostile/identity\"",
        "filter = \"hostile/is-yes\"",
        "reduce = \"hostile/sum\"\nfields = { value = \"n\" }",
        "by = \"other\"\nupdate-state = \"hostile/total\"\nfields = { value = \"n\" }",
    ] {
        refused(&format!("{operator}\n{PARAMETERS}"), SHOWN, SAYS);
    }
    let output = format!("{SHOWN}\noutput = \"hostile/lines\"\n{PARAMETERS}");
    refused("map = \"hostile/identity\"", &output, SAYS);
    // They are texts for the function, whatever they are here.
    for (value, text) in [("7", "7"), ("0.5", "0.5"), ("true", "true"), ("2026-01-31", "2026-01-31")] {
        let parameters = format!("parameters = {{ refuse = {value} }}");
        refused(&format!("map = \"hostile/identity\"\n{parameters}"), SHOWN, &format!("refused: {text}"));
    }
}

#[test]
fn what_comes_out_is_renamed() {
    assert_eq!(rows("map = \"hostile/identity\"\nas = \"text\"")[0], "{\"text\":\"a b\"}");
    for (operator, first) in [
        ("reduce = \"sum\"\nfields = { value = \"n\" }\nas = \"total\"", "{\"total\":3}"),
        ("reduce = \"wordcount/sum\"\nfields = { value = \"n\" }\nas = \"total\"", "{\"total\":3}"),
        (
            "by = \"ok\"\nupdate-state = \"wordcount/running-total\"\nfields = { value = \"n\" }\nas = \"total\"",
            "\"total\":",
        ),
    ] {
        let rows = rows(operator);
        assert!(rows[0].contains(first), "{operator}: {rows:?}");
    }
}

#[test]
fn each_function_has_its_policy() {
    let value = "fields = { value = \"n\" }";
    for (operator, left) in [
        ("map = \"hostile/touchy\"".to_owned(), 4),
        ("filter = \"hostile/is-yes\"".to_owned(), 0),
        (format!("by = \"line\"\nreduce = \"hostile/touchy-sum\"\n{value}"), 4),
        (format!("by = \"line\"\nupdate-state = \"hostile/touchy-total\"\n{value}"), 4),
    ] {
        let text = |policy: &str| pipeline(&format!("{operator}\n{policy}"), SHOWN).replace("n = 5", "n = 13");
        let stopped = run(&Folder::new().with("p.toml", text("")), &[]);
        let set_aside = run(&Folder::new().with("p.toml", text("on-error = \"dead-letter\"")), &[]);
        assert_eq!(set_aside.code, 0, "{operator}: {set_aside:#?}");
        let rows = set_aside.stdout.lines().filter(|line| line.starts_with('{')).count();
        assert_eq!((stopped.code, rows), (1, left), "{operator}: {stopped:#?}{set_aside:#?}");
    }
}

#[test]
fn filters_are_fields_or_functions() {
    let kept = rows("filter = \"ok\"");
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|row| row.ends_with("\"ok\":true}")), "{kept:?}");
    assert_eq!(rows("filter = \"hostile/is-panic\"").len(), 1);
    assert_eq!(rows("filter = \"hostile/is-panic\"\nfields = { line = \"other\" }").len(), 0);
}

#[test]
fn rows_are_reduced_by_key() {
    let value = "fields = { value = \"n\" }";
    assert_eq!(sorted(&format!("reduce = \"max\"\n{value}")), ["{\"n\":2}", "{\"n\":5}"]);
    let by_key = ["{\"other\":\"x\",\"n\":1}", "{\"other\":\"y\",\"n\":2}", "{\"other\":\"y\",\"n\":7}"];
    assert_eq!(sorted(&format!("by = \"other\"\nreduce = \"sum\"\n{value}")), by_key);
    assert_eq!(sorted(&format!("by = [\"other\"]\nreduce = \"wordcount/sum\"\n{value}")), by_key);
    for (native, first) in [("count", 3), ("sum", 3), ("min", 0), ("max", 2)] {
        let fields = if native == "count" { "" } else { value };
        let rows = rows(&format!("reduce = \"{native}\"\n{fields}"));
        assert!(rows[0].ends_with(&format!(":{first}}}")), "{native}: {rows:?}");
    }
    assert!(rows(&format!("reduce = \"mean\"\n{value}"))[0].ends_with(":1.0}"));
}

#[test]
fn states_are_kept_by_key() {
    let totals = rows("by = \"other\"\nupdate-state = \"wordcount/running-total\"\nfields = { value = \"n\" }");
    assert_eq!(totals.last().unwrap(), "{\"other\":\"y\",\"n\":9}");
}

#[test]
fn keys_without_rows_are_run_and_emitted_if_it_is_said() {
    let ages = |more: &str| {
        let stream = format!(
            "by = \"other\"\nupdate-state = \"hostile/age\"\nfields = {{ value = \"n\" }}\nas = \"age\"\n{more}"
        );
        let rows = rows(&stream);
        rows[2..].to_vec()
    };
    let (x, y) = ("{\"other\":\"x\",\"age\":0}".to_owned(), "{\"other\":\"y\",\"age\":1}".to_owned());
    assert_eq!(ages(""), std::slice::from_ref(&y));
    let mut all = ages("emit = \"all\"");
    all.sort();
    assert_eq!(all, [x, y.clone()]);
    let mut all = ages("emit = \"all\"\nrun = \"all\"");
    all.sort();
    assert_eq!(all, ["{\"other\":\"x\",\"age\":1}".to_owned(), y]);
}

/// A third batch goes on with what two left under another name.
#[test]
fn a_state_under_another_name_is_gone_on_with() {
    let by = "by = \"other\"\nfields = { value = \"n\" }";
    for (operator, then) in [
        (format!("{by}\nupdate-state = \"wordcount/running-total\""), "{\"other\":\"x\",\"n\":11}"),
        (format!("{by}\nreduce = \"sum\"\nwindow = \"3s\""), "{\"other\":\"x\",\"n\":11}"),
        (format!("{by}\nreduce = \"wordcount/sum\"\nwindow = \"3s\""), "{\"other\":\"x\",\"n\":11}"),
        ("count = true\nwindow = \"3s\"".to_owned(), "{\"count\":6}"),
        ("distinct = true\nwindow = \"3s\"".to_owned(), A),
        ("window = \"3s\"".to_owned(), A),
        ("table = true".to_owned(), r#"{"line":"d","n":10,"other":"x","ok":null}"#),
    ] {
        let text = pipeline(&operator, SHOWN);
        let folder = Folder::new().with("p.toml", &text);
        let kept = "pipeline.checkpoint=kept";
        assert_eq!(run(&folder, &[kept]).code, 0);
        let more =
            text.replace("]\n[streams.out]", "]\n[streams.totals]").replace("from = \"out\"", "from = \"totals\"");
        // A third batch for the source, which goes on behind the second.
        let more = more.replace("ok = false }],\n]", "ok = false }], [{ line = \"d\", n = 10, other = \"x\" }]]");
        let folder = folder.with("p.toml", &more);
        let refused = run(&folder, &[kept]);
        assert!(refused.code == 1 && refused.stderr.contains("state of the stream `out`"), "{refused:#?}");
        let ended = run(&folder, &[kept, "streams.totals.previously=out"]);
        assert_eq!(ended.code, 0, "{operator}: {ended:#?}");
        assert!(ended.stdout.contains(then), "{operator}: {ended:#?}");
    }
}

/// At each of two ticks, or at the second one alone.
#[test]
fn windows_have_the_last_batches() {
    for (operator, both, second) in [
        ("window = \"2s\"", 3 + 5, 5),
        ("count = true\nwindow = \"2s\"", 2, 1),
        ("distinct = true\nwindow = \"2s\"", 3 + 5, 5),
        ("by = \"line\"\nreduce = \"count\"\nwindow = \"2s\"", 3 + 4, 4),
        ("by = \"line\"\nreduce = \"wordcount/sum\"\nfields = { value = \"n\" }\nwindow = \"2s\"", 3 + 4, 4),
    ] {
        assert_eq!(rows(operator).len(), both, "{operator}");
        assert_eq!(rows(&format!("{operator}\nslide = \"2s\"")).len(), second, "{operator}");
    }
}

#[test]
fn rows_are_grouped() {
    let lists = sorted("by = \"other\"\ngroup = \"all\"");
    assert_eq!(lists.len(), 3);
    assert!(lists[0].starts_with(r#"{"other":"x","all":[{"line":"a b","n":1,"ok":true},{"line":"c","#), "{lists:?}");
    let all = rows("group = \"all\"");
    assert!(all[0].starts_with("{\"all\":[{\"line\":\"a b\",") && all.len() == 2, "{all:?}");
}

/// The rows of a stream that reads `rows` and those of them that are good.
fn joined(join: &str) -> Vec<String> {
    let good = "[streams.good]\nfrom = \"rows\"\nfilter = \"ok\"\n[streams.out]\nfrom = [\"rows\", \"good\"]\n";
    let text = pipeline(join, SHOWN).replace("[streams.out]\nfrom = \"rows\"\n", good);
    let ended = run(&Folder::new().with("p.toml", text), &[]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    ended.stdout.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

#[test]
fn rows_are_joined() {
    let by_line = |kind: &str| joined(&format!("by = \"line\"\nprefix = [\"\", \"good-\"]\njoin = \"{kind}\"")).len();
    assert_eq!(["inner", "left", "right", "full"].map(by_line), [2, 5, 2, 5]);
    let by_other = joined("by = [[\"other\"], [\"other\"]]\nprefix = [\"all-\", \"\"]\njoin = \"inner\"");
    assert!(
        by_other.contains(
            &r#"{"other":"x","all-line":"c","all-n":0,"all-ok":null,"line":"a b","n":1,"ok":true}"#.to_owned()
        )
    );
    assert_eq!(by_other.len(), 4);
}

#[test]
fn a_key_with_too_many_pairs_has_a_policy() {
    let join = "by = \"other\"\nprefix = [\"all-\", \"\"]\njoin = \"inner\"\npairs-max = 1";
    refused(&format!("{join}\npairs-max = 0"), SHOWN, "pairs-max");
    let good = "[streams.out]\nfrom = [\"rows\", \"rows\"]\n";
    let text =
        |more: &str| pipeline(&format!("{join}\n{more}"), SHOWN).replace("[streams.out]\nfrom = \"rows\"\n", good);
    let stopped = run(&Folder::new().with("p.toml", text("")), &[]);
    assert!(stopped.code == 1 && stopped.stderr.contains("`pairs-max`"), "{stopped:#?}");
    let set_aside = run(&Folder::new().with("p.toml", text("on-error = \"dead-letter\"")), &[]);
    // In the first batch a key has one row, and the others have two.
    let rows = set_aside.stdout.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!((set_aside.code, rows), (0, 1), "{set_aside:#?}");
}

#[test]
fn whole_batches_are_made_into_others() {
    assert_eq!(rows("count = true"), ["{\"count\":3}", "{\"count\":2}"]);
    let lines = |operator: &str| {
        let line =
            |row: &String| serde_json::from_str::<serde_json::Value>(row).unwrap()["line"].as_str().unwrap().to_owned();
        rows(operator).iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(lines("sort = [\"-n\"]"), ["b", "a b", "c", "panic", "b"]);
    assert_eq!(lines("sort = \"n\""), ["c", "a b", "b", "b", "panic"]);
    assert_eq!(lines("limit = 2"), ["a b", "b", "panic", "b"]);
    let distinct =
        "map = \"hostile/identity\"\nfields = { line = \"other\" }\n[streams.last]\nfrom = \"out\"\ndistinct = true";
    let text = pipeline(distinct, SHOWN).replace("[outputs.out]\nfrom = \"out\"", "[outputs.out]\nfrom = \"last\"");
    let printed = run(&Folder::new().with("p.toml", text), &[]).stdout;
    assert_eq!(printed.lines().filter(|line| line.starts_with('{')).count(), 3, "{printed}");
}
