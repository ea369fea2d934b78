//! Where in an author's source a guest was when it failed, told by a section of the component.
//!
//! The section is as hostile as all the rest of a component, and is read only when a failure is told. Nothing of it is taken apart
//! before: every look at it is a number of fixed width at a place that is in it or not. What lies gives no line, or a wrong one.

use std::{fmt::Write, sync::Arc};

use tidemill_model::limits::LINES_BYTES;

use crate::{log::one_line, section, verdict::Place};

/// The custom section of a component that has its lines; COMPONENT.md has the format.
pub(crate) const SECTION: &str = "tidemill:lines";
/// What it begins with.
pub(crate) const VERSION: u32 = 1;
/// Numbers of a place, and of a range.
pub(crate) const PLACE: usize = 4;
pub(crate) const RANGE: usize = 2;

/// Numbers in front of everything else: the version, where the section begins, bytes of texts, places, ranges.
const HEADER: usize = 5;
const NUMBER: usize = size_of::<u32>();

/// Places that are told: where it was, and from where it was called.
const PLACES_TOLD: usize = 4;
/// Bytes of a file's name that are told.
const NAME_BYTES: usize = 200;

/// The lines of a component; none where it has no such section, or one that cannot be.
#[derive(Clone, Default)]
pub(crate) struct Lines(Option<Arc<Table>>);

struct Table {
    bytes: Box<[u8]>,
    texts: usize,
    places: usize,
    ranges: usize,
}

impl Lines {
    pub(crate) fn of(component: &[u8]) -> Lines {
        Lines(Table::of(component).map(Arc::new))
    }

    /// Where the guest was; `offsets` are those of its frames from the beginning of the component, the innermost one first.
    pub(crate) fn place(&self, offsets: impl Iterator<Item = usize>) -> Place {
        let Some(table) = &self.0 else { return Place::default() };
        let mut told: Vec<String> = Vec::new();
        for line in offsets.flat_map(|offset| table.chain(offset)) {
            // A function that calls itself says the same often.
            if told.last() != Some(&line) {
                told.push(line);
            }
            if told.len() == PLACES_TOLD {
                break;
            }
        }
        Place::new(told)
    }
}

impl Table {
    fn of(component: &[u8]) -> Option<Table> {
        let (position, bytes) = section::find(component, SECTION)?;
        if bytes.len() > LINES_BYTES {
            return None;
        }
        let header = |at: usize| number(bytes, at.checked_mul(NUMBER)?);
        let (texts, places, ranges) = (header(2)?, header(3)?, header(4)?);
        let after = |before: usize, numbers: usize, each: usize| {
            before.checked_add(numbers.checked_mul(each)?.checked_mul(NUMBER)?)
        };
        let length = after(after((HEADER * NUMBER).checked_add(texts)?, places, PLACE)?, ranges, RANGE)?;
        // A tool that has put something in front of it has moved what it tells of.
        let is_ours = header(0)? == VERSION as usize && header(1)? == position && length == bytes.len();
        is_ours.then(|| Table { bytes: bytes.into(), texts, places, ranges })
    }

    /// The line of an offset, and those that it was called from and put into.
    fn chain(&self, offset: usize) -> impl Iterator<Item = String> {
        let mut next = self.at(offset);
        std::iter::from_fn(move || {
            let index = next?.checked_sub(1)?;
            let [start, length, line, caller] = self.numbers(0, index, self.places)?;
            // Callers come first, so that there is an end of them.
            next = (caller <= index).then_some(caller);
            let texts = self.bytes.get(HEADER * NUMBER..)?.get(..self.texts)?;
            let name = std::str::from_utf8(texts.get(start..start.checked_add(length)?)?).ok()?;
            let mut told = one_line(cut(name), NAME_BYTES);
            let _ = write!(told, ":{line}");
            Some(told)
        })
    }

    /// The number of the place of an offset: 0 is none.
    fn at(&self, offset: usize) -> Option<usize> {
        let range = |index| self.numbers::<RANGE>(self.places * PLACE, index, self.ranges);
        let (mut low, mut high) = (0, self.ranges);
        while low < high {
            let middle = low + (high - low) / 2;
            if range(middle)?[0] <= offset { low = middle + 1 } else { high = middle }
        }
        Some(range(low.checked_sub(1)?)?[1])
    }

    /// The numbers of one of `count` things, which begin `before` numbers behind the texts.
    fn numbers<const N: usize>(&self, before: usize, index: usize, count: usize) -> Option<[usize; N]> {
        if index >= count {
            return None;
        }
        let begin = HEADER * NUMBER + self.texts + (before + index * N) * NUMBER;
        let mut numbers = [0; N];
        for (at, told) in numbers.iter_mut().enumerate() {
            *told = number(&self.bytes, begin + at * NUMBER)?;
        }
        Some(numbers)
    }
}

fn cut(name: &str) -> String {
    name[..name.floor_char_boundary(NAME_BYTES)].to_owned()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(NUMBER)?)?;
    usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests;
