//! A file that is being written is never taken, whatever the clocks, the times of files, the ticks, and the starts and stops
//! of the program; and when it is done, it is taken soon.

use std::time::Duration;

use super::*;

const SECOND: i64 = 1_000_000;
const INTERVAL: i64 = 5 * SECOND;

/// When all of this happens, by the clock on the wall of who reads.
const NOW: i64 = 1_700_000_000 * SECOND;

/// Somebody who writes twelve lines, pausing less than an interval.
#[derive(Clone, Copy, Debug)]
struct Writer {
    begin: i64,
    pause: i64,
    /// How far the clock of the file's server is ahead of ours.
    server_ahead: i64,
    /// In which steps it counts.
    step: i64,
    /// The file has its size from the beginning.
    has_size: bool,
    /// The time of writing is set to a day long ago with each line.
    backdates: bool,
}

const WRITES: i64 = 12;

impl Writer {
    fn end(&self) -> i64 {
        self.begin + (WRITES - 1) * self.pause
    }

    /// The file at this time.
    fn shows(&self, at: i64) -> Option<Facts> {
        let writes = ((at - self.begin).div_euclid(self.pause) + 1).min(WRITES);
        let time = |at: i64| Timestamp((NOW + at + self.server_ahead).div_euclid(self.step) * self.step);
        let last = self.begin + (writes - 1) * self.pause;
        (writes > 0).then(|| Facts {
            modified: if self.backdates { Timestamp(86_400 * SECOND + writes) } else { time(last) },
            len: if self.has_size { 1_000 } else { 10 * writes as u64 },
            place: Some((1, 5)),
            born: Some(time(self.begin)),
            changed: Some(time(last)),
        })
    }
}

/// What the program does, at which time by a clock that only goes on.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Starts, going on from what it kept.
    Start,
    /// Seals a batch for a tick, by the clock on the wall.
    Seal(i64),
}

/// Batches on time from a start on.
fn on_time(start: i64, count: i64) -> Vec<(i64, Act)> {
    let first = start.div_euclid(INTERVAL) + 1;
    let seals = (first..first + count).map(|tick| (tick * INTERVAL, Act::Seal(tick * INTERVAL)));
    [(start, Act::Start)].into_iter().chain(seals).collect()
}

fn schedules() -> Vec<(&'static str, Vec<(i64, Act)>)> {
    let tenth = SECOND / 10;
    let mut all = vec![
        ("on time", on_time(-50 * SECOND, 20)),
        ("a start shortly before a tick", on_time(INTERVAL - tenth, 10)),
        ("another, later", on_time(2 * INTERVAL - tenth, 10)),
    ];
    // A stop seals the batch of the next tick at once.
    for stop in [2 * tenth, INTERVAL + 2 * tenth, 2 * INTERVAL + 2 * tenth, 2 * INTERVAL + SECOND] {
        let mut acts: Vec<_> = on_time(-12 * SECOND, 10).into_iter().filter(|(at, _)| *at < stop).collect();
        let next = (stop.div_euclid(INTERVAL) + 1) * INTERVAL;
        acts.push((stop, Act::Seal(next)));
        acts.extend(on_time(stop + tenth, 10));
        all.push(("a stop and a start", acts));
    }
    // A batch took long, and those after it are run one after the other; the next are on time again.
    let mut late = on_time(-12 * SECOND, 3);
    late.extend((1..=4).map(|tick| (21 * SECOND + tick * 1_000, Act::Seal(tick * INTERVAL))));
    late.extend(on_time(22 * SECOND, 8).into_iter().skip(1));
    all.push(("late ticks", late));
    // The clock on the wall is set forward by an hour: ticks that are missed are run one after the other.
    let mut set = on_time(-12 * SECOND, 3);
    set.extend((1..=100).map(|tick| (6 * SECOND + tick * 1_000, Act::Seal(tick * INTERVAL))));
    set.extend((101..110).map(|tick| (6 * SECOND + (tick - 100) * INTERVAL, Act::Seal(tick * INTERVAL))));
    all.push(("the clock is set forward", set));
    all
}

/// The time at which the file is taken.
fn taken(writer: Writer, acts: &[(i64, Act)], until_done: bool, settled_after: Option<Duration>) -> Option<i64> {
    let rest = Rest::new(settled_after, Duration::from_micros(INTERVAL as u64));
    let mut seen: Option<Seen> = None;
    for &(at, act) in acts {
        let files = writer.shows(at).map(|facts| Entry { name: "a".into(), facts });
        let steady = Duration::from_micros((100 * SECOND + at) as u64);
        let look = Some(Look { began: steady, ended: steady });
        let listing = Listing { folder: Some(1), files: files.into_iter().collect(), look };
        match act {
            Act::Start => {
                let pin = seen.map(|seen| (seen.pin(), seen.rows()));
                let mut opened = Seen::open(&listing, true, Timestamp(NOW + at), rest);
                pin.iter().for_each(|(pin, rows)| opened.resume(pin, Some(rows)));
                seen = Some(opened);
            }
            Act::Seal(tick) => {
                let seen = seen.as_mut()?;
                let tick = Timestamp(NOW + tick);
                let chosen = if until_done { seen.choose_all(listing, tick) } else { seen.choose(listing, tick) };
                if !chosen.is_empty() {
                    return Some(at);
                }
            }
        }
    }
    None
}

/// The tick at which the file is taken at the latest: it was seen as it is, by one that still runs, an interval before.
fn due(writer: Writer, acts: &[(i64, Act)]) -> Option<i64> {
    let mut seen = None;
    for &(at, act) in acts.iter().filter(|(at, _)| *at >= writer.end()) {
        match act {
            Act::Start => seen = Some(at),
            Act::Seal(tick) => {
                let seen = *seen.get_or_insert(at);
                if at - seen >= INTERVAL && tick >= writer.end() + writer.server_ahead {
                    return Some(at);
                }
            }
        }
    }
    None
}

fn writers() -> Vec<Writer> {
    let mut all = Vec::new();
    for begin in [-8 * SECOND, -SECOND / 2, SECOND * 3 / 10, 4 * SECOND] {
        for (pause, step) in [(SECOND, 1), (SECOND, SECOND), (SECOND * 2, SECOND * 2), (SECOND / 3, 1), (4 * SECOND, 1)]
        {
            for server_ahead in [-30 * 60, -60, -2, 0, 2].map(|seconds| seconds * SECOND) {
                for (has_size, backdates) in [(false, false), (true, false), (false, true), (true, true)] {
                    all.push(Writer { begin, pause, server_ahead, step, has_size, backdates });
                }
            }
        }
    }
    all
}

#[test]
fn a_file_that_is_being_written_is_never_taken_and_one_that_is_done_soon() {
    for writer in writers() {
        for (schedule, acts) in schedules() {
            for until_done in [false, true] {
                let at = taken(writer, &acts, until_done, None);
                let when = format!("{schedule}, until done: {until_done}, {writer:?}");
                assert!(at.is_none_or(|at| at >= writer.end()), "taken at {at:?} of {}: {when}", writer.end());
                let due = due(writer, &acts);
                assert!(
                    due.is_none_or(|due| at.is_some_and(|at| at <= due)),
                    "taken at {at:?}, due at {due:?}: {when}"
                );
            }
        }
    }
}

#[test]
fn a_time_that_is_given_is_kept_exactly() {
    let file = |modified: i64| Writer {
        begin: modified,
        pause: 1,
        server_ahead: 0,
        step: 1,
        has_size: true,
        backdates: false,
    };
    for (rest, expect) in
        [(SECOND, 5), (5 * SECOND, 5), (5 * SECOND + 1, 10), (12 * SECOND, 15), (3_600 * SECOND, 3_600)]
    {
        let at = taken(file(-10 * SECOND), &on_time(0, 1_000), false, Some(Duration::from_micros(rest as u64)));
        assert_eq!(at, Some(expect * SECOND), "{rest}");
    }
}

/// A file whose time is one of whole seconds rests longer than an interval, if the interval is short.
#[test]
fn whole_seconds_make_a_file_rest_some_seconds() {
    let rest = |modified: i64, settled_after: Option<Duration>| {
        let facts = Facts { modified: Timestamp(modified), len: 5, place: None, born: None, changed: None };
        let rest = Rest::new(settled_after, Duration::from_millis(100));
        let listing = |tenth: u64| {
            let at = Duration::from_millis(tenth * 100);
            let files = vec![Entry { name: "a".into(), facts }];
            Listing { folder: None, files, look: Some(Look { began: at, ended: at }) }
        };
        let mut seen = Seen::open(&listing(0), true, Timestamp(NOW), rest);
        (1..100).find(|tenth| !seen.choose(listing(*tenth), Timestamp(NOW)).is_empty())
    };
    assert_eq!(rest(NOW - 7, None), Some(1));
    assert_eq!(rest(NOW, None), Some(30));
    assert_eq!(rest(NOW, Some(Duration::from_millis(100))), Some(1));
}

/// A folder of old files is not waited for, but for what changes now.
#[test]
fn files_from_long_before_the_start_are_taken_at_the_first_tick() {
    let hour = 3_600 * SECOND;
    let taken = |modified: i64, changed: i64, changes: bool| {
        let facts = |at: i64| Facts {
            modified: Timestamp(NOW + modified),
            len: if changes { at as u64 } else { 5 },
            place: None,
            born: None,
            changed: Some(Timestamp(NOW + changed)),
        };
        let rest = Rest::new(None, Duration::from_secs(5));
        let listing = |at: i64| {
            let steady = Duration::from_micros((at + SECOND) as u64);
            let files = vec![Entry { name: "a".into(), facts: facts(at) }];
            Listing { folder: None, files, look: Some(Look { began: steady, ended: steady }) }
        };
        let mut seen = Seen::open(&listing(0), true, Timestamp(NOW), rest);
        [1, INTERVAL, INTERVAL * 2].into_iter().find(|at| !seen.choose(listing(*at), Timestamp(NOW + at)).is_empty())
    };
    assert_eq!(taken(-2 * hour, -2 * hour, false), Some(1));
    assert_eq!(taken(-2 * hour, -2 * hour, true), None);
    assert_eq!(taken(-hour, -hour, false), Some(INTERVAL));
    // Written long ago, it says; but it came only now.
    assert_eq!(taken(-2 * hour, -SECOND, false), Some(INTERVAL));
}

/// A look at a large folder takes long, and a file may have been looked at as its first or its last.
#[test]
fn a_file_rests_between_the_end_of_one_look_and_the_beginning_of_another() {
    let listing = |began: u64, ended: u64| {
        let facts = Facts { modified: Timestamp(NOW + 1), len: 5, place: None, born: None, changed: None };
        let look = Some(Look { began: Duration::from_secs(began), ended: Duration::from_secs(ended) });
        Listing { folder: None, files: vec![Entry { name: "a".into(), facts }], look }
    };
    for opened_later in [false, true] {
        let first = if opened_later { Listing { files: Vec::new(), ..listing(0, 0) } } else { listing(0, 4) };
        let mut seen = Seen::open(&first, true, Timestamp(NOW), rest());
        let mut choose = |began, ended| names(&seen.choose(listing(began, ended), Timestamp(NOW + 2))).len();
        assert!(!opened_later || choose(0, 4) == 0);
        assert_eq!((choose(5, 20), choose(8, 30), choose(9, 40)), (0, 0, 1));
    }
}
