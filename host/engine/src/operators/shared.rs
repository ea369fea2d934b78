//! Side inputs: rows of a stream that a function gets as a whole, before the calls of a batch.

use std::sync::Arc;

use tidemill_guest::{Instance, Verdict};
use tidemill_model::{
    columns::{Rows, RowsBuffer},
    schema::Schema,
};
use tidemill_plan::graph::SideInput;

use super::{Batch, Gather, Operator, Out};
use crate::{failure::Cause, pieces::Piece};

/// What a side input has in a batch: the same for all partitions, which share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedRows {
    /// What the function calls it.
    pub(crate) name: Arc<str>,
    /// Another one where the rows are others.
    pub(crate) rows: Arc<RowsBuffer>,
}

/// Leaves of a stream the fields that are read as a side input.
pub(crate) struct Share {
    fields: Vec<usize>,
    schema: Schema,
    left: Gather,
}

/// Which side inputs an instance has been given.
#[derive(Default)]
pub(super) struct Given {
    shared: Option<Arc<[SharedRows]>>,
    /// For each of them what the instance has.
    has: Vec<Option<Arc<RowsBuffer>>>,
}

impl Share {
    pub(crate) fn new(input: &SideInput) -> Share {
        Share { fields: input.fields.clone(), schema: input.rows.clone(), left: Gather::new(&input.rows, None) }
    }
}

impl Operator for Share {
    fn begin(&mut self, batch: &Batch) {
        self.left.begin(batch);
    }

    fn push(&mut self, batch: &mut Batch, rows: &Rows<'_>, out: &mut dyn Out) -> Result<(), Cause> {
        let columns = rows.project(&self.fields);
        self.left.push(batch, &Rows { schema: &self.schema, len: rows.len, columns: &columns }, out)
    }

    fn leave(&mut self, all: bool) -> Vec<(u32, Piece)> {
        self.left.leave(all)
    }

    fn held_bytes(&self) -> usize {
        self.left.held_bytes()
    }
}

impl Given {
    /// What calls get from here on.
    pub(super) fn begin(&mut self, shared: &Arc<[SharedRows]>) {
        self.has.resize(shared.len(), None);
        self.shared = Some(shared.clone());
    }

    /// There is a new instance, which has nothing.
    pub(super) fn renew(&mut self) {
        self.has.fill(None);
    }

    /// Gives an instance what it has not yet. An error says of which side input it is.
    pub(super) fn give(&mut self, instance: &mut Instance) -> Result<(), (String, Verdict)> {
        let Some(shared) = &self.shared else { return Ok(()) };
        for (input, has) in shared.iter().zip(&mut self.has) {
            if has.as_ref().is_some_and(|has| Arc::ptr_eq(has, &input.rows)) {
                continue;
            }
            let columns = input.rows.columns();
            let shared = instance.share(&input.name, &input.rows.with_columns(&columns));
            shared.map_err(|verdict| (input.name.to_string(), verdict))?;
            *has = Some(input.rows.clone());
        }
        Ok(())
    }
}
