//! Values without their Rust types, read by the texts of their kinds: the type that a reduce finishes with has no name.

use std::fmt;

use crate::{
    bindings::tidemill::plugin::data::{Batch, Field},
    value::{Columns, Malformed, Read, Timestamp, offsets, sized},
};

/// A value of a row, or a whole row as a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Missing,
    Boolean(bool),
    /// An integer or a timestamp.
    Integer(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Record(Vec<Plain>),
}

/// A kind's text on the way to its columns: both are written depth first.
struct Reader<'k, 'c, 'b> {
    kind: &'k str,
    columns: &'c mut Columns<'b>,
}

/// How far two floats may lie apart, as a part of the larger one.
const APART: f64 = 1e-9;

/// And as a part of all floats that went into them: what is left of numbers that cancel each other is mostly rounding.
const ROUNDING: f64 = 1e-13;

/// The rows of a batch of these fields.
pub(super) fn plain_rows(batch: &Batch, fields: &[Field]) -> Result<Vec<Plain>, Malformed> {
    let rows = batch.rows as usize;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let mut columns = Columns::of(batch);
    let fields = fields.iter().map(|field| Reader { kind: &field.kind, columns: &mut columns }.values(rows));
    Ok(records(fields.collect::<Result<_, _>>()?, rows))
}

// === impl Plain ===

impl Plain {
    /// Whether two values are equal; but floats may differ by what the order of additions makes of them. `floats` is the sum
    /// of the sizes of all floats that went into both.
    pub(super) fn is_near(&self, other: &Plain, floats: f64) -> bool {
        let all = |these: &[Plain], others: &[Plain]| {
            these.len() == others.len() && these.iter().zip(others).all(|(this, other)| this.is_near(other, floats))
        };
        match (self, other) {
            (Plain::Float(this), Plain::Float(other)) => are_near(*this, *other, floats),
            (Plain::List(these), Plain::List(others)) => all(these, others),
            (Plain::Record(these), Plain::Record(others)) => all(these, others),
            _ => self == other,
        }
    }

    /// The sum of the sizes of all floats in it that are finite.
    pub(super) fn floats(&self) -> f64 {
        match self {
            Plain::Float(float) if float.is_finite() => float.abs(),
            Plain::List(values) | Plain::Record(values) => values.iter().map(Plain::floats).sum(),
            _ => 0.0,
        }
    }
}

fn are_near(this: f64, other: f64, floats: f64) -> bool {
    if !this.is_finite() || !other.is_finite() {
        return this == other || this.is_nan() && other.is_nan();
    }
    (this - other).abs() <= (this.abs().max(other.abs()) * APART).max(floats.min(f64::MAX) * ROUNDING)
}

/// As a person would write it; a record of one field as that field.
impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plain::Missing => f.write_str("none"),
            Plain::Boolean(truth) => write!(f, "{truth}"),
            Plain::Integer(number) => write!(f, "{number}"),
            Plain::Float(float) => write!(f, "{float:?}"),
            Plain::Text(text) => write!(f, "{text:?}"),
            Plain::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Plain::List(items) => write_values(f, '[', items, ']'),
            Plain::Record(fields) if fields.len() == 1 => write!(f, "{}", fields[0]),
            Plain::Record(fields) => write_values(f, '(', fields, ')'),
        }
    }
}

fn write_values(f: &mut fmt::Formatter<'_>, open: char, values: &[Plain], close: char) -> fmt::Result {
    write!(f, "{open}")?;
    for (place, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if place > 0 { ", " } else { "" })?;
    }
    write!(f, "{close}")
}

// === impl Reader ===

impl<'b> Reader<'_, '_, 'b> {
    /// The next kind's values.
    fn values(&mut self, rows: usize) -> Result<Vec<Plain>, Malformed> {
        let validity = self.columns.peek()?.validity.as_deref();
        let mut values = match self.word() {
            "boolean" => self.scalars(rows, Plain::Boolean)?,
            "integer" => self.scalars(rows, Plain::Integer)?,
            "timestamp" => self.scalars(rows, |Timestamp(micros)| Plain::Integer(micros))?,
            "float" => self.scalars(rows, Plain::Float)?,
            "text" => self.scalars(rows, Plain::Text)?,
            "bytes" => self.scalars(rows, Plain::Bytes)?,
            "list" => self.lists(rows)?,
            "record" => self.nested(rows)?,
            word => return Err(Malformed(format!("`{word}` is no kind of value"))),
        };
        if self.skip('?')
            && let Some(bits) = validity
        {
            let bits = sized(bits, rows.div_ceil(8), "validity")?;
            let missing = values.iter_mut().enumerate().filter(|(row, _)| bits[row / 8] >> (row % 8) & 1 == 0);
            missing.for_each(|(_, value)| *value = Plain::Missing);
        }
        Ok(values)
    }

    fn scalars<T: Read<'b>>(&mut self, rows: usize, plain: impl Fn(T) -> Plain) -> Result<Vec<Plain>, Malformed> {
        let reader = T::open(self.columns, rows)?;
        Ok((0..rows).map(|row| plain(T::read(&reader, row))).collect())
    }

    fn lists(&mut self, rows: usize) -> Result<Vec<Plain>, Malformed> {
        let ends = offsets(self.columns.take()?, rows)?;
        let ends: Vec<usize> = ends.iter().map(|end| u32::from_le_bytes(*end) as usize).collect();
        self.skip('<');
        let mut items = self.values(ends.last().copied().unwrap_or(0))?.into_iter();
        self.skip('>');
        Ok(ends.windows(2).map(|ends| Plain::List(items.by_ref().take(ends[1] - ends[0]).collect())).collect())
    }

    /// Records that are fields themselves: they have a column of their own, which only says which of them are missing.
    fn nested(&mut self, rows: usize) -> Result<Vec<Plain>, Malformed> {
        self.columns.take()?;
        self.skip('<');
        let mut fields = Vec::new();
        while !self.skip('>') {
            self.word();
            self.skip(':');
            fields.push(self.values(rows)?);
            self.skip(',');
        }
        Ok(records(fields, rows))
    }

    /// The word that comes next in the kind's text: the name of a kind or of a record's field.
    fn word(&mut self) -> &str {
        let text = self.kind.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.kind = rest;
        word
    }

    /// Whether this sign comes next; and if so, goes behind it.
    fn skip(&mut self, sign: char) -> bool {
        let rest = self.kind.trim_start().strip_prefix(sign);
        self.kind = rest.unwrap_or(self.kind);
        rest.is_some()
    }
}

/// From the rows of each field to the fields of each row.
fn records(fields: Vec<Vec<Plain>>, rows: usize) -> Vec<Plain> {
    let mut fields: Vec<_> = fields.into_iter().map(Vec::into_iter).collect();
    (0..rows).map(|_| Plain::Record(fields.iter_mut().filter_map(Iterator::next).collect())).collect()
}
