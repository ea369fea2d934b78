//! Schemas as Arrow knows them. text is Utf8, bytes is Binary, timestamp is microseconds in UTC.

use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, SchemaRef, TimeUnit};

use super::{Field, Kind, Schema, Type};

impl Schema {
    /// The same schema for Arrow. [`Kind::Any`] has none, and becomes Arrow's null type.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(arrow_schema::Schema::new(arrow_fields(self)))
    }

    /// The schema of rows that [`Schema::to_arrow`] described; `None` if Arrow's schema is not such a one.
    pub fn from_arrow(schema: &arrow_schema::Schema) -> Option<Schema> {
        of_fields(schema.fields())
    }
}

impl Type {
    /// The same type for Arrow.
    pub fn to_arrow(&self) -> DataType {
        match &self.kind {
            Kind::Boolean => DataType::Boolean,
            Kind::Integer => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::Bytes => DataType::Binary,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::List(item) => DataType::List(Arc::new(list_item(item))),
            Kind::Record(schema) => DataType::Struct(arrow_fields(schema)),
            Kind::Any => DataType::Null,
        }
    }
}

fn of_fields(fields: &Fields) -> Option<Schema> {
    let fields = fields.iter().map(|field| Some(Field::new(field.name(), of_field(field)?)));
    Schema::try_new(fields.collect::<Option<_>>()?).ok()
}

fn of_field(field: &ArrowField) -> Option<Type> {
    let kind = match field.data_type() {
        DataType::Boolean => Kind::Boolean,
        DataType::Int64 => Kind::Integer,
        DataType::Float64 => Kind::Float,
        DataType::Utf8 => Kind::Text,
        DataType::Binary => Kind::Bytes,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if **zone == *"UTC" => Kind::Timestamp,
        DataType::List(item) => Kind::List(Box::new(of_field(item)?)),
        DataType::Struct(fields) => Kind::Record(of_fields(fields)?),
        _ => return None,
    };
    Some(Type { kind, optional: field.is_nullable() })
}

/// Arrow's field for a list's items.
fn list_item(item: &Type) -> ArrowField {
    ArrowField::new("item", item.to_arrow(), item.optional)
}

fn arrow_fields(schema: &Schema) -> Fields {
    schema.fields().iter().map(arrow_field).collect()
}

fn arrow_field(field: &Field) -> ArrowField {
    ArrowField::new(&field.name, field.ty.to_arrow(), field.ty.optional)
}
