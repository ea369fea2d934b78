//! Schemas as Arrow knows them. text is Utf8, bytes is Binary, timestamp is microseconds in UTC.

use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, SchemaRef, TimeUnit};

use super::{Field, Kind, Schema, Type};

impl Schema {
    /// The same schema for Arrow. [`Kind::Any`] has none, and becomes Arrow's null type.
    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(arrow_schema::Schema::new(arrow_fields(self)))
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
