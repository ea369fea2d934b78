//! Side inputs: rows of another stream that a function gets as a whole, in the form that it wants them in.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::Hash,
};

use crate::{
    bindings::tidemill::plugin::data::{Batch, Field},
    value::{Columns, Read, ReadRow},
};

/// A side input as it is told to the host and to people.
#[derive(Clone, Debug)]
pub struct DeclaredShared {
    /// Its name in pipelines.
    pub name: &'static str,
    /// What its rows are.
    pub fields: Vec<Field>,
    /// The doc comment.
    pub doc: &'static str,
}

/// What a field of a struct with `#[derive(Parameters)]` can be that has `#[shared]` above it. It is made of the rows once for
/// each batch and instance, before the first call; without rows it is empty.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a side input",
    label = "not a side input's type",
    note = "a side input is a Vec<T>, an Option<T>, a HashMap<K, V>, a BTreeMap<K, V>, a HashSet<T> or a BTreeSet<T>, of values of \
            rows that borrow nothing"
)]
pub trait SideInput: Default {
    /// What its rows are.
    fn fields() -> Vec<Field>;

    /// The rows, in the order of their stream.
    fn of_rows(rows: &Batch) -> Result<Self, String>;
}

/// The rows one after the other.
fn rows_of<T: for<'a> ReadRow<'a>>(rows: &Batch, mut each: impl FnMut(T)) -> Result<(), String> {
    // A batch without rows need not have columns.
    if rows.rows == 0 {
        return Ok(());
    }
    let reader = T::open_columns(&mut Columns::of(rows), rows.rows as usize).map_err(|malformed| malformed.0)?;
    (0..rows.rows as usize).for_each(|row| each(T::read_row(&reader, row)));
    Ok(())
}

impl<T: for<'a> Read<'a>> SideInput for Vec<T> {
    fn fields() -> Vec<Field> {
        T::fields("value")
    }

    fn of_rows(rows: &Batch) -> Result<Vec<T>, String> {
        let mut all = Vec::with_capacity(rows.rows as usize);
        rows_of(rows, |row| all.push(row))?;
        Ok(all)
    }
}

impl<T: for<'a> Read<'a>> SideInput for Option<T> {
    fn fields() -> Vec<Field> {
        T::fields("value")
    }

    fn of_rows(rows: &Batch) -> Result<Option<T>, String> {
        if rows.rows > 1 {
            return Err(format!("it has {} rows, and the function takes one at most", rows.rows));
        }
        let mut only = None;
        rows_of(rows, |row| only = Some(row))?;
        Ok(only)
    }
}

macro_rules! maps {
    ($($map:ident: $($bound:ident +)*;)*) => {
        $(impl<K: for<'a> Read<'a> $(+ $bound)*, V: for<'a> Read<'a>> SideInput for $map<K, V> {
            fn fields() -> Vec<Field> {
                [K::fields("key"), V::fields("value")].concat()
            }

            /// Of rows with one key the last one counts.
            fn of_rows(rows: &Batch) -> Result<$map<K, V>, String> {
                let mut all = $map::new();
                rows_of(rows, |row: (K, V)| all.extend([row]))?;
                Ok(all)
            }
        })*
    };
}

macro_rules! sets {
    ($($set:ident: $($bound:ident +)*;)*) => {
        $(impl<T: for<'a> Read<'a> $(+ $bound)*> SideInput for $set<T> {
            fn fields() -> Vec<Field> {
                T::fields("value")
            }

            fn of_rows(rows: &Batch) -> Result<$set<T>, String> {
                let mut all = $set::new();
                rows_of(rows, |row| all.extend([row]))?;
                Ok(all)
            }
        })*
    };
}

maps! {
    HashMap: Eq + Hash +;
    BTreeMap: Ord +;
}

sets! {
    HashSet: Eq + Hash +;
    BTreeSet: Ord +;
}
