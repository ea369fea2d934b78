//! Arrays of old states as arrays of new ones.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, ListArray, StructArray, cast::AsArray};
use arrow_schema::{ArrowError, DataType};
use tidemill_model::{
    columns::RowsBuffer,
    schema::{Field, Kind, Schema, Type},
};

use super::plan::{Conversion, FieldPlan};

/// Records as records of fields `new`.
pub(super) fn record(plan: &[FieldPlan], new: &Schema, old: &StructArray) -> Result<ArrayRef, ArrowError> {
    let fields = plan.iter().zip(new.fields()).map(|(plan, field)| match plan {
        FieldPlan::From(at, conversion) => converted(conversion, &field.ty, old.column(*at)),
        FieldPlan::Blank => blank(&field.ty, old.len()),
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let names = new.to_arrow().fields().clone();
    Ok(Arc::new(StructArray::try_new_with_length(names, fields, old.nulls().cloned(), old.len())?))
}

/// Values that are missing where type `ty` allows it, else blank.
pub(super) fn blank(ty: &Type, len: usize) -> Result<ArrayRef, ArrowError> {
    let schema = Schema::try_new(vec![Field::new("blank", ty.clone())]).expect("one field has one name");
    let mut rows = RowsBuffer::new(&schema);
    rows.push_blanks(len).map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
    Ok(rows.to_batch(&schema.to_arrow())?.column(0).clone())
}

/// Values as those of type `new`.
fn converted(conversion: &Conversion, new: &Type, old: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match (conversion, &new.kind, new.to_arrow()) {
        (Conversion::Record(plan), Kind::Record(fields), _) => record(plan, fields, old.as_struct()),
        (Conversion::Bytes, ..) => {
            let (offsets, bytes, nulls) = old.as_string::<i32>().clone().into_parts();
            Ok(Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?))
        }
        (Conversion::List(items), Kind::List(item), DataType::List(field)) => {
            let list = old.as_list::<i32>();
            let items = converted(items, item, list.values())?;
            Ok(Arc::new(ListArray::try_new(field, list.offsets().clone(), items, list.nulls().cloned())?))
        }
        _ => Ok(old.clone()),
    }
}
