//! `[plugins]`, and what each limit stops.

use super::{SHOWN, Settings, pipeline, run};
use crate::{bombs, check, inspect, plugins::built, tool::Folder};

pub const KEYS: &[Settings] = &[
    (
        "plugin `plugin`",
        &[
            ("path", check::plugins_that_cannot_be_loaded),
            ("sha256", inspect::a_component_is_shown),
            ("limits", limits_are_those_of_the_pipeline),
        ],
    ),
    (
        "the limits of plugin `plugin`",
        &[
            ("fuel-per-call", limits_are_those_of_the_pipeline),
            ("fuel-per-row", limits_are_those_of_the_pipeline),
            ("memory", limits_are_those_of_the_pipeline),
            ("table-elements", limits_are_those_of_the_pipeline),
            ("result-bytes", limits_are_those_of_the_pipeline),
            ("result-rows", limits_are_those_of_the_pipeline),
            ("rejections", limits_are_those_of_the_pipeline),
            ("log-lines-per-batch", logs_are_cut_at_their_limits),
            ("log-line-bytes", logs_are_cut_at_their_limits),
            ("counters", limits_are_those_of_the_pipeline),
            ("component-bytes", limits_are_those_of_the_pipeline),
            ("functions", limits_are_those_of_the_pipeline),
            ("compile-time", bombs::each_limit_of_compiling_is_that_of_the_pipeline),
            ("compile-wait", bombs::each_limit_of_compiling_is_that_of_the_pipeline),
            ("compile-memory", bombs::each_limit_of_compiling_is_that_of_the_pipeline),
            ("compiled-bytes", bombs::each_limit_of_compiling_is_that_of_the_pipeline),
        ],
    ),
];

/// For each limit a function that needs more than the lower value, and what stops it then; `None`: not even the higher
/// value is enough for it.
const STOPS: [(&str, &str, &str, &str, Option<&str>); 10] = [
    ("fuel-per-call", "loop-forever", "2000", "fuel-per-call=2000 and fuel-per-row=100000", None),
    ("fuel-per-row", "loop-forever", "7", "fuel-per-call=100000000 and fuel-per-row=7", None),
    ("memory", "memory-bomb", "3MiB", "memory=3145728", None),
    ("table-elements", "identity", "0", "table-elements=0", Some("20000")),
    ("result-bytes", "identity", "3", "result-bytes=3", Some("1KiB")),
    ("result-rows", "identity", "2", "result-rows=2", Some("3")),
    ("rejections", "odd-rows", "1", "rejections=1", Some("2")),
    ("counters", "many-counters", "999", "counters=999", Some("1000")),
    ("component-bytes", "identity", "1KiB", "component-bytes=1024", Some("10MiB")),
    ("functions", "identity", "3", "functions, limit=3", Some("200")),
];

#[test]
fn limits_are_those_of_the_pipeline() {
    for (limit, function, low, says, high) in STOPS {
        let folder = Folder::new().with("p.toml", pipeline(&format!("map = \"hostile/{function}\""), SHOWN));
        let with = |value: &str| {
            let plugin = format!("plugins.hostile={{path={:?}, limits={{{limit}={value:?}}}}}", built("hostile"));
            // Numbers have no quotes.
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
            run(&folder, &[&if is_number { plugin.replace(&format!("{value:?}"), value) } else { plugin }])
        };
        let stopped = with(low);
        assert!(stopped.code != 0 && stopped.stderr.contains(says), "{limit}: {stopped:#?}");
        if let Some(high) = high {
            let ended = with(high);
            assert_eq!(ended.code, 0, "{limit}: {ended:#?}");
        }
    }
}

#[test]
fn logs_are_cut_at_their_limits() {
    let folder = Folder::new().with("p.toml", pipeline("map = \"hostile/log-flood\"", SHOWN));
    let logged = |set: &[&str]| {
        let ended = run(&folder, set);
        assert_eq!(ended.code, 0, "{ended:#?}");
        ended.stderr.lines().filter(|line| line.contains("flood x")).map(str::to_owned).collect::<Vec<_>>()
    };
    let limits = "plugins.hostile.limits";
    let path =
        format!("plugins.hostile={{path={:?}, limits={{log-lines-per-batch=3, log-line-bytes=9}}}}", built("hostile"));
    let cut = logged(&[&path]);
    assert_eq!(cut.len(), 2 * 3, "{limits}: {cut:#?}");
    assert!(cut.iter().all(|line| line.matches('x').count() < 20), "{cut:#?}");
    let whole = logged(&[]);
    assert_eq!(whole.len(), 2 * 100);
    assert!(whole.iter().all(|line| line.matches('x').count() > 1_000));
}
