//! What a map returns.

use std::marker::PhantomData;

use crate::{
    bindings::{exports::tidemill::plugin::operators::Origins, tidemill::plugin::data::Batch},
    function::RowsFunction,
};

use super::{
    Failed, Kit, Noted,
    batch::{batch_of, check_columns, from_bytes, rows_of},
};

/// The rows that a map or an output returned, and what it rejected.
#[derive(Debug)]
pub struct Mapped<F> {
    chunks: Vec<Batch>,
    /// Empty where the function sees whole partitions.
    origins: Vec<usize>,
    rejected: Vec<(usize, String)>,
    noted: Noted,
    function: PhantomData<F>,
}

impl<F: RowsFunction> Mapped<F> {
    pub(super) fn run<'a>(kit: &Kit, rows: impl IntoIterator<Item = F::Input<'a>>) -> Result<Mapped<F>, Failed> {
        Noted::take();
        let mut operator = kit.open::<F>(Vec::new())?;
        let rows: Vec<F::Input<'a>> = rows.into_iter().collect();
        let signature = F::signature();
        let chunks = chunks(kit, &rows, signature.whole_partition);
        // Only a function that sees whole partitions is told which call is the last one.
        let calls = if signature.whole_partition { chunks.len() } else { chunks.len() + 1 };
        let (mut batches, mut origins, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0;
        for (place, chunk) in chunks.iter().enumerate() {
            let mapped = operator.map_rows(kit.call(place, calls), batch_of(*chunk))?;
            check_columns(&mapped.rows, &signature.output)?;
            match &mapped.origins {
                Origins::Same => origins.extend((0..mapped.rows.rows as usize).map(|row| first + row)),
                Origins::Rows(bytes) => origins.extend(from_bytes(bytes).iter().map(|row| first + row)),
                Origins::Many => {}
            }
            rejected.extend(mapped.rejected.into_iter().map(|row| (first + row.row as usize, row.reason)));
            batches.push(mapped.rows);
            first += chunk.len();
        }
        Ok(Mapped { chunks: batches, origins, rejected, noted: Noted::take(), function: PhantomData })
    }

    /// The returned rows, in order.
    #[track_caller]
    pub fn rows(&self) -> Vec<F::Output<'_>> {
        self.chunks.iter().flat_map(|batch| super::passed(rows_of(batch).map_err(Failed::from))).collect()
    }

    /// For each returned row the number of the input row that it came from; empty for a function over whole partitions.
    pub fn origins(&self) -> &[usize] {
        &self.origins
    }

    /// The rejected input rows, and why.
    pub fn rejected(&self) -> Vec<(usize, &str)> {
        self.rejected.iter().map(|(row, reason)| (*row, reason.as_str())).collect()
    }

    /// What the function logged and counted.
    pub fn noted(&self) -> &Noted {
        &self.noted
    }
}

/// The chunks of a partition's batch. As from the host, a whole partition's last one has no rows.
fn chunks<'r, T>(kit: &Kit, rows: &'r [T], whole_partition: bool) -> Vec<&'r [T]> {
    match whole_partition {
        true if rows.is_empty() => vec![rows],
        true => kit.chunks(rows).into_iter().chain([&rows[..0]]).collect(),
        false => kit.chunks(rows),
    }
}
