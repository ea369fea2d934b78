//! What a function sees of its surroundings, and what it can tell.

use tidemill_sdk::{log::Level, prelude::*, testing::Kit};

#[map]
fn surroundings(context: &Context, _word: &str) -> String {
    let watermark = context.watermark().map_or(-1, |time| time.millis());
    format!(
        "{} {} {watermark} {}/{} {:?}",
        context.batch_time().millis(),
        context.interval_micros(),
        context.partition(),
        context.partitions(),
        context.parameter("limit")
    )
}

#[map]
fn noisy(context: &Context, number: i64) -> Option<i64> {
    if number > 9 {
        warn!("{number} is too large");
        context.count("too-large", 1);
        return None;
    }
    context.count("good", number.unsigned_abs());
    info!("one");
    Some(number)
}

#[test]
fn a_function_sees_its_call() {
    let kit = Kit::new();
    assert_eq!(kit.map::<surroundings>(["a"]).unwrap().rows(), ["0 1000000 -1 0/1 None"]);
    let kit = kit.batch_time(Timestamp::from_millis(5_000)).interval_micros(5_000_000).partition(2, 4);
    let kit = kit.watermark(Timestamp::from_millis(-7)).parameter("limit", "8").parameter("a", "b");
    assert_eq!(kit.map::<surroundings>(["a"]).unwrap().rows(), ["5000 5000000 -7 2/4 Some(\"8\")"]);
}

#[test]
fn lines_and_counters_are_kept() {
    let out = Kit::new().map::<noisy>([1, 10, 4]).unwrap();
    assert_eq!(out.rows(), [1, 4]);
    let lines: Vec<_> = out.noted().lines.iter().map(|(level, line)| (*level, line.as_str())).collect();
    assert_eq!(lines, [(Level::Info, "one"), (Level::Warn, "10 is too large"), (Level::Info, "one")]);
    let counters: Vec<_> = out.noted().counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counters, [("good", 5), ("too-large", 1)]);
}

/// How words are cut.
#[derive(Debug, Parameters)]
struct Cut {
    /// No word is longer.
    #[parameter(default = 3)]
    length: i64,
    #[parameter(name = "put-behind", default = "")]
    behind: String,
    only: Option<bool>,
    ratio: f64,
}

/// Words, shorter.
#[map]
fn cut(context: &Context<Cut>, word: &str) -> String {
    let Cut { length, behind, only, ratio } = context.parameters();
    format!("{}{behind} {only:?} {ratio}", &word[..word.len().min(*length as usize)])
}

#[map]
fn plain(word: &str) -> String {
    word.to_owned()
}

#[test]
fn declared_parameters_are_read_when_a_function_is_opened() {
    let given = |given: &[(&str, &str)]| {
        let kit = given.iter().fold(Kit::new(), |kit, (name, value)| kit.parameter(name, value));
        kit.map::<cut>(["words"]).map(|out| out.rows().concat()).map_err(|failed| failed.reason)
    };
    let good = [
        (&[("ratio", "1")][..], "wor None 1"),
        (&[("ratio", "-0.5"), ("length", "2"), ("put-behind", "..."), ("only", "true")], "wo... Some(true) -0.5"),
        (&[("ratio", "2"), ("only", "false")], "wor Some(false) 2"),
    ];
    for (parameters, expect) in good {
        assert_eq!(given(parameters).as_deref(), Ok(expect));
    }
    const TAKES: &str = "the function takes length: integer = 3, put-behind: text = \"\", only: boolean?, ratio: float";
    let bad = [
        (&[][..], "the function needs the parameter `ratio`, float".to_owned()),
        (&[("ratio", "half")], "the parameter `ratio` has to be float, and is not".to_owned()),
        (&[("ratio", "1"), ("length", "2.5")], "the parameter `length` has to be integer, and is not".to_owned()),
        (&[("ratio", "1"), ("only", "yes")], "the parameter `only` has to be boolean, and is not".to_owned()),
        (&[("ratio", "1"), ("lenght", "2")], format!("there is no parameter `lenght`: {TAKES}")),
        (
            &[("length", "two"), ("lenght", "2"), ("only", "1"), ("Ratio", "1")],
            format!(
                "the parameter `length` has to be integer, and is not; the parameter `only` has to be boolean, and is not; \
                 the function needs the parameter `ratio`, float; there is no parameter `Ratio`, `lenght`: {TAKES}"
            ),
        ),
    ];
    for (parameters, expect) in bad {
        assert_eq!(given(parameters), Err(expect));
    }
    let failed = Kit::new().parameter("a", "1").map::<plain>(["a"]).unwrap_err();
    assert_eq!(failed.reason, "there is no parameter `a`: the function takes none");
}

#[test]
fn parameters_stand_in_a_functions_documentation() {
    use tidemill_sdk::__private::Function;

    let expect = "Words, shorter.\n- parameter length: integer = 3. No word is longer.\n\
        - parameter put-behind: text = \"\"\n- parameter only: boolean?\n- parameter ratio: float";
    assert_eq!(cut::signature().doc, expect);
    assert_eq!((surroundings::signature().doc, plain::signature().doc), (String::new(), String::new()));
}

/// What stands in front of the lines of a comment is no part of it, and what is set in stays so.
#[derive(Debug, Parameters)]
struct Told {
    /// No word is longer.
    ///
    ///     but for code
    #[allow(dead_code, reason = "it is told")]
    length: i64,
    /** A block
     *  of two lines. */
    #[allow(dead_code, reason = "it is told")]
    other: bool,
}

/**
    Words,
      as they are.
*/
#[map]
fn told(context: &Context<Told>, word: &str) -> String {
    let _ = context.parameters();
    word.to_owned()
}

#[test]
fn documentation_of_several_lines_stays_together() {
    let doc = <told as tidemill_sdk::__private::Function>::signature().doc;
    let expect = "Words,\n  as they are.\n- parameter length: integer. No word is longer.\n\n      but for code\n\
        - parameter other: boolean. A block\n   of two lines.";
    assert_eq!(doc, expect);
}

#[derive(Debug, Parameters)]
struct Defaults {
    #[parameter(default = 3_000_000_000)]
    large: i64,
    #[parameter(default = -9_223_372_036_854_775_808)]
    least: i64,
    #[parameter(default = 0x10i64)]
    sixteen: i64,
    #[parameter(default = 3_000_000_000)]
    whole: f64,
    #[parameter(default = -0.25f64)]
    quarter: f64,
    #[parameter(default = "a")]
    path: std::string::String,
}

#[map]
fn defaults(context: &Context<Defaults>, _word: &str) -> String {
    let Defaults { large, least, sixteen, whole, quarter, path } = context.parameters();
    format!("{large} {least} {sixteen} {whole} {quarter} {path}")
}

#[test]
fn a_default_has_the_type_of_its_parameter_and_is_told_as_pipelines_write_it() {
    let out = Kit::new().map::<defaults>(["a"]).unwrap();
    assert_eq!(out.rows(), ["3000000000 -9223372036854775808 16 3000000000 -0.25 a"]);
    let doc = <defaults as tidemill_sdk::__private::Function>::signature().doc;
    let lines: Vec<&str> = doc.lines().map(|line| line.trim_start_matches("- parameter ")).collect();
    let integers = ["large: integer = 3000000000", "least: integer = -9223372036854775808", "sixteen: integer = 16"];
    let others = ["whole: float = 3000000000", "quarter: float = -0.25", "path: text = \"a\""];
    assert_eq!(lines, [integers, others].concat());
}
