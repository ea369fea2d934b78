//! Some of the rows of a batch, as if each were drawn by lot.

use tidemill_model::columns::{Rows, RowsBuffer};
use tidemill_plan::graph;

use super::{Batch, Making, Operator, Out};
use crate::failure::{Cause, RunError};

/// The operator of a stream that is a sample.
pub(super) fn make(making: Making<'_>) -> Result<Box<dyn Operator>, RunError> {
    let node = making.node;
    let graph::Operator::Sample(sample) = node.operator else {
        unreachable!("a sample is made of {:?}", node.operator)
    };
    Ok(Box::new(Sample { sample, seen: 0 }))
}

/// All rows of the batch come to one partition, in their order, so that each has a number.
struct Sample {
    sample: graph::Sample,
    seen: u64,
}

impl Sample {
    /// Whether the row with this number is taken.
    fn takes(&self, batch: &Batch, number: u64) -> bool {
        let lot = mixed(mixed(mixed(self.sample.seed) ^ batch.time.0 as u64) ^ number);
        // 53 bits make a float from 0 up to 1, without 1.
        ((lot >> 11) as f64) < self.sample.fraction * (1_u64 << 53) as f64
    }
}

/// A number that looks random and follows from another: the output function of splitmix64 (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Operator for Sample {
    fn begin(&mut self, _batch: &Batch) {
        self.seen = 0;
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let first = self.seen;
        self.seen += rows.len as u64;
        let taken: Vec<u32> = (0..rows.len as u32).filter(|&row| self.takes(batch, first + u64::from(row))).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let mut sample = RowsBuffer::new(rows.schema);
        sample.take(rows, &taken)?;
        out.push(batch, &sample.with_columns(&sample.columns()))
    }
}
