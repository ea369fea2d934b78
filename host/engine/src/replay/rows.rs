//! What a batch led to, by output and by stream with state.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use tidemill_checkpoint::{Section, SectionKind, TableSchema};
use tidemill_model::schema::Schema;

use crate::checkpoint::{Renames, RestoreError, TableId, TableRows};

/// What a batch led to.
#[derive(Debug, Default)]
pub struct BatchRows {
    /// The rows of each output that had a batch.
    pub outputs: BTreeMap<String, OutputRows>,
    /// For each table of a stream the rows that changed, and what they are. What sources keep is theirs.
    pub states: BTreeMap<TableId, Vec<TableRows>>,
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
        schemas: &[TableSchema],
        renames: &Renames,
        counters: Vec<(String, u64)>,
    ) -> Result<BatchRows, RestoreError> {
        let mut rows = BatchRows { counters, ..BatchRows::default() };
        for section in sections {
            match section.kind {
                SectionKind::Output => rows.outputs.entry(section.stream.clone()).or_default().add(section)?,
                SectionKind::State => {
                    let id = TableId::of_section(&section, renames);
                    let schema = TableId::new(&section.stream, &section.table).schema_in(schemas);
                    let schema = schema.ok_or_else(|| RestoreError::NoStream { stream: id.to_string() })?;
                    if schema.is_of_source {
                        continue;
                    }
                    let blocks = section.batches.iter().map(|block| TableRows::try_new(schema, block));
                    let blocks: Vec<TableRows> = blocks.collect::<Result<_, _>>()?;
                    rows.states.entry(id).or_default().extend(blocks);
                }
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
