//! JSON rows to columns, strictly: a number is no text, a fraction no integer, and no field is unknown.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field as ArrowField};
use serde_json::{Map, Value as Json};
use tidemill_model::schema::{Kind, Schema, Type};

use super::base64;
use crate::queue::JsonText;

/// Where a value stands, or would.
#[derive(Clone, Copy)]
enum Cell<'a> {
    /// The record around it is missing: any value will do, nobody sees it.
    Hidden,
    Missing,
    Given(&'a Json),
}

/// Reads a row: an object of the schema's fields, or the value of its only field.
pub(crate) fn parse(schema: &Schema, text: &JsonText) -> Result<Map<String, Json>, String> {
    let json: Json = serde_json::from_str(&text.0).map_err(|error| format!("`{}` is not JSON: {error}", text.0))?;
    let fields = schema.fields();
    match json {
        Json::Object(row) if fields.len() != 1 || (row.len() == 1 && row.contains_key(&fields[0].name)) => Ok(row),
        value if fields.len() == 1 => Ok([(fields[0].name.clone(), value)].into_iter().collect()),
        value => Err(format!("`{value}` is no object with the fields `{schema}`")),
    }
}

/// Rows as columns. An error says which row, which field, what was expected and what is there.
pub(crate) fn rows(schema: &Schema, rows: &[Map<String, Json>]) -> Result<RecordBatch, String> {
    for (i, row) in rows.iter().enumerate() {
        known_fields(schema, row).map_err(|error| format!("row {}: {error}", i + 1))?;
    }
    let mut columns = Vec::with_capacity(schema.len());
    for field in schema.fields() {
        let cells: Vec<_> = rows.iter().map(|row| cell(row.get(&field.name))).collect();
        columns.push(
            column(&field.ty, &cells)
                .map_err(|(row, error)| format!("row {}: field `{}`: {error}", row + 1, field.name))?,
        );
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema.to_arrow(), columns, &options).map_err(|error| error.to_string())
}

fn cell(json: Option<&Json>) -> Cell<'_> {
    json.filter(|json| !json.is_null()).map_or(Cell::Missing, Cell::Given)
}

fn known_fields(schema: &Schema, record: &Map<String, Json>) -> Result<(), String> {
    match record.keys().find(|name| schema.index_of(name).is_none()) {
        Some(name) => Err(format!("`{name}` is no field of `{schema}`")),
        None => Ok(()),
    }
}

/// An error belongs to the cell with the given number.
type InCell<T> = Result<T, (usize, String)>;

fn column(ty: &Type, cells: &[Cell<'_>]) -> InCell<ArrayRef> {
    for (i, cell) in cells.iter().enumerate() {
        if matches!(cell, Cell::Missing) && !ty.optional {
            return Err((i, format!("a value of type {} is missing", ty.kind)));
        }
    }
    let nulls = ty.optional.then(|| cells.iter().map(|cell| !matches!(cell, Cell::Missing)).collect::<NullBuffer>());
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let array: ArrayRef = match &ty.kind {
        Kind::Boolean => Arc::new(BooleanArray::new(scalars(ty, cells, Json::as_bool)?.into(), nulls)),
        Kind::Integer => Arc::new(Int64Array::new(scalars(ty, cells, Json::as_i64)?.into(), nulls)),
        Kind::Float => Arc::new(Float64Array::new(scalars(ty, cells, Json::as_f64)?.into(), nulls)),
        Kind::Timestamp => {
            let values = scalars(ty, cells, micros)?;
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
        }
        Kind::Text => {
            let values = scalars(ty, cells, |json| json.as_str().map(str::to_owned))?;
            let (offsets, bytes, _) = StringArray::from_iter_values(values).into_parts();
            Arc::new(StringArray::new(offsets, bytes, nulls))
        }
        Kind::Bytes => {
            let values = scalars(ty, cells, |json| json.as_str().and_then(base64::decode))?;
            let (offsets, bytes, _) = BinaryArray::from_iter_values(values).into_parts();
            Arc::new(BinaryArray::new(offsets, bytes, nulls))
        }
        Kind::List(item) => list(ty, item, cells, nulls)?,
        Kind::Record(schema) => record(ty, schema, cells, nulls)?,
        Kind::Any => return Err((0, "its type is not settled".to_owned())),
    };
    Ok(array)
}

/// One value a cell; a default where there is none.
fn scalars<T: Default>(ty: &Type, cells: &[Cell<'_>], read: impl Fn(&Json) -> Option<T>) -> InCell<Vec<T>> {
    let value = |(i, cell): (usize, &Cell<'_>)| match cell {
        Cell::Given(json) => read(json).ok_or_else(|| (i, mistake(&ty.kind, json))),
        Cell::Hidden | Cell::Missing => Ok(T::default()),
    };
    cells.iter().enumerate().map(value).collect()
}

fn mistake(kind: &Kind, json: &Json) -> String {
    let hint = match kind {
        Kind::Bytes => " (text in base64)",
        Kind::Timestamp => " (microseconds since 1970, or a text like \"2026-01-01T00:00:00Z\")",
        _ => "",
    };
    format!("`{json}` is no {kind}{hint}")
}

fn micros(json: &Json) -> Option<i64> {
    match json {
        Json::String(text) => {
            let instant = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
            instant.or_else(|| written_micros(text))
        }
        _ => json.as_i64(),
    }
}

/// A date that is written in UTC, also one of the last hours for which there is no date in every time zone.
fn written_micros(text: &str) -> Option<i64> {
    let time: jiff::civil::DateTime = text.strip_suffix(['Z', 'z'])?.parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1).to_datetime(jiff::civil::Time::midnight());
    i64::try_from(time.duration_since(epoch).as_micros()).ok()
}

fn list(ty: &Type, item: &Type, cells: &[Cell<'_>], nulls: Option<NullBuffer>) -> InCell<ArrayRef> {
    let (mut items, mut owners, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(cells.len()));
    for (i, one) in cells.iter().enumerate() {
        let values = match one {
            Cell::Given(Json::Array(values)) => values.as_slice(),
            Cell::Given(json) => return Err((i, mistake(&ty.kind, json))),
            Cell::Hidden | Cell::Missing => &[],
        };
        items.extend(values.iter().map(|json| cell(Some(json))));
        owners.extend(values.iter().map(|_| i));
        lengths.push(values.len());
    }
    let values = column(item, &items).map_err(|(at, error)| (owners.get(at).copied().unwrap_or(0), error))?;
    let item = ArrowField::new("item", item.to_arrow(), item.optional);
    Ok(Arc::new(ListArray::new(Arc::new(item), OffsetBuffer::from_lengths(lengths), values, nulls)))
}

fn record(ty: &Type, schema: &Schema, cells: &[Cell<'_>], nulls: Option<NullBuffer>) -> InCell<ArrayRef> {
    let mut records = Vec::with_capacity(cells.len());
    for (i, one) in cells.iter().enumerate() {
        records.push(match one {
            Cell::Given(Json::Object(record)) => {
                known_fields(schema, record).map_err(|error| (i, error))?;
                Some(record)
            }
            Cell::Given(json) => return Err((i, mistake(&ty.kind, json))),
            Cell::Hidden | Cell::Missing => None,
        });
    }
    let mut columns = Vec::with_capacity(schema.len());
    for field in schema.fields() {
        let cells: Vec<_> =
            records.iter().map(|record| record.map_or(Cell::Hidden, |record| cell(record.get(&field.name)))).collect();
        columns
            .push(column(&field.ty, &cells).map_err(|(at, error)| (at, format!("field `{}`: {error}", field.name)))?);
    }
    let DataType::Struct(fields) = ty.to_arrow() else { return Err((0, "a record is no record".to_owned())) };
    StructArray::try_new(fields, columns, nulls)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|e| (0, e.to_string()))
}
