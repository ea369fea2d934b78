//! A case as a file has it. What a file may say is in README.md.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Batches of a stream: no batch where it is `None`.
pub type Batches = Vec<Option<Vec<Value>>>;

/// What is run, and what comes of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    pub params: Params,
    pub pipeline: Vec<Step>,
    #[serde(default)]
    pub input_batches: Option<Batches>,
    #[serde(default)]
    pub input_batches_2: Option<Batches>,
    #[serde(default)]
    pub expected_output_batches: Option<Batches>,
    #[serde(default)]
    pub expected_state_batches: Option<Batches>,
    #[serde(default)]
    pub expected_error: Option<Value>,
    #[serde(default)]
    pub expected_counters: Option<Map<String, Value>>,
    #[serde(default)]
    pub expected_listener: Option<Map<String, Value>>,
    #[serde(default)]
    pub compare: Compare,
    #[serde(default)]
    pub drop_empty: bool,
    #[serde(default)]
    pub dialect: Option<String>,
}

/// Times and numbers of a case.
#[derive(Clone, Debug, Deserialize)]
pub struct Params {
    pub batch_interval_ms: u64,
    #[serde(default = "one")]
    pub input_partitions: u32,
    #[serde(default)]
    pub run_batches: Option<usize>,
    /// Of the steps that do not say one.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub expected_partitions: Option<usize>,
    #[serde(default)]
    pub pre_existing: Option<File>,
    #[serde(default, rename = "newFilesOnly")]
    pub new_files_only: Option<bool>,
    #[serde(default)]
    pub threads: Option<usize>,
    #[serde(default)]
    pub records_per_thread: Option<usize>,
    #[serde(default)]
    pub expected_total: Option<i64>,
}

/// A file that is there before the run.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    #[serde(default)]
    pub content: String,
}

/// A step of a pipeline.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Step {
    pub op: String,
    #[serde(default, rename = "fn")]
    pub function: Option<String>,
    pub rdd_op: Option<String>,
    pub inv_fn: Option<String>,
    pub filter: Option<String>,
    pub create: Option<String>,
    pub merge_value: Option<String>,
    pub window_ms: Option<u64>,
    pub slide_ms: Option<u64>,
    #[serde(alias = "timeout")]
    pub timeout_ms: Option<u64>,
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    pub n: Option<u64>,
    pub initial: Option<Vec<Value>>,
    pub emit: Option<String>,
    pub right: Option<Vec<Step>>,
    pub right_self: Option<Vec<Step>>,
}

/// How outputs are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    List,
    #[default]
    Set,
    SetValuesUnordered,
    ListFlat,
    SetFlat,
    SubsetLast,
}

impl File {
    /// Its lines. A file of cases writes their ends as the two characters `\\n`.
    fn lines(&self) -> impl Iterator<Item = Value> {
        self.content.split("\\n").flat_map(str::lines).filter(|line| !line.is_empty()).map(Value::from)
    }
}

fn one() -> u32 {
    1
}

/// The cases of a file with their names: a list of them, or a record that has one.
pub fn read(text: &str) -> Result<Vec<(String, Result<Case>)>> {
    let mut value: Value = serde_json::from_str(text)?;
    if let Some(cases) = value.get_mut("cases") {
        value = cases.take();
    }
    let cases = value.as_array().context("a file of cases is a list of them")?;
    let read = |case: &Value| {
        let id = case["id"].as_str().unwrap_or("a case without a name");
        (id.to_owned(), serde_json::from_value(case.clone()).context("it is no case"))
    };
    Ok(cases.iter().map(read).collect())
}

impl Case {
    /// The dialect is PySpark's.
    pub fn is_python(&self) -> bool {
        self.dialect.as_deref() == Some("pyspark")
    }

    /// The first stream's batches.
    pub fn input(&self) -> Batches {
        let Params { threads, records_per_thread, ref pre_existing, new_files_only, .. } = self.params;
        let mut batches = self.input_batches.clone().unwrap_or_default();
        if let (true, Some(threads), Some(records)) = (batches.is_empty(), threads, records_per_thread) {
            batches = received(threads, records);
        }
        let before = pre_existing.iter().filter(|_| new_files_only == Some(false));
        let lines = before.flat_map(File::lines);
        let lines: Vec<Value> = lines.collect();
        match batches.first_mut() {
            Some(Some(first)) => drop(first.splice(0..0, lines)),
            _ if lines.is_empty() => {}
            _ => batches.insert(0, Some(lines)),
        }
        batches
    }

    /// How many ticks are run: as many as are asked for, or else those of the inputs, and those that outputs are expected of.
    pub fn ticks(&self) -> usize {
        let of_inputs = self.input().len().max(self.input_batches_2.as_ref().map_or(0, Vec::len));
        let windows =
            self.pipeline.iter().filter_map(|step| step.window_ms).sum::<u64>() / self.params.batch_interval_ms;
        let slide = self.pipeline.iter().filter_map(|step| step.slide_ms).max().unwrap_or(0);
        let each = (slide / self.params.batch_interval_ms).max(1) as usize;
        let expected = self.expected_output_batches.as_ref().map_or(0, Vec::len) * each;
        let expected = if self.is_flat() { 0 } else { expected };
        let behind = if self.drop_empty { windows as usize } else { 0 };
        self.params.run_batches.unwrap_or((of_inputs + behind).max(expected)).max(1)
    }

    /// Outputs are compared as one list, whatever batches they come in.
    pub fn is_flat(&self) -> bool {
        matches!(self.compare, Compare::ListFlat | Compare::SetFlat)
    }
}

/// What threads have given, all at once: each its numbers, in batches of whatever was there.
fn received(threads: usize, records: usize) -> Batches {
    let all: Vec<Value> = (0..threads * records).map(|number| number.into()).collect();
    all.chunks(1 + all.len() / 7).map(|batch| Some(batch.to_vec())).collect()
}
