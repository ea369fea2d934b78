//! What is done about calls that fail: they are made again, or the rows that make them fail are found and set aside.
//!
//! Where calls are made again, one that has handed its answer over counts, even if the guest then fails to free what it
//! returned: the answer was checked, and an instance is only a cache.

#[cfg(test)]
mod tests;

use std::ops::Range;

use tidemill_guest::{RejectedRows, Rejection, Verdict};
use tidemill_model::{columns::Rows, schema::Schema};
use tidemill_plan::graph::{OnError, RETRY_DELAY_MAX, Then};

use super::{
    Batch, GuestSlot,
    letters::{Letter, Letters},
};
use crate::{failure::Cause, stop::Stopper};

/// So much may be spent on failed calls in search of rows, for each batch, partition and function.
const SEARCH_MAX: u32 = 10_000;

/// What a call costs that has used up its fuel; every other one costs 1.
const FUEL_COST: u32 = 20;

/// How it went: the inner error is the call's own, and the policy's matter; the outer one is somebody else's.
pub(crate) type Attempt = Result<Result<(), Cause>, Cause>;

/// Calls of a function for parts of some rows, or groups.
pub(crate) trait Calls {
    /// Calls the function for a part, and hands on what it answers; nothing, if it fails.
    fn attempt(&mut self, policy: &mut Policy, range: Range<usize>) -> Attempt;

    /// Sets the row, or group, aside that makes the function fail.
    fn set_aside(&mut self, policy: &mut Policy, at: usize, reason: &str) -> Result<(), Cause>;

    /// Who is called.
    fn guest(&mut self) -> Option<&mut GuestSlot>;
}

/// The policy of a function at its place, for one partition.
pub(crate) struct Policy {
    stream: String,
    on_error: OnError,
    stopper: Stopper,
    letters: Option<Letters>,
    /// Of [`SEARCH_MAX`], in this batch.
    spent: u32,
    /// Retries did not help in this batch: there are no more of them, or a batch would wait for ever.
    in_vain: bool,
}

impl Policy {
    /// `letters` is the schema of the function's dead letters, if the plan has an output for them.
    pub(crate) fn new(
        stream: &str,
        (function, on_error): (&str, OnError),
        letters: Option<&Schema>,
        stopper: Stopper,
    ) -> Policy {
        let letters = letters.map(|schema| Letters::new(schema, stream, function));
        Policy { stream: stream.to_owned(), on_error, stopper, letters, spent: 0, in_vain: false }
    }

    /// Whether it has something to do with each call: a failed one is made again or searched for rows, or rows that are not
    /// taken are wanted.
    pub(crate) fn is_asked(&self) -> bool {
        self.on_error.calls_again() || self.has_letters()
    }

    /// An error if the run was told to stop and has no time left.
    pub(crate) fn check_time(&self) -> Result<(), Cause> {
        if self.stopper.is_out_of_time() { Err(Cause::OutOfTime) } else { Ok(()) }
    }

    /// A new batch.
    pub(crate) fn begin(&mut self) {
        (self.spent, self.in_vain) = (0, false);
        if let Some(letters) = &mut self.letters {
            letters.clear();
        }
    }

    /// Makes a call for the rows, or groups, `0..len`; if it fails, again as often as the policy says, and then for
    /// parts of them, in order, until those that fail by themselves are found.
    pub(crate) fn run(&mut self, len: usize, calls: &mut dyn Calls) -> Result<(), Cause> {
        let mut failed = self.attempt(0..len, calls)?;
        let mut delay = self.on_error.delay;
        for _ in 0..self.on_error.retries {
            match &failed {
                Err(cause) if may_succeed(cause) && !self.in_vain => {}
                _ => break,
            }
            calls.guest().into_iter().for_each(GuestSlot::forgive);
            // Told to stop, it is not waited any more: the calls that are left are made at once.
            self.stopper.wait(delay);
            delay = (delay * 2).min(RETRY_DELAY_MAX);
            failed = self.attempt(0..len, calls)?;
        }
        self.in_vain |= failed.is_err();
        let is_over = matches!(failed, Err(Cause::OverBudget { .. }));
        if failed.is_err() && !is_over && self.on_error.then == Then::DeadLetter {
            // On an instance that has served nobody: what is set aside must not hang on how old one was.
            failed = self.attempt_anew(0..len, calls)?;
        }
        failed.or_else(|cause| self.search(0..len, cause, calls))
    }

    /// A call has failed for `range`.
    fn search(&mut self, range: Range<usize>, cause: Cause, calls: &mut dyn Calls) -> Result<(), Cause> {
        let cause = self.spend(cause)?;
        if range.len() <= 1 {
            return calls.set_aside(self, range.start, &reason(&cause));
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            if let Err(cause) = self.attempt_anew(half.clone(), calls)? {
                self.search(half, cause, calls)?;
            }
        }
        Ok(())
    }

    fn attempt_anew(&mut self, range: Range<usize>, calls: &mut dyn Calls) -> Attempt {
        calls.guest().into_iter().for_each(GuestSlot::renew);
        self.attempt(range, calls)
    }

    /// What the function counts counts with the attempt.
    fn attempt(&mut self, range: Range<usize>, calls: &mut dyn Calls) -> Attempt {
        let attempt = calls.attempt(self, range)?;
        if let Some(guest) = calls.guest() {
            guest.end_attempt(attempt.is_ok())?;
        }
        Ok(attempt)
    }

    /// Counts a failed call of a search. An error if there is to be no search, or an end of it.
    pub(crate) fn spend(&mut self, cause: Cause) -> Result<Cause, Cause> {
        if self.on_error.then != Then::DeadLetter || !cause.is_of_rows() {
            return Err(cause);
        }
        let is_fuel = matches!(cause, Cause::Guest { verdict: Verdict::OutOfFuel { .. }, .. });
        self.spent += if is_fuel { FUEL_COST } else { 1 };
        if self.spent > SEARCH_MAX { Err(Cause::TooMuchPoison(Box::new(cause))) } else { Ok(cause) }
    }

    /// Sets a row aside that makes the function fail, and counts it.
    pub(crate) fn set_aside(&mut self, batch: &mut Batch, letter: &Letter<'_>) -> Result<(), Cause> {
        batch.rejections.add(&self.stream, 1, letter.reason);
        self.letter(batch, letter)
    }

    /// Sets a row aside, if there are dead letters at all.
    pub(crate) fn letter(&mut self, batch: &Batch, letter: &Letter<'_>) -> Result<(), Cause> {
        let Some(letters) = &mut self.letters else { return Ok(()) };
        // A function may say far more of a row than there is in it.
        batch.budget.spend_bytes(letters.bytes_of(letter))?;
        letters.push(batch, letter)?;
        batch.hold(letters.bytes())
    }

    /// Whether what the function rejects is wanted.
    pub(crate) fn has_letters(&self) -> bool {
        self.letters.is_some()
    }

    /// The dead letters of the batch.
    pub(crate) fn letters(&mut self) -> Option<&mut Letters> {
        self.letters.as_mut()
    }

    /// Bytes that are held until the batch ends.
    pub(crate) fn held_bytes(&self) -> usize {
        self.letters.as_ref().map_or(0, Letters::bytes)
    }
}

/// Where the dead letters of a call go, and the number of its first row.
pub(crate) struct Rejecting<'a> {
    pub(crate) policy: &'a mut Policy,
    pub(crate) first_row: u64,
}

/// Counts the rows of a call that the function rejected. If `policy` has dead letters, `set_aside` makes one of each row of
/// the call and its reason.
pub(crate) fn reject(
    stream: &str,
    rejected: &RejectedRows<'_>,
    policy: Option<&mut Policy>,
    batch: &mut Batch,
    set_aside: impl Fn(&mut Policy, &Batch, usize, &str) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let Some(first) = rejected.first() else { return Ok(()) };
    batch.rejections.add(stream, rejected.len() as u64, &first.reason);
    let Some(policy) = policy.filter(|policy| policy.has_letters()) else { return Ok(()) };
    for Rejection { row, reason } in rejected.iter() {
        set_aside(policy, batch, row as usize, &reason)?;
    }
    Ok(())
}

/// The same where rows have no key. `letters` is there if a policy is at work.
pub(crate) fn reject_rows(
    stream: &str,
    rejected: &RejectedRows<'_>,
    rows: &Rows<'_>,
    letters: Option<&mut Rejecting<'_>>,
    batch: &mut Batch,
) -> Result<(), Cause> {
    let first_row = letters.as_ref().map_or(0, |letters| letters.first_row);
    let policy = letters.map(|letters| &mut *letters.policy);
    reject(stream, rejected, policy, batch, |policy, batch, row, reason| {
        policy.letter(batch, &Letter::of_row(rows, row, first_row, reason))
    })
}

/// Whether a new instance may do better.
fn may_succeed(cause: &Cause) -> bool {
    let is_final = |verdict: &Verdict| {
        matches!(verdict, Verdict::Failure { retryable: false, .. } | Verdict::OpenFailed { retryable: false, .. })
    };
    match cause {
        Cause::Guest { verdict, .. } => !is_final(verdict),
        Cause::Shared { cause, .. } => may_succeed(cause),
        _ => false,
    }
}

/// What a dead letter says; who failed stands beside it.
pub(crate) fn reason(cause: &Cause) -> String {
    match cause {
        Cause::Guest { verdict, .. } => verdict.to_string(),
        other => other.to_string(),
    }
}
