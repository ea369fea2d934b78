//! Random pipelines over the operators of the host, and rows for them.

use std::fmt::Write;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use tidemill_model::testing::Value;

use super::model::Row;

/// The fields of every source.
pub const SOURCE: &str = "k: text, n: integer, m: integer?, x: float, f: boolean?, r: record<a: text?, b: float>";

/// A pipeline's text, with two sources, and outputs for all its streams.
pub fn pipelines() -> impl Strategy<Value = String> {
    vec(any::<[Index; 6]>(), 1..8).prop_map(|choices| {
        let mut maker = Maker { text: String::new(), streams: Vec::new() };
        for name in ["left", "right"] {
            let _ = writeln!(maker.text, "[streams.{name}]\nqueue = {{ schema = \"{SOURCE}\", batches = [] }}");
            let (name, fields) = (name.to_owned(), source_fields());
            maker.streams.push(Stream { name, fields, is_ordered: true, is_single: false, is_joined: false, slide: 1 });
        }
        choices.iter().enumerate().for_each(|(number, choice)| maker.add(number, choice));
        for stream in &maker.streams {
            let name = stream.name.replace('.', "-");
            let _ = writeln!(maker.text, "[outputs.{name}]\nfrom = \"{}\"\nprint = true", stream.name);
        }
        maker.text
    })
}

/// Batches of a source; `None` where there is none.
pub fn batches() -> impl Strategy<Value = Vec<Option<Vec<Row>>>> {
    vec(prop_oneof![1 => Just(None), 5 => vec(row(), 0..25).prop_map(Some)], 6)
}

/// Few different values, so that keys meet; integers of more than 32 bits whose sums, and sums of sums, have no more than 64;
/// floats whose sums are exact.
fn row() -> impl Strategy<Value = Row> {
    let optional = |value: Value| prop_oneof![1 => Just(Value::Missing), 3 => Just(value)];
    let text = select(vec!["", "a", "b", "ab", "ä", "sixteen bytes...", "more than sixteen bytes"]);
    let float = select(vec![0.0, -0.0, 0.5, -1.5, 2.0, f64::NAN, -f64::NAN, f64::INFINITY]).prop_map(Value::float);
    let text = text.prop_map(Value::text);
    (
        text.clone(),
        select(vec![-1, 0, 1, 2, 1 << 33, -(1 << 33)]).prop_map(Value::Integer),
        (0..4_i64).prop_map(Value::Integer).prop_flat_map(optional),
        float.clone(),
        any::<bool>().prop_map(Value::Boolean).prop_flat_map(optional),
        (text.prop_flat_map(optional), float).prop_map(|(a, b)| Value::Record(vec![a, b])),
    )
        .prop_map(|(k, n, m, x, f, r)| vec![k, n, m, x, f, r])
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Boolean,
    Integer,
    OptionalInteger,
    /// Of any size: a sum of such may be more than 64 bits.
    Digits,
    Float,
    /// A sum of such depends on their order.
    Mean,
    OptionalMean,
    Text,
    Record,
    /// A list, or a value that may be missing: nothing is done with it but that it is looked at as a whole.
    Whole,
}

#[derive(Clone)]
struct Stream {
    name: String,
    fields: Vec<(String, Kind)>,
    /// Its rows are in an order that does not depend on partitions.
    is_ordered: bool,
    /// And in one partition.
    is_single: bool,
    /// It has the rows of a join, of which there may be many.
    is_joined: bool,
    /// It has a batch every so many ticks.
    slide: usize,
}

fn source_fields() -> Vec<(String, Kind)> {
    [
        ("k", Kind::Text),
        ("n", Kind::Integer),
        ("m", Kind::OptionalInteger),
        ("x", Kind::Float),
        ("f", Kind::Boolean),
        ("r", Kind::Record),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .into()
}

struct Maker {
    text: String,
    streams: Vec<Stream>,
}

impl Maker {
    /// One more stream, of a kind that its input allows.
    fn add(&mut self, number: usize, choice: &[Index; 6]) {
        let from = choice[0].get(&self.streams).clone();
        let name = format!("s{number}");
        let (operator, fields) = match choice[1].index(21) {
            0 => self.filter(&from, choice),
            1 | 2 => reduce(&from, choice, &format!("v{number}")),
            3 | 4 | 16 => self.update_state(&from, choice, number),
            17 | 18 => Some((top(&from, choice), from.fields.clone())),
            19 => Some((format!("repartition = {}", 1 + choice[2].index(6)), from.fields.clone())),
            20 => from.is_ordered.then(|| {
                let (tenths, seed) = (choice[2].index(11), choice[3].index(3));
                (format!("sample = {}\nseed = {seed}", tenths as f64 / 10.0), from.fields.clone())
            }),
            5 => Some((sort(&from, choice), from.fields.clone())),
            6 => Some(("count = true".to_owned(), vec![("count".to_owned(), Kind::Integer)])),
            7 => self.union(&from, choice),
            8 => map(&from, choice, &format!("v{number}")),
            9 => sum(&from, choice, &format!("v{number}")),
            10 | 11 => self.join(&from, choice, number),
            12 => self.group(&from, choice, number),
            13 | 14 => Some((window(&from, choice), from.fields.clone())),
            _ => from.is_ordered.then(|| (format!("limit = {}", 1 + choice[2].index(9)), from.fields.clone())),
        }
        .unwrap_or_else(|| ("distinct = true".to_owned(), from.fields.clone()));
        let is_window = operator.starts_with("window");
        // What is reduced may be so over a window too.
        let is_reduce = ["reduce = ", "count = ", "distinct = "].iter().any(|key| operator.contains(key));
        let operator = match choice[5].index(3) {
            0 if is_reduce => format!("{operator}\n{}", window(&from, choice)),
            _ => operator,
        };
        let is_of_all = ["sort", "sample"].iter().any(|key| operator.starts_with(key))
            || operator.starts_with("limit") && !operator.contains("by = ");
        let is_single = is_of_all || is_window && from.is_single;
        let is_ordered = match operator.split_once(['=', ' ']).map_or("", |(key, _)| key) {
            "map" | "filter" | "window" | "repartition" => from.is_ordered,
            "from" if !operator.contains("union = ") => false,
            "from" => self
                .streams
                .iter()
                .all(|stream| stream.is_ordered || !operator.contains(&format!("\"{}\"", stream.name))),
            _ => is_single,
        };
        let slide = if operator.contains("slide = ") { 2 * from.slide } else { from.slide };
        let reads = |stream: &Stream| stream.name == from.name || operator.contains(&format!("\"{}\"", stream.name));
        let is_joined =
            operator.contains("join = ") || self.streams.iter().any(|stream| stream.is_joined && reads(stream));
        let from = if operator.contains("from = ") { String::new() } else { format!("from = \"{}\"\n", from.name) };
        let _ = writeln!(self.text, "[streams.{name}]\n{from}{operator}");
        let stream = Stream { name, fields, is_ordered, is_single, is_joined, slide };
        if operator.contains("update-state") {
            self.streams.push(Stream { name: format!("{}.state", stream.name), ..stream.clone() });
        }
        self.streams.push(stream);
    }

    fn filter(&self, from: &Stream, choice: &[Index; 6]) -> Option<(String, Vec<(String, Kind)>)> {
        let field = a_field(from, choice[2], &[Kind::Boolean])?;
        Some((format!("filter = \"{field}\""), from.fields.clone()))
    }

    /// With a stream that has a field of the same type; itself, if there is no other.
    fn join(&self, from: &Stream, choice: &[Index; 6], number: usize) -> Option<(String, Vec<(String, Kind)>)> {
        if from.is_joined {
            return None;
        }
        let fits = |stream: &&Stream| !stream.is_joined && stream.slide == from.slide;
        let others: Vec<&Stream> = self.streams.iter().filter(fits).collect();
        let other = *choice[2].get(&others);
        let alike = |(_, one): &(String, Kind), (_, other): &(String, Kind)| match (one, other) {
            (Kind::Integer | Kind::OptionalInteger, Kind::Integer | Kind::OptionalInteger) => true,
            (Kind::Whole, _) | (_, Kind::Whole) => false,
            (one, other) => one == other,
        };
        let pairs = from.fields.iter().flat_map(|one| other.fields.iter().map(move |other| (one, other)));
        let pairs: Vec<_> = pairs.filter(|(one, other)| alike(one, other)).collect();
        if pairs.is_empty() {
            return None;
        }
        let (one, second) = *choice[3].get(&pairs);
        let (kind, keeps) =
            [("inner", [false; 2]), ("left", [true, false]), ("right", [false, true]), ("full", [true; 2])]
                [choice[4].index(4)];
        let text = format!(
            "from = [\"{}\", \"{}\"]\nby = [[\"{}\"], [\"{}\"]]\njoin = \"{kind}\"\nprefix = [\"a{number}\", \"b{number}\"]",
            from.name, other.name, one.0, second.0
        );
        let of_key = if one.1 == second.1 { one.1 } else { Kind::OptionalInteger };
        let beside = |stream: &Stream, key: &str, prefix: char, may_be_missing: bool| -> Vec<(String, Kind)> {
            let others = stream.fields.iter().filter(|(name, _)| name != key);
            let named = |(name, kind): &(String, Kind)| {
                let kind = if may_be_missing { or_missing(*kind) } else { *kind };
                (format!("{prefix}{number}{name}"), kind)
            };
            others.map(named).collect()
        };
        let sides = [beside(from, &one.0, 'a', keeps[1]), beside(other, &second.0, 'b', keeps[0])].concat();
        Some((text, [vec![(one.0.clone(), of_key)], sides].concat()))
    }

    /// Where rows are in an order, that of a list is known.
    fn group(&self, from: &Stream, choice: &[Index; 6], number: usize) -> Option<(String, Vec<(String, Kind)>)> {
        let alike = |stream: &&Stream| stream.fields == from.fields && stream.is_ordered && stream.slide == from.slide;
        let others: Vec<&Stream> = self.streams.iter().filter(alike).collect();
        let by = some_fields(from, choice[3], 0);
        if !from.is_ordered || by.len() == from.fields.len() {
            return None;
        }
        let inputs = [vec![from], vec![*choice[2].get(&others); choice[4].index(3)]].concat();
        let from: Vec<String> = inputs.iter().map(|stream| format!("\"{}\"", stream.name)).collect();
        let lists: Vec<(String, Kind)> =
            (0..inputs.len()).map(|input| (format!("l{number}-{input}"), Kind::Whole)).collect();
        let text = format!("from = [{}]\nby = [{}]\ngroup = [{}]", from.join(", "), names(&by), names(&lists));
        Some((text, [by, lists].concat()))
    }

    /// With first states from a stream of the same fields, and a time-out, or without.
    fn update_state(&self, from: &Stream, choice: &[Index; 6], number: usize) -> Option<(String, Vec<(String, Kind)>)> {
        let value = a_field(from, choice[2], &[Kind::Integer])?;
        let by: Vec<_> = some_fields(from, choice[3], 1).into_iter().filter(|(name, _)| *name != value).collect();
        if by.is_empty() {
            return None;
        }
        let (run, emit) = (["changed", "all"][choice[4].index(2)], ["changed", "all"][choice[5].index(2)]);
        // Where rows are in an order, each can stand behind the one before it.
        let is_ordered = from.is_ordered && choice[2].index(2) == 0;
        let (function, kind) =
            if is_ordered { ("hostile/digits", Kind::Digits) } else { ("wordcount/running-total", Kind::Integer) };
        let timeout = match choice[3].index(5) {
            0 | 1 => format!("idle-timeout = \"{}s\"\n", 1 + choice[3].index(3)),
            _ => String::new(),
        };
        let fits = |stream: &&Stream| stream.fields == from.fields && stream.is_ordered && stream.slide == from.slide;
        let others: Vec<&Stream> = self.streams.iter().filter(fits).collect();
        let (initial, first) = match others.is_empty() || choice[4].index(5) > 1 {
            true => (String::new(), String::new()),
            false => (
                format!("initial = \"f{number}\"\n"),
                // Of any number a digit is written behind the others.
                format!(
                    "\n[streams.f{number}]\nfrom = \"{}\"\nmap = \"hostile/anything\"\nfields = {{ value = \"{value}\" }}\n\
                     keep = [{}]\nas = \"first{number}\"",
                    choice[5].get(&others).name,
                    names(&by)
                ),
            ),
        };
        let name = format!("v{number}");
        let text = format!(
            "from = \"{}\"\nby = [{}]\nupdate-state = \"{function}\"\nfields = {{ value = \"{value}\" }}\n\
             run = \"{run}\"\nemit = \"{emit}\"\n{timeout}{initial}as = \"{name}\"{first}",
            from.name,
            names(&by)
        );
        Some((text, [by, vec![(name, kind)]].concat()))
    }

    /// With a stream of the same fields; itself, if there is no other.
    fn union(&self, from: &Stream, choice: &[Index; 6]) -> Option<(String, Vec<(String, Kind)>)> {
        let alike: Vec<&Stream> =
            self.streams.iter().filter(|stream| stream.fields == from.fields && stream.slide == from.slide).collect();
        let (second, third) = (choice[2].get(&alike), choice[3].get(&alike));
        let names = if choice[4].index(2) == 0 {
            format!("\"{}\", \"{}\"", from.name, second.name)
        } else {
            format!("\"{}\", \"{}\", \"{}\"", second.name, from.name, third.name)
        };
        Some((format!("from = [{names}]\nunion = true"), from.fields.clone()))
    }
}

/// Of one to five batches of a stream, at each of its ticks or at every second one.
fn window(from: &Stream, choice: &[Index; 6]) -> String {
    let length = from.slide * (1 + choice[3].index(5));
    let slide = if choice[4].index(2) == 0 { format!("\nslide = \"{}s\"", 2 * from.slide) } else { String::new() };
    format!("window = \"{length}s\"{slide}")
}

/// The same where values may be missing.
fn or_missing(kind: Kind) -> Kind {
    match kind {
        Kind::Integer | Kind::OptionalInteger => Kind::OptionalInteger,
        Kind::Boolean => Kind::Boolean,
        Kind::Float | Kind::Mean | Kind::OptionalMean => Kind::OptionalMean,
        Kind::Digits | Kind::Text | Kind::Record | Kind::Whole => Kind::Whole,
    }
}

fn a_field(from: &Stream, choice: Index, kinds: &[Kind]) -> Option<String> {
    let fitting: Vec<&String> =
        from.fields.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(name, _)| name).collect();
    (!fitting.is_empty()).then(|| (*choice.get(&fitting)).clone())
}

/// Some of the fields, `least` of them at least.
fn some_fields(from: &Stream, choice: Index, least: usize) -> Vec<(String, Kind)> {
    let bits = choice.index(1 << from.fields.len().min(16));
    let chosen: Vec<_> =
        from.fields.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, field)| field.clone()).collect();
    if chosen.len() >= least { chosen } else { from.fields[..least].to_vec() }
}

fn names(fields: &[(String, Kind)]) -> String {
    fields.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn reduce(from: &Stream, choice: &[Index; 6], name: &str) -> Option<(String, Vec<(String, Kind)>)> {
    let by = some_fields(from, choice[2], 0);
    let numbers = &[Kind::Integer, Kind::OptionalInteger, Kind::Float][..];
    let (native, kinds) = [
        ("count", &[][..]),
        ("sum", numbers),
        ("mean", numbers),
        ("min", &[Kind::Integer, Kind::OptionalInteger, Kind::Digits, Kind::Float, Kind::Text]),
        ("max", &[Kind::OptionalInteger, Kind::Digits, Kind::Float, Kind::Mean, Kind::OptionalMean, Kind::Text]),
    ][choice[3].index(5)];
    let mut text = format!("by = [{}]\nreduce = \"{native}\"\nas = \"{name}\"", names(&by));
    let kind = if native == "count" {
        Kind::Integer
    } else {
        let field = a_field(from, choice[4], kinds)?;
        let _ = write!(text, "\nfields = {{ value = \"{field}\" }}");
        let kind = from.fields.iter().find(|(name, _)| *name == field)?.1;
        match (native, kind) {
            ("mean", Kind::OptionalInteger) => Kind::OptionalMean,
            ("mean", _) => Kind::Mean,
            _ => kind,
        }
    };
    Some((text, [by, vec![(name.to_owned(), kind)]].concat()))
}

/// A field goes through a guest, some others past it.
fn map(from: &Stream, choice: &[Index; 6], name: &str) -> Option<(String, Vec<(String, Kind)>)> {
    let (through, kind) = choice[2].get(&from.fields).clone();
    let keep: Vec<_> = some_fields(from, choice[3], 0).into_iter().filter(|(name, _)| *name != through).collect();
    // Sometimes the field keeps its name, and looks like the key that it was.
    let name = if choice[4].index(2) == 0 { through.clone() } else { name.to_owned() };
    let text = format!(
        "map = \"hostile/anything\"\nfields = {{ value = \"{through}\" }}\nkeep = [{}]\nas = \"{name}\"",
        names(&keep)
    );
    Some((text, [vec![(name, kind)], keep].concat()))
}

/// By a guest.
fn sum(from: &Stream, choice: &[Index; 6], name: &str) -> Option<(String, Vec<(String, Kind)>)> {
    let value = a_field(from, choice[2], &[Kind::Integer])?;
    let by = some_fields(from, choice[3], 0);
    // Partitions are reduced each for itself: of rows in one of them the last is known.
    let function = if from.is_single && choice[4].index(2) == 0 { "last" } else { "sum" };
    let text = format!(
        "by = [{}]\nreduce = \"hostile/{function}\"\nfields = {{ value = \"{value}\" }}\nas = \"{name}\"",
        names(&by)
    );
    Some((text, [by, vec![(name.to_owned(), Kind::Integer)]].concat()))
}

/// The first rows of each key, or of all, by all fields; or by some or none, where it is known in which order rows come.
fn top(from: &Stream, choice: &[Index; 6]) -> String {
    let by = some_fields(from, choice[5], 0);
    let by = if by.is_empty() { String::new() } else { format!("by = [{}]\n", names(&by)) };
    let sort = match from.is_ordered && choice[2].index(4) == 0 && !by.is_empty() {
        true => String::new(),
        false => sort(from, choice),
    };
    format!("limit = {}\n{by}{sort}", 1 + choice[1].index(7))
}

/// By all fields; or by some, where it is known in which order those come that compare equal.
fn sort(from: &Stream, choice: &[Index; 6]) -> String {
    let signs = choice[2].index(1 << from.fields.len().min(16));
    let key =
        |(i, (name, _)): (usize, &(String, Kind))| format!("\"{}{name}\"", if signs >> i & 1 == 1 { "-" } else { "" });
    let mut keys: Vec<String> = from.fields.iter().enumerate().map(key).collect();
    let turn = choice[3].index(keys.len());
    keys.rotate_left(turn);
    if from.is_ordered {
        keys.truncate(1 + choice[4].index(keys.len()));
    }
    format!("sort = [{}]", keys.join(", "))
}
