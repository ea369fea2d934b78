//! One value of a row, for those sinks that write text.

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int64Type, TimestampMicrosecondType},
};
use tidemill_model::{
    ports::PortError,
    schema::{Kind, Schema, Type},
};

/// A value, borrowed from its column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    List(Vec<Value<'a>>),
    Record(Vec<(&'a str, Value<'a>)>),
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

/// A row's values, with the names of their fields. The batch must have passed [`check`].
pub(crate) fn row<'a>(schema: &'a Schema, batch: &'a RecordBatch, row: usize) -> Vec<(&'a str, Value<'a>)> {
    fields(schema, batch.columns(), row)
}

fn fields<'a>(schema: &'a Schema, columns: &'a [std::sync::Arc<dyn Array>], row: usize) -> Vec<(&'a str, Value<'a>)> {
    let value = |(field, column): (&'a tidemill_model::schema::Field, &'a std::sync::Arc<dyn Array>)| {
        (field.name.as_str(), value(column.as_ref(), &field.ty, row))
    };
    schema.fields().iter().zip(columns).map(value).collect()
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
            Value::List(rows.map(|row| value(list.values().as_ref(), item, row)).collect())
        }
        Kind::Record(schema) => Value::Record(fields(schema, column.as_struct().columns(), row)),
        // A stream's types are settled; Arrow's null type has no values.
        Kind::Any => Value::Missing,
    }
}
