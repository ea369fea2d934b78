//! A checkpoint as one JSON object.

use serde_json::{Value, json};
use tidemill_checkpoint::{
    BatchFound, Consequence, InputPosition, PluginDigest, Record, Recovery, SourcePin, Survey, VERSION,
};
use tidemill_model::time::Timestamp;

use super::checkpoint::{Looked, advice};
use crate::{failure::chain, pipeline::hex};

/// Everything that is known. Times are milliseconds since 1970, as batches are named.
pub fn of(looked: &mut Looked) -> String {
    let Looked { place, survey, states } = looked;
    let damage = survey.damage.iter().map(|damage| {
        let needed = damage.consequence == Consequence::Refused;
        json!({ "file": damage.name, "what": damage.what, "needed": needed, "advice": advice(damage) })
    });
    let states = states.iter_mut().flat_map(|states| states.tables()).map(|(_, schema, size)| {
        json!({
            "stream": schema.stream,
            "table": schema.table,
            "function": schema.function,
            "key": schema.keys,
            "state": schema.rows,
            "version": schema.version,
            "keys": size.rows,
            "bytes": size.bytes,
        })
    });
    let value = json!({
        "pipeline": survey.history.pipeline,
        "format": VERSION,
        "place": place,
        "next": next(survey),
        "delivered": survey.recovery.as_ref().ok().and_then(|recovery| recovery.delivered).map(Timestamp::millis),
        "states": states.collect::<Vec<_>>(),
        "batches": survey.history.batches().iter().map(|found| batch(survey, found)).collect::<Vec<_>>(),
        "records": records(survey),
        "snapshots": snapshots(survey),
        "outboxes": outboxes(survey),
        "input": input(survey),
        "damage": damage.collect::<Vec<_>>(),
    });
    format!("{value:#}\n")
}

/// What a run that begins now would do.
fn next(survey: &Survey) -> Value {
    match &survey.recovery {
        Err(error) => json!({ "refused": chain(error) }),
        Ok(recovery) => {
            let Recovery { last, undelivered, planned, fell_back, .. } = recovery;
            json!({
                "behind": last.as_ref().map(|last| last.commit.batch.millis()),
                "again": planned.as_ref().map(|planned| planned.plan.batch.millis()),
                "deliver": undelivered.iter().map(|batch| batch.batch.millis()).collect::<Vec<_>>(),
                "passes_over": fell_back.as_ref().map(|fell_back| fell_back.number),
            })
        }
    }
}

fn batch(survey: &Survey, found: &BatchFound<'_>) -> Value {
    let contents = found.commit.and_then(|(number, _)| survey.contents.get(&number));
    json!({
        "batch": found.time.millis(),
        "plan": found.plan.map(|(number, _)| number),
        "commit": found.commit.map(|(number, _)| number),
        "bytes": found.bytes,
        "replayable": survey.history.has_past(found),
        "sources": found.plan.map(|(_, plan)| sources(&plan.sources)),
        "away": found.plan.map(|(_, plan)| sources(&plan.away)),
        "plugins": found.plan.map(|(_, plan)| plan.plugins.iter().map(plugin).collect::<Vec<_>>()),
        "outputs": contents.map(|contents| &contents.outputs),
        "changed": contents.map(|contents| &contents.states),
        "counters": found.commit.map(|(_, commit)| counters(&commit.counters)),
    })
}

fn sources(pins: &[SourcePin]) -> Value {
    let source = |SourcePin { stream, pin, logged }: &SourcePin| {
        let logged = logged.map(|range| json!({ "first": position(range.first), "end": position(range.end) }));
        let pin = if pin.is_empty() { Value::Null } else { serde_json::from_str(pin).unwrap_or(json!(pin)) };
        json!({ "stream": stream, "pin": pin, "input": logged })
    };
    pins.iter().map(source).collect()
}

fn position(position: InputPosition) -> Value {
    json!({ "segment": position.segment, "chunks": position.frames })
}

fn plugin(plugin: &PluginDigest) -> Value {
    json!({ "name": plugin.name, "sha256": hex(&plugin.sha256) })
}

fn counters(counters: &[(String, u64)]) -> Value {
    counters.iter().map(|(name, count)| (name.clone(), json!(count))).collect::<serde_json::Map<_, _>>().into()
}

fn records(survey: &Survey) -> Value {
    let records = survey.history.records.iter().map(|record| {
        let mut value = json!({ "number": record.number, "bytes": record.bytes });
        match &record.found {
            Err(what) => value["damaged"] = json!(what),
            Ok(header) => {
                value["kind"] = json!(super::text::kind(&header.record));
                value["generation"] = json!(header.generation);
                match &header.record {
                    Record::Claim { host, at } => {
                        value["host"] = json!(host);
                        value["at"] = json!(at.millis());
                    }
                    Record::Plan(plan) => value["batch"] = json!(plan.batch.millis()),
                    Record::Commit(commit) => value["batch"] = json!(commit.batch.millis()),
                    Record::Delivered { batch } => value["batch"] = json!(batch.millis()),
                    Record::Start(start) => {
                        value["sources"] = json!(start.sources.iter().map(|source| &source.stream).collect::<Vec<_>>());
                    }
                }
            }
        }
        value
    });
    records.collect()
}

fn snapshots(survey: &Survey) -> Value {
    let snapshots = survey
        .history
        .snapshots
        .iter()
        .map(|snapshot| json!({ "commit": snapshot.commit, "bytes": snapshot.bytes, "damaged": snapshot.damaged }));
    snapshots.collect()
}

fn outboxes(survey: &Survey) -> Value {
    let outboxes = survey.outboxes.iter().map(|outbox| {
        json!({
            "outbox": outbox.number,
            "commit": outbox.commit,
            "bytes": outbox.bytes,
            "damaged": outbox.damaged,
        })
    });
    outboxes.collect()
}

fn input(survey: &Survey) -> Value {
    let segments = survey.segments.iter().map(|segment| {
        json!({
            "segment": segment.segment,
            "bytes": segment.bytes,
            "chunks": segment.chunks,
            "counts": segment.counts,
            "loose_bytes": segment.loose.as_ref().map_or(0, |loose| loose.bytes),
            "damaged": segment.damaged,
        })
    });
    segments.collect()
}
