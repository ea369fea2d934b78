//! The ways of a sink.

use super::{
    Kept, Place, Walk,
    batches::{Batch, batches},
    trial::{Call, Trial, calls, once},
};

/// Calls of a batch between which it is killed, at most: of more of them the first ones and the last.
const KILLS_MAX: usize = 8;

/// What is seen when batches have been given that nobody stopped.
pub(super) struct Expect {
    batches: Vec<Batch>,
    /// Behind each of them.
    seen: Vec<Vec<Kept>>,
    /// Nothing is seen twice.
    knows: bool,
}

impl Expect {
    /// Looks that just the batches before this number are seen.
    #[track_caller]
    fn check(&self, place: &dyn Place, before: usize, what: &str) {
        let expect = before.checked_sub(1).map_or(&[][..], |last| &self.seen[last]);
        let seen = place.seen();
        let seen = if self.knows { seen } else { once(seen, what) };
        assert!(seen == expect, "{what}: {:?} are seen, and {:?} are to be", times(&seen), times(expect));
    }
}

fn times(seen: &[Kept]) -> Vec<(i64, usize)> {
    seen.iter().map(|kept| (kept.batch.0 / 1_000_000, kept.rows.len())).collect()
}

/// It has no effect before it begins, in a place that is new and in one that is its own.
pub(super) fn keeps_still(walk: &Walk<'_>) {
    let name = walk.sample.name;
    let place = (walk.sample.place)();
    for run in 1..=2 {
        let before = place.whole();
        let trial = Trial::open(walk, &*place, run);
        assert!(trial.sink.newest().is_ok(), "{name}: it cannot tell what is there");
        trial.sink.is_new();
        drop(trial);
        assert_eq!(place.whole(), before, "{name}: it has an effect before it begins");
        let batches = batches(walk.settings(&*place).rows_max());
        Trial::begin(walk, &*place, run).give(&batches[0], name);
    }
}

/// Batches one after the other. Nothing is seen of one before it is delivered.
pub(super) fn uninterrupted(walk: &Walk<'_>) -> Expect {
    let name = walk.sample.name;
    let place = (walk.sample.place)();
    let mut trial = Trial::begin(walk, &*place, 1);
    let batches = batches(walk.settings(&*place).rows_max());
    let mut seen: Vec<Vec<Kept>> = Vec::new();
    for batch in &batches {
        let before = seen.last().cloned().unwrap_or_default();
        for call in calls(batch) {
            assert_eq!(place.seen(), before, "{name}: something is seen before it is delivered");
            trial.call(batch, call).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let behind = place.seen();
        let has_rows = batch.parts.iter().any(|(_, rows)| !rows.is_empty());
        let new: Vec<_> = behind.iter().skip(before.len()).map(|kept| kept.batch).collect();
        assert!(behind.starts_with(&before), "{name}: what was seen is not seen any more");
        assert!(new == [batch.time] || new.is_empty() && !has_rows, "{name}: of {} is seen {new:?}", batch.time);
        if trial.knows() {
            let newest = trial.sink.newest().ok().flatten();
            let is_right = newest == Some(batch.time) || !has_rows && newest < Some(batch.time);
            assert!(is_right, "{name}: the newest batch is {newest:?} behind {}", batch.time);
        }
        seen.push(behind);
    }
    Expect { knows: trial.knows(), batches, seen }
}

/// A place in which the batches before this number were delivered, by a run of the number 1.
fn place_before(walk: &Walk<'_>, expect: &Expect, number: usize) -> (Box<dyn Place>, Trial) {
    let place = (walk.sample.place)();
    let mut trial = Trial::begin(walk, &*place, 1);
    expect.batches[..number].iter().for_each(|batch| trial.give(batch, walk.sample.name));
    (place, trial)
}

/// The calls behind which a run is killed.
fn kills(batch: &Batch) -> Vec<usize> {
    let all = calls(batch).len();
    (0..=all).filter(|&done| done < KILLS_MAX / 2 || all - done < KILLS_MAX / 2).collect()
}

/// Killed between any two calls, it is given the batch again by the next run, and then the next ones.
pub(super) fn is_killed(walk: &Walk<'_>, expect: &Expect) {
    for (number, batch) in expect.batches.iter().enumerate() {
        for done in kills(batch) {
            let what = format!("{}: batch {number} of a run that was killed behind {done} calls", walk.sample.name);
            let (place, mut trial) = place_before(walk, expect, number);
            let all = calls(batch);
            all[..done]
                .iter()
                .for_each(|call| trial.call(batch, *call).unwrap_or_else(|error| panic!("{what}: {error}")));
            drop(trial);
            let is_delivered = usize::from(done == all.len());
            expect.check(&*place, number + is_delivered, &what);
            let mut trial = Trial::begin(walk, &*place, 2);
            expect.check(&*place, number + is_delivered, &what);
            trial.give(batch, &what);
            expect.check(&*place, number + 1, &what);
            if let Some(next) = expect.batches.get(number + 1) {
                trial.give(next, &what);
                expect.check(&*place, number + 2, &what);
            }
        }
    }
}

/// What was written and is not wanted, or is written anew, leaves nothing behind.
pub(super) fn is_not_wanted(walk: &Walk<'_>, expect: &Expect) {
    for (number, batch) in expect.batches.iter().enumerate() {
        let writes: Vec<Call> = calls(batch).into_iter().filter(|call| matches!(call, Call::Write(_))).collect();
        for done in [0, writes.len() / 2, writes.len()] {
            let what = format!("{}: batch {number}, discarded behind {done} writes", walk.sample.name);
            let (place, mut trial) = place_before(walk, expect, number);
            let must = |done: Result<(), _>| done.unwrap_or_else(|error| panic!("{what}: {error}"));
            writes[..done].iter().for_each(|call| must(trial.call(batch, *call)));
            must(trial.sink.discard(batch.time));
            expect.check(&*place, number, &what);
            trial.give(batch, &what);
            expect.check(&*place, number + 1, &what);

            let what = format!("{}: batch {number}, prepared twice", walk.sample.name);
            let (place, mut trial) = place_before(walk, expect, number);
            writes.iter().for_each(|call| must(trial.call(batch, *call)));
            must(trial.call(batch, Call::Stage));
            trial.give(batch, &what);
            expect.check(&*place, number + 1, &what);
        }
    }
}

/// It is given the last batch again by the next run, which does not know that it was delivered.
pub(super) fn is_given_again(walk: &Walk<'_>, expect: &Expect) {
    for (number, batch) in expect.batches.iter().enumerate() {
        let what = format!("{}: batch {number}, given again", walk.sample.name);
        let (place, trial) = place_before(walk, expect, number + 1);
        drop(trial);
        for run in 2..4 {
            let mut trial = Trial::begin(walk, &*place, run);
            assert!(!trial.sink.is_new(), "{what}: its place is said to be new");
            trial.give(batch, &what);
            expect.check(&*place, number + 1, &what);
        }
    }
}

/// A reader has taken away what it has seen: it does not come again.
pub(super) fn is_taken_away(walk: &Walk<'_>, expect: &Expect) {
    for (number, batch) in expect.batches.iter().enumerate().filter(|_| expect.knows) {
        let what = format!("{}: batch {number}, taken away and given again", walk.sample.name);
        let (mut place, trial) = place_before(walk, expect, number + 1);
        drop(trial);
        if !place.take_away() {
            return;
        }
        let left = place.seen();
        let mut trial = Trial::begin(walk, &*place, 2);
        trial.give(batch, &what);
        assert_eq!(place.seen(), left, "{what}");
        let newest = trial.sink.newest().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(newest >= expect.seen[number].last().map(|kept| kept.batch), "{what}: the newest batch is {newest:?}");
        if let Some(next) = expect.batches.get(number + 1) {
            trial.give(next, &what);
            let new: Vec<_> = expect.seen[number + 1].iter().skip(expect.seen[number].len()).cloned().collect();
            assert_eq!(place.seen(), [left, new].concat(), "{what}");
        }
    }
}

/// An owner wakes up that another one has overtaken meanwhile: whatever it does then changes nothing of what is seen, now or
/// later. It may say that it has lost the place.
pub(super) fn is_overtaken(walk: &Walk<'_>, expect: &Expect) {
    for number in (0..expect.batches.len() - 1).filter(|_| expect.knows) {
        wakes_at_once(walk, expect, number);
        let (batch, next) = (&expect.batches[number], &expect.batches[number + 1]);
        for done in kills(batch) {
            for has_begun in [true, false].into_iter().take(if done == 0 { 2 } else { 1 }) {
                let what = format!("{}: batch {number}, overtaken behind {done} calls", walk.sample.name);
                let (place, mut older) = place_before(walk, expect, number);
                if !has_begun {
                    older = Trial::open(walk, &*place, 1);
                }
                let all = calls(batch);
                let (before, behind) = all.split_at(if has_begun { done } else { 0 });
                before
                    .iter()
                    .for_each(|call| older.call(batch, *call).unwrap_or_else(|error| panic!("{what}: {error}")));
                let mut newer = Trial::begin(walk, &*place, 2);
                newer.give(batch, &what);
                let between = calls(next);
                let (first, last) = between.split_at(between.len() - 1);
                first.iter().for_each(|call| newer.call(next, *call).unwrap_or_else(|error| panic!("{what}: {error}")));
                // It wakes up.
                let is_begun = has_begun || older.own(false).is_ok();
                if is_begun {
                    let _ = behind.iter().try_for_each(|call| older.call(batch, *call));
                    drop(older);
                }
                expect.check(&*place, number + 1, &what);
                last.iter().for_each(|call| newer.call(next, *call).unwrap_or_else(|error| panic!("{what}: {error}")));
                expect.check(&*place, number + 2, &what);
                let mut third = Trial::begin(walk, &*place, 3);
                third.give(next, &what);
                expect.check(&*place, number + 2, &what);
            }
        }
    }
}

/// It had prepared a batch, which is swept away, and delivers it then: as it is to be, or not at all.
fn wakes_at_once(walk: &Walk<'_>, expect: &Expect, number: usize) {
    let batch = &expect.batches[number];
    let what = format!("{}: batch {number}, overtaken before it was delivered", walk.sample.name);
    let (place, mut older) = place_before(walk, expect, number);
    let all = calls(batch);
    let (last, first) = all.split_last().expect("a batch is delivered");
    first.iter().for_each(|call| older.call(batch, *call).unwrap_or_else(|error| panic!("{what}: {error}")));
    let mut newer = Trial::begin(walk, &*place, 2);
    let _ = older.call(batch, *last);
    drop(older);
    let is_there = place.seen().iter().any(|kept| kept.batch == batch.time);
    expect.check(&*place, number + usize::from(is_there), &what);
    newer.give(batch, &what);
    expect.check(&*place, number + 1, &what);
}
