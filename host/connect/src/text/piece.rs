//! Lines that are complete, as a column, and where chunks end in it.

use std::ops::Range;

use arrow_array::{Array, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

/// A column of lines, the first of which may be taken already.
#[derive(Debug)]
pub(super) struct Piece {
    pub column: StringArray,
    /// The first row that is not taken.
    pub from: usize,
}

/// A column of the lines in `values`. `offsets` begins with 0, and has the length of `values` after each line.
#[expect(unsafe_code, reason = "a second look at each byte would cost a tenth of the time that receiving takes")]
pub(super) fn column(values: String, offsets: Vec<i32>) -> StringArray {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    debug_assert!(values.is_char_boundary(offsets[offsets.len() - 1] as usize), "offsets end with the values");
    // SAFETY: OffsetBuffer::new checked that the offsets ascend from 0 or more. Its callers in `LineBuffer` append a
    // whole &str for each offset, so that offsets are ends of strings in a string: in range, and between characters.
    unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(values.into_bytes()), None) }
}

/// Bytes of the lines `rows` of `column`, one for each line's end counted in.
pub(super) fn weight(column: &StringArray, rows: Range<usize>) -> usize {
    let offsets = column.value_offsets();
    (offsets[rows.end] - offsets[rows.start]) as usize + rows.len()
}

/// Memory of as many lines with as many bytes.
pub(super) fn memory(column: &StringArray, rows: Range<usize>) -> usize {
    weight(column, rows.clone()) + 3 * rows.len()
}

/// The rows of `column` from `from` on that a chunk takes that has `room` left, with the one that fills it; `None`
/// when it takes all of them and is not full.
pub(super) fn chunk_end(column: &StringArray, from: usize, room: usize) -> Option<usize> {
    let ends = &column.value_offsets()[from + 1..];
    let start = column.value_offsets()[from] as usize;
    if weight(column, from..column.len()) < room {
        return None;
    }
    let (mut low, mut high) = (0, ends.len());
    while low < high {
        let middle = low.midpoint(high);
        if ends[middle] as usize - start + middle + 1 < room {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(from + low + 1)
}

/// The given rows of columns, one after the other, as one column.
pub(super) fn concat(parts: &[(StringArray, Range<usize>)]) -> StringArray {
    if let [(column, rows)] = parts
        && *rows == (0..column.len())
    {
        return column.clone();
    }
    let (mut values, mut offsets) = (Vec::new(), vec![0]);
    values.reserve(parts.iter().map(|(column, rows)| weight(column, rows.clone())).sum());
    for (column, rows) in parts {
        let from = &column.value_offsets()[rows.start..=rows.end];
        let shift = values.len() as i32 - from[0];
        values.extend_from_slice(&column.value_data()[from[0] as usize..from[rows.len()] as usize]);
        offsets.extend(from[1..].iter().map(|end| end + shift));
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_vec(values), None).expect("rows of valid columns are valid")
}
