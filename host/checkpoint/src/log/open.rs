//! Taking a checkpoint over.

use std::sync::Arc;

use tidemill_model::{text::counted, time::Timestamp};

use super::{
    Archive, Fence, Log, Usage,
    scan::{Scan, numbered, read_header},
};
use crate::{
    error::CheckpointError,
    format::{FileKind, whole_file},
    outbox::{outbox_files, sweep},
    record::{Record, RecordHeader, record_name},
    recover::{FellBack, Recovery, Scanned, recover},
    storage::{Storage, StorageError},
};

/// How often a claim is tried when other hosts claim too.
const CLAIMS_MAX: usize = 16;

/// How many steps a claim makes behind a host at work, before it is looked anew: a try to claim, or a look at a record that was faster.
/// What one costs does not depend on how long the log is.
const STEPS_MAX: usize = 256;

/// What an opening finds before it claims the checkpoint.
#[derive(Debug)]
pub struct Glance {
    /// The records by number.
    pub records: Vec<Scanned>,
    /// What a run would go on from.
    pub recovery: Recovery,
    /// For reading what they hold.
    pub archive: Archive,
}

impl Log {
    /// Looks at the beginnings of a checkpoint's files, without disturbing a host at work. `None` if that does not tell what a run
    /// would go on from.
    pub fn glance(storage: &Arc<dyn Storage>, pipeline: &str) -> Option<Glance> {
        let Scan { records, snapshots, .. } = Scan::for_opening(&**storage, pipeline).ok()?;
        let recovery = recover(&records, &snapshots).ok()?;
        Some(Glance { records, recovery, archive: Archive::new(storage.clone(), pipeline, 0) })
    }

    /// What [`Log::open`] would go on from, and why it would refuse to; `None` if no run has begun there. Nothing is written, and a
    /// host at work is not disturbed.
    pub fn foresee(storage: &Arc<dyn Storage>, pipeline: &str) -> Result<Option<Glance>, CheckpointError> {
        for _ in 0..CLAIMS_MAX {
            let before = numbered(&**storage, "log")?;
            let looked = Scan::of(&**storage, pipeline)
                .and_then(|mut scan| scan.decide(&**storage, pipeline).map(|recovery| (scan, recovery)));
            match looked {
                Ok((Scan { records, .. }, _)) if records.is_empty() => return Ok(None),
                Ok((Scan { records, .. }, recovery)) => {
                    return Ok(Some(Glance { records, recovery, archive: Archive::new(storage.clone(), pipeline, 0) }));
                }
                // A host at work has added or cleaned meanwhile, and what was seen does not fit together.
                Err(_) if numbered(&**storage, "log")? != before => {}
                Err(error) => return Err(error),
            }
        }
        Err(CheckpointError::Contended { place: storage.place() })
    }

    /// Reads the checkpoint, decides what to go on from, and claims it for `host` (which no other opening is called).
    /// Nothing is written before everything that counts was read and found whole; another pipeline's checkpoint, a newer
    /// format or anything else in its folders is refused and left as it is.
    pub fn open(
        storage: Arc<dyn Storage>,
        pipeline: &str,
        host: &str,
        now: Timestamp,
    ) -> Result<(Log, Recovery), CheckpointError> {
        Log::open_unless(storage, pipeline, host, now, |_| Ok(()))
    }

    /// The same, unless `refuse` refuses what would be gone on from: then the checkpoint is not claimed, and a host at work there
    /// goes on. It may be asked several times, because that host adds to what was seen; and what it adds before the claim is seen
    /// by nobody but who asks again, behind the claim.
    pub fn open_unless<E: From<CheckpointError>>(
        storage: Arc<dyn Storage>,
        pipeline: &str,
        host: &str,
        now: Timestamp,
        mut refuse: impl FnMut(&Glance) -> Result<(), E>,
    ) -> Result<(Log, Recovery), E> {
        for folder in crate::storage::FOLDERS {
            // What an earlier host could only just make visible must not vanish after this one has relied upon it.
            storage.sync(folder).map_err(CheckpointError::from)?;
        }
        let mut scan: Option<Scan> = None;
        for _ in 0..CLAIMS_MAX {
            // Before the look: between that and the claim there is to be as little as can be, or a host at work is always
            // faster.
            let leftovers = storage.leftovers().map_err(CheckpointError::from)?;
            let outboxes = outbox_files(&*storage)?;
            let before = numbered(&*storage, "log")?;
            let recovery = match look(&*storage, pipeline, &mut scan) {
                Ok(recovery) => recovery,
                // A host that still runs has added or cleaned in the meantime, and what was seen does not fit together.
                Err(_) if numbered(&*storage, "log")? != before => {
                    scan = None;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let recovery = glance(&storage, pipeline, recovery, &mut scan, &mut refuse)?;
            let claim = RecordHeader {
                pipeline: pipeline.to_owned(),
                number: recovery.newest + 1,
                previous: recovery.head,
                generation: recovery.generation_min,
                record: Record::Claim { host: host.to_owned(), at: now },
            };
            let Some((claim, bytes)) = claim_behind(&*storage, claim)? else { continue };
            if let Some(opened) = opened(storage.clone(), claim, bytes, recovery.fell_back, &mut scan)? {
                // Only what was there before the claim: if this host sleeps here, the rest is the next one's.
                storage.remove_leftovers(&leftovers).map_err(CheckpointError::from)?;
                sweep(&*storage, &outboxes, opened.0.records())?;
                return Ok(opened);
            }
        }
        Err(CheckpointError::Contended { place: storage.place() }.into())
    }
}

/// Shows what was seen to who may refuse it, and gives the recovery back.
fn glance<E>(
    storage: &Arc<dyn Storage>,
    pipeline: &str,
    recovery: Recovery,
    scan: &mut Option<Scan>,
    refuse: &mut impl FnMut(&Glance) -> Result<(), E>,
) -> Result<Recovery, E> {
    let archive = Archive::new(storage.clone(), pipeline, 0);
    let records = scan.as_mut().map(|scan| std::mem::take(&mut scan.records)).unwrap_or_default();
    let glance = Glance { records, recovery, archive };
    refuse(&glance)?;
    let Glance { records, recovery, .. } = glance;
    if let Some(scan) = scan {
        scan.records = records;
    }
    Ok(recovery)
}

/// `scan` is what was seen before, and then what is seen now.
fn look(storage: &dyn Storage, pipeline: &str, scan: &mut Option<Scan>) -> Result<Recovery, CheckpointError> {
    let seen = match scan {
        Some(seen) => {
            seen.look_again(storage, pipeline)?;
            seen
        }
        none => none.insert(Scan::for_opening(storage, pipeline)?),
    };
    seen.decide(storage, pipeline)
}

/// The claim that was made, behind what a host at work adds meanwhile, and its length. `None`: there is something else than its next
/// record, and it has to be looked anew.
fn claim_behind(
    storage: &dyn Storage,
    mut claim: RecordHeader,
) -> Result<Option<(RecordHeader, u64)>, CheckpointError> {
    let mut is_time = true;
    for _ in 0..STEPS_MAX {
        if is_time && let Some(bytes) = create_claim(storage, &claim)? {
            return Ok(Some((claim, bytes)));
        }
        let faster = match read_header(storage, &claim.pipeline, claim.number) {
            Ok((faster, _)) if is_next(&faster, &claim) => faster,
            Err(CheckpointError::Storage(StorageError::NotFound { .. })) => {
                is_time = true;
                continue;
            }
            // It is another claim, or damaged, or stands upon another record than it was to.
            _ => return Ok(None),
        };
        claim.previous = faster.number;
        claim.number = faster.number + 1;
        // A plan is followed by its commit at once. Behind that a host looks whether it still has the checkpoint, and delivers: a
        // claim is faster then, even than a host that has batch after batch.
        is_time = !matches!(faster.record, Record::Plan(_));
    }
    Ok(None)
}

/// Whether a record is what a host at work, which is yet to be fenced off, has added in a claim's place.
fn is_next(faster: &RecordHeader, claim: &RecordHeader) -> bool {
    let is_claim = matches!(faster.record, Record::Claim { .. });
    faster.previous == claim.previous && faster.generation < claim.generation && !is_claim
}

/// The claim's length; `None` if another host was faster.
fn create_claim(storage: &dyn Storage, claim: &RecordHeader) -> Result<Option<u64>, CheckpointError> {
    let name = record_name(claim.number);
    let content =
        whole_file(FileKind::Record, claim, &[]).map_err(|source| super::scan::file_error(storage, &name, source))?;
    match storage.create(&name, &content) {
        Ok(()) => Ok(Some(content.len() as u64)),
        Err(StorageError::Exists { .. }) => Ok(None),
        Err(error) => match storage.read(&name) {
            Ok(found) if found == content => {
                storage.sync("log")?;
                Ok(Some(content.len() as u64))
            }
            Ok(_) => Ok(None),
            Err(_) => Err(error.into()),
        },
    }
}

/// After the claim: hosts before are fenced off, and what they still finished is there. They may have cleaned in the
/// meantime, after a snapshot that the first look did not see, so look again.
///
/// `None`: the claim's number was free because its record had been cleaned away, by a host that went on after the first
/// look. It fences nobody off, and another claim must be made.
fn opened(
    storage: Arc<dyn Storage>,
    claim: RecordHeader,
    bytes: u64,
    fell_back: Option<FellBack>,
    seen: &mut Option<Scan>,
) -> Result<Option<(Log, Recovery)>, CheckpointError> {
    let pipeline = claim.pipeline.clone();
    let archive = Archive::new(storage.clone(), &pipeline, claim.generation);
    let fence = Fence::new(storage.clone(), &pipeline, claim.generation, claim.number + 1);
    let looked = look(&*storage, &pipeline, seen);
    // What does not fit together may be the work of a later host.
    let looked = looked.or_else(|error| fence.check().and(Err(error)));
    if numbered(&*storage, "log")?.last().is_some_and(|&(newest, _)| newest > claim.number) {
        fence.check()?;
        return Ok(None);
    }
    let recovery = looked?;
    let Some(scan) = seen.take() else { return Ok(None) };
    if recovery.newest != claim.number || recovery.head != claim.number {
        fence.check()?;
        let source =
            crate::format::FormatError::damaged(format!("the claim of {} just written", counted(bytes, "byte")), 0);
        return Err(archive.file_error(&record_name(claim.number), source));
    }
    let mut records = scan.records;
    // What a run goes on from is in the recovery.
    records.iter_mut().for_each(Scanned::forget_pins);
    let log = Log {
        usage: Usage::new(storage.clone(), &records),
        storage,
        archive,
        fence,
        head: claim.number,
        records,
        committed: recovery.last.as_ref().map(|last| last.commit.batch),
        planned: recovery.planned.as_ref().map(|planned| (planned.number, planned.plan.batch)),
        damaged_snapshots: scan.damaged_snapshots,
        is_uncertain: false,
    };
    Ok(Some((log, Recovery { fell_back, ..recovery })))
}
