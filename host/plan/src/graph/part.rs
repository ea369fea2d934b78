//! The parts of a node's work: what is done in each, how rows come to it, and where they are then.

use tidemill_model::{schema::Schema, table::TableSpec};

/// A part of a node's work, done in one stage.
#[derive(Clone, Debug)]
pub struct Part {
    /// What is done.
    pub role: Role,
    /// How rows come to it: for the first part from each input, for another one from the part before it.
    pub way: Way,
    /// What it keeps from batch to batch, in each of its partitions. Their names are different in all parts of a node.
    pub tables: Vec<TableSpec>,
}

/// What is done with rows. The engine has a builder for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// They are handed on as they are.
    Pass,
    /// A guest's map.
    Map,
    /// Some of them are left out.
    Filter,
    /// The rows of each key in a partition become one accumulator.
    Combine,
    /// The accumulators of each key become one row.
    Merge,
    /// Those of the last batches do.
    WindowMerge,
    /// Each key's new rows change its state.
    UpdateState,
    /// Those of past batches come again.
    Window,
    /// Those of each key are put side by side in lists.
    Group,
    /// Those of two inputs with the same key are put side by side.
    Join,
    /// They are put in order.
    Sort,
    /// The first ones are taken.
    Limit,
    /// The first ones of each key are taken.
    Top,
    /// Some are taken, as if by lot.
    Sample,
    /// They stay until there are others.
    Table,
}

/// How rows come to a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// They stay in their partition, and in its order.
    Here,
    /// Each goes to the partition of its key. Of a key they come in the order of the stream, those of an input behind those of the
    /// inputs before it.
    ByKey(Keys),
    /// The part before it knows where each goes: to the partition of its group, or to the only one there is. They come in any
    /// order.
    ByGroup {
        /// There is one group.
        is_one: bool,
    },
    /// All go to one partition, in the order of the stream.
    One {
        /// No more than so many are looked at.
        rows_max: Option<usize>,
    },
    /// They are spread over so many partitions, and keep the order of the stream.
    Round {
        /// How many.
        partitions: u32,
    },
    /// The partitions of an input stand behind those of the inputs before it, and so do their rows.
    Behind {
        /// The rows of so many batches stand one behind the other.
        batches: u32,
    },
}

/// What may be read of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Its rows.
    Rows,
    /// All states that it keeps, as they are when the batch ends.
    State,
    /// The rows that its function could not take, or would not.
    Rejected,
}

/// The keys of a node's inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For each input the fields of its key.
    pub fields: Vec<Vec<usize>>,
    /// What a key is, of whichever input: a value may be missing if it may be in one of them.
    pub schema: Schema,
}

/// By which fields a stream's rows are placed in partitions, so that those of a key are in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// By none that is known.
    Unknown,
    /// As those of its input.
    AsInput,
    /// As those of its input, if it is placed by some of these fields.
    AsInputBy(Vec<String>),
    /// By these.
    By(Vec<String>),
}

impl Port {
    /// What stands behind the name of the stream.
    pub fn of_name(name: &str) -> Option<Port> {
        match name {
            "state" => Some(Port::State),
            "rejected" => Some(Port::Rejected),
            _ => None,
        }
    }
}

impl Keys {
    /// Those of a single input with this schema.
    pub fn of(fields: Vec<usize>, schema: &Schema) -> Keys {
        Keys { schema: schema.project(&fields), fields: vec![fields] }
    }

    /// The fields of an input that are not of its key.
    pub fn others(&self, input: usize, schema: &Schema) -> Vec<usize> {
        (0..schema.len()).filter(|field| !self.fields[input].contains(field)).collect()
    }
}
