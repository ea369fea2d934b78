//! The table of a component's lines, as it is written.

use std::collections::{BTreeMap, HashMap};

use crate::lines::{PLACE, RANGE, VERSION};

/// Places, and where in the file the code of each begins.
#[derive(Debug, Default)]
pub(super) struct Table {
    texts: String,
    names: HashMap<String, [usize; 2]>,
    places: Vec<[usize; PLACE]>,
    numbers: HashMap<[usize; PLACE], usize>,
    ranges: BTreeMap<usize, usize>,
}

impl Table {
    /// The number of a line of a file, put into the place with the number `caller`; 0 is none.
    pub(super) fn place(&mut self, file: &str, line: u32, caller: usize) -> usize {
        let [start, length] = *self.names.entry(file.to_owned()).or_insert_with(|| {
            let start = self.texts.len();
            self.texts.push_str(file);
            [start, file.len()]
        });
        let place = [start, length, line as usize, caller];
        *self.numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            self.places.len()
        })
    }

    /// From an offset on it is this place, until the next one. Where one ends and another begins it is the other.
    pub(super) fn range(&mut self, begin: usize, place: usize) {
        let known = self.ranges.entry(begin).or_default();
        if place > 0 {
            *known = place;
        }
    }

    /// All of it as bytes, for a section that begins at `position`. Nothing if there is nothing to tell.
    pub(super) fn data(&self, position: usize) -> Option<Vec<u8>> {
        let mut ranges: Vec<[usize; RANGE]> = self.ranges.iter().map(|(&begin, &place)| [begin, place]).collect();
        ranges.dedup_by_key(|[_, place]| *place);
        if self.places.is_empty() {
            return None;
        }
        let header = [VERSION as usize, position, self.texts.len(), self.places.len(), ranges.len()];
        let mut bytes = Vec::new();
        write(&mut bytes, &header)?;
        bytes.extend_from_slice(self.texts.as_bytes());
        write(&mut bytes, self.places.as_flattened())?;
        write(&mut bytes, ranges.as_flattened())?;
        Some(bytes)
    }
}

/// Nothing if a number does not fit: then there are no lines.
fn write(bytes: &mut Vec<u8>, numbers: &[usize]) -> Option<()> {
    for &number in numbers {
        bytes.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
    }
    Some(())
}
