//! A checkpoint that has too little room takes no more input: what was begun is committed, and the next batch waits.

use std::time::Duration;

use tidemill_checkpoint::Shortage;
use tidemill_model::time::Timestamp;

use super::Run;
use crate::{
    checkpoint::{InputKeeper, Room},
    failure::RunError,
};

/// How often it is looked whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long it is not said again that there is no room, if that comes and goes.
const QUIET: Duration = Duration::from_secs(60);

/// What is known of the room for input.
pub(super) struct RoomWatch {
    /// `None`: there is no checkpoint.
    room: Option<Room>,
    /// Nothing more is taken of the open batch.
    is_short: bool,
    /// Bytes of input that had been logged, and of rows that had been written, at the last look.
    seen_bytes: u64,
    told_at: Option<Timestamp>,
}

impl RoomWatch {
    pub(super) fn new(room: Option<Room>) -> RoomWatch {
        RoomWatch { room, is_short: false, seen_bytes: 0, told_at: None }
    }
}

impl Run {
    /// Waits until there is room for another batch; gives its tick. Told to stop it does not wait any longer: what was
    /// received until then is still run, with the room that is kept for it.
    pub(super) fn wait_for_room(&mut self, tick: Timestamp) -> Result<Timestamp, RunError> {
        self.room.is_short = false;
        let began = self.clock.now();
        let mut looks = 0_u32;
        while let Some(shortage) = self.shortage(0)? {
            if self.stopper.is_stopped() {
                break;
            }
            self.tell_shortage(&shortage);
            if let Some(keeper) = self.commits.keeper() {
                // A snapshot that fails is tried again, less and less often: it reads all state.
                let begin = looks == 0 || looks.is_power_of_two();
                keeper.make_room(tick, begin)?;
            }
            looks = looks.saturating_add(1);
            let look_again = self.clock.now().0.saturating_add(LOOK_AGAIN.as_micros() as i64);
            self.clock.wait(Timestamp(look_again), &self.wake);
        }
        if looks == 0 {
            // The batch before may have been waited for.
            self.reporter.add_ahead(self.clock.now().since(began));
            return Ok(tick);
        }
        tracing::info!("going on with new input");
        // As after a restart: what came meanwhile belongs to the next batch, not to one for each tick that has passed.
        Ok(tick.max(self.plan.interval.tick_after(self.clock.now())))
    }

    /// Whether there is too little room for more input of the open batch. It is looked again after every few megabytes.
    pub(super) fn is_short_of_room(&mut self) -> Result<bool, RunError> {
        let Some(look_bytes) = self.room.room.as_ref().map(Room::look_bytes) else { return Ok(false) };
        let logged_bytes = self.sources.input().map_or(0, |input: &mut InputKeeper| input.appended_bytes());
        let (written_bytes, open_bytes) = self.outputs.written_bytes();
        let bytes = logged_bytes + written_bytes;
        if !self.room.is_short && bytes - self.room.seen_bytes >= look_bytes {
            self.room.seen_bytes = bytes;
            let shortage = self.shortage(open_bytes)?;
            self.room.is_short = shortage.is_some();
            shortage.iter().for_each(|shortage| self.tell_shortage(shortage));
        }
        Ok(self.room.is_short)
    }

    /// Why no new input is to be taken. If there is one, no batch is being committed any more: what that would need is not known
    /// before.
    fn shortage(&mut self, open_bytes: u64) -> Result<Option<Shortage>, RunError> {
        self.look_after_commit()?;
        let coming_bytes = self.commits.coming_bytes();
        let look = |room: &Option<Room>, coming_bytes| {
            room.as_ref().map_or(Ok(None), |room| room.shortage(open_bytes, coming_bytes))
        };
        let shortage = look(&self.room.room, coming_bytes.unwrap_or(0))?;
        if shortage.is_none() || coming_bytes.is_none() {
            return Ok(shortage);
        }
        self.settle()?;
        Ok(look(&self.room.room, 0)?)
    }

    fn tell_shortage(&mut self, shortage: &Shortage) {
        let now = self.clock.now();
        if is_known(self.room.told_at, now) {
            return;
        }
        self.room.told_at = Some(now);
        let advice = match shortage {
            Shortage::Budget { .. } => "raise the checkpoint's `budget`, or keep less state",
            _ => "make room on its disk, or lower the checkpoint's `free-space`",
        };
        let (there, bound) = match *shortage {
            Shortage::Budget { used, max } => (used, max),
            Shortage::Free { free, min } => (free, min),
        };
        tracing::warn!(
            said.bytes = there,
            said.bound_bytes = bound,
            "{shortage}: no new input is taken until there is room, and nothing is lost; {advice}"
        );
    }
}

/// Whether a shortage was told so shortly before that it is not told again.
fn is_known(told_at: Option<Timestamp>, now: Timestamp) -> bool {
    // A clock that was set back says nothing of how long that is.
    told_at.is_some_and(|told_at| told_at <= now && now.since(told_at) < QUIET)
}

#[test]
fn a_shortage_that_lasts_is_told_once_a_minute() {
    let (told_at, quiet) = (Timestamp(1_000), QUIET.as_micros() as i64);
    assert!(!is_known(None, told_at));
    assert!(is_known(Some(told_at), told_at));
    assert!(is_known(Some(told_at), Timestamp(1_000 + quiet - 1)));
    assert!(!is_known(Some(told_at), Timestamp(1_000 + quiet)));
    assert!(!is_known(Some(told_at), Timestamp(999)));
}
