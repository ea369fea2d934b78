//! The cases as the test kit needs them, out of the pipelines that the host runs.

use tidemill_sdk::{prelude::*, testing::Kit};

use super::value::Value;

/// A function, rows for it, and what comes of them.
pub struct Case {
    pub title: &'static str,
    pub function: &'static str,
    /// Whom the host counts for.
    pub caller: &'static str,
    /// The rows of each batch: values in the order of the schema.
    pub batches: Vec<Vec<Vec<Value>>>,
    /// The function says which rows stay.
    pub filters: bool,
    /// The place of the kept field.
    pub keep: Option<usize>,
    /// A reduce of the host behind the function.
    pub then: Option<&'static str>,
    parameters: Vec<(&'static str, String)>,
    /// The side inputs: their names, and their rows in each batch.
    shared: Vec<(&'static str, Vec<Vec<Vec<Value>>>)>,
    /// What comes out, as the host's test shows it.
    pub expect: String,
}

impl Case {
    /// Reads what stands behind `=== `.
    pub fn read(text: &'static str) -> Case {
        let (title, rest) = text.split_once('\n').unwrap();
        let (pipeline, expect) = rest.split_once("---\n").unwrap();
        let of = |key: &str| pipeline.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        let queues = pipeline.lines().filter_map(|line| line.strip_prefix("queue = { schema = \""));
        let mut queues = queues.map(Queue::read);
        let Queue { fields, batches } = queues.next().unwrap();
        let plugin = pipeline.find("\"forms/").map(|at| &pipeline[at + "\"forms/".len()..]).unwrap();
        let keep = of("keep").map(|keep| keep.trim_matches(['[', ']', '"']));
        let table = of("parameters").map(|table| table.trim_matches(['{', '}', ' ']));
        let parameters = table.into_iter().flat_map(|table| table.split(", ")).map(|entry| {
            let (name, value) = entry.split_once(" = ").unwrap();
            (name, value.trim_matches('"').to_owned())
        });
        let table = of("shared").map(|table| table.trim_matches(['{', '}', ' ']));
        let names =
            table.into_iter().flat_map(|table| table.split(", ")).map(|entry| entry.split_once(" = ").unwrap().0);
        let shared = names.zip(queues.map(|queue| queue.batches));
        Case {
            title,
            caller: if of("output").is_some() { "outputs.out" } else { "out" },
            function: plugin.split_once('"').unwrap().0,
            batches,
            filters: of("filter").is_some(),
            keep: keep.map(|keep| fields.iter().position(|field| *field == keep).unwrap()),
            then: of("reduce").map(|name| name.trim_matches('"')).filter(|name| !name.contains('/')),
            parameters: parameters.collect(),
            shared: shared.collect(),
            expect: expect.trim_end().to_owned(),
        }
    }

    /// A kit of the case.
    pub fn kit(&self, chunk_rows: usize) -> Kit {
        let kit = Kit::new().chunk_rows(chunk_rows);
        self.parameters.iter().fold(kit, |kit, (name, value)| kit.parameter(name, value))
    }

    /// A kit with the side inputs of a batch: integers, or pairs of a text and an integer.
    pub fn share(&self, kit: Kit, second: i64) -> Kit {
        self.shared.iter().fold(kit, |kit, (name, batches)| {
            let rows = batches.get(second as usize - 1).map(Vec::as_slice).unwrap_or_default();
            let integer = |value| if let Value::Integer(integer) = value { integer } else { unreachable!("{value:?}") };
            let pairs = rows.iter().filter_map(|row| match row[..] {
                [Value::Text(key), value] => Some((key, integer(value))),
                _ => None,
            });
            let pairs: Vec<(&str, i64)> = pairs.collect();
            match pairs.is_empty() {
                false => kit.shared(name, pairs),
                true => kit.shared(name, rows.iter().map(|row| integer(row[0]))),
            }
        })
    }

    /// The rows of each batch, and the batch's time.
    pub fn timed(&self) -> impl Iterator<Item = (i64, &Vec<Vec<Value>>, Timestamp)> {
        self.batches.iter().zip(1..).map(|(rows, second)| (second, rows, Timestamp(second * 1_000_000)))
    }
}

/// A source's fields and rows.
struct Queue {
    fields: Vec<&'static str>,
    batches: Vec<Vec<Vec<Value>>>,
}

impl Queue {
    /// Reads what stands behind the beginning of the schema.
    fn read(text: &'static str) -> Queue {
        let (schema, rest) = text.split_once("\", batches = ").unwrap();
        let fields: Vec<&str> = schema.split(", ").map(|field| field.split_once(": ").unwrap().0).collect();
        let batches = Reader { rest, fields: &fields }.list(|reader| reader.list(Reader::row));
        Queue { fields, batches }
    }
}

/// Reads rows as pipelines write them, as far as the cases need it.
struct Reader<'f> {
    rest: &'static str,
    fields: &'f [&'static str],
}

impl Reader<'_> {
    fn skip(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        assert!(self.skip("["), "no list: {}", self.rest);
        let mut items = Vec::new();
        while !self.skip("]") {
            items.push(item(self));
            self.skip(",");
        }
        items
    }

    /// A table of the fields, or the value of the only one.
    fn row(&mut self) -> Vec<Value> {
        if !self.skip("{") {
            return vec![self.value()];
        }
        let mut row = vec![Value::Missing; self.fields.len()];
        while !self.skip("}") {
            let (name, rest) = self.rest.split_once('=').unwrap();
            self.rest = rest;
            let place = self.fields.iter().position(|field| *field == name.trim()).unwrap();
            row[place] = self.value();
            self.skip(",");
        }
        row
    }

    fn value(&mut self) -> Value {
        if self.skip("\"") {
            let (text, rest) = self.rest.split_once('"').unwrap();
            self.rest = rest;
            return Value::Text(text);
        }
        let (value, rest) = self.rest.trim_start().split_at(self.rest.trim_start().find([',', ' ', ']', '}']).unwrap());
        self.rest = rest;
        match value {
            "true" | "false" => Value::Boolean(value == "true"),
            _ if value.contains('.') => Value::Float(value.parse().unwrap()),
            _ => Value::Integer(value.parse().unwrap()),
        }
    }
}
