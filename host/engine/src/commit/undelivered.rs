//! Whether the outputs of a pipeline can be given what a checkpoint has for them: asked before it is taken over.

use std::collections::BTreeSet;

use tidemill_checkpoint::{Glance, Number, Record, Section, SectionKind};
use tidemill_model::time::Timestamp;
use tidemill_plan::graph::{Output, Plan};

use super::sinks::undeliverable;
use crate::failure::RunError;

/// Refuses a pipeline that lacks an output of a batch which is to be delivered again, or whose output has other fields now.
pub(crate) fn check_undelivered(plan: &Plan, glance: &Glance) -> Result<(), RunError> {
    glance.recovery.undelivered.iter().try_for_each(|one| check_batch(plan, glance, one.number, one.batch))
}

fn check_batch(plan: &Plan, glance: &Glance, number: Number, batch: Timestamp) -> Result<(), RunError> {
    for section in glance.archive.sections(number)? {
        let section = section?;
        if section.kind == SectionKind::Output {
            check_rows(output(plan, &section.stream, batch)?, &section, batch)?;
        }
    }
    let record = glance.records.iter().find(|record| record.number == number);
    let Some(Ok(Record::Commit(commit))) = record.map(|record| record.found.as_ref().map(|header| &header.record))
    else {
        return Ok(());
    };
    let Some(outbox) = &commit.outbox else { return Ok(()) };
    let mut unseen = BTreeSet::new();
    for beside in &outbox.outputs {
        output(plan, &beside.output, batch)?;
        unseen.insert(beside.output.as_str());
    }
    // All rows of an output have the same fields, and there may be gigabytes of them.
    let mut sections = glance.archive.outbox(outbox)?;
    while !unseen.is_empty()
        && let Some(section) = sections.next().transpose()?
    {
        if unseen.remove(section.stream.as_str()) {
            check_rows(output(plan, &section.stream, batch)?, &section, batch)?;
        }
    }
    Ok(())
}

fn output<'a>(plan: &'a Plan, name: &str, batch: Timestamp) -> Result<&'a Output, RunError> {
    let found = plan.outputs.iter().find(|output| output.name == name);
    found.ok_or_else(|| undeliverable(name, batch, "the pipeline no longer has it"))
}

fn check_rows(output: &Output, section: &Section, batch: Timestamp) -> Result<(), RunError> {
    let arrow = output.schema.to_arrow();
    match section.batches.iter().all(|rows| rows.schema().fields() == arrow.fields()) {
        true => Ok(()),
        false => Err(undeliverable(&output.name, batch, "its rows now have other fields")),
    }
}
