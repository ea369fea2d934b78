//! Answers that are small here, and could be much elsewhere.

use crate::{
    bindings::{
        data::Column,
        operators::{Batch, Mapped, Origins},
    },
    columns::{batch, numbers, read_texts, text},
};

/// Each line ten times.
pub(crate) fn tenfold(rows: &Batch) -> Mapped {
    let origins: Vec<u32> = (0..rows.rows).flat_map(|row| [row; 10]).collect();
    let given = read_texts(&rows.columns[0]);
    let lines: Vec<&str> = origins.iter().map(|&row| given[row as usize]).collect();
    let count = origins.len() as u32;
    Mapped { rows: batch(count, vec![text(&lines)]), origins: Origins::Rows(numbers(&origins)), rejected: Vec::new() }
}

/// For each line, which is a number, a list of so many records of one boolean each.
pub(crate) fn bits_of_lines(rows: &Batch) -> Mapped {
    let counts: Vec<u32> = read_texts(&rows.columns[0]).iter().map(|line| line.parse().unwrap_or(0)).collect();
    Mapped { rows: batch(rows.rows, bits(&counts)), origins: Origins::Same, rejected: Vec::new() }
}

/// Lists of so many records of one boolean each.
pub(crate) fn bits(counts: &[u32]) -> Vec<Column> {
    let ends = counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end)
    });
    let offsets: Vec<u32> = std::iter::once(0).chain(ends).collect();
    let count: u32 = counts.iter().sum();
    let empty = || Column { validity: None, offsets: Vec::new(), values: Vec::new() };
    let booleans = Column { values: vec![0; count.div_ceil(8) as usize], ..empty() };
    vec![Column { offsets: numbers(&offsets), ..empty() }, empty(), booleans]
}
