//! A checkpoint as people read it.

use std::fmt::Write;

use tidemill_checkpoint::{
    BatchFound, BatchPlan, LoggedRange, OutboxFound, Record, Recovery, Scanned, SegmentFound, SnapshotFound, SourcePin,
    Survey, TableSchema, VERSION,
};
use tidemill_engine::checkpoint::{StoredSize, TableId};
use tidemill_model::{
    table::TableKind,
    text::{counted, shown},
};

use super::checkpoint::Looked;
use crate::{failure::chain, pipeline::hex};

/// Records and batches that are shown; JSON has all.
const SHOWN_MAX: usize = 20;

/// Characters of a source's position that are shown; JSON has all.
const PIN_CHARS_MAX: usize = 120;

/// Everything that is known, as sections with a headline each.
pub fn of(looked: &mut Looked) -> String {
    let Looked { place, survey, states } = looked;
    let mut text = format!("checkpoint of the pipeline `{}`, format version {VERSION}\n", survey.history.pipeline);
    line(&mut text, &format!("place        {place}"));
    if let Some(claim) = survey.history.records.iter().rev().find_map(claim) {
        line(&mut text, &format!("last claim   {claim}"));
    }
    line(&mut text, &format!("last batch   {}", last(&survey.recovery)));
    line(&mut text, &format!("a run would  {}", next(survey)));
    let tables = states.iter_mut().flat_map(|states| states.tables());
    let states: Vec<String> = tables.map(|(id, schema, size)| table(&id, schema, size)).collect();
    section(&mut text, "states", &states);
    let batches = survey.history.batches();
    section(&mut text, "batches", &batches.iter().map(|found| batch(survey, found)).collect::<Vec<_>>());
    if let Some(plan) = batches.iter().rev().find_map(|found| found.plan) {
        section(&mut text, "plugins of the last batch", &plugins(plan.1));
    }
    section(&mut text, "records", &survey.history.records.iter().map(record).collect::<Vec<_>>());
    section(&mut text, "snapshots", &survey.history.snapshots.iter().map(snapshot).collect::<Vec<_>>());
    section(&mut text, "rows beside their commit", &survey.outboxes.iter().map(outbox).collect::<Vec<_>>());
    section(&mut text, "input", &survey.segments.iter().map(segment).collect::<Vec<_>>());
    text
}

/// The name of a kind of record.
pub fn kind(record: &Record) -> &'static str {
    match record {
        Record::Claim { .. } => "claim",
        Record::Plan(_) => "plan",
        Record::Commit(_) => "commit",
        Record::Delivered { .. } => "delivered",
        Record::Start(_) => "start",
    }
}

/// A headline and the last of these lines.
fn section(text: &mut String, headline: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let left_out = lines.len().saturating_sub(SHOWN_MAX);
    let which = if left_out > 0 { format!(", the last {SHOWN_MAX} of {}", lines.len()) } else { String::new() };
    let _ = writeln!(text, "\n{headline}{which}");
    lines[left_out..].iter().for_each(|shown| line(text, shown));
}

fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "  {line}");
}

fn claim(record: &Scanned) -> Option<String> {
    let header = record.found.as_ref().ok()?;
    match &header.record {
        Record::Claim { host, at } => Some(format!("generation {}, {host}, {}", header.generation, at.utc())),
        _ => None,
    }
}

fn table(id: &TableId, schema: &TableSchema, size: StoredSize) -> String {
    let rows_in = match schema.kind == TableKind::Keyed {
        true => counted(size.rows, "key"),
        false => counted(size.rows, "row") + " in panes",
    };
    let bytes = counted(size.bytes, "byte");
    let by = if schema.function.is_empty() { "tidemill" } else { &schema.function };
    let TableSchema { rows, keys, version, .. } = schema;
    format!("{id}: {rows_in}, {bytes}; {by} keeps ({rows}) by ({keys}), version {version}")
}

fn last<E>(recovery: &Result<Recovery, E>) -> String {
    let Ok(recovery) = recovery else { return "not known".to_owned() };
    match recovery.last.as_ref().map(|last| last.commit.batch) {
        None => "none".to_owned(),
        Some(last) if recovery.delivered >= Some(last) => format!("{last}, delivered"),
        Some(last) => format!("{last}, not known to be delivered"),
    }
}

/// What a run that begins now would do.
fn next(survey: &Survey) -> String {
    let recovery = match &survey.recovery {
        Ok(recovery) => recovery,
        Err(error) => return format!("be refused: {}", chain(error)),
    };
    let mut steps = Vec::new();
    if let Some(fell_back) = &recovery.fell_back {
        steps.push(format!("pass over the damaged record {}", fell_back.number));
    }
    let batches: Vec<String> = recovery.undelivered.iter().map(|batch| batch.batch.to_string()).collect();
    match &batches[..] {
        [] => {}
        [batch] => steps.push(format!("deliver the batch {batch} again")),
        batches => steps.push(format!("deliver the batches {} again", batches.join(", "))),
    }
    if let Some(planned) = &recovery.planned {
        steps.push(format!("run the batch {} again, with the same input", planned.plan.batch));
    }
    let planned = recovery.planned.as_ref().map(|planned| planned.plan.batch);
    let last = planned.or(recovery.last.as_ref().map(|last| last.commit.batch));
    steps.push(last.map_or("begin with its first batch".to_owned(), |last| format!("go on after the batch {last}")));
    steps.join(", then ")
}

fn batch(survey: &Survey, found: &BatchFound<'_>) -> String {
    let BatchFound { time, plan, commit, bytes } = found;
    let number = |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
    let (plan_number, commit_number) = (plan.map(|(number, _)| number), commit.map(|(number, _)| number));
    let replay = if survey.history.has_past(found) { "" } else { ", cannot be replayed" };
    let mut text = format!(
        "{}: plan {}, commit {}, {}{replay}",
        time,
        number(plan_number),
        number(commit_number),
        counted(*bytes, "byte")
    );
    for source in plan.iter().flat_map(|(_, plan)| &plan.sources) {
        let _ = write!(text, "\n    from {}: {}", source.stream, position(source));
    }
    for source in plan.iter().flat_map(|(_, plan)| &plan.away) {
        let _ = write!(text, "\n    {} is away: {}", source.stream, position(source));
    }
    if let Some(contents) = commit_number.and_then(|number| survey.contents.get(&number)) {
        for (output, rows) in &contents.outputs {
            let _ = write!(text, "\n    to {output}: {}", counted(*rows, "row"));
        }
        for (stream, keys) in &contents.states {
            let _ = write!(text, "\n    state of {stream}: {} changed", counted(*keys, "key"));
        }
    }
    text
}

fn position(source: &SourcePin) -> String {
    if let Some(LoggedRange { first, end }) = source.logged {
        return match first.segment == end.segment {
            _ if first == end => "no input".to_owned(),
            true if first.frames + 1 == end.frames => format!("input chunk {} of segment {}", end.frames, end.segment),
            true => format!("input chunks {} to {} of segment {}", first.frames + 1, end.frames, end.segment),
            false => format!(
                "input from chunk {} of segment {} to chunk {} of segment {}",
                first.frames + 1,
                first.segment,
                end.frames,
                end.segment
            ),
        };
    }
    match source.pin.char_indices().nth(PIN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", shown(&source.pin[..end])),
        None => shown(&source.pin).into_owned(),
    }
}

fn plugins(plan: &BatchPlan) -> Vec<String> {
    plan.plugins.iter().map(|plugin| format!("{}  sha256 {}", plugin.name, hex(&plugin.sha256))).collect()
}

fn record(record: &Scanned) -> String {
    let (kind, what) = match &record.found {
        Err(what) => ("damaged", what.clone()),
        Ok(header) => {
            let what = match &header.record {
                Record::Claim { host, .. } => format!("{host}, generation {}", header.generation),
                Record::Plan(plan) => plan.batch.to_string(),
                Record::Commit(commit) => commit.batch.to_string(),
                Record::Delivered { batch } => batch.to_string(),
                Record::Start(start) => {
                    start.sources.iter().map(|source| source.stream.as_str()).collect::<Vec<_>>().join(", ")
                }
            };
            (kind(&header.record), what)
        }
    };
    format!("{:>8}  {kind:<9}  {:>10} bytes  {what}", record.number, record.bytes)
}

fn snapshot(snapshot: &SnapshotFound) -> String {
    let damaged = snapshot.damaged.as_ref().map_or(String::new(), |what| format!(", {what}"));
    format!("after commit {}: {}{damaged}", snapshot.commit, counted(snapshot.bytes, "byte"))
}

fn outbox(outbox: &OutboxFound) -> String {
    let of = outbox.commit.map_or("no commit names it".to_owned(), |commit| format!("of commit {commit}"));
    let damaged = outbox.damaged.as_ref().map_or(String::new(), |what| format!(", {what}"));
    format!("outbox {}: {of}, {}{damaged}", outbox.number, counted(outbox.bytes, "byte"))
}

fn segment(segment: &SegmentFound) -> String {
    let mut text = format!(
        "segment {}: {}, {}",
        segment.segment,
        counted(segment.chunks, "chunk"),
        counted(segment.bytes, "byte")
    );
    if let Some(what) = &segment.damaged {
        let _ = write!(text, ", {what}");
    }
    if let Some(loose) = &segment.loose {
        let _ = write!(text, ", the last {} of them not whole yet: they count for nothing", loose.bytes);
    }
    if !segment.counts {
        text.push_str(", of a host that had been fenced off: it counts for nothing");
    }
    text
}
