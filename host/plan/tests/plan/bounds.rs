//! The bounds of every number, size, time and list of a pipeline, as PIPELINE.md tells them: what is just allowed, and what
//! is just not.

use tidemill_connect::CONNECTORS;
use tidemill_plan::{Manifest, Override};

use crate::fake::Fake;

const BASE: &str = r#"
[pipeline]
name = "test"
interval = "1s"
[plugins]
words = "words.wasm"
[streams.lines]
generate = "words"
[streams.words]
from = "lines"
map = "words/split"
[streams.sorted]
from = "words"
sort = "word"
[streams.queue.queue]
schema = "line: text"
batches = []
[streams.more]
from = "queue"
limit = 1
[outputs.words]
from = "sorted"
print = true
[outputs.lines]
from = "lines"
files = "lines"
[outputs.more]
from = "more"
print = true
"#;

/// Errors of a pipeline, as they are shown.
fn said_of(text: &str, set: &[String]) -> String {
    let overrides: Vec<Override> = set.iter().map(|set| set.parse().unwrap()).collect();
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", text, &overrides, CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(plan.is_none(), diagnostics.error_count() > 0);
    if plan.is_some() { String::new() } else { diagnostics.render(false) }
}

fn said(set: &str) -> String {
    said_of(BASE, &[set.to_owned()])
}

/// What is set, with `_` where the value stands; values that are just allowed; values that are just not, and what is said.
type Bounds = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

const PIPELINE: &[Bounds] = &[
    ("pipeline.interval=_", &["1ms", "8784h", "0.001s"], &["0.999ms", "8784.001h", "0ms"], "interval"),
    ("pipeline.partitions=_", &["1", "4096"], &["0", "4097", "-1"], "from 1 to 4096"),
    ("pipeline.checkpoint={folder=\"c\", keep-batches=_}", &["0", "4294967295"], &["4294967296", "-1"], "4294967295"),
    (
        "pipeline.checkpoint={folder=\"c\", keep-bytes=_}",
        &["0", "1125899906842624"],
        &["1125899906842625"],
        "1048576GiB",
    ),
    (
        "pipeline.checkpoint={folder=\"c\", budget=_}",
        &["1048576", "\"1MiB\"", "1125899906842624"],
        &["1048575", "1125899906842625", "\"1023KiB\""],
        "from 1MiB to 1048576GiB",
    ),
    (
        "pipeline.checkpoint={folder=\"c\", free-space=_}",
        &["0", "1125899906842624"],
        &["1125899906842625"],
        "1048576GiB",
    ),
    (
        "streams.more={from=[\"queue\", \"queue\"], by=\"line\", join=\"inner\", pairs-max=_}",
        &["1", "9223372036854775807"],
        &["0"],
        "from 1 to 9223372036854775807",
    ),
    ("pipeline.limits={batch-fuel=_}", &["1", "9223372036854775807"], &["0"], "from 1 to 9223372036854775807"),
    ("pipeline.limits={batch-rows=_}", &["1", "9223372036854775807"], &["0"], "from 1 to 9223372036854775807"),
    ("pipeline.limits.batch-bytes=_", &["1", "1048576GiB"], &["0", "1125899906842625"], "from 1 byte to 1048576GiB"),
    (
        "pipeline.limits={instance-memory=_}",
        &["268435456", "\"1048576GiB\""],
        &["0", "1125899906842625"],
        "from 1 byte to 1048576GiB",
    ),
    ("pipeline.limits={instance-memory=_}", &["\"256MiB\""], &["268435455"], "4 of `words` with 64MiB each"),
    ("pipeline.on-error={retry=_}", &["0", "100"], &["101", "-1"], "from 0 to 100"),
    ("pipeline.on-error={retry=1, delay=\"_\"}", &["1ms", "10s"], &["0.999ms", "10.001s", "0s"], "is no delay"),
];

const LIMITS: &[Bounds] = &[
    ("fuel-per-call", &["1", "1125899906842624"], &["0", "1125899906842625"], "from 1 to 1125899906842624"),
    ("fuel-per-row", &["0", "4294967296"], &["4294967297"], "from 0 to 4294967296"),
    ("memory", &["65536", "\"64KiB\"", "\"1GiB\""], &["65535", "1073741825"], "from 64KiB to 1GiB"),
    ("table-elements", &["0", "100000"], &["100001"], "from 0 to 100000"),
    ("result-bytes", &["1", "\"512MiB\""], &["0", "536870913"], "from 1 byte to 512MiB"),
    ("result-rows", &["0", "67108864"], &["67108865"], "from 0 to 67108864"),
    ("rejections", &["0", "16777216"], &["16777217"], "from 0 to 16777216"),
    ("log-lines-per-batch", &["0", "100000"], &["100001"], "from 0 to 100000"),
    ("log-line-bytes", &["1", "\"64KiB\""], &["0", "65537"], "from 1 byte to 64KiB"),
    ("counters", &["0", "10000"], &["10001"], "from 0 to 10000"),
    ("component-bytes", &["1", "\"64MiB\""], &["0", "67108865"], "from 1 byte to 64MiB"),
    ("functions", &["0", "4096"], &["4097"], "from 0 to 4096"),
    ("compile-time", &["\"1s\"", "\"1h\""], &["\"999ms\"", "\"3601s\""], "from 1s to 1h"),
    ("compile-wait", &["\"1s\"", "\"24h\""], &["\"999ms\"", "\"86401s\""], "from 1s to 24h"),
    ("compile-memory", &["\"64MiB\"", "\"64GiB\""], &["67108863", "68719476737"], "from 64MiB to 64GiB"),
    ("compiled-bytes", &["1", "\"1GiB\""], &["0", "1073741825"], "from 1 byte to 1GiB"),
];

const STREAMS: &[Bounds] = &[
    (
        "streams.lines={socket={connect=\"a:1\", line-bytes-max=_}}",
        &["1", "\"64MiB\""],
        &["0", "67108865"],
        "from 1 byte to 64MiB",
    ),
    (
        "streams.lines={files={path=\"a\", line-bytes-max=_}}",
        &["1", "67108864"],
        &["0", "67108865"],
        "from 1 byte to 64MiB",
    ),
    (
        "streams.lines={files={path=\"a\", settled-after=\"_\"}}",
        &["1ms", "366 h", "8784h"],
        &["0s", "0.999ms", "8785h", "5", "soon"],
        "is no time for which a file rests",
    ),
    (
        "streams.lines={socket={connect=\"a:1\", line-bytes-max=1, buffer=_}}",
        &["1", "\"4GiB\""],
        &["0", "4294967297"],
        "from 1 byte to 4GiB",
    ),
    // A megabyte is what a line may have where it is not said.
    (
        "streams.lines={socket={connect=\"a:1\", buffer=_}}",
        &["1048576"],
        &["1048575"],
        "smaller than a line may be, 1MiB",
    ),
    ("streams.lines={socket={connect=\"a:_\"}}", &["1", "65535"], &["0", "65536"], "port"),
    ("streams.lines={socket={listen=\"a:_\"}}", &["0", "65535"], &["65536"], "port"),
    ("streams.lines={generate={kind=\"words\", rate=_}}", &["1", "9223372036854775807"], &["0", "-1"], "is at least 1"),
    ("streams.lines={generate={kind=\"words\", count=_}}", &["0", "9223372036854775807"], &["-1"], "is at least 0"),
    ("streams.lines={generate={kind=\"words\", seed=_}}", &["0", "9223372036854775807"], &["-1"], "is at least 0"),
    ("streams.queue.queue.partitions=_", &["1", "4096"], &["0", "4097"], "from 1 to 4096"),
    ("streams.more.limit=_", &["1", "9223372036854775807"], &["0"], "is at least 1"),
    ("outputs.words.print={rows=_}", &["0", "9223372036854775807"], &["-1"], "is at least 0"),
];

#[test]
fn numbers_have_exact_bounds() {
    let limits = LIMITS.iter().map(|(limit, allowed, refused, says)| {
        (format!("plugins.words={{path=\"words.wasm\", limits={{{limit}=_}}}}"), allowed, refused, says)
    });
    let others = PIPELINE.iter().chain(STREAMS);
    let others = others.map(|(set, allowed, refused, says)| ((*set).to_owned(), allowed, refused, says));
    for (set, allowed, refused, says) in others.chain(limits) {
        let with = |value: &str| said(&set.replacen('_', value, 1));
        for value in *allowed {
            assert_eq!(with(value), "", "{set}: {value}");
        }
        for value in *refused {
            let said = with(value);
            assert!(said.contains(says), "{set}: {value} is refused with `{says}`: {said}");
        }
    }
}

#[test]
fn names_have_exact_bounds() {
    let renamed = |of: &str, name: &str| {
        let text = match of {
            "pipeline" => BASE.replace("name = \"test\"", &format!("name = \"{name}\"")),
            "plugin" => {
                BASE.replace("words = \"words.wasm\"", &format!("words = \"words.wasm\"\n{name} = \"words.wasm\""))
            }
            "stream" => {
                BASE.replace("[streams.more]", &format!("[streams.{name}]")).replace("\"more\"", &format!("\"{name}\""))
            }
            _ => BASE.replace("[outputs.more]", &format!("[outputs.{name}]")),
        };
        said_of(&text, &[])
    };
    for of in ["pipeline", "stream", "output"] {
        assert_eq!(renamed(of, &"n".repeat(100)), "", "{of}");
    }
    for of in ["pipeline", "plugin", "stream", "output"] {
        let long = renamed(of, &"n".repeat(101));
        assert!(long.contains("is no name for a") && long.contains("100 at most"), "{of}: {long}");
    }
}

/// So many, with commas between them.
fn list(number: usize, one: impl Fn(usize) -> String) -> String {
    (0..number).map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn lists_have_exact_bounds() {
    let parameters =
        |number| said(&format!("streams.words.parameters={{{}}}", list(number, |n| format!("p{n} = {n}"))));
    assert_eq!(parameters(1_000), "");
    assert!(parameters(1_001).contains("there are 1001 parameters, and at most 1000 may be here"));
    let fields = |number| said(&format!("streams.words.fields={{{}}}", list(number, |n| format!("f{n} = \"line\""))));
    assert!(fields(1_001).contains("there are 1001 fields, and at most 1000 may be here"));
    assert!(!fields(1_000).contains("may be here"));
    let sort = |number| said(&format!("streams.sorted.sort=[{}]", list(number, |n| format!("\"f{n}\""))));
    assert!(sort(1_001).contains("and at most 1000 may be here"), "{}", sort(1_001));
    assert!(!sort(1_000).contains("may be here"));
}

/// Sections have so many entries, and the text so many bytes.
#[test]
fn files_have_exact_bounds() {
    let outputs = |number| {
        let more: String = (3..number).map(|n| format!("[outputs.o{n}]\nfrom = \"lines\"\nprint = true\n")).collect();
        said_of(&format!("{BASE}{more}"), &[])
    };
    assert_eq!(outputs(1_000), "");
    assert!(outputs(1_001).contains("there are 1001 outputs, and at most 1000"), "{}", outputs(1_001));
    let plugins = |number| {
        let more: String = (0..number).map(|n| format!("p{n} = \"p.wasm\"\n")).collect();
        said_of(&BASE.replace("words = \"words.wasm\"\n", &format!("words = \"words.wasm\"\n{more}")), &[])
    };
    assert!(plugins(1_000).contains("there are 1001 plugins, and at most 1000"), "{}", plugins(1_000));
    assert!(!plugins(999).contains("at most 1000"));
    let streams = |number| {
        let more: String = (5..number).map(|n| format!("[streams.s{n}]\nfrom = \"lines\"\ncount = true\n")).collect();
        said_of(&format!("{BASE}{more}"), &[])
    };
    assert_eq!(streams(10_000), "");
    assert!(streams(10_001).contains("there are 10001 streams, and at most 10000"));
    let long = |bytes: usize| said_of(&format!("{BASE}#{}", "x".repeat(bytes - BASE.len() - 1)), &[]);
    assert_eq!(long(16 << 20), "");
    assert!(
        long((16 << 20) + 1).contains("has 16777217 bytes; a pipeline has at most 16777216"),
        "{}",
        long((16 << 20) + 1)
    );
}

#[test]
fn schemas_of_queues_have_exact_bounds() {
    let schema = |bytes: usize| {
        let spaces = " ".repeat(bytes - "line: text".len());
        said(&format!("streams.queue.queue={{schema=\"line: text{spaces}\", batches=[]}}"))
    };
    assert_eq!(schema(16 << 10), "");
    assert!(schema((16 << 10) + 1).contains("has 16385 bytes; it may have 16384"), "{}", schema((16 << 10) + 1));
}

/// Instances of all partitions, and partitions of a union.
#[test]
fn whole_pipelines_have_exact_bounds() {
    let with = |partitions: usize, reduces: usize| {
        let more = |n: usize| {
            format!(
                "[streams.t{n}]\nfrom = \"words\"\nby = \"word\"\nreduce = \"words/sum\"\nfields = {{ value = \"count\" }}\n\
                     [outputs.t{n}]\nfrom = \"t{n}\"\nprint = true\n"
            )
        };
        let text = format!("{BASE}{}", (0..reduces).map(more).collect::<String>());
        let memory = "pipeline.limits.instance-memory=512GiB".to_owned();
        said_of(&text, &[format!("pipeline.partitions={partitions}"), memory])
    };
    // One for each partition of the map; two of a reduce.
    assert_eq!(with(4_096, 0), "");
    assert_eq!(with(2_730, 1), "");
    let said = with(2_731, 1);
    assert!(
        said.contains("would have 8193 instances of its plugins at once") && said.contains("at most 8192"),
        "{said}"
    );
    let union = |streams: usize, more: &str| {
        let of = |n: usize| {
            format!("[streams.u{n}]\nqueue = {{ schema = \"line: text\", batches = [], partitions = 4096 }}\n")
        };
        let text: String = (0..streams).map(of).collect();
        let names = list(streams, |n| format!("\"u{n}\""));
        said_of(&format!("{BASE}{text}[streams.all]\nfrom = [{names}{more}]\nunion = true\n"), &[])
    };
    assert_eq!(union(4, ""), "");
    let said = union(4, ", \"more\"");
    assert!(said.contains("16384"), "{said}");
}
