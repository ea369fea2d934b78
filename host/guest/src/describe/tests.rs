//! Descriptions that are just what they may be, and just not.

use super::*;

fn field(name: &str, kind: &str) -> FieldOut {
    FieldOut { name: name.to_owned(), kind: kind.to_owned() }
}

fn integers(number: usize) -> Vec<FieldOut> {
    (0..number).map(|field| self::field(&format!("f{field}"), "integer")).collect()
}

/// A good map.
fn map() -> SignatureOut {
    SignatureOut { name: "map".to_owned(), input: integers(1), output: integers(1), ..SignatureOut::default() }
}

/// `change` makes a good function that has so much of something. `most` is allowed and one more is not, which is said.
#[track_caller]
fn check(most: usize, says: &str, change: impl Fn(&mut SignatureOut, usize)) {
    let changed = |number| {
        let mut told = map();
        change(&mut told, number);
        signature(told).map(drop)
    };
    assert_eq!(changed(most), Ok(()), "{says}");
    let error = changed(most + 1).unwrap_err();
    assert!(error.contains(says), "{says}: {error}");
}

#[test]
fn functions_have_exact_bounds() {
    check(128, "is no function's name", |told, bytes| told.name = "n".repeat(bytes));
    check(16 << 10, "its documentation is longer than 16384 bytes", |told, bytes| told.doc = "d".repeat(bytes));
    check(64, "it reads 65 side inputs, limit=64", |told, inputs| {
        told.shared = (0..inputs).map(|input| (format!("s{input}"), integers(1))).collect();
    });
    check(128, "is no side input's name", |told, bytes| told.shared = vec![("s".repeat(bytes), integers(1))]);
    check(1_000, "input: 1001 fields, limit=1000", |told, fields| told.input = integers(fields));
    check(1_000, "output: 1001 fields, limit=1000", |told, fields| told.output = integers(fields));
    check(128, "input: `", |told, bytes| told.input = vec![field(&"f".repeat(bytes), "integer")]);
    check(4 << 10, "is longer than 4096 bytes", |told, bytes| {
        told.output = vec![field("f", &format!("{}integer", " ".repeat(bytes - "integer".len())))];
    });
    // A record is a column, and each of its fields is one.
    check(4_096, "4097 columns", |told, columns| {
        let record = |fields: usize| {
            format!("record<{}>", (0..fields).map(|f| format!("f{f}:text")).collect::<Vec<_>>().join(","))
        };
        let whole = columns / 256;
        told.output = (0..whole).map(|f| field(&format!("r{f}"), &record(255))).collect();
        told.output.extend((0..columns % 256).map(|f| field(&format!("f{f}"), "text")));
    });
}

#[test]
fn plugins_have_exact_bounds() {
    let told = |name: usize, version: usize, functions: usize| {
        let functions = (0..functions).map(|n| SignatureOut { name: format!("f{n}"), ..map() }).collect();
        let told = DescriptionOut { name: "n".repeat(name), version: "1".repeat(version), functions };
        description(told, 3).map(|description| description.functions.len())
    };
    assert_eq!(told(128, 128, 3), Ok(3));
    assert!(told(129, 1, 1).unwrap_err().contains("the plugin's name is longer than 128 bytes"));
    assert!(told(1, 129, 1).unwrap_err().contains("the plugin's version is longer than 128 bytes"));
    assert_eq!(told(1, 1, 4).unwrap_err(), "it has 4 functions, limit=3");
    let twice = DescriptionOut { functions: vec![map(), map()], ..DescriptionOut::default() };
    assert_eq!(description(twice, 3).unwrap_err(), "two functions have the name `map`");
    let lines = DescriptionOut { name: "a\nb".to_owned(), ..DescriptionOut::default() };
    assert!(description(lines, 3).unwrap_err().contains("no line of text"));
}

/// What each kind of function must have, and what it must not.
#[test]
fn functions_fit_their_kind() {
    let told = |kind, output: usize, state: usize, finishes| {
        let told = SignatureOut { kind, output: integers(output), state: integers(state), finishes, ..map() };
        signature(told).map(drop).map_err(|error| error.split_once(": ").unwrap().1.to_owned())
    };
    for kind in [KindOut::MapRows, KindOut::OutputRows] {
        assert_eq!(told(kind, 1, 0, false), Ok(()));
        assert_eq!(told(kind, 1, 1, false).unwrap_err(), "a function of its kind has no state");
        assert_eq!(told(kind, 0, 0, false).unwrap_err(), "it needs an output");
    }
    for kind in [KindOut::ReduceGroups, KindOut::UpdateStates] {
        assert_eq!(told(kind, 1, 1, false), Ok(()));
        assert_eq!(told(kind, 1, 0, true).unwrap_err(), "a function of its kind needs a state");
    }
    assert_eq!(told(KindOut::UpdateStates, 0, 1, false), Ok(()));
    assert_eq!(told(KindOut::UpdateStates, 2, 1, false), Ok(()));
    assert_eq!(told(KindOut::ReduceGroups, 2, 1, true), Ok(()));
    let other = "a reduce that does not finish has the same fields as state and as output";
    assert_eq!(told(KindOut::ReduceGroups, 2, 1, false).unwrap_err(), other);
}

/// What `open` answers is what was described, with its open types settled, and takes what it was bound to.
#[test]
fn what_is_opened_is_what_was_described() {
    let schema = |text: &str| text.parse::<Schema>().unwrap();
    let described = Signature { input: schema("a: any, b: list<any>, c: integer?"), ..signature(map()).unwrap() };
    let opened = |input: &str, bound: &str, change: fn(&mut Signature)| {
        let mut opened = Signature { input: schema(input), ..described.clone() };
        change(&mut opened);
        let binding = Binding { function: 0, keys: Schema::default(), input: schema(bound), parameters: Vec::new() };
        check_opened(&opened, &described, &binding)
    };
    let good = "a: text, b: list<float>, c: integer?";
    let nothing = |_: &mut Signature| {};
    assert_eq!(opened(good, good, nothing), Ok(()));
    assert_eq!(opened(good, "a: text, b: list<float>, c: integer", nothing), Ok(()));
    let says = |error: Result<(), String>, says: &str| assert!(error.as_ref().unwrap_err().contains(says), "{error:?}");
    says(opened("a: any, b: list<float>, c: integer?", good, nothing), "has types that are not settled");
    says(opened("a: text, b: list<any>, c: integer?", good, nothing), "has types that are not settled");
    says(opened("a: text, b: float, c: integer?", good, nothing), "described as");
    says(opened("a: text, b: list<float>, c: integer", good, nothing), "described as");
    says(opened("a: text, b: list<float>, d: integer?", good, nothing), "described as");
    says(opened("a: text, b: list<float>", good, nothing), "described as");
    says(opened(good, "a: integer, b: list<float>, c: integer?", nothing), "bound to");
    says(opened(good, "a: text, b: list<float>", nothing), "bound to");
    says(opened(good, good, |opened| opened.name = "other".to_owned()), "it is `other`");
    says(opened(good, good, |opened| opened.kind = FunctionKind::Output), "not `map`");
    says(opened(good, good, |opened| opened.output = Schema::default()), "the output is");
    says(opened(good, good, |opened| opened.state = "x: text".parse().unwrap()), "the state is");
    says(opened(good, good, |opened| opened.state_version += 1), "its state-version is `1`, described as `0`");
    says(opened(good, good, |opened| opened.whole_partition ^= true), "its whole-partition is");
    says(opened(good, good, |opened| opened.finishes ^= true), "its finishes is");
    says(opened(good, good, |opened| opened.invertible ^= true), "its invertible is");
    says(
        opened(good, good, |opened| opened.shared = vec![("s".to_owned(), Schema::default())]),
        "its shared is `s`, described as ``",
    );
    assert_eq!(opened(good, good, |opened| opened.doc = "another".to_owned()), Ok(()));
}

#[test]
fn names_are_made_of_letters() {
    let long = "n".repeat(limits::NAME_BYTES);
    for (name, of_function, of_field) in [
        ("a", true, true),
        ("a-1", true, true),
        ("-", true, true),
        ("0", true, true),
        (long.as_str(), true, true),
        ("a_b", false, true),
        ("A", false, true),
        ("\u{e4}", false, true),
        ("\u{e4}\u{4e2d}_1", false, true),
        ("", false, false),
        ("a b", false, false),
        ("a.b", false, false),
        ("a/", false, false),
        (" ", false, false),
        ("a\n", false, false),
        ("\u{1f600}", false, false),
    ] {
        assert_eq!((is_function_name(name), is_field_name(name)), (of_function, of_field), "{name:?}");
    }
    // Whatever else may be in one, what nobody sees may not, and what is wrong is shown so that it is seen.
    for &hostile in tidemill_model::testing::HOSTILE {
        let name = format!("a{hostile}b");
        assert!(!is_function_name(&name) && !is_field_name(&name), "{name:?}");
        let told = || DescriptionOut { version: name.clone(), ..DescriptionOut::default() };
        let wrong = [
            signature(SignatureOut { name: name.clone(), ..map() }).unwrap_err(),
            signature(SignatureOut { input: vec![field(&name, "integer")], ..map() }).unwrap_err(),
            description(told(), 3).unwrap_err(),
            description(DescriptionOut { name: name.clone(), version: String::new(), ..told() }, 3).unwrap_err(),
        ];
        assert!(wrong.iter().all(|wrong| wrong.chars().all(is_visible)), "{wrong:?}");
        let record = format!("record<{name}: text>");
        assert!(signature(SignatureOut { input: vec![field("a", &record)], ..map() }).is_err(), "{record:?}");
    }
    let told = SignatureOut { input: vec![field(&format!("a\n{}", "b".repeat(100)), "integer")], ..map() };
    let expect = format!("`a\\n{}` is no field's name", "b".repeat(38));
    assert!(signature(told).unwrap_err().contains(&expect));
}
