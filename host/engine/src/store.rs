//! The tables of a pipeline. They belong to it, and not to those who work with them: a task is lent the tables of its partition
//! when a batch begins for it, and gives them back when it ends. So what becomes of state is decided here for all of it.

use tidemill_model::table::TableSpec;
use tidemill_plan::{
    graph::Plan,
    stages::{Stages, StepKind},
};
use tidemill_state::table::Table;

use crate::checkpoint::TableId;

/// All tables of a run.
pub(crate) struct StateStore {
    kept: Vec<Kept>,
    /// The tables note what changes.
    notes: bool,
}

/// A table that a stream keeps, in all of its partitions.
pub(crate) struct Kept {
    stream: String,
    spec: TableSpec,
    /// Who works with it.
    stage: usize,
    step: usize,
    /// `None` while it is lent.
    partitions: Vec<Option<Table>>,
}

/// Tables on loan, each with its step in the stage and its place in the store.
pub(crate) type Lent = Vec<(usize, usize, Table)>;

impl StateStore {
    /// Empty tables; `seed` is for the hashes of keys. `may_skip`: a batch may have to be undone.
    pub(crate) fn new(plan: &Plan, stages: &Stages, seed: u64, may_skip: bool) -> StateStore {
        let mut kept = Vec::new();
        for (stage, shape) in stages.stages.iter().enumerate() {
            for (step, kind) in shape.steps.iter().map(|step| step.kind).enumerate() {
                let StepKind::Part(id, part) = kind else { continue };
                let node = plan.node(id);
                for spec in &node.parts[part].tables {
                    let table = |partition: u32| {
                        let mut table = Table::new(spec.kind, &spec.rows, seed ^ u64::from(partition) << 32);
                        table.keep_undo(may_skip);
                        Some(table)
                    };
                    let partitions = (0..shape.partitions).map(table).collect();
                    kept.push(Kept { stream: node.name.clone(), spec: spec.clone(), stage, step, partitions });
                }
            }
        }
        StateStore { kept, notes: false }
    }

    /// Lends the tables of a stage's partition for a batch, which begins for them.
    pub(crate) fn lend(&mut self, stage: usize, partition: usize) -> Lent {
        let mut lent = Vec::new();
        for (place, kept) in self.kept.iter_mut().enumerate().filter(|(_, kept)| kept.stage == stage) {
            if let Some(mut table) = kept.partitions[partition].take() {
                table.begin_batch();
                lent.push((kept.step, place, table));
            }
        }
        lent
    }

    /// Takes tables of a partition back.
    pub(crate) fn take_back(&mut self, partition: usize, lent: Lent) {
        for (_, place, table) in lent {
            self.kept[place].partitions[partition] = Some(table);
        }
    }

    /// Every table of which it is noted what changes, each with its partitions.
    pub(crate) fn noted(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(|_| self.notes)
    }

    /// The same, to fill them.
    pub(crate) fn kept_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.kept.iter_mut()
    }

    /// From now on the tables note what changes.
    pub(crate) fn note_changes(&mut self) {
        self.notes = true;
        self.tables_mut().for_each(|table| table.note_changes(true));
    }

    /// The batch counts.
    pub(crate) fn end_batch(&mut self) {
        self.tables_mut().for_each(Table::end_batch);
    }

    /// The batch does not count: everything is as it was before it.
    pub(crate) fn undo(&mut self) {
        self.tables_mut().for_each(Table::undo);
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        self.kept.iter_mut().flat_map(|kept| kept.partitions.iter_mut().flatten())
    }
}

impl Kept {
    /// Its name.
    pub(crate) fn id(&self) -> TableId {
        TableId::new(&self.stream, &self.spec.name)
    }

    /// The tables of the partitions, none of them on loan now.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (u32, &Table)> {
        (0u32..).zip(&self.partitions).filter_map(|(partition, table)| Some((partition, table.as_ref()?)))
    }

    /// The same, to fill them.
    pub(crate) fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        self.partitions.iter_mut().flatten()
    }
}
