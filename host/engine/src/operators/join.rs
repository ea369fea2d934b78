//! Rows of two inputs with the same key, side by side. Both are held until the batch ends, and their pairs never: they are made
//! in chunks.

use tidemill_guest::Usage;
use tidemill_model::{
    columns::{Column, Rows, RowsBuffer},
    schema::{Field, Schema, Type},
    text::counted,
    time::Timestamp,
};
use tidemill_plan::graph;

use super::{
    Batch, Letters, Making, Operator, Out, Policy,
    arrange::Places,
    chunks::{CHUNK_BYTES, CHUNK_ROWS},
    letters::Letter,
    sides::Sides,
};
use crate::failure::{Cause, RunError};

/// The pairs of the rows of two inputs.
pub(crate) struct Join {
    schema: Schema,
    join: graph::Join,
    /// What the inputs are called.
    names: [String; 2],
    sides: Sides,
    policy: Policy,
}

/// The operator of a stream of joined rows.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Join(join) = node.operator else { unreachable!("a join is made of {:?}", node.operator) };
    let [left, right] = making.inputs[..] else { unreachable!("a join reads two streams") };
    // Where rows of the other input may have no partner, they get missing values in its place.
    let gathered = |input: usize, others: Schema| if join.keeps[1 - input] { optional(&others) } else { others };
    let sides = Sides::new(making.keys(), &[&left.schema, &right.schema], gathered, making.seed);
    let names = [left, right].map(|input| input.name.clone());
    let Some(policy) = making.policy else { unreachable!("a join may fail") };
    Ok(Box::new(Join { schema: node.schema.clone(), join, names, sides, policy }))
}

/// The same fields, each of which may be missing.
fn optional(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| Field::new(&*field.name, Type::optional(field.ty.kind.clone())));
    Schema::try_new(fields.collect()).expect("they have the names that they had")
}

impl Join {
    fn push_pairs(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let blanks = self.add_blanks()?;
        let Join { schema, join, names, sides, policy } = self;
        let [left, right] = &sides.sides[..] else { unreachable!("a join reads two streams") };
        let places = [left, right].map(|side| Places::new(&side.groups, sides.keys()));
        let columns = [left, right].map(|side| side.rows.columns());
        let mut pairs =
            Pairs::new(schema, sides, [left.rows.with_columns(&columns[0]), right.rows.with_columns(&columns[1])]);
        for group in 0..sides.keys() {
            let [of_left, of_right] = [places[0].of(group), places[1].of(group)];
            let counts = [of_left.len() as u64, of_right.len() as u64];
            match counts {
                [0, _] if !join.keeps[1] => {}
                [_, 0] if !join.keeps[0] => {}
                [0, _] => {
                    for right in of_right {
                        pairs.add(group, [blanks[0], right], policy, batch, out)?;
                    }
                }
                [_, 0] => {
                    for left in of_left {
                        pairs.add(group, [left, blanks[1]], policy, batch, out)?;
                    }
                }
                [one, other] if one.saturating_mul(other) > join.pairs_max => {
                    set_aside(sides, group, &too_many(names, counts, join.pairs_max), policy, batch)?;
                }
                _ => {
                    for left in of_left {
                        for right in of_right.clone() {
                            pairs.add(group, [left, right], policy, batch, out)?;
                        }
                    }
                }
            }
        }
        pairs.push(policy, batch, out)
    }

    /// A row of missing values behind those of each input that may need one; where it stands.
    fn add_blanks(&mut self) -> Result<[u32; 2], Cause> {
        for (side, needs_one) in self.sides.sides.iter_mut().zip([self.join.keeps[1], self.join.keeps[0]]) {
            if needs_one {
                side.rows.push_blanks(1)?;
            }
        }
        Ok([0, 1].map(|input| self.sides.sides[input].groups.len() as u32))
    }
}

fn too_many(names: &[String; 2], [left, right]: [u64; 2], pairs_max: u64) -> String {
    format!(
        "a key has {} of `{}` and {right} of `{}`, which is {} pairs, and it may have {pairs_max} (`pairs-max`)",
        counted(left, "row"),
        names[0],
        names[1],
        left.saturating_mul(right)
    )
}

/// Sets a key aside, or says that it is not to be.
fn set_aside(sides: &Sides, group: usize, reason: &str, policy: &mut Policy, batch: &mut Batch) -> Result<(), Cause> {
    policy.spend(Cause::Rows(format!("{reason}; give it more, or set such keys aside: on-error = \"dead-letter\"")))?;
    let key = sides.decode(std::iter::once(group))?;
    let columns = key.columns();
    let key = key.with_columns(&columns);
    policy.set_aside(batch, &Letter { row: None, reason, key: Some((&key, 0)), values: None })
}

/// Pairs on their way out.
struct Pairs<'a> {
    schema: &'a Schema,
    sides: &'a Sides,
    rows: [Rows<'a>; 2],
    /// For each row its bytes, or those of any.
    bytes_of: [RowBytes; 2],
    /// Of each pair the number of its key, and the places of both rows.
    groups: Vec<usize>,
    places: [Vec<u32>; 2],
    /// Of all pairs.
    bytes: usize,
}

enum RowBytes {
    Same(usize),
    Each(Vec<u32>),
}

impl RowBytes {
    fn of(rows: &Rows<'_>) -> RowBytes {
        if rows.columns.iter().all(|column| column.offsets.is_empty()) {
            return RowBytes::Same(rows.bytes_in(0..rows.len.min(1)));
        }
        RowBytes::Each((0..rows.len).map(|row| rows.bytes_in(row..row + 1) as u32).collect())
    }

    fn at(&self, row: u32) -> usize {
        match self {
            RowBytes::Same(bytes) => *bytes,
            RowBytes::Each(bytes) => bytes[row as usize] as usize,
        }
    }
}

impl<'a> Pairs<'a> {
    fn new(schema: &'a Schema, sides: &'a Sides, rows: [Rows<'a>; 2]) -> Pairs<'a> {
        let bytes_of = [RowBytes::of(&rows[0]), RowBytes::of(&rows[1])];
        Pairs { schema, sides, rows, bytes_of, groups: Vec::new(), places: [Vec::new(), Vec::new()], bytes: 0 }
    }

    /// Adds a pair of rows, and pushes what there is if it is a chunk.
    fn add(
        &mut self,
        group: usize,
        places: [u32; 2],
        policy: &Policy,
        batch: &mut Batch,
        out: &mut dyn Out,
    ) -> Result<(), Cause> {
        let bytes = self.sides.key(group).len() + self.bytes_of[0].at(places[0]) + self.bytes_of[1].at(places[1]);
        if self.groups.len() == CHUNK_ROWS || self.bytes + bytes > CHUNK_BYTES {
            self.push(policy, batch, out)?;
        }
        self.bytes += bytes;
        self.groups.push(group);
        self.places[0].push(places[0]);
        self.places[1].push(places[1]);
        Ok(())
    }

    fn push(&mut self, policy: &Policy, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        let len = self.groups.len();
        if len == 0 {
            return Ok(());
        }
        // A key may have more pairs than a run that was told to stop has time for.
        policy.check_time()?;
        batch.budget.spend(Usage { rows: len as u64, bytes: self.bytes.max(len) as u64, ..Usage::default() })?;
        let mut different = self.groups.clone();
        different.dedup();
        let decoded = self.sides.decode(different.iter().copied())?;
        let mut place = 0;
        let of_key = self.groups.iter().map(|group| {
            place += u32::from(different[place as usize] != *group);
            place
        });
        let of_key: Vec<u32> = of_key.collect();
        let keys = taken(&decoded.with_columns(&decoded.columns()), &of_key)?;
        let sides = [taken(&self.rows[0], &self.places[0])?, taken(&self.rows[1], &self.places[1])?];
        let columns: Vec<Column<'_>> =
            [&keys, &sides[0], &sides[1]].into_iter().flat_map(RowsBuffer::columns).collect();
        out.push(batch, &Rows { schema: self.schema, len, columns: &columns })?;
        self.groups.clear();
        self.places.iter_mut().for_each(Vec::clear);
        self.bytes = 0;
        Ok(())
    }
}

fn taken(rows: &Rows<'_>, places: &[u32]) -> Result<RowsBuffer, Cause> {
    let mut taken = RowsBuffer::new(rows.schema);
    taken.take(rows, places)?;
    Ok(taken)
}

impl Operator for Join {
    fn begin(&mut self, _batch: &Batch) {
        self.policy.begin();
        self.sides.begin();
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, _out: &mut dyn Out) -> Result<(), Cause> {
        self.sides.push(batch, rows)
    }

    fn finish(&mut self, batch: &mut Batch, out: &mut dyn Out) -> Result<(), Cause> {
        self.push_pairs(batch, out)?;
        self.sides.begin();
        Ok(())
    }

    fn work_at_end(&self, _time: Timestamp) -> usize {
        self.sides.len()
    }

    fn held_bytes(&self) -> usize {
        self.sides.held_bytes() + self.policy.held_bytes()
    }

    fn letters(&mut self) -> Option<&mut Letters> {
        self.policy.letters()
    }
}
