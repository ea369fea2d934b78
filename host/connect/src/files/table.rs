//! The files that a folder's source knows, as rows of a table of the checkpoint: a batch stores those that came or went.

use std::{collections::BTreeMap, ffi::OsString, sync::Arc};

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, cast::AsArray, types::Int64Type};
use tidemill_model::{
    ports::SourceRows,
    table::{TableKind, TableSpec},
};

use super::{facts::Mark, pin::Name};

/// Rows of one change at most.
const ROWS_MAX: usize = 1 << 16;

/// Where a file is known to be. The numbers are part of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The last listing had it.
    Here = 0,
    /// The one before had it.
    Gone = 1,
    /// In a folder that stood under the path before.
    Away = 2,
}

/// Files by place and name.
pub(super) type Rows = BTreeMap<(Place, OsString), Mark>;

/// A file, and its mark if it did not go.
pub(super) type RowChange = ((Place, OsString), Option<Mark>);

/// `name` are the bytes of the name; `identity` and `content` those of its [`Mark`].
pub(super) fn spec() -> TableSpec {
    let schema = |text: &str| text.parse().expect("a schema");
    TableSpec {
        name: "files".to_owned(),
        kind: TableKind::Keyed,
        keys: schema("place: integer, name: bytes"),
        rows: schema("identity: integer, content: integer"),
        version: 1,
        settings: String::new(),
    }
}

/// What makes rows of others.
pub(super) fn differences(before: &Rows, rows: &Rows) -> Vec<RowChange> {
    let came = rows.iter().filter(|(key, mark)| before.get(key) != Some(mark)).map(|(key, mark)| (key, Some(*mark)));
    let went = before.keys().filter(|key| !rows.contains_key(key)).map(|key| (key, None));
    went.chain(came).map(|(key, mark)| (key.clone(), mark)).collect()
}

/// Changes as the checkpoint takes them.
pub(super) fn written(changes: &[RowChange]) -> Vec<SourceRows> {
    changes.chunks(ROWS_MAX).map(rows_of).collect()
}

/// The rows that the checkpoint gives back, or changes in the order in which they were told.
///
/// # Errors
/// They are none of this table.
pub(super) fn read(given: &[SourceRows]) -> Result<Rows, String> {
    let mut all = Rows::new();
    for rows in given {
        for (key, mark) in files_of(rows)? {
            match mark {
                Some(mark) => drop(all.insert(key, mark)),
                None => drop(all.remove(&key)),
            }
        }
    }
    Ok(all)
}

fn rows_of(changed: &[RowChange]) -> SourceRows {
    let TableSpec { keys, rows, .. } = spec();
    let places = changed.iter().map(|((place, _), _)| *place as i64);
    let names = changed.iter().map(|((_, name), _)| name.as_encoded_bytes());
    let marks = || changed.iter().map(|(_, mark)| mark.unwrap_or_default());
    let identities = marks().map(|mark| mark.identity.cast_signed());
    let contents = marks().map(|mark| i64::from(mark.content));
    let batch = |schema: tidemill_model::schema::Schema, columns: Vec<ArrayRef>| {
        RecordBatch::try_new(schema.to_arrow(), columns).expect("as many columns as the schema has, of one length")
    };
    let integers = |numbers: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(numbers)) };
    SourceRows {
        keys: batch(keys, vec![integers(places.collect()), Arc::new(BinaryArray::from_iter_values(names))]),
        deleted: changed.iter().map(|(_, mark)| mark.is_none()).collect(),
        rows: batch(rows, vec![integers(identities.collect()), integers(contents.collect())]),
    }
}

fn files_of(given: &SourceRows) -> Result<Vec<RowChange>, String> {
    let TableSpec { keys, rows, .. } = spec();
    if given.keys.schema().fields() != keys.to_arrow().fields()
        || given.rows.schema().fields() != rows.to_arrow().fields()
    {
        return Err("its table has other fields".to_owned());
    }
    let integer =
        |batch: &RecordBatch, column: usize, row: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
    let names = given.keys.column(1).as_binary::<i32>();
    let file = |row: usize| {
        let place = match integer(&given.keys, 0, row) {
            0 => Place::Here,
            1 => Place::Gone,
            2 => Place::Away,
            other => return Err(format!("its table has a file at the unknown place {other}")),
        };
        let name = Name::of_bytes(names.value(row));
        name.check_in_folder()?;
        let identity = integer(&given.rows, 0, row).cast_unsigned();
        let content = u32::try_from(integer(&given.rows, 1, row));
        let content = content.map_err(|_| "its table has a mark that is none".to_owned())?;
        Ok(((place, name.to_os()?), (!given.deleted[row]).then_some(Mark { identity, content })))
    };
    (0..given.keys.num_rows()).map(file).collect()
}

#[cfg(test)]
mod tests;
