//! What a plan gives, worked out row by row: no partitions, no chunks, no threads.

use std::collections::{BTreeMap, HashMap};

use tidemill_model::{testing::Value, time::Timestamp};
use tidemill_plan::graph::{
    Aggregate, Condition, FunctionUse, Join, KeySet, Node, NodeId, Operator, Plan, Reduce, Reducer, SortKey, Top,
    UpdateState, Window,
};

use crate::conform::models::is_drawn;

pub type Row = Vec<Value>;

/// A stream's rows at a tick; `None`: it has no batch.
pub type Batch = Option<Vec<Row>>;

/// For each key its total, and when it had rows for the last time.
type Totals = BTreeMap<Row, (i64, Timestamp)>;

/// A plan at work.
pub struct Model<'a> {
    plan: &'a Plan,
    /// For each update-state its totals by key.
    totals: HashMap<NodeId, Totals>,
    /// For each window the rows of its input by batch.
    past: HashMap<NodeId, Vec<(Timestamp, Vec<Row>)>>,
}

impl<'a> Model<'a> {
    pub fn new(plan: &'a Plan) -> Model<'a> {
        Model { plan, totals: HashMap::new(), past: HashMap::new() }
    }

    /// The batches of all streams at a tick. `sources` gives those of the sources.
    pub fn tick(&mut self, tick: Timestamp, sources: &HashMap<NodeId, Batch>) -> Vec<Batch> {
        let (plan, mut all) = (self.plan, Vec::<Batch>::new());
        for (index, node) in plan.nodes.iter().enumerate() {
            let id = NodeId(index);
            let slides = node.slide.is_none_or(|slide| slide.is_tick(tick));
            let batch = match &node.operator {
                Operator::Source(_) => sources[&id].clone(),
                Operator::Union => union(node, &all),
                Operator::Window { window, .. } | Operator::Reduce(Reduce { window: Some(window), .. }) => {
                    let rows = self.past(id, *window, tick, &all[node.inputs[0].0]);
                    let is_window = matches!(node.operator, Operator::Window { .. });
                    rows.map(|rows| if is_window { rows } else { apply(node, &rows) })
                }
                Operator::Group => side_by_side(plan, node, &all, grouped),
                Operator::Join(join) => {
                    let keys = node.keys().unwrap();
                    let widths = [0, 1].map(|input| keys.others(input, &plan.node(node.inputs[input]).schema).len());
                    side_by_side(plan, node, &all, |sides| joined(*join, widths, sides))
                }
                Operator::UpdateState(_) | Operator::Beside if !slides => None,
                Operator::UpdateState(update) => {
                    let inputs: Vec<&[Row]> =
                        node.inputs.iter().map(|input| all[input.0].as_deref().unwrap_or_default()).collect();
                    Some(update_state(update, node, &inputs, tick, self.totals.entry(id).or_default()))
                }
                Operator::Beside => {
                    let totals = self.totals[&node.inputs[0]].iter();
                    Some(totals.map(|(key, (total, _))| [&key[..], &[Value::Integer(*total)]].concat()).collect())
                }
                Operator::Sample(sample) => {
                    let is_in = |number| is_drawn(sample.seed, tick.0, number, sample.fraction);
                    let rows = all[node.inputs[0].0].as_ref().map(|rows| rows.iter().zip(0..));
                    rows.map(|rows| rows.filter(|(_, number)| is_in(*number)).map(|(row, _)| row.clone()).collect())
                }
                _ => all[node.inputs[0].0].as_ref().map(|rows| apply(node, rows)),
            };
            all.push(batch);
        }
        all
    }
}

impl Model<'_> {
    /// The rows of a window's batches, if one ends at this tick.
    fn past(&mut self, id: NodeId, window: Window, tick: Timestamp, batch: &Batch) -> Batch {
        let past = self.past.entry(id).or_default();
        past.extend(batch.clone().map(|rows| (tick, rows)));
        past.retain(|(time, _)| time.0 > tick.0 - window.length.micros());
        window.slide.is_tick(tick).then(|| past.iter().flat_map(|(_, rows)| rows.clone()).collect())
    }
}

fn union(node: &Node, all: &[Batch]) -> Batch {
    let there: Vec<&Vec<Row>> = node.inputs.iter().filter_map(|input| all[input.0].as_ref()).collect();
    (!there.is_empty()).then(|| there.into_iter().flatten().cloned().collect())
}

/// For each key what each input has besides it.
type Sides = BTreeMap<Row, Vec<Vec<Row>>>;

fn side_by_side(plan: &Plan, node: &Node, all: &[Batch], rows: impl Fn(Sides) -> Vec<Row>) -> Batch {
    let keys = node.keys().unwrap();
    let inputs: Vec<&Batch> = node.inputs.iter().map(|input| &all[input.0]).collect();
    let mut sides = Sides::new();
    for (input, batch) in inputs.iter().enumerate() {
        let others = keys.others(input, &plan.node(node.inputs[input]).schema);
        for row in batch.iter().flatten() {
            let side = sides.entry(key_of(row, &keys.fields[input])).or_insert_with(|| vec![Vec::new(); inputs.len()]);
            side[input].push(others.iter().map(|&field| row[field].clone()).collect());
        }
    }
    inputs.iter().any(|batch| batch.is_some()).then(|| rows(sides))
}

fn grouped(sides: Sides) -> Vec<Row> {
    let item = |row: Row| if row.len() == 1 { row[0].clone() } else { Value::Record(row) };
    let list = |rows: Vec<Row>| Value::List(rows.into_iter().map(item).collect());
    sides.into_iter().map(|(key, lists)| [key, lists.into_iter().map(list).collect()].concat()).collect()
}

/// `widths`: how many fields each input has besides the key.
fn joined(join: Join, widths: [usize; 2], sides: Sides) -> Vec<Row> {
    let pairs = |(key, sides): (Row, Vec<Vec<Row>>)| {
        let blank = |input: usize| {
            let stays = sides[input].is_empty() && join.keeps[1 - input];
            stays.then(|| vec![Value::Missing; widths[input]])
        };
        let of = |input: usize| sides[input].iter().cloned().chain(blank(input)).collect::<Vec<_>>();
        let (left, right) = (of(0), of(1));
        left.iter().flat_map(|left| right.iter().map(|right| [&key[..], left, right].concat())).collect::<Vec<_>>()
    };
    sides.into_iter().flat_map(pairs).collect()
}

fn function(node: &Node) -> &FunctionUse {
    node.function.as_ref().unwrap()
}

fn apply(node: &Node, rows: &[Row]) -> Vec<Row> {
    match &node.operator {
        Operator::Filter(Condition::Field(field)) => {
            rows.iter().filter(|row| row[*field] == Value::Boolean(true)).cloned().collect()
        }
        Operator::Reduce(Reduce { by, reducer: Reducer::Guest, .. }) if function(node).signature.name == "last" => {
            let last = |rows: &[&Row]| rows.last().map(|row| row[function(node).fields[0]].clone());
            let groups = group(rows, by).into_iter();
            groups.map(|(key, rows)| [key, last(&rows).into_iter().collect()].concat()).collect()
        }
        Operator::Reduce(Reduce { by, reducer: Reducer::Keys, .. }) => group(rows, by).into_keys().collect(),
        Operator::Reduce(Reduce { counts_nothing: true, .. }) => vec![vec![Value::Integer(rows.len() as i64)]],
        Operator::Reduce(reduce) => {
            let aggregate = match reduce.reducer {
                Reducer::Native(aggregate) => aggregate,
                // hostile/sum.
                _ => Aggregate::Sum(function(node).fields[0]),
            };
            let groups = group(rows, &reduce.by).into_iter();
            groups.map(|(key, rows)| [key, vec![aggregated(aggregate, &rows)]].concat()).collect()
        }
        // hostile/anything.
        Operator::Map(map) => {
            let fields: Vec<usize> = function(node).fields.iter().chain(&map.keep).copied().collect();
            rows.iter().map(|row| fields.iter().map(|&field| row[field].clone()).collect()).collect()
        }
        Operator::Sort(keys) => sorted(rows, keys),
        Operator::Repartition(_) => rows.to_vec(),
        Operator::Top(Top { rows_max, by, sort }) => {
            let groups = group(rows, by).into_values();
            let first = |rows: Vec<&Row>| {
                let rows = sorted(&rows.into_iter().cloned().collect::<Vec<_>>(), sort);
                rows.into_iter().take(*rows_max).collect::<Vec<_>>()
            };
            groups.flat_map(first).collect()
        }
        Operator::Limit(count) => rows.iter().take(*count).cloned().collect(),
        other => unreachable!("{other:?} is not made here"),
    }
}

fn key_of(row: &Row, by: &[usize]) -> Row {
    by.iter().map(|&field| row[field].canonical()).collect()
}

fn group<'a>(rows: &'a [Row], by: &[usize]) -> BTreeMap<Row, Vec<&'a Row>> {
    let mut groups: BTreeMap<Row, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| groups.entry(key_of(row, by)).or_default().push(row));
    groups
}

fn sorted(rows: &[Row], keys: &[SortKey]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by(|left, right| {
        let by_key = keys.iter().map(|key| {
            let ascending = left[key.field].canonical().cmp(&right[key.field].canonical());
            if key.descending { ascending.reverse() } else { ascending }
        });
        by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    rows
}

fn aggregated(aggregate: Aggregate, rows: &[&Row]) -> Value {
    let values = |field: usize| rows.iter().map(move |row| row[field].canonical()).filter(|v| *v != Value::Missing);
    match aggregate {
        Aggregate::Count => Value::Integer(rows.len() as i64),
        Aggregate::Sum(field) => values(field).reduce(plus).unwrap_or(Value::Missing),
        Aggregate::Min(field) => values(field).min().unwrap_or(Value::Missing),
        Aggregate::Max(field) => values(field).max().unwrap_or(Value::Missing),
        Aggregate::Mean(field) => match values(field).count() {
            0 => Value::Missing,
            count => Value::float(values(field).map(|value| as_float(&value)).sum::<f64>() / count as f64),
        },
    }
}

fn plus(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Value::Integer(left.wrapping_add(right)),
        (left, right) => Value::float(as_float(&left) + as_float(&right)),
    }
}

fn as_float(value: &Value) -> f64 {
    match value {
        Value::Integer(integer) => *integer as f64,
        Value::Float(float) => float.0,
        other => unreachable!("{other:?} is no number"),
    }
}

/// wordcount/running-total, and hostile/digits, which writes each value behind what there is.
fn update_state(update: &UpdateState, node: &Node, inputs: &[&[Row]], now: Timestamp, totals: &mut Totals) -> Vec<Row> {
    let function = function(node);
    let [value] = function.fields[..] else { unreachable!("a running total reads one field") };
    let integer = |row: &Row, field: usize| if let Value::Integer(n) = row[field] { n } else { 0 };
    let mut changed: BTreeMap<Row, ()> = BTreeMap::new();
    if let Some(states) = &update.initial {
        for row in inputs[1] {
            let key = key_of(row, &node.keys().unwrap().fields[1]);
            totals.entry(key.clone()).or_insert_with(|| {
                changed.insert(key, ());
                (integer(row, states[0]), now)
            });
        }
    }
    let groups = group(inputs[0], &update.by);
    let add = match function.signature.name.as_str() {
        "digits" => |total: i64, new: i64| total.wrapping_mul(10).wrapping_add(new),
        _ => i64::wrapping_add,
    };
    for (key, rows) in groups {
        let total = totals.entry(key.clone()).or_insert((0, now));
        *total = (rows.iter().map(|row| integer(row, value)).fold(total.0, add), now);
        changed.insert(key, ());
    }
    if let Some(timeout) = update.idle_timeout {
        totals.retain(|_, (_, last)| now.0 - last.0 <= timeout.micros());
    }
    let emitted = totals.iter().filter(|(key, _)| update.emit == KeySet::All || changed.contains_key(*key));
    emitted.map(|(key, (total, _))| [&key[..], &[Value::Integer(*total)]].concat()).collect()
}
