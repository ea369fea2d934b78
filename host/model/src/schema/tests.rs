//! How types are written and read, and which fit where.

#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Field, Kind, Schema, Type, parse::DEPTH_MAX};
use crate::testing::{cases, schemas, types};

/// A schema as it is written after it was read, or what is wrong with it.
#[track_caller]
fn check(text: &str, expect: &str) {
    let got = match text.parse::<Schema>() {
        Ok(schema) => schema.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expect);
}

#[test]
fn schemas_are_read_and_written() {
    check("", "");
    check("  ", "");
    check("a:integer", "a: integer");
    check("a: integer,", "a: integer");
    check(" a : text ? , b: list< record<x: float, y: bytes?> >? ", "a: text?, b: list<record<x: float, y: bytes?>>?");
    check("a: any, b: list<any?>", "a: any, b: list<any?>");
    check("text: text, Zähler-1_0: timestamp", "text: text, Zähler-1_0: timestamp");
}

#[test]
fn mistakes_say_where() {
    let kinds = "boolean, integer, float, text, bytes, timestamp, list<...>, record<...>";
    check("a", "expected `:` at character 2 of `a`");
    check("a: int", &format!("`int` is no type ({kinds}) at character 4 of `a: int`"));
    check("a: list<text", "expected `>` at character 13 of `a: list<text`");
    check("a: list", "expected `<` at character 8 of `a: list`");
    check("a: list<>", "expected a name at character 9 of `a: list<>`");
    check("a: record<>", "a record needs a field at character 11 of `a: record<>`");
    check("a: record<text>", "expected `:` at character 15 of `a: record<text>`");
    check("a: text, a: text", "two fields have the name `a` at character 17 of `a: text, a: text`");
    check("a: text b", "expected the end at character 9 of `a: text b`");
    check("a: text??", "expected the end at character 9 of `a: text??`");
    check(",", "expected a name at character 1 of `,`");
    check("ä: text, ö", "expected `:` at character 11 of `ä: text, ö`");
}

#[test]
fn types_nest_to_a_bound() {
    let nested = |depth: usize| format!("{}text{}", "list<".repeat(depth), ">".repeat(depth));
    assert!(nested(DEPTH_MAX).parse::<Type>().is_ok());
    for depth in [DEPTH_MAX + 1, 1_000_000] {
        let error = nested(depth).parse::<Type>().unwrap_err().to_string();
        assert!(error.starts_with("types nest deeper than 16 at character 86 of"), "{error:.60}");
    }
}

#[test]
fn many_fields_are_read_in_time() {
    let text: Vec<String> = (0..100_000).map(|i| format!("f{i}: any")).collect();
    assert_eq!(text.join(",").parse::<Schema>().unwrap().len(), 100_000);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_is_written_is_read(schema in schemas(0..5)) {
        prop_assert_eq!(schema.to_string().parse::<Schema>().unwrap(), schema);
    }

    #[test]
    fn any_text_is_a_schema_or_an_error(tokens in vec(select(&TOKENS[..]), 0..16), more in ".{0,16}") {
        for text in [tokens.concat(), more] {
            if let Ok(schema) = text.parse::<Schema>() {
                prop_assert_eq!(schema.to_string().parse::<Schema>().unwrap(), schema);
            }
        }
    }

    #[test]
    fn a_type_accepts_itself_and_what_is_never_missing(ty in types()) {
        prop_assert!(ty.accepts(&ty));
        prop_assert!(Type::optional(ty.kind.clone()).accepts(&ty));
        prop_assert!(Type::required(Kind::Any).accepts(&ty));
        prop_assert_eq!(ty.accepts(&Type::optional(ty.kind.clone())), ty.optional);
        prop_assert!(!ty.is_open());
    }

    #[test]
    fn nodes_are_counted_as_they_are_laid_out(schema in schemas(0..5)) {
        let firsts = schema.first_nodes();
        let ends = firsts.iter().skip(1).copied().chain([schema.nodes()]);
        for ((field, &first), end) in schema.fields().iter().zip(&firsts).zip(ends) {
            prop_assert_eq!(field.ty.nodes(), end - first);
        }
        prop_assert_eq!(crate::columns::RowsBuffer::new(&schema).columns().len(), schema.nodes());
    }
}

const TOKENS: [&str; 14] =
    ["a", "b-1", "é", ":", ",", "?", "<", ">", " ", "list<", "record<a:", "text", "integer", "any"];

#[test]
fn what_a_place_accepts() {
    #[track_caller]
    fn check(place: &str, given: &str, expect: bool) {
        let (place, given): (Type, Type) = (place.parse().unwrap(), given.parse().unwrap());
        assert_eq!(place.accepts(&given), expect);
    }
    check("text", "text", true);
    check("text?", "text", true);
    check("text?", "text?", true);
    check("text", "text?", false);
    check("text", "bytes", false);
    check("integer", "timestamp", false);
    check("integer", "float", false);
    check("any", "text", true);
    check("any", "text?", true);
    check("any", "list<record<a: any>>?", true);
    check("text", "any", false);
    check("list<text>", "list<text>", true);
    check("list<text?>", "list<text>", true);
    check("list<text>", "list<text?>", false);
    check("list<text>", "list<bytes>", false);
    check("list<any>", "list<text?>", true);
    check("list<any>", "list<list<float>>?", false);
    check("list<any>", "text", false);
    check("record<a: text?, b: any>", "record<a: text, b: float?>", true);
    check("record<a: text>", "record<a: text?>", false);
    check("record<a: text>", "record<b: text>", false);
    check("record<a: text>", "record<a: text, b: text>", false);
    check("record<a: text, b: text>", "record<a: text>", false);
    check("record<a: text, b: text>", "record<b: text, a: text>", false);
}

#[test]
fn open_types_are_found_wherever_they_are() {
    for (ty, expect) in
        [("any", true), ("list<any>", true), ("record<a: text, b: list<any?>>?", true), ("list<text>", false)]
    {
        assert_eq!(ty.parse::<Type>().unwrap().is_open(), expect, "{ty}");
    }
}

#[test]
fn names_are_unique_in_a_schema() {
    let schema: Schema = "a: text, b: integer".parse().unwrap();
    assert_eq!(schema.join(&schema).unwrap_err().to_string(), "two fields have the name `a`");
    let other = Schema::single("c", Kind::Bytes);
    assert_eq!(schema.join(&other).unwrap().to_string(), "a: text, b: integer, c: bytes");
    assert_eq!(schema.project(&[1, 0]).to_string(), "b: integer, a: text");
    assert_eq!((schema.index_of("b"), schema.index_of("c")), (Some(1), None));
    let twice = ["x", "y", "x", "y"].map(|name| Field::new(name, Type::required(Kind::Text)));
    assert_eq!(Schema::try_new(twice.to_vec()).unwrap_err().0, "x");
}

#[test]
fn types_are_those_of_arrow() {
    let schema: Schema =
        "b: boolean, n: integer?, x: float, t: text, y: bytes, m: timestamp, l: list<text?>, r: record<a: integer>?"
            .parse()
            .unwrap();
    let arrow = schema.to_arrow();
    let types: Vec<String> = arrow.fields().iter().map(|field| field.data_type().to_string()).collect();
    let expect = ["Boolean", "Int64", "Float64", "Utf8", "Binary", "Timestamp(µs, \"UTC\")", "List(Utf8)"];
    assert_eq!(types[..7], expect);
    assert_eq!(types[7], "Struct(\"a\": non-null Int64)");
    let nullable: Vec<bool> = arrow.fields().iter().map(|field| field.is_nullable()).collect();
    assert_eq!(nullable, [false, true, false, false, false, false, false, true]);
}
