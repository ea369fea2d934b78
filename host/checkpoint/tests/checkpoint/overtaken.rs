//! Hosts that take over from each other at every call: exactly one lives, the others learn that they were overtaken, and nobody
//! takes away what a living one has begun.

use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, mpsc::channel},
    time::Duration,
};

use tempfile::TempDir;
use tidemill_checkpoint::{Advice, CheckpointError, Draft, LocalFolder, Log, Storage, StorageError};
use tidemill_model::{
    ports::{Disk, DiskCall, DiskWatch, Spawn},
    time::Timestamp,
};

use crate::{
    object_store::{Store, Threads},
    scene::{PIPELINE, World, new_writer},
};

const LAST: i64 = 8;

/// How long a take-over is waited for. A machine that is busy with other things may need long.
const PATIENCE: Duration = Duration::from_secs(300);

/// Something that happens while a host sleeps.
type Event = Box<dyn FnOnce() + Send>;

/// A disk at one of whose calls something happens.
#[derive(Default)]
struct Sleepy {
    calls: Mutex<u64>,
    event: Mutex<Option<(u64, Event)>>,
}

impl Sleepy {
    /// One that sleeps before this call, counted from 0.
    fn at(call: u64, event: impl FnOnce() + Send + 'static) -> Arc<Sleepy> {
        Arc::new(Sleepy { calls: Mutex::default(), event: Mutex::new(Some((call, Box::new(event)))) })
    }

    fn calls(&self) -> u64 {
        *self.calls.lock().unwrap()
    }
}

impl DiskWatch for Sleepy {
    fn before(&self, _: &DiskCall<'_>) -> io::Result<()> {
        let call = self.calls();
        *self.calls.lock().unwrap() += 1;
        let event = self.event.lock().unwrap().take_if(|(at, _)| *at == call);
        event.into_iter().for_each(|(_, event)| event());
        Ok(())
    }

    fn after(&self, _: &DiskCall<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Where syncs cost nothing, if there is such a place.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn folder(root: &Path) -> Arc<dyn Storage> {
    Arc::new(LocalFolder::open(root, new_writer()).unwrap())
}

fn open(storage: Arc<dyn Storage>, host: &str) -> Result<Log, CheckpointError> {
    Log::open(storage, PIPELINE, host, Timestamp(0)).map(|(log, _)| log)
}

fn is_fenced<T>(result: &Result<T, CheckpointError>) -> bool {
    matches!(result, Err(CheckpointError::Fenced { .. }))
}

/// Hosts of one process have the same number of a process, and so have all hosts in containers.
#[test]
fn a_draft_that_was_removed_as_left_over_names_no_other_hosts_file() {
    let root = scratch();
    let first = folder(root.path());
    let mut slept = first.draft("state/1").unwrap();
    slept.write(b"the first host's").unwrap();
    let second = folder(root.path());
    second.remove_leftovers(&second.leftovers().unwrap()).unwrap();
    let mut drafts: Vec<Box<dyn Draft>> = Vec::new();
    for number in 0..3 {
        let mut draft = second.draft(&format!("state/{}", 7 + number)).unwrap();
        draft.write(b"the second host's").unwrap();
        drafts.push(draft);
    }
    let error = slept.publish().unwrap_err();
    assert!(matches!(error, StorageError::System { advice: Advice::Overtaken, .. }), "{error:?}");
    assert!(matches!(second.read("state/1"), Err(StorageError::NotFound { .. })));
    drafts.into_iter().for_each(|draft| draft.publish().unwrap());
    assert_eq!(second.read("state/9").unwrap(), b"the second host's");
}

#[test]
fn of_two_hosts_in_a_new_folder_one_lives_wherever_the_other_slept() {
    let (mut calls, mut overtaken) = (u64::MAX, 0);
    for call in 0.. {
        if call >= calls {
            break;
        }
        let root = scratch();
        let (path, faster) = (root.path().join("checkpoint"), Arc::new(Mutex::new(None)));
        let (other, at) = (faster.clone(), path.clone());
        let sleepy = Sleepy::at(call, move || *other.lock().unwrap() = Some(open(folder(&at), "faster").unwrap()));
        let opened = LocalFolder::open_on(Disk::watched(sleepy.clone()), &path, new_writer()).unwrap();
        let slower = open(Arc::new(opened), "slower");
        calls = sleepy.calls();
        let faster = faster.lock().unwrap().take().expect("the sleeper has made this call");
        let is_overtaken = is_fenced(&faster.fence().check());
        match slower {
            Ok(slower) => {
                assert!(is_fenced(&slower.fence().check()) != is_overtaken, "call {call}: one of two lives");
                overtaken += usize::from(is_overtaken);
            }
            Err(error) => {
                assert!(is_fenced(&Err::<(), _>(error)), "call {call}");
                assert!(!is_overtaken, "call {call}: nobody lives");
            }
        }
    }
    assert!(calls > 10 && overtaken > 5, "{calls} calls, {overtaken} times the slower one was the later");
}

/// An earlier host had claimed it, and removes only now what it takes for left over.
#[test]
fn a_claim_that_was_taken_for_left_over_is_made_anew() {
    let mut calls = u64::MAX;
    for call in 0.. {
        if call >= calls {
            break;
        }
        let root = scratch();
        open(folder(root.path()), "earlier").unwrap();
        let earlier = folder(root.path());
        let sleepy = Sleepy::at(call, move || earlier.remove_leftovers(&earlier.leftovers().unwrap()).unwrap());
        let opened = LocalFolder::open_on(Disk::watched(sleepy.clone()), root.path(), new_writer()).unwrap();
        let log = open(Arc::new(opened), "later").unwrap_or_else(|error| unreachable!("call {call}: {error}"));
        log.fence().check().unwrap();
        calls = sleepy.calls();
    }
    assert!(calls > 10, "{calls}");
}

/// While the first host is at a call of its disk, a second one takes over and does `second_last` numbers; then the first goes on.
fn take_over_at(call: u64, second_last: i64) -> (bool, u64) {
    let root = scratch();
    let path = root.path().join("checkpoint");
    let at = path.clone();
    let world = World { opened: Some(Box::new(move || Ok(folder(&at)))), openings: 100, ..World::default() };
    let second = Arc::new(Mutex::new(world));
    let taking = second.clone();
    let sleepy = Sleepy::at(call, move || taking.lock().unwrap().run(second_last).unwrap());
    let (disk, at) = (Disk::watched(sleepy.clone()), path.clone());
    let opened = move || Ok(Arc::new(LocalFolder::open_on(disk.clone(), &at, new_writer())?) as Arc<dyn Storage>);
    let mut first = World { opened: Some(Box::new(opened)), ..World::default() };
    let result = first.run(LAST);
    let calls = sleepy.calls();
    let is_swept = |error: &CheckpointError| {
        // A snapshot of a host that is not needed any more; it does not end a run.
        matches!(error, CheckpointError::Storage(StorageError::System { advice: Advice::Overtaken, .. }))
    };
    let is_expected = match &result {
        Ok(()) | Err(CheckpointError::Fenced { .. } | CheckpointError::InputLost { .. }) => true,
        Err(CheckpointError::Storage(StorageError::NotFound { .. })) => true,
        Err(error) => is_swept(error),
    };
    assert!(is_expected, "call {call}: {result:?}");
    let second = second.lock().unwrap();
    for (batch, numbers) in &second.sink {
        assert_eq!(first.sink.entry(*batch).or_insert_with(|| numbers.clone()), numbers, "call {call}");
    }
    first.run(LAST).unwrap();
    first.check(LAST);
    (is_fenced(&result), calls)
}

#[test]
fn a_host_of_a_folder_that_wakes_up_after_a_take_over_harms_nothing() {
    let (_, calls) = take_over_at(u64::MAX, 0);
    let mut fenced = 0;
    for call in 0..calls {
        fenced += usize::from(take_over_at(call, [1, LAST][call as usize % 2]).0);
    }
    let _ = writeln!(
        io::stderr(),
        "{calls} take-overs of a folder, {fenced} hosts fenced off, nothing lost, nothing twice"
    );
    assert!(fenced > 50, "{fenced} of {calls}");
}

/// A later host takes over and begins a snapshot, which it publishes when the earlier one has woken up and gone on.
fn begin(storage: Arc<dyn Storage>, write: impl FnOnce(&mut dyn Draft)) -> (Log, Box<dyn Draft>) {
    let log = open(storage.clone(), "later").unwrap();
    let mut draft = storage.draft("state/00000000000000000077").unwrap();
    write(&mut *draft);
    (log, draft)
}

#[test]
fn a_host_that_slept_while_it_took_over_leaves_what_a_later_one_has_begun() {
    let mut lived = 0;
    for call in 0.. {
        let root = scratch();
        // Something that is left over, and of which it is to be rid.
        let mut left = folder(root.path()).draft("state/00000000000000000005").unwrap();
        left.write(b"left over").unwrap();
        std::mem::forget(left);
        let (begun, at) = (Arc::new(Mutex::new(None)), root.path().to_owned());
        let later = begun.clone();
        let sleepy = Sleepy::at(call, move || {
            let begun = begin(folder(&at), |draft| draft.write(b"the later one's").unwrap());
            *later.lock().unwrap() = Some(begun);
        });
        let opened = LocalFolder::open_on(Disk::watched(sleepy), root.path(), new_writer()).unwrap();
        let earlier = open(Arc::new(opened), "earlier");
        let Some((log, draft)) = begun.lock().unwrap().take() else { break };
        if log.fence().check().is_ok() {
            lived += 1;
            assert!(earlier.is_ok() || is_fenced(&earlier), "call {call}");
            draft.publish().unwrap_or_else(|error| unreachable!("asleep at call {call}: {error}"));
        }
        let left = std::fs::read_dir(root.path().join("tmp")).unwrap().count();
        assert!(left <= 1, "call {call}: {left} files are left over");
    }
    assert!(lived > 0);
}

#[test]
fn a_host_of_a_store_that_slept_while_it_took_over_leaves_what_a_later_one_has_begun() {
    const PART_BYTES: usize = 500;
    let mut lived = 0;
    for call in 0.. {
        let store = Store::default();
        open(Arc::new(store.open(1, PART_BYTES).unwrap()), "first").unwrap();
        let earlier = Arc::new(store.open(2, PART_BYTES).unwrap());
        let (begun, other) = (Arc::new(Mutex::new(None)), store.clone());
        let later = begun.clone();
        let take_over = move || {
            let storage = Arc::new(other.open(3, PART_BYTES).unwrap());
            let begun = begin(storage.clone(), |draft| {
                let objects = other.names().len();
                draft.write(&[7; 3 * PART_BYTES + 1]).unwrap();
                other.wait_for(objects + 3);
            });
            *later.lock().unwrap() = Some((begun, storage));
        };
        store.set_event(call, || {
            // Not on the store's own thread, which may not wait for itself.
            let (done, is_done) = channel();
            let work = move || {
                take_over();
                done.send(()).unwrap();
            };
            Threads.spawn("later".to_owned(), Box::new(work));
            is_done.recv_timeout(PATIENCE).unwrap();
        });
        let earlier = open(earlier, "earlier");
        let Some(((log, draft), storage)) = begun.lock().unwrap().take() else { break };
        if log.fence().check().is_ok() {
            lived += 1;
            assert!(earlier.is_ok() || is_fenced(&earlier), "call {call}");
            draft.publish().unwrap();
            assert!(storage.is_whole("state/00000000000000000077").unwrap(), "asleep at call {call}");
        }
    }
    assert!(lived > 0);
}
