//! `[outputs.NAME]`.

use std::fs;

use super::{SHOWN, Settings, operators, pipeline, run};
use crate::tool::{Ended, Folder};

pub const KEYS: &[Settings] = &[
    (
        "output `out`",
        &[
            ("from", outputs_give_the_stream_that_they_name),
            ("print", rows_are_printed_in_a_style_up_to_a_number),
            ("files", files_have_a_folder_and_a_format),
            ("output", a_function_of_an_output_is_called),
            ("fields", a_function_of_an_output_is_called),
            ("parameters", operators::parameters_reach_functions),
            ("on-error", a_function_of_an_output_is_called),
        ],
    ),
    (
        "`print`",
        &[("rows", rows_are_printed_in_a_style_up_to_a_number), ("style", rows_are_printed_in_a_style_up_to_a_number)],
    ),
    ("`files`", &[("folder", files_have_a_folder_and_a_format), ("format", files_have_a_folder_and_a_format)]),
];

#[track_caller]
fn ran(stream: &str, output: &str) -> (Folder, Ended) {
    let folder = Folder::new().with("p.toml", pipeline(stream, output));
    let ended = run(&folder, &[]);
    assert_eq!(ended.code, 0, "{ended:#?}");
    (folder, ended)
}

#[test]
fn outputs_give_the_stream_that_they_name() {
    let stream = "count = true\n[streams.lines]\nfrom = \"rows\"\nmap = \"hostile/identity\"";
    let printed = ran(stream, &format!("{SHOWN}\n[outputs.more]\nfrom = \"lines\"\n{SHOWN}")).1.stdout;
    assert!(printed.contains("{\"count\":3}") && printed.contains("{\"line\":\"a b\"}"), "{printed}");
}

#[test]
fn rows_are_printed_in_a_style_up_to_a_number() {
    let shown = |print: &str| {
        let printed = ran("map = \"wordcount/split\"\n", &format!("print = {print}")).1.stdout;
        let head = if print.contains("json") { 0 } else { 3 };
        printed.lines().skip(head).take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown("true")[..2], ["('a', 1)", "('b', 1)"]);
    assert_eq!(shown("{ style = \"python\", rows = 1 }"), ["('a', 1)", "..."]);
    assert_eq!(shown("{ style = \"scala\", rows = 3 }"), ["(a,1)", "(b,1)", "(b,1)", "..."]);
    assert_eq!(shown("{ style = \"json\", rows = 4 }")[3], "{\"word\":\"c\",\"count\":1}");
    assert_eq!(shown("{ rows = 0 }"), ["..."]);
    // Ten, where nothing is said.
    let text = pipeline(
        "map = \"wordcount/split\"\n[streams.all]\nfrom = [\"out\", \"out\", \"out\"]\nunion = true",
        "print = true",
    );
    let folder =
        Folder::new().with("p.toml", text.replace("[outputs.out]\nfrom = \"out\"", "[outputs.out]\nfrom = \"all\""));
    let printed = run(&folder, &[]).stdout;
    assert_eq!(printed.lines().skip(3).take_while(|line| line.starts_with('(')).count(), 10, "{printed}");
}

#[test]
fn files_have_a_folder_and_a_format() {
    let row = |files: &str, name: &str| {
        let (folder, _) = ran("map = \"wordcount/split\"", &format!("files = {files}"));
        let batch = folder.path().join("kept/here/batch-0000000001000");
        fs::read_to_string(batch.join(name)).unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(row("\"kept/here\"", "part-00000.txt"), "a\t1");
    assert_eq!(row("{ folder = \"kept/here\" }", "part-00000.txt"), "a\t1");
    assert_eq!(row("{ folder = \"kept/here\", format = \"text\" }", "part-00000.txt"), "a\t1");
    assert_eq!(
        row("{ folder = \"kept/here\", format = \"jsonl\" }", "part-00000.jsonl"),
        "{\"word\":\"a\",\"count\":1}"
    );
}

#[test]
fn a_function_of_an_output_is_called() {
    let stream = "map = \"wordcount/split\"\nfields = { line = \"line\" }\nkeep = [\"other\"]";
    let first = |output: &str| {
        let printed = ran(stream, &format!("{SHOWN}\n{output}")).1.stdout;
        printed.lines().find(|line| line.starts_with('{')).unwrap().to_owned()
    };
    assert_eq!(first(""), "{\"word\":\"a\",\"count\":1,\"other\":\"x\"}");
    assert_eq!(first("output = \"hostile/lines\"\nfields = { line = \"other\" }"), "{\"line\":\"x\"}");
    assert_eq!(first("output = \"hostile/lines\"\nfields = { line = \"word\" }"), "{\"line\":\"a\"}");
    let touchy = format!("{SHOWN}\noutput = \"hostile/touchy-lines\"\nfields = {{ line = \"word\" }}");
    let stopped = run(&Folder::new().with("p.toml", pipeline(stream, &touchy)), &[]);
    assert_eq!(stopped.code, 1, "{stopped:#?}");
    let (folder, ended) = ran(stream, &format!("{touchy}\non-error = \"dead-letter\""));
    assert!(ended.stdout.contains("{\"line\":\"b\"}"), "{ended:#?}");
    assert!(folder.path().join("dead-letters/p/out.output").is_dir());
}
