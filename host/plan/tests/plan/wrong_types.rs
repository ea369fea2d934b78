//! Whatever is written where something else belongs is told: each value of good pipelines in turn is made a date, which no
//! key takes, and then what was there is put into a list of lists.

use tidemill_connect::CONNECTORS;
use tidemill_plan::Manifest;
use toml::{Table, Value};

use crate::{cases::complete, fake::Fake};

/// The places of all values in a document: keys, and numbers in lists.
fn places(value: &Value, place: &[String], found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Table(table) => table.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(number, value)| (number.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let place: Vec<String> = place.iter().cloned().chain([name]).collect();
        places(child, &place, found);
        found.push(place);
    }
}

fn at<'v>(value: &'v mut Value, place: &[String]) -> &'v mut Value {
    place.iter().fold(value, |value, name| match value {
        Value::Table(table) => table.get_mut(name).unwrap(),
        Value::Array(list) => &mut list[name.parse::<usize>().unwrap()],
        _ => unreachable!("a place leads through tables and lists"),
    })
}

fn errors(document: &Value) -> usize {
    let text = toml::to_string(document).unwrap();
    let (manifest, mut diagnostics) = Manifest::read("pipeline.toml", &text, &[], CONNECTORS);
    let plan = manifest.resolve(&Fake::new(), &mut diagnostics);
    assert_eq!(plan.is_none(), diagnostics.error_count() > 0, "a plan, or errors: {text}");
    diagnostics.error_count()
}

#[test]
fn no_key_takes_a_date_or_a_list_of_lists_of_what_it_takes() {
    let page = concat!(include_str!("../../PIPELINE.md"), include_str!("../../OPERATORS.md"));
    let mut texts: Vec<String> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    texts.iter_mut().for_each(complete);
    texts.push(include_str!("good.toml").to_owned());
    let mut tried = 0;
    for text in texts {
        let good = Value::Table(text.parse::<Table>().unwrap());
        assert_eq!(errors(&good), 0, "{text}");
        let mut found = Vec::new();
        places(&good, &[], &mut found);
        for place in found {
            let date = Value::Datetime("1979-05-27".parse().unwrap());
            let mut bad = good.clone();
            *at(&mut bad, &place) = date;
            // What a function is given is text to the host, as a date is.
            let is_parameter = place.len() > 1 && place[place.len() - 2] == "parameters";
            assert!(is_parameter || errors(&bad) > 0, "a date at {place:?} is taken");
            let mut bad = good.clone();
            let stream = place.split_last().map(|(_, stream)| at(&mut bad, stream).clone());
            let value = at(&mut bad, &place);
            *value = Value::Array(vec![Value::Array(vec![value.clone()])]);
            // A key may have a list of fields for each of several streams.
            let is_for_each = |stream: Value| stream.get("group").is_some() || stream.get("join").is_some();
            if place.last().is_some_and(|key| key == "by") && stream.is_some_and(is_for_each) {
                *value = Value::Array(vec![value.clone()]);
            }
            assert!(errors(&bad) > 0, "a list of lists at {place:?} is taken");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}
