//! Which fault befalls which call, one after the other.

use std::collections::BTreeMap;

use crate::random::Random;

/// Where a call leaves the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    /// The storage is changed.
    Change,
    /// The storage is looked at.
    Look,
    /// A source is asked.
    Source,
    /// A sink is given something, or asked.
    Sink,
    /// A failpoint of the engine.
    Point,
    /// The engine waits.
    Wait,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// It fails and has done nothing.
    ErrorBefore,
    /// It has done everything, and fails.
    ErrorAfter,
    /// The host stops before it, for ever.
    CrashBefore,
    /// The host stops after it.
    CrashAfter,
    /// It takes long.
    Slow,
    /// The host's clock is set back.
    ClockBack,
    /// The disk is full for some time.
    Full,
    /// Another host takes the checkpoint over and runs, before it goes on.
    Overtaken,
    /// The host is told to stop in good order. Not a fault.
    Stop,
}

/// A fault to come.
struct Scheduled {
    site: Site,
    strike: Strike,
    /// So many calls of this site before it are spared.
    spared: u32,
}

/// The schedule, and what of it was carried out.
pub(crate) struct Faults {
    /// How many are still to come.
    left: u32,
    next: Option<Scheduled>,
    /// The last one was an error of the storage.
    was_storage_error: bool,
    /// How often each kind was injected.
    pub counts: BTreeMap<&'static str, u64>,
    /// Orderly stops, which are no faults.
    pub stops: u64,
    random: Random,
    interval_micros: i64,
}

impl Faults {
    pub fn new(count: u32, random: Random, interval_micros: i64) -> Faults {
        let mut faults = Faults {
            left: count,
            next: None,
            was_storage_error: false,
            counts: BTreeMap::new(),
            stops: 0,
            random,
            interval_micros,
        };
        faults.schedule();
        faults
    }

    /// Whether nothing will fail any more.
    pub fn are_over(&self) -> bool {
        self.next.is_none()
    }

    /// What befalls a call. `may_be_overtaken`: there is no other host yet.
    pub fn strike(&mut self, site: Site, may_be_overtaken: bool) -> Option<Strike> {
        let next = self.next.as_mut().filter(|next| next.site == site)?;
        if next.spared > 0 {
            next.spared -= 1;
            return None;
        }
        let strike = next.strike;
        self.was_storage_error = matches!((site, strike), (Site::Change, Strike::ErrorBefore | Strike::ErrorAfter));
        if strike == Strike::Overtaken && !may_be_overtaken {
            self.schedule();
            return None;
        }
        if strike == Strike::Stop {
            self.stops += 1;
        } else {
            *self.counts.entry(name(site, strike)).or_default() += 1;
            self.left -= 1;
        }
        self.schedule();
        Some(strike)
    }

    /// How long something slow takes, in microseconds: up to some intervals.
    pub fn delay_micros(&mut self) -> u64 {
        self.random.between(1, 5 * self.interval_micros.unsigned_abs())
    }

    fn schedule(&mut self) {
        self.next = if self.left == 0 { None } else { Some(self.draw()) };
    }

    fn draw(&mut self) -> Scheduled {
        use Strike::{ClockBack, CrashAfter, CrashBefore, ErrorAfter, ErrorBefore, Full, Overtaken, Slow, Stop};
        let random = &mut self.random;
        // Now and then at once in what follows a failure of the storage, while the engine finds out what came of it.
        if self.was_storage_error && random.once_in(4) {
            let follow_ups = [(Site::Look, ErrorBefore), (Site::Change, ErrorBefore), (Site::Change, CrashAfter)];
            let (site, strike) = random.pick(&follow_ups);
            return Scheduled { site, strike, spared: random.between(0, 1) as u32 };
        }
        let (site, strikes, spared_max): (Site, &[Strike], u64) = match random.between(1, 16) {
            1..=6 => (
                Site::Change,
                &[ErrorBefore, ErrorBefore, ErrorAfter, ErrorAfter, CrashBefore, CrashAfter, Slow, Overtaken, Full],
                30,
            ),
            7..=8 => (Site::Look, &[ErrorBefore, ErrorBefore, CrashBefore, Slow, Overtaken], 80),
            9..=10 => (Site::Source, &[ErrorBefore, CrashBefore, CrashAfter, Overtaken], 20),
            11..=12 => (Site::Sink, &[ErrorBefore, ErrorAfter, CrashBefore, CrashAfter, Overtaken], 20),
            13..=14 => (Site::Point, &[CrashBefore, CrashBefore, Overtaken], 30),
            _ => (Site::Wait, &[Slow, Slow, Slow, ClockBack, CrashBefore, Overtaken, Stop], 6),
        };
        let strike = random.pick(strikes);
        // Now and then soon: faults in the middle of recovering from faults.
        let spared_max = if random.once_in(8) { 2 } else { spared_max };
        Scheduled { site, strike, spared: random.between(0, spared_max) as u32 }
    }
}

/// What a fault is called in a report.
fn name(site: Site, strike: Strike) -> &'static str {
    match (site, strike) {
        (Site::Change | Site::Look, Strike::ErrorBefore) => "storage error before its effect",
        (Site::Change | Site::Look, Strike::ErrorAfter) => "storage error after its effect",
        (Site::Change | Site::Look, Strike::CrashBefore | Strike::CrashAfter) => "crash in the storage",
        (Site::Change | Site::Look, Strike::Slow) => "slow storage",
        (Site::Source, Strike::ErrorBefore | Strike::ErrorAfter) => "source error",
        (Site::Source, Strike::CrashBefore | Strike::CrashAfter) => "crash in a source",
        (Site::Sink, Strike::ErrorBefore) => "sink error before its effect",
        (Site::Sink, Strike::ErrorAfter) => "sink error after its effect",
        (Site::Sink, Strike::CrashBefore | Strike::CrashAfter) => "crash in a sink",
        (Site::Wait, Strike::CrashBefore | Strike::CrashAfter) => "crash between batches",
        (Site::Wait, Strike::Slow) => "late tick",
        (_, Strike::Overtaken) => "overtaken by another host",
        (_, Strike::ClockBack) => "clock set back",
        (_, Strike::Full) => "full disk",
        (Site::Point, _) => "crash at a point",
        (_, _) => "other",
    }
}
