//! Checks batches that a guest returned, before anything else looks at them.
//!
//! Pure: buffers in, columns or a [`Verdict`] out. What passes keeps the promises of [`Column`], which the rest of the
//! host relies on without looking again. Loops over rows run to their end and decide afterwards, because a loop without
//! an exit is one that the compiler vectorises.

mod numbers;
mod path;
mod rejections;
mod text;
mod weight;

use tidemill_model::{
    columns::Column,
    schema::{Kind, Schema, Type},
};

use crate::verdict::Verdict;

pub(crate) use numbers::{all_below, ascending};
use path::column_path;
pub(crate) use rejections::check_rejections;
pub(crate) use weight::weight;

/// A column as the guest returned it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawColumn<'a> {
    /// Bits, if there are any.
    pub validity: Option<&'a [u8]>,
    /// Offsets as bytes.
    pub offsets: &'a [u8],
    /// Values as bytes.
    pub values: &'a [u8],
}

/// Room for buffers that do not lie at a multiple of their items' size: they are copied into it. Kept from call to call.
#[derive(Debug, Default)]
pub struct Scratch {
    copies: Vec<Vec<u64>>,
    used: usize,
}

/// The columns of `rows` rows of `schema`, if the buffers are exactly that.
///
/// Checked: one column a node; validity only where the type is optional, a bit a row; offsets rows + 1, the first 0,
/// ascending, the last the length of the values or the number of rows of a list's items; 8 bytes or one bit a row where
/// the type has a fixed width; UTF-8 in text, no value cut inside a character.
pub fn check_batch<'a>(
    schema: &'a Schema,
    rows: usize,
    raw: &[RawColumn<'a>],
    scratch: &'a mut Scratch,
) -> Result<Vec<Column<'a>>, Verdict> {
    let expected_columns = schema.nodes();
    if raw.len() != expected_columns {
        return Err(Verdict::WrongSchema { expected: schema.to_string(), expected_columns, got: raw.len() });
    }
    let columns = aligned(schema, raw, scratch);
    let mut walk = Walk { schema, raw, columns: &columns, next: 0 };
    for field in schema.fields() {
        walk.check(&field.ty, rows)?;
    }
    Ok(columns)
}

/// `bytes` as whole numbers, if their length is a multiple of a number's. Copied if they do not lie at a multiple of it.
pub(crate) fn numbers<'a, T: bytemuck::Pod>(bytes: &'a [u8], scratch: &'a mut Scratch) -> Option<&'a [T]> {
    scratch.used = 0;
    if !bytes.len().is_multiple_of(size_of::<T>()) {
        return None;
    }
    if is_aligned::<T>(bytes) {
        return Some(bytemuck::cast_slice(bytes));
    }
    scratch.copy(bytes);
    Some(bytemuck::cast_slice(scratch.copied(0, bytes.len())))
}

// === Alignment ===

impl Scratch {
    fn copy(&mut self, bytes: &[u8]) {
        if self.copies.len() == self.used {
            self.copies.push(Vec::new());
        }
        let copy = &mut self.copies[self.used];
        copy.resize(bytes.len().div_ceil(8), 0);
        bytemuck::cast_slice_mut(copy)[..bytes.len()].copy_from_slice(bytes);
        self.used += 1;
    }

    fn copied(&self, index: usize, bytes: usize) -> &[u8] {
        &bytemuck::cast_slice(&self.copies[index])[..bytes]
    }
}

fn is_aligned<T>(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(align_of::<T>())
}

fn is_wide(kind: &Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Float | Kind::Timestamp)
}

/// Columns whose offsets and wide values can be read as numbers. Offsets that are no whole number of offsets are left
/// out here, and found by their bytes.
fn aligned<'a>(schema: &Schema, raw: &[RawColumn<'a>], scratch: &'a mut Scratch) -> Vec<Column<'a>> {
    scratch.used = 0;
    // Most guests align what they allocate, so this loop copies nothing.
    each_node(schema, &mut raw.iter(), &mut |ty, column: &RawColumn<'a>| {
        if !is_aligned::<i32>(column.offsets) {
            scratch.copy(column.offsets);
        }
        if is_wide(&ty.kind) && !is_aligned::<i64>(column.values) {
            scratch.copy(column.values);
        }
    });
    let scratch: &'a Scratch = scratch;
    let mut copy = 0;
    let mut columns = Vec::with_capacity(raw.len());
    each_node(schema, &mut raw.iter(), &mut |ty, column: &RawColumn<'a>| {
        let mut place = |bytes: &'a [u8], at_its_place: bool| {
            if at_its_place {
                return bytes;
            }
            copy += 1;
            scratch.copied(copy - 1, bytes.len())
        };
        let offsets = place(column.offsets, is_aligned::<i32>(column.offsets));
        let values = place(column.values, !is_wide(&ty.kind) || is_aligned::<i64>(column.values));
        let offsets = bytemuck::try_cast_slice(offsets).unwrap_or_default();
        columns.push(Column { validity: column.validity, offsets, values });
    });
    columns
}

/// Calls `visit` for each node of the schema and its column, depth first, while there are columns.
fn each_node<'c, C: 'c>(schema: &Schema, columns: &mut std::slice::Iter<'c, C>, visit: &mut impl FnMut(&Type, &'c C)) {
    for field in schema.fields() {
        each_node_of(&field.ty, columns, visit);
    }
}

fn each_node_of<'c, C: 'c>(ty: &Type, columns: &mut std::slice::Iter<'c, C>, visit: &mut impl FnMut(&Type, &'c C)) {
    if let Some(column) = columns.next() {
        visit(ty, column);
    }
    match &ty.kind {
        Kind::List(item) => each_node_of(item, columns, visit),
        Kind::Record(fields) => each_node(fields, columns, visit),
        _ => {}
    }
}

// === The walk over the nodes ===

struct Walk<'w, 'a> {
    schema: &'w Schema,
    raw: &'w [RawColumn<'a>],
    columns: &'w [Column<'a>],
    next: usize,
}

impl Walk<'_, '_> {
    /// The node at `next` and its children.
    fn check(&mut self, ty: &Type, rows: usize) -> Result<(), Verdict> {
        let node = self.next;
        self.next += 1;
        let column = self.columns[node];
        match column.validity {
            None => {}
            Some(_) if !ty.optional => return Err(Verdict::WrongValidity { column: self.path(node) }),
            Some(bits) => self.length(node, "validity bits", bits.len(), rows.div_ceil(8))?,
        }
        match &ty.kind {
            Kind::Boolean => self.fixed(node, rows.div_ceil(8)),
            Kind::Integer | Kind::Float | Kind::Timestamp => self.fixed(node, rows.saturating_mul(8)),
            Kind::Bytes => self.offsets(node, rows, column.values.len()),
            Kind::Text => {
                self.offsets(node, rows, column.values.len())?;
                text::check(column.offsets, column.values)
                    .map_err(|what| Verdict::WrongUtf8 { column: self.path(node), what })
            }
            Kind::List(item) => self.list(node, item, rows),
            Kind::Record(fields) => {
                self.length(node, "offsets", self.raw[node].offsets.len(), 0)?;
                self.length(node, "values", column.values.len(), 0)?;
                fields.fields().iter().try_for_each(|field| self.check(&field.ty, rows))
            }
            // No signature that was opened has one.
            Kind::Any => Err(Verdict::WrongSignature { what: format!("the type of `{}` is open", self.path(node)) }),
        }
    }

    fn list(&mut self, node: usize, item: &Type, rows: usize) -> Result<(), Verdict> {
        self.length(node, "values", self.columns[node].values.len(), 0)?;
        self.length(node, "offsets", self.raw[node].offsets.len(), offset_bytes(rows))?;
        let items = self.columns[node].offsets.last().copied().unwrap_or(-1);
        self.offsets(node, rows, usize::try_from(items).unwrap_or(0))?;
        self.check(item, usize::try_from(items).unwrap_or(0))
    }

    fn fixed(&self, node: usize, bytes: usize) -> Result<(), Verdict> {
        self.length(node, "offsets", self.raw[node].offsets.len(), 0)?;
        self.length(node, "values", self.columns[node].values.len(), bytes)
    }

    fn offsets(&self, node: usize, rows: usize, end: usize) -> Result<(), Verdict> {
        self.length(node, "offsets", self.raw[node].offsets.len(), offset_bytes(rows))?;
        let offsets = self.columns[node].offsets;
        let fault = if offsets.first() != Some(&0) {
            "do not begin at 0"
        } else if !ascending(offsets) {
            "descend"
        } else if offsets.last().map(|&last| last as usize) != Some(end) {
            "do not end where the values end"
        } else {
            return Ok(());
        };
        Err(Verdict::WrongOffsets { column: self.path(node), what: fault })
    }

    fn length(&self, node: usize, buffer: &'static str, got: usize, expected: usize) -> Result<(), Verdict> {
        if got == expected {
            return Ok(());
        }
        Err(Verdict::WrongLayout { column: self.path(node), buffer, expected, got })
    }

    fn path(&self, node: usize) -> String {
        column_path(self.schema, node)
    }
}

fn offset_bytes(rows: usize) -> usize {
    rows.saturating_add(1).saturating_mul(4)
}
