//! Whether a pipeline can go on with a checkpoint's states and sources; see [`crate::foreseen`].

use std::collections::BTreeSet;

use tidemill_checkpoint::{BatchPlan, Glance, Number, Section, SectionKind, TableSchema};
use tidemill_plan::graph::Plan;

use super::{
    Renames, RestoreError, TableId,
    lineage::newest,
    restore::{check_kept, evolution, other_version, states_of},
};

/// The states of a stream that a run migrates before its first batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationAhead {
    /// The stream, or its table.
    pub stream: String,
    /// The version that they have.
    pub from: u32,
    /// The version that they are to have.
    pub to: u32,
}

/// Refuses a checkpoint whose sources or states the pipeline cannot go on with; `wanted` is what its streams keep. Gives what has to
/// be migrated: that may still fail, being a guest's.
pub(crate) fn check(
    glance: &Glance,
    plan: &Plan,
    wanted: &[TableSchema],
    renames: &Renames,
) -> Result<Vec<MigrationAhead>, RestoreError> {
    let recovery = &glance.recovery;
    let sources = plan.nodes.iter().filter(|node| node.source().is_some());
    let sources: Vec<&str> = sources.map(|node| node.name.as_str()).collect();
    let last = recovery.last.as_ref().map(|last| &last.plan);
    check_sources(last, recovery.planned.as_ref().map(|planned| &planned.plan), &sources, renames)?;
    check_states(glance, wanted, renames.clone())
}

/// Refuses a source that may be one of the checkpoint's under another name: it would give its input once more. One that has
/// gone is told of, and one that has come begins at its beginning.
pub(crate) fn check_sources(
    last: Option<&BatchPlan>,
    planned: Option<&BatchPlan>,
    sources: &[&str],
    renames: &Renames,
) -> Result<(), RestoreError> {
    let names = |plan: Option<&BatchPlan>| -> Vec<String> {
        plan.iter().flat_map(|plan| &plan.sources).map(|source| renames.now(&source.stream).to_owned()).collect()
    };
    let away = |plan: Option<&BatchPlan>| -> Vec<String> {
        plan.iter().flat_map(|plan| &plan.away).map(|source| renames.now(&source.stream).to_owned()).collect()
    };
    let (before, newest) = ([names(last), away(last), away(planned)].concat(), names(planned.or(last)));
    let gone = newest.iter().find(|source| !sources.contains(&source.as_str()));
    let come = sources.iter().find(|&&source| !before.iter().chain(&newest).any(|known| known == source));
    match (gone, come) {
        (Some(gone), Some(&come)) => Err(RestoreError::Source { gone: gone.clone(), come: come.to_owned() }),
        _ => Ok(()),
    }
}

fn check_states(
    glance: &Glance,
    wanted: &[TableSchema],
    renames: Renames,
) -> Result<Vec<MigrationAhead>, RestoreError> {
    let mut migrations = Vec::new();
    let recovery = &glance.recovery;
    let numbers: Vec<Number> = recovery.snapshot.iter().chain(&recovery.deltas).copied().collect();
    let history: Vec<&[TableSchema]> =
        numbers.iter().filter_map(|&number| states_of(&glance.records, number)).collect();
    let renames = renames.learn(history.iter().rev().copied());
    if let Some((old, now)) = renames.taken {
        return Err(RestoreError::NameTaken { old, now });
    }
    for wanted in wanted {
        if let Some(stored) = newest(&history, &renames, &TableId::of(wanted, &renames)) {
            check_stream(&stored, wanted)?;
            if stored.version < wanted.version {
                let stream = TableId::of(wanted, &renames).to_string();
                migrations.push(MigrationAhead { stream, from: stored.version, to: wanted.version });
            }
        }
    }
    // What a source kept is of no use without it.
    let stored = history.iter().flat_map(|tables| tables.iter()).filter(|table| !table.is_of_source);
    let stored: BTreeSet<TableId> = stored.map(|table| TableId::of(table, &renames)).collect();
    let is_wanted = |id: &TableId| wanted.iter().any(|wanted| TableId::of(wanted, &renames) == *id);
    let gone: Vec<&TableId> = stored.iter().filter(|id| !is_wanted(id)).collect();
    if !gone.is_empty()
        && let Some(table) = find_state(glance, &|section| gone.contains(&&TableId::of_section(section, &renames)))
    {
        return Err(RestoreError::NoStream { stream: table });
    }
    Ok(migrations)
}

fn check_stream(stored: &TableSchema, wanted: &TableSchema) -> Result<(), RestoreError> {
    check_kept(stored, wanted)?;
    if stored.version > wanted.version {
        return Err(other_version(stored, wanted));
    }
    if stored.version == wanted.version {
        evolution(&wanted.stream, &stored.rows, &wanted.rows)?;
    }
    Ok(())
}

/// A table that is gone and has rows: if nothing was ever kept for it, it does not matter. What cannot be read is
/// another's concern.
fn find_state(glance: &Glance, is_gone: &dyn Fn(&Section) -> bool) -> Option<String> {
    let Glance { recovery, archive, .. } = glance;
    let snapshot = recovery.snapshot.iter().map(|&number| archive.read_snapshot(number));
    let commits = recovery.deltas.iter().map(|&number| archive.sections(number));
    let sections = snapshot.chain(commits).filter_map(Result::ok).flatten().filter_map(Result::ok);
    let mut with_state = sections
        .filter(|section| section.kind == SectionKind::State && section.batches.iter().any(|rows| rows.num_rows() > 0));
    with_state
        .find(|section| is_gone(section))
        .map(|Section { stream, table, .. }| TableId { stream, table }.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidemill_checkpoint::SourcePin;
    use tidemill_model::time::Timestamp;

    use super::*;

    /// Sources of the last batch, of the one that is run again, and of the pipeline, told as `a b`; what is refused as
    /// `gone>come`.
    #[track_caller]
    fn check(last: &str, planned: Option<&str>, sources: &str, refused: &str) {
        let plan = |told: &str| {
            let source = |stream: &str| SourcePin { stream: stream.to_owned(), pin: "{}".to_owned(), logged: None };
            let sources = told.split_whitespace().map(source).collect();
            BatchPlan {
                batch: Timestamp(1),
                sources,
                plugins: Vec::new(),
                delivered: None,
                tables: Vec::new(),
                away: Vec::new(),
            }
        };
        let (last, planned) = (plan(last), planned.map(plan));
        let sources: Vec<&str> = sources.split_whitespace().collect();
        let found = match check_sources(Some(&last), planned.as_ref(), &sources, &Renames::default()) {
            Err(RestoreError::Source { gone, come }) => format!("{gone}>{come}"),
            Err(other) => other.to_string(),
            Ok(()) => String::new(),
        };
        assert_eq!(found, refused);
    }

    #[test]
    fn a_source_that_may_have_another_name_is_refused() {
        check("a b", None, "a b", "");
        check("a b", None, "a", "");
        check("a", None, "a b", "");
        check("a", None, "b", "a>b");
        check("a b", None, "b c", "a>c");
    }

    #[test]
    fn a_batch_that_is_run_again_says_it_newer() {
        check("a", Some("a b"), "a b", "");
        check("a b", Some("b"), "b", "");
        check("a b", Some("b"), "a b", "");
        check("a", Some("b"), "b", "");
        check("a", Some("b"), "c", "b>c");
    }

    /// What was kept and is gone matters if there was anything in it.
    #[test]
    fn a_table_without_rows_is_not_missed() {
        use tidemill_checkpoint::{Commit, Log, MemoryStorage, Record, Storage};
        use tidemill_model::testing::{Value, buffer_of};

        for (kind, rows, expect) in [
            (SectionKind::State, vec![], None),
            (SectionKind::State, vec![0], None),
            (SectionKind::State, vec![0, 1], Some("gone")),
            (SectionKind::State, vec![2], Some("gone")),
            (SectionKind::Output, vec![2], None),
        ] {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            let (mut log, _) = Log::open(storage.clone(), "p", "host", Timestamp(0)).expect("a new log");
            let batch = Timestamp(1);
            let plan =
                BatchPlan { batch, sources: vec![], plugins: vec![], delivered: None, tables: vec![], away: vec![] };
            let plan = log.append(Record::Plan(plan), &[]).expect("a plan");
            let schema = "n: integer".parse().expect("a schema");
            let block = |&rows: &usize| {
                let rows = buffer_of(&schema, &vec![vec![Value::Integer(7)]; rows]);
                rows.to_batch(&schema.to_arrow()).expect("rows of the schema")
            };
            let batches = rows.iter().map(block).collect();
            let (stream, table) = ("gone".to_owned(), String::new());
            let section = Section { kind, stream, table, partition: 0, batches };
            let commit = Commit { batch, plan, counters: vec![], tables: vec![], outbox: None };
            log.append(Record::Commit(commit), &[section]).expect("a commit");
            let glance = Log::glance(&storage, "p").expect("a checkpoint");
            assert_eq!(
                find_state(&glance, &|section| section.stream == "gone").as_deref(),
                expect,
                "{kind:?} {rows:?}"
            );
            assert_eq!(find_state(&glance, &|_| false), None);
        }
    }
}
