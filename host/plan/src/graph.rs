//! A pipeline that has been checked: streams as nodes, every reference resolved, every type settled.

mod part;

use std::{sync::Arc, time::Duration};

use tidemill_model::{
    connector::{SinkSettings, SourceSettings},
    function::{Binding, Signature},
    limits::PipelineLimits,
    schema::{Field, Kind, Schema, Type},
    table::TableSpec,
    time::Interval,
};

pub use part::{Keys, Part, Placement, Port, Role, Way};

/// A whole pipeline, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// The time between two batches.
    pub interval: Interval,
    /// Partitions of every stream that is partitioned by key, and of every source that does not say otherwise.
    pub partitions: u32,
    /// What all functions may use together.
    pub limits: PipelineLimits,
    /// How long a batch may go on when the run was told to stop.
    pub stop_within: Duration,
    /// What becomes of ticks that are late.
    pub late_ticks: LateTicks,
    /// The streams; a node's inputs stand before it. A stream that no output needs is here too.
    pub nodes: Vec<Node>,
    /// In the order of the pipeline: they are delivered in it. At least one. Those for dead letters come last.
    pub outputs: Vec<Output>,
}

/// What becomes of ticks that come while a batch is run that has taken longer, or while the machine sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LateTicks {
    /// Each has its batch, one after the other.
    #[default]
    Each,
    /// The last of them has a batch for all.
    Merge,
}

/// The place of a node in [`Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// A stream: one operator over the streams that it reads. What others must know of the operator stands beside it, so that
/// nobody asks which one it is but who builds it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The stream's name, the stable identity of its state.
    pub name: String,
    /// What it was called when its checkpoint was written, if that was another name.
    pub previously: Option<String>,
    /// What its rows are.
    pub schema: Schema,
    /// What it reads: none for a source, two for a join, several for a union or a group, else one; and behind these what it reads
    /// beside its rows.
    pub inputs: Vec<NodeId>,
    /// What it reads of its input.
    pub reads: Port,
    /// The side inputs that its function reads.
    pub shared: Vec<SideInput>,
    /// How its rows come about.
    pub operator: Operator,
    /// The function that it calls, if it calls one.
    pub function: Option<FunctionUse>,
    /// The host's own function that it calls and that rows may make fail, if it calls one.
    pub own: Option<OwnFunction>,
    /// Its work: rows go from part to part. At least one.
    pub parts: Vec<Part>,
    /// By which fields its rows are placed in partitions.
    pub placement: Placement,
    /// What is told of the rows that its function cannot take, besides where and why.
    pub letters: Letters,
    /// It has a batch at every tick, or wherever it slides, whatever its inputs have.
    pub is_always_present: bool,
    /// It has batches at the multiples of this alone; `None`: at every tick. Where an operator does not say it, it is that of the
    /// inputs.
    pub slide: Option<Interval>,
    /// What becomes of a batch of which it would have to hold more than it can; `None`: it holds nothing that grows with a batch.
    pub holds: Option<Then>,
    /// What its states are, with their keys, if it keeps a state for each key.
    pub state: Option<Schema>,
    /// It fails at a tick at which one of its inputs has no batch.
    pub fails_if_absent: bool,
}

/// What a dead letter of a function tells of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// The fields of the key, of an operator that has one.
    pub key: Option<Schema>,
    /// The row; missing where a key has failed as a whole.
    pub values: Schema,
}

/// How a stream's rows come about. Field numbers are places in the input's schema.
#[derive(Clone, Debug)]
pub enum Operator {
    /// From outside.
    Source(Arc<dyn SourceSettings>),
    /// A guest's map, then the kept fields of each row's origin.
    Map(Map),
    /// The rows whose condition is true.
    Filter(Condition),
    /// One row a key: the key's fields, then the reducer's.
    Reduce(Reduce),
    /// Keyed state that new rows change: the key's fields, then the state's (or what the function emits).
    UpdateState(UpdateState),
    /// The rows of all inputs, those of one after those of the other.
    Union,
    /// What stands beside a stream.
    Beside,
    /// The rows of so large a part of the batch, in one partition.
    Sample(Sample),
    /// All rows, spread over other partitions.
    Repartition(u32),
    /// The rows of the last batches.
    Window {
        /// The fields by which its rows are placed in partitions, if that is known: each is kept by its key. Otherwise those that
        /// came at one place of the stream's order are kept together, with that place.
        by: Vec<usize>,
        /// Which batches.
        window: Window,
    },
    /// One row a key: the key's fields, then for each input a list of its rows of that key.
    Group,
    /// A row for each pair of rows of two inputs with the same key: the key's fields, then the others of both.
    Join(Join),
    /// The rows of the last batch that has any, in every batch from then on.
    Table {
        /// More of them fail.
        bytes_max: usize,
    },
    /// All rows in order, in one partition. Rows that compare equal keep their order.
    Sort(Vec<SortKey>),
    /// The first rows of the batch, in one partition.
    Limit(usize),
    /// The first rows of each key, or of the batch, in an order of their own.
    Top(Top),
}

/// A stream whose rows of a batch are all given to a function, before its first call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideInput {
    /// What the function calls it.
    pub name: String,
    /// The stream. At a tick at which it has no batch it has no rows.
    pub from: NodeId,
    /// For each field that the function reads the field of the stream.
    pub fields: Vec<usize>,
    /// What these are.
    pub rows: Schema,
}

/// A plugin's function at its place.
#[derive(Clone, Debug)]
pub struct FunctionUse {
    /// The plugin's name in the pipeline.
    pub plugin: String,
    /// As the plugin settled it for this binding.
    pub signature: Signature,
    /// What an instance is opened with.
    pub binding: Binding,
    /// For each input field of the signature the field of the stream.
    pub fields: Vec<usize>,
    /// What happens when a call fails.
    pub on_error: OnError,
}

/// A function of the host's own that rows may make fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnFunction {
    /// What pipelines call it.
    pub name: String,
    /// What happens when it fails.
    pub on_error: OnError,
}

/// What happens when a call of a function fails: it traps, breaks a limit or the rules, or says itself that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnError {
    /// How often it is called again first, with the same rows and a new instance.
    pub retries: u32,
    /// The wait before the first of these calls. It doubles from one to the next, up to [`RETRY_DELAY_MAX`].
    pub delay: Duration,
    /// What happens when none of them succeeds.
    pub then: Then,
}

/// What becomes of a batch in which a function fails for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The run ends. With a checkpoint the next run begins with this batch.
    Stop,
    /// The batch changes no state and nothing, and has no outputs; later batches are run.
    SkipBatch,
    /// The rows that make the function fail are found and set aside, and the batch goes on without them. So are the rows
    /// that the function rejects.
    DeadLetter,
}

/// No wait before a retry is longer.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(10);

/// A guest's map.
#[derive(Clone, Debug)]
pub struct Map {
    /// Input fields that go past the function. Only where the function says where each row came from.
    pub keep: Vec<usize>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A boolean field; a missing value is false.
    Field(usize),
    /// The node's function, a map that returns one boolean for each row, in order.
    Function,
}

/// Rows of a key to one row.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// The key's fields. Empty: one group of all rows.
    pub by: Vec<usize>,
    /// How.
    pub reducer: Reducer,
    /// Where there is a batch without rows there is a row all the same, of a group without rows.
    pub counts_nothing: bool,
    /// The batches that it is of, if it is of more than one.
    pub window: Option<Window>,
}

/// Who reduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reducer {
    /// The node's function, of kind reduce.
    Guest,
    /// The host.
    Native(Aggregate),
    /// Nobody: the keys are all that is wanted.
    Keys,
}

/// What the host can reduce to by itself. A missing value is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The number of rows, an integer.
    Count,
    /// The sum of a field (integer or float), of the field's type. One of integers that is beyond 64 bits fails.
    Sum(usize),
    /// The smallest value of a field (integer, float, timestamp or text).
    Min(usize),
    /// The largest value of a field (integer, float, timestamp or text).
    Max(usize),
    /// The mean of a field (integer or float), a float.
    Mean(usize),
}

/// What the host accumulates for a key; nothing, where only keys are wanted. `input` is what is reduced.
pub fn accumulator(aggregate: Option<Aggregate>, input: &Schema) -> Schema {
    let of_field = |field: usize| input.fields()[field].ty.clone();
    let number = |name: &str, kind| Field::new(name, Type::required(kind));
    let fields = match aggregate {
        None => Vec::new(),
        Some(Aggregate::Sum(field)) if of_field(field).kind == Kind::Integer => {
            vec![Field::new("high", of_field(field)), number("low", Kind::Integer)]
        }
        Some(Aggregate::Count) => vec![number("count", Kind::Integer)],
        Some(Aggregate::Sum(field) | Aggregate::Min(field) | Aggregate::Max(field)) => {
            vec![Field::new("value", of_field(field))]
        }
        Some(Aggregate::Mean(_)) => vec![number("sum", Kind::Float), number("count", Kind::Integer)],
    };
    Schema::try_new(fields).expect("the names are different")
}

/// Keyed state.
#[derive(Clone, Debug)]
pub struct UpdateState {
    /// The key's fields; at least one.
    pub by: Vec<usize>,
    /// For which keys it is called.
    pub run: KeySet,
    /// Which keys' states the stream holds, where the function does not emit rows itself.
    pub emit: KeySet,
    /// The fields of the second input that are the first state of a key, if it has a second input.
    pub initial: Option<Vec<usize>>,
    /// A key without new rows for longer is called for the last time.
    pub idle_timeout: Option<Interval>,
}

/// Which keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySet {
    /// Those with new rows in the batch.
    Changed,
    /// Every key that has state, and those with new rows.
    All,
}

/// The last batches of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Those of so long a time until now.
    pub length: Interval,
    /// They come at multiples of this.
    pub slide: Interval,
    /// The time between two batches of the input.
    pub every: Interval,
}

/// Rows of two inputs with the same key, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// Of which of the two inputs rows stay that have no other with their key.
    pub keeps: [bool; 2],
    /// More pairs than these of a key fail.
    pub pairs_max: u64,
}

/// Some of the rows of a batch, as if each were drawn by lot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// How many of all, from 0 to 1.
    pub fraction: f64,
    /// Another one gives other rows.
    pub seed: u64,
}

/// The first rows of each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// So many.
    pub rows_max: usize,
    /// The key's fields. Empty: all rows have one key.
    pub by: Vec<usize>,
    /// In this order; rows that compare equal keep theirs.
    pub sort: Vec<SortKey>,
}

/// One field to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The field.
    pub field: usize,
    /// Largest first. Missing values come first in ascending order, last in descending order.
    pub descending: bool,
}

/// Where a stream's rows go.
#[derive(Clone, Debug)]
pub struct Output {
    /// The output's name.
    pub name: String,
    /// The stream.
    pub from: NodeId,
    /// A plugin's function of kind output that makes what the sink takes.
    pub function: Option<FunctionUse>,
    /// What the sink gets.
    pub schema: Schema,
    /// The sink.
    pub sink: Arc<dyn SinkSettings>,
    /// The function whose dead letters it gets, instead of the stream's rows.
    pub dead_letters: Option<Caller>,
}

/// Who calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A stream.
    Stream(NodeId),
    /// An output, by its place.
    Output(usize),
}

impl Default for OnError {
    fn default() -> OnError {
        OnError { retries: 0, delay: Duration::ZERO, then: Then::Stop }
    }
}

impl OnError {
    /// Whether a failed call is made again, or searched for rows.
    pub fn calls_again(&self) -> bool {
        self.retries > 0 || self.then == Then::DeadLetter
    }
}

impl Node {
    /// A stream of rows that stay where they are; its name and inputs are filled in by who puts it into a plan.
    pub(crate) fn new(operator: Operator, schema: Schema, role: Role, way: Way) -> Node {
        Node {
            name: String::new(),
            previously: None,
            schema,
            inputs: Vec::new(),
            reads: Port::Rows,
            shared: Vec::new(),
            operator,
            function: None,
            own: None,
            parts: vec![Part { role, way, tables: Vec::new() }],
            placement: Placement::Unknown,
            letters: Letters::default(),
            is_always_present: false,
            slide: None,
            holds: None,
            state: None,
            fails_if_absent: false,
        }
    }

    /// What a source gives, if it is one.
    pub fn source(&self) -> Option<&dyn SourceSettings> {
        match &self.operator {
            Operator::Source(settings) => Some(&**settings),
            _ => None,
        }
    }
}

impl Node {
    /// What it keeps from batch to batch.
    pub fn tables(&self) -> impl Iterator<Item = &TableSpec> {
        self.parts.iter().flat_map(|part| &part.tables)
    }

    /// What it calls that may fail, a plugin's function or one of the host's own: its name, and what happens then.
    pub fn may_fail(&self) -> Option<(String, OnError)> {
        let own = || self.own.as_ref().map(|own| (own.name.clone(), own.on_error));
        self.function.as_ref().map(FunctionUse::may_fail).or_else(own)
    }

    /// How its rows come to it by key, if they do.
    pub fn keys(&self) -> Option<&Keys> {
        self.parts.iter().find_map(|part| if let Way::ByKey(keys) = &part.way { Some(keys) } else { None })
    }

    /// What becomes of a batch in which it fails for good.
    pub fn then(&self) -> Then {
        self.may_fail().map(|(_, on_error)| on_error.then).or(self.holds).unwrap_or(Then::Stop)
    }
}

impl FunctionUse {
    /// The function's name with its plugin's, and what happens when it fails.
    pub fn may_fail(&self) -> (String, OnError) {
        (format!("{}/{}", self.plugin, self.signature.name), self.on_error)
    }
}

impl Plan {
    /// Whether a batch may have to be skipped, so that what it has changed must be undone.
    pub fn may_skip(&self) -> bool {
        let of_outputs = self.functions_of_outputs().map(|function| function.on_error.then);
        self.nodes.iter().map(Node::then).chain(of_outputs).any(|then| then == Then::SkipBatch)
    }

    /// Whether a batch is skipped for which all functions together use too much: if each of them would skip it, since whose
    /// call comes to that is chance.
    pub fn skips_over_budget(&self) -> bool {
        let of_streams = self.nodes.iter().filter_map(|node| Some(node.may_fail()?.1));
        let mut all = of_streams.chain(self.functions_of_outputs().map(|function| function.on_error)).peekable();
        all.peek().is_some() && all.all(|on_error| on_error.then == Then::SkipBatch)
    }

    fn functions_of_outputs(&self) -> impl Iterator<Item = &FunctionUse> {
        self.outputs.iter().filter_map(|output| output.function.as_ref())
    }

    /// A node of it.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The stream of the rows that a node's function could not take or would not, if anybody reads it.
    pub fn rejected_of(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.reads == Port::Rejected && node.inputs == [id])
    }

    /// The output that gets the dead letters of a function.
    pub fn dead_letters_of(&self, caller: Caller) -> Option<usize> {
        self.outputs.iter().position(|output| output.dead_letters == Some(caller))
    }
}
