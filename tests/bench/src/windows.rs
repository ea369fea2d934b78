//! Windows that slide every second: what a slide costs of a long one and of a short one, with a function that could take rows out
//! again and with one that could not, and recovery.

use std::{path::Path, sync::Arc, time::Instant};

use tidemill_connect::system::ManualClock;
use tidemill_engine::Until;
use tidemill_model::time::Timestamp;

use crate::{
    job::{self, Plugins},
    keys::{CHANGED, Keys, TimesSink},
    report::{Figure, Goal},
};

/// Keys that come in turn, 1,000 in a batch.
const KEYS: usize = 100_000;

/// Batches that are measured, behind those that fill the window.
const SLIDES: usize = 1_000;

/// Keys of the window that is recovered.
const RECOVERED_KEYS: usize = 1_000_000;

/// Batches of an hour.
const HOUR: usize = 3_600;

/// Sums by key, over so long and so often.
fn toml(reduce: &str, window: &str, slide: &str) -> String {
    format!(
        r#"
        [pipeline]
        name = "windows"
        interval = "1s"
        [plugins]
        wordcount = "wordcount.wasm"
        hostile = "hostile.wasm"
        [streams.lines]
        socket = "127.0.0.1:1"
        [streams.words]
        from = "lines"
        map = "wordcount/split"
        [streams.sums]
        from = "words"
        by = ["word"]
        reduce = "{reduce}"
        fields = {{ value = "count" }}
        as = "sum"
        window = "{window}"
        slide = "{slide}"
        [outputs.sums]
        from = "sums"
        print = true
        "#
    )
}

/// The middle one of the times of a slide, and that which one in a hundred is above.
struct Times {
    p50: f64,
    p99: f64,
}

/// The figures of slides.
pub fn slides(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    let hour = times("sum", ("1h", HOUR), plugins)?;
    let minute = times("sum", ("1m", HOUR / 60), plugins)?;
    let [with, without] = ["wordcount/sum", "hostile/sum"].map(|reduce| times(reduce, ("1h", HOUR), plugins));
    let (with, without) = (with?, without?);
    let figure = |name, value, unit, goal| Figure { name, value, unit, goal, range: None };
    Ok(vec![
        figure("window.slide_ms_p50", hour.p50, "ms", None),
        figure("window.slide_ms_p99", hour.p99, "ms", None),
        figure("window.minute_slide_ms_p50", minute.p50, "ms", None),
        figure("window.minute_slide_ms_p99", minute.p99, "ms", None),
        figure("window.hour_ratio", hour.p99 / minute.p99, "", Some(Goal::AtMost(2.0))),
        figure("window.subtract_slide_ms_p50", with.p50, "ms", None),
        figure("window.subtract_slide_ms_p99", with.p99, "ms", None),
        figure("window.inverse_ratio", without.p50 / with.p50, "", Some(Goal::AtMost(2.0))),
    ])
}

fn times(reduce: &str, (window, batches): (&str, usize), plugins: &Plugins) -> anyhow::Result<Times> {
    let source = Keys::filled(KEYS);
    let sink = Box::new(TimesSink::new(&source));
    let (times, clock) = (sink.times.clone(), Arc::new(ManualClock::new(Timestamp(0))));
    let settings = job::settings(Until::Batches((batches + SLIDES) as u64));
    let plan = job::plan(&toml(reduce, window, "1s"), plugins)?;
    job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, None)?.run()?;
    let mut times = times.lock().expect("no sink has panicked").split_off(batches);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Times { p50: at(0.5), p99: at(0.99) })
}

/// The time from the start until the first batch behind it, which has all keys of the window.
pub fn recovery(plugins: &Plugins, folder: &Path) -> anyhow::Result<Figure> {
    let run = |slide: &str, batches: usize, begin: usize| {
        let source = Keys::filled(RECOVERED_KEYS).changed(RECOVERED_KEYS.div_ceil(HOUR));
        let sink = Box::new(TimesSink::new(&source));
        let clock = Arc::new(ManualClock::new(Timestamp(begin as i64 * 1_000_000)));
        let settings = job::settings(Until::Batches(batches as u64));
        let plan = job::plan(&toml("sum", "1h", slide), plugins)?;
        job::run_with(plan, plugins, Box::new(source), vec![sink], clock, &settings, Some(folder))?.run()?;
        anyhow::Ok(())
    };
    run("20m", HOUR, 0)?;
    let began = Instant::now();
    run("1s", 1, HOUR)?;
    let value = began.elapsed().as_secs_f64();
    Ok(Figure { name: "window.recovery_seconds", value, unit: "s", goal: Some(Goal::AtMost(5.0)), range: None })
}

const _: () = assert!(CHANGED * 100 == KEYS, "a key comes every hundred seconds");
