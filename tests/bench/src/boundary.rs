//! The boundary alone: guests that do next to nothing, called with chunks as the engine makes them. A figure is the time
//! of lower, call, the guest's own loop, lift and validate, by row.

use std::time::Instant;

use tidemill_guest::{Instance, UpdateCall};
use tidemill_model::{
    columns::RowsBuffer,
    function::{Binding, CallContext, Phase},
    schema::{Field, Kind, Schema, Type},
    time::Timestamp,
};

use crate::{
    job::Plugins,
    report::{Figure, Goal},
};

/// Rows of a call.
const ROWS: usize = 16_384;

/// Calls of a run.
const CALLS: usize = 200;

/// Runs of a figure.
const RUNS: usize = 9;

const GOAL: Option<Goal> = Some(Goal::AtMost(10.0));

/// ns a row for map, reduce and update-state.
pub fn measure(plugins: &Plugins) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![
        Figure::of_runs("boundary.map_ns", map(plugins)?, "ns/row", GOAL),
        Figure::of_runs("boundary.reduce_ns", reduce(plugins)?, "ns/row", GOAL),
        Figure::of_runs("boundary.update_state_ns", update_state(plugins)?, "ns/row", GOAL),
    ])
}

/// An identity over lines of 8 bytes.
fn map(plugins: &Plugins) -> anyhow::Result<Vec<f64>> {
    let lines = texts("line")?;
    let mut instance = open(plugins, "hostile", "identity", Schema::default(), lines.schema())?;
    let columns = lines.columns();
    let mut rows = 0;
    timed(|| {
        instance.map_rows(&context(false), &lines.with_columns(&columns), &mut |mapped| rows += mapped.rows.len)?;
        Ok(())
    })
}

/// Sums of 1,024 groups.
fn reduce(plugins: &Plugins) -> anyhow::Result<Vec<f64>> {
    let values = integers("value");
    // Scattered over 1,024 groups, which are numbered in order of first appearance, as the engine numbers them.
    let mut numbers = std::collections::HashMap::new();
    let groups: Vec<u32> = (0..ROWS as u32)
        .map(|row| {
            let next = numbers.len() as u32;
            *numbers.entry(row.wrapping_mul(0x9e37_79b9) >> 22).or_insert(next)
        })
        .collect();
    let mut instance = open(plugins, "wordcount", "sum", Schema::default(), values.schema())?;
    let columns = values.columns();
    let mut chunk = 0;
    timed(|| {
        let context = CallContext { chunk, ..context(false) };
        chunk += 1;
        let rows = values.with_columns(&columns);
        instance.reduce_groups(&context, Phase::Combine, &rows, &groups, 1 << 10, &mut |_| {})?;
        Ok(())
    })
}

/// A running total for each key, every key with one new row.
fn update_state(plugins: &Plugins) -> anyhow::Result<Vec<f64>> {
    let (keys, values) = (texts("word")?, integers("value"));
    let mut instance = open(plugins, "wordcount", "running-total", keys.schema().clone(), values.schema())?;
    let states = integers(&instance.signature().state.fields()[0].name);
    let ends: Vec<u32> = (1..=ROWS as u32).collect();
    let (present, causes) = (vec![1; ROWS], vec![1; ROWS]);
    let (key_columns, value_columns, state_columns) = (keys.columns(), values.columns(), states.columns());
    timed(|| {
        let call = UpdateCall {
            keys: keys.with_columns(&key_columns),
            rows: values.with_columns(&value_columns),
            ends: &ends,
            states: states.with_columns(&state_columns),
            present: &present,
            causes: &causes,
        };
        instance.update_states(&context(false), &call, &mut |_| {})?;
        Ok(())
    })
}

/// ns a row of each run.
fn timed(mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    call()?;
    (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..CALLS {
                call()?;
            }
            Ok(began.elapsed().as_secs_f64() * 1e9 / (CALLS * ROWS) as f64)
        })
        .collect()
}

fn open(plugins: &Plugins, plugin: &str, function: &str, keys: Schema, input: &Schema) -> anyhow::Result<Instance> {
    let plugin = plugins.loaded.get(plugin).ok_or_else(|| anyhow::anyhow!("plugin {plugin} was not built"))?;
    let function = plugin
        .description()
        .index_of(function)
        .ok_or_else(|| anyhow::anyhow!("plugin {} has no function {function}", plugin.name()))?;
    Ok(plugin.open(&Binding { function, keys, input: input.clone(), parameters: Vec::new() })?)
}

fn texts(name: &str) -> anyhow::Result<RowsBuffer> {
    let mut rows = RowsBuffer::new(&Schema::single(name, Kind::Text));
    for row in 0..ROWS {
        rows.node_mut(0).push_bytes(format!("{row:08}").as_bytes())?;
        rows.end_row();
    }
    Ok(rows)
}

fn integers(name: &str) -> RowsBuffer {
    let schema = Schema::try_new(vec![Field::new(name, Type::required(Kind::Integer))]).expect("one field");
    let mut rows = RowsBuffer::new(&schema);
    for row in 0..ROWS as u64 {
        rows.node_mut(0).push_word(row);
        rows.end_row();
    }
    rows
}

fn context(last: bool) -> CallContext {
    CallContext { batch_time: Timestamp(0), interval_micros: 1_000_000, partition: 0, partitions: 1, chunk: 0, last }
}
