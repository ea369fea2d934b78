//! What a batch led to, by output and by stream with state.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use tidemill_checkpoint::{Section, SectionKind, StateSchema};
use tidemill_model::schema::Schema;

use crate::checkpoint::{KeyedRows, Renames, RestoreError};

/// What a batch led to.
#[derive(Debug, Default)]
pub struct BatchRows {
    /// The rows of each output that had a batch.
    pub outputs: BTreeMap<String, OutputRows>,
    /// For each stream that keeps state the keys that changed, and what they are.
    pub states: BTreeMap<String, Vec<KeyedRows>>,
    /// Counters after the batch, by name.
    pub counters: Vec<(String, u64)>,
}

/// An output's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputRows {
    /// Rows by partition, each batch with its schema; none without rows.
    pub partitions: BTreeMap<u32, Vec<(Schema, RecordBatch)>>,
}

impl BatchRows {
    /// What stands in the sections of a commit. `schemas` says what the states were, `renames` what streams are called now.
    pub(super) fn try_new(
        sections: Vec<Section>,
        schemas: &[StateSchema],
        renames: &Renames,
        counters: Vec<(String, u64)>,
    ) -> Result<BatchRows, RestoreError> {
        let mut rows = BatchRows { counters, ..BatchRows::default() };
        for section in sections {
            match section.kind {
                SectionKind::Output => rows.outputs.entry(section.stream.clone()).or_default().add(section)?,
                SectionKind::State => {
                    let no_stream = || RestoreError::NoStream { stream: section.stream.clone() };
                    let schema = schemas.iter().find(|schema| schema.stream == section.stream);
                    let schema = schema.ok_or_else(no_stream)?;
                    let blocks = section.batches.iter().map(|block| KeyedRows::try_new(schema, block));
                    let blocks: Vec<KeyedRows> = blocks.collect::<Result<_, _>>()?;
                    rows.states.entry(renames.now(&section.stream).to_owned()).or_default().extend(blocks);
                }
                SectionKind::Input => {}
            }
        }
        Ok(rows)
    }
}

impl OutputRows {
    fn add(&mut self, section: Section) -> Result<(), RestoreError> {
        for batch in section.batches.into_iter().filter(|batch| batch.num_rows() > 0) {
            let schema = Schema::from_arrow(batch.schema_ref()).ok_or_else(|| RestoreError::Schema {
                stream: section.stream.clone(),
                schema: batch.schema_ref().to_string(),
            })?;
            self.partitions.entry(section.partition).or_default().push((schema, batch));
        }
        Ok(())
    }
}
