//! One value of a row, for those sinks that write text. A value is looked at where it lies: nothing is made for a list but the
//! item that is written now, because a list of few bytes may have very many items.

use std::ops::Range;

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use tidemill_model::{
    ports::PortError,
    schema::{Kind, Schema, Type},
};

/// A value, borrowed from its column.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    List(List<'a>),
    Record(Record<'a>),
}

/// The items of a list.
#[derive(Clone, Debug)]
pub(crate) struct List<'a> {
    values: &'a dyn Array,
    item: &'a Type,
    rows: Range<usize>,
}

/// The fields of a row, or of a record in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    schema: &'a Schema,
    columns: &'a [ArrayRef],
    row: usize,
}

/// Refuses a batch whose columns are not what the schema says: everything after it relies on that.
pub(crate) fn check(output: &str, schema: &Schema, batch: &RecordBatch) -> Result<(), PortError> {
    let expected = schema.to_arrow();
    let types =
        |schema: &arrow_schema::Schema| schema.fields().iter().map(|f| f.data_type().clone()).collect::<Vec<_>>();
    if types(&expected) == types(batch.schema_ref()) {
        return Ok(());
    }
    Err(PortError::configuration(format!("output `{output}` got rows that are not `{schema}`: {}", batch.schema_ref())))
}

/// A row. The batch must have passed [`check`].
pub(crate) fn row<'a>(schema: &'a Schema, batch: &'a RecordBatch, row: usize) -> Record<'a> {
    Record { schema, columns: batch.columns(), row }
}

impl<'a> List<'a> {
    /// The items, in order.
    pub(crate) fn items(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let List { values, item, rows } = self.clone();
        rows.map(move |row| value(values, item, row))
    }
}

impl<'a> Record<'a> {
    /// The fields with their names, in the schema's order.
    pub(crate) fn fields(&self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let Record { schema, columns, row } = *self;
        let fields = schema.fields().iter().zip(columns);
        fields.map(move |(field, column)| (field.name.as_str(), value(column.as_ref(), &field.ty, row)))
    }

    /// The only field's value, where there is one field.
    pub(crate) fn only(&self) -> Option<Value<'a>> {
        if self.schema.len() == 1 { self.fields().next().map(|(_, value)| value) } else { None }
    }
}

fn value<'a>(column: &'a dyn Array, ty: &'a Type, row: usize) -> Value<'a> {
    if column.is_null(row) {
        return Value::Missing;
    }
    match &ty.kind {
        Kind::Boolean => Value::Boolean(column.as_boolean().value(row)),
        Kind::Integer => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        Kind::Float => Value::Float(column.as_primitive::<Float64Type>().value(row)),
        Kind::Text => Value::Text(column.as_string::<i32>().value(row)),
        Kind::Bytes => Value::Bytes(column.as_binary::<i32>().value(row)),
        Kind::Timestamp => Value::Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        Kind::List(item) => {
            let list = column.as_list::<i32>();
            let rows = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
            Value::List(List { values: list.values().as_ref(), item, rows })
        }
        Kind::Record(schema) => Value::Record(Record { schema, columns: column.as_struct().columns(), row }),
        // A stream's types are settled; Arrow's null type has no values.
        Kind::Any => Value::Missing,
    }
}
