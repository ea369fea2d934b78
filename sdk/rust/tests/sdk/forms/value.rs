//! Values as the cases write them, as functions take them, and as they are shown.

use super::functions::{
    maps::{Parsed, Point, Word},
    reduces::{Mean, Slowest},
    updates::Seen,
};

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Missing,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(&'static str),
}

/// What a function takes, made of a row's next values.
pub trait Taken {
    fn take(values: &mut dyn Iterator<Item = Value>) -> Self;
}

/// What a function returns, as the host's cases show it.
pub trait Shown {
    fn show(&self) -> String;
}

macro_rules! taken {
    ($($variant:ident $ty:ty),*) => {$(
        impl Taken for $ty {
            fn take(values: &mut dyn Iterator<Item = Value>) -> Self {
                match values.next() {
                    Some(Value::$variant(value)) => value.into(),
                    other => unreachable!("{other:?} in place of {}", stringify!($ty)),
                }
            }
        }
        impl Taken for Option<$ty> {
            fn take(values: &mut dyn Iterator<Item = Value>) -> Self {
                match values.next() {
                    Some(Value::Missing) => None,
                    value => Some(<$ty>::take(&mut value.into_iter())),
                }
            }
        }
    )*};
}

taken!(Boolean bool, Integer i64, Float f64, Text &'static str, Text String);

macro_rules! taken_tuples {
    ($(($($part:ident)*)),*) => {$(
        impl<$($part: Taken),*> Taken for ($($part,)*) {
            fn take(values: &mut dyn Iterator<Item = Value>) -> Self {
                ($($part::take(values),)*)
            }
        }
    )*};
}

taken_tuples!((A B), (A B C));

impl Taken for Point {
    fn take(values: &mut dyn Iterator<Item = Value>) -> Point {
        Point { x: f64::take(values), y: f64::take(values) }
    }
}

impl Taken for Word<'static> {
    fn take(values: &mut dyn Iterator<Item = Value>) -> Word<'static> {
        Word { word: Taken::take(values), length: i64::take(values) }
    }
}

impl Shown for &str {
    fn show(&self) -> String {
        if self.is_empty() { "\"\"".to_owned() } else { (*self).to_owned() }
    }
}

impl Shown for String {
    fn show(&self) -> String {
        self.as_str().show()
    }
}

impl Shown for i64 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for f64 {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for bool {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for () {
    fn show(&self) -> String {
        unreachable!("a row that nobody emits")
    }
}

impl Shown for Vec<u8> {
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn show(&self) -> String {
        format!("[{}]", self.iter().map(Shown::show).collect::<Vec<_>>().join(" "))
    }
}

impl<T: Shown> Shown for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or("-".to_owned(), Shown::show)
    }
}

macro_rules! shown_records {
    ($($record:ty { $($field:ident)* }),*) => {$(
        impl Shown for $record {
            fn show(&self) -> String {
                [$(self.$field.show()),*].join(" ")
            }
        }
    )*};
}

shown_records!(Word<'_> { word length }, Parsed { x }, Mean { sum count }, Slowest { page millis }, Seen { total last });
