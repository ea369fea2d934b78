//! States that an older version of a function wrote, to states of its own.

use crate::{
    bindings::tidemill::plugin::data::{Batch, Failure, Field},
    value::{ColumnWriter, Columns, Read, Write},
};

use super::{Fields, Rows, binding::places_of, failure};

/// What a migration returns: the new state, or a reason why there is none.
pub trait Migrated {
    /// States under construction.
    type Writer: ColumnWriter;

    /// The fields of the state that it returns.
    fn fields() -> Fields;

    /// Adds the state.
    fn push_to(self, states: &mut Rows<Self::Writer>) -> Result<(), String>;
}

impl<T: Write> Migrated for T {
    type Writer = T::Writer;

    fn fields() -> Fields {
        T::fields("value")
    }

    fn push_to(self, states: &mut Rows<T::Writer>) -> Result<(), String> {
        states.push(&self);
        Ok(())
    }
}

impl<T: Write, E: ToString> Migrated for Result<T, E> {
    type Writer = T::Writer;

    fn fields() -> Fields {
        T::fields("value")
    }

    fn push_to(self, states: &mut Rows<T::Writer>) -> Result<(), String> {
        states.push(&self.map_err(|error| error.to_string())?);
        Ok(())
    }
}

/// States with the fields `stored` through a migration. `W` is what the function's states are written with, `state` are their
/// fields.
pub fn migrate_rows<'a, W, Old, New>(
    stored: &[Field],
    states: &'a Batch,
    state: &[Field],
    migrate: impl Fn(Old) -> New,
) -> Result<Batch, Failure>
where
    W: ColumnWriter,
    Old: Read<'a>,
    New: Migrated<Writer = W>,
{
    check_state(state, &New::fields(), "the migration").map_err(failure)?;
    let places = places_of(&Old::fields("value"), stored, "the migration", "old state").map_err(failure)?;
    let rows = states.rows as usize;
    let reader = Old::open_row(&mut Columns::at(states, &places)?, rows)?;
    let mut new = Rows::<W>::default();
    new.reserve_rows(rows);
    for row in 0..rows {
        migrate(Old::read(&reader, row)).push_to(&mut new).map_err(failure)?;
    }
    Ok(new.finish())
}

/// Refuses states of a version that no migration is from.
pub fn no_migration(from_version: u32, versions: &[u32]) -> Result<Batch, Failure> {
    let have = match versions {
        [] => "no migration".to_owned(),
        [version] => format!("a migration from version {version} alone"),
        _ => format!("migrations from the versions {versions:?} alone"),
    };
    Err(failure(format!("the function cannot take over states of version {from_version}: it has {have}")))
}

/// Different types can have the same columns: an integer and a float. So what is returned is compared by its fields, too.
pub(super) fn check_state(state: &[Field], returned: &[Field], who: &str) -> Result<(), String> {
    let list = super::binding::list;
    let same = state.iter().map(|field| (&field.name, &field.kind));
    if same.eq(returned.iter().map(|field| (&field.name, &field.kind))) {
        return Ok(());
    }
    Err(format!("the function's state is {}, and {who} returns {}", list(state), list(returned)))
}
