//! Side inputs: what stages have left of a stream for all partitions of another stage, put together once.

use std::{collections::HashMap, sync::Arc};

use tidemill_guest::Usage;
use tidemill_model::{
    columns::{Column, ColumnBuffer, RowsBuffer},
    time::Timestamp,
};
use tidemill_plan::{
    graph::{SideInput, Then},
    stages::{ExchangeId, Sequence, StepKind},
};

use super::{Run, exchanges::Exchanges, skip::Failed};
use crate::{
    failure::{Cause, RunError},
    operators::{Batch, SharedRows},
};

/// What side inputs had in the last batch: one that has the same again is not given to instances that have it.
#[derive(Default)]
pub(super) struct Shares {
    last: HashMap<ExchangeId, Arc<RowsBuffer>>,
}

impl Shares {
    fn take(
        &mut self,
        exchange: ExchangeId,
        input: &SideInput,
        exchanges: &mut Exchanges,
        batch: &Batch,
    ) -> Result<SharedRows, Cause> {
        let mut rows = RowsBuffer::new(&input.rows);
        for slice in exchanges.take(&[exchange], Sequence::Arrival).remove(&0).unwrap_or_default() {
            slice.with_rows(|more| rows.extend(more))?;
            batch.hold(held_bytes(&rows))?;
        }
        batch.hold(held_bytes(&rows))?;
        // Each value takes its time, however few bits it has.
        let bytes = rows.bytes().max(rows.len().saturating_mul(rows.columns().len()));
        batch.budget.spend(Usage { rows: rows.len() as u64, bytes: bytes as u64, ..Usage::default() })?;
        let last = self.last.get(&exchange).filter(|last| is_same(last, &rows)).cloned();
        let rows = last.unwrap_or_else(|| Arc::new(rows));
        self.last.insert(exchange, rows.clone());
        Ok(SharedRows { name: input.name.as_str().into(), rows })
    }
}

impl Run {
    /// The side inputs of a stage whose function reads any; what fails is a failure of its stream.
    pub(super) fn share(&mut self, stage: usize, time: Timestamp) -> Result<Option<Arc<[SharedRows]>>, Failed> {
        let shape = &self.stages.stages[stage];
        let (StepKind::Part(id, _), false) = (shape.steps[0].kind, shape.shared.is_empty()) else { return Ok(None) };
        let node = self.plan.node(id);
        let batch = &self.tasks[stage][0].as_ref().expect("no task is with a worker now").batch;
        let inputs = shape.shared.iter().zip(&node.shared);
        let taken = inputs.map(|(&exchange, input)| self.shares.take(exchange, input, &mut self.exchanges, batch));
        taken.collect::<Result<Arc<[SharedRows]>, Cause>>().map(Some).map_err(|cause| {
            let skips = match cause {
                Cause::OverBudget { .. } => batch.budget.skips,
                _ => node.then() == Then::SkipBatch,
            };
            let skips = cause.is_of_batch() && skips;
            let (pipeline, stream, cause) = (self.plan.name.clone(), node.name.clone(), Box::new(cause));
            let error = RunError::Operator { pipeline, stream, partition: 0, batch: time, cause };
            if skips { Failed::Batch(error) } else { Failed::Run(error) }
        })
    }
}

/// Columns are held whatever is in them.
fn held_bytes(rows: &RowsBuffer) -> usize {
    rows.bytes() + rows.schema().nodes() * size_of::<ColumnBuffer>()
}

fn is_same(one: &RowsBuffer, other: &RowsBuffer) -> bool {
    let same = |(one, other): (&Column<'_>, &Column<'_>)| {
        (one.validity, one.offsets, one.values) == (other.validity, other.offsets, other.values)
    };
    one.len() == other.len() && one.columns().iter().zip(&other.columns()).all(same)
}
