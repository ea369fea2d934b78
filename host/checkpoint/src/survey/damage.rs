//! Which files are damaged or missing, and what that means. Pure.

use crate::{
    input::SegmentFound,
    record::{Record, outbox_name, record_name, segment_name, snapshot_name},
    recover::{Recovery, Scanned},
    survey::{History, OutboxFound, plans},
};

/// A file that is not as it was written, or is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, or the first and the last of several.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// What it means.
    pub consequence: Consequence,
}

/// What a damaged file means for who runs the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// A run is refused.
    Refused,
    /// A run passes over it: it is the newest record, and what it said is lost.
    PassedOver,
    /// A run does not need it. Past batches that do cannot be run again.
    NotNeeded,
}

/// Everything that is wrong, by folder and number. `recovery` is what a run would go on from, if it would.
pub(super) fn of(
    History { records, snapshots, .. }: &History,
    segments: &[SegmentFound],
    outboxes: &[OutboxFound],
    recovery: Option<&Recovery>,
) -> Vec<Damage> {
    let passed_over = recovery.and_then(|recovery| recovery.fell_back.as_ref()).map(|record| record.number);
    let rest = if recovery.is_some() { Consequence::NotNeeded } else { Consequence::Refused };
    let damaged = |name: String, what: &str| Damage { name, what: what.to_owned(), consequence: rest };
    let mut damage: Vec<Damage> = Vec::new();
    for record in records {
        if let Err(what) = &record.found {
            let is_passed_over = passed_over == Some(record.number);
            let consequence = if is_passed_over { Consequence::PassedOver } else { rest };
            damage.push(Damage { consequence, ..damaged(record_name(record.number), what) });
        }
    }
    let missing = |(first, last): (u64, u64), name: fn(u64) -> String| match last {
        _ if first == last => damaged(name(first), "it is missing"),
        _ => damaged(format!("{} to {}", name(first), name(last)), "they are missing"),
    };
    damage.extend(gaps(&record_numbers(records)).map(|gap| missing(gap, record_name)));
    for snapshot in snapshots {
        damage.extend(snapshot.damaged.iter().map(|what| damaged(snapshot_name(snapshot.commit), what)));
    }
    for outbox in outboxes {
        // What is passed over is the commit with its rows.
        let is_passed_over = outbox.commit.is_some() && passed_over == outbox.commit;
        let consequence = if is_passed_over { Consequence::PassedOver } else { rest };
        let damaged = |what: &String| Damage { consequence, ..damaged(outbox_name(outbox.number), what) };
        damage.extend(outbox.damaged.iter().map(damaged));
    }
    for segment in segments {
        damage.extend(segment.damaged.iter().map(|what| damaged(segment_name(segment.segment), what)));
    }
    damage.extend(gaps(&segment_numbers(records, segments)).map(|gap| missing(gap, segment_name)));
    damage
}

/// The numbers that are there, from the first on before which gaps are as they should be: of what is cleaned away only
/// claims stay.
fn record_numbers(records: &[Scanned]) -> Vec<u64> {
    let is_no_claim =
        |record: &&Scanned| record.found.as_ref().is_ok_and(|header| !matches!(header.record, Record::Claim { .. }));
    let first = records.iter().find(is_no_claim).map_or(u64::MAX, |record| record.number);
    records.iter().map(|record| record.number).filter(|&number| number >= first).collect()
}

/// The segments that are there, behind the one before the first that a plan needs.
fn segment_numbers(records: &[Scanned], segments: &[SegmentFound]) -> Vec<u64> {
    let logged = plans(records).flat_map(|plan| &plan.sources).filter_map(|source| source.logged);
    let needed = logged.filter(|range| range.first < range.end).map(|range| (range.first.segment, range.end.segment));
    let (first, last) = needed.fold((u64::MAX, 0), |(first, last), (from, to)| (first.min(from), last.max(to)));
    let before = (first != u64::MAX).then(|| first.saturating_sub(1));
    let behind = (last > 0).then(|| last.saturating_add(1));
    let mut numbers: Vec<u64> = segments.iter().map(|segment| segment.segment).chain(before).chain(behind).collect();
    numbers.sort_unstable();
    numbers
}

/// What is missing between two numbers that are there, each gap with its first and last. A number may stand there twice.
fn gaps(numbers: &[u64]) -> impl Iterator<Item = (u64, u64)> + '_ {
    let pairs = numbers.windows(2).map(|pair| (pair[0].saturating_add(1), pair[1].saturating_sub(1)));
    pairs.filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_between_numbers() {
        let check = |numbers: &[u64], expect: &[(u64, u64)]| {
            assert_eq!(gaps(numbers).collect::<Vec<_>>(), expect, "{numbers:?}");
        };
        check(&[], &[]);
        check(&[7], &[]);
        check(&[1, 2, 3], &[]);
        check(&[1, 3, 4, 8], &[(2, 2), (5, 7)]);
        check(&[1, u64::MAX], &[(2, u64::MAX - 1)]);
        check(&[3, 3, 5, 5, 6], &[(4, 4)]);
        check(&[0, 0, 2], &[(1, 1)]);
    }
}
