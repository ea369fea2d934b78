//! Lines that arrive with time.

use std::{collections::BTreeSet, ops::Range};

use tidemill_model::time::Timestamp;

use super::{Folder, HostId, Peer};
use crate::{
    random::Random,
    scenario::{LIVE, REPEATABLE, Scenario, Trouble, first_number},
};

/// Once in so many lines the next one comes after a pause.
const PAUSE_EVERY: u64 = 12;

/// How long a pause is at most, in microseconds.
const PAUSE_MICROS_MAX: u64 = 4_000_000;

/// A line.
pub(crate) struct Line {
    pub number: i64,
    /// Drawn for it: some are trouble for some functions.
    pub value: i64,
    pub text: String,
    /// When it arrived.
    pub at: Timestamp,
}

/// A line that a source has given to the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub number: i64,
    pub host: HostId,
    pub log: Logged,
}

/// How far a line has come into the input log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logged {
    /// Its host has it in its memory. The first line of a chunk says so.
    No { begins_chunk: bool },
    /// It may be lost.
    Appended,
    /// It was synced by a host that owned the checkpoint then.
    Durable,
}

/// What is drawn for functions that stumble.
struct TroubleRandom(Random, Trouble);

impl TroubleRandom {
    fn value(&mut self) -> i64 {
        self.0.pick(&[-2, -1, 0, 1, 2, 5, 7, 7, 13])
    }

    /// A line in place of another one.
    fn line(&mut self) -> Option<&'static str> {
        let is_trouble = self.0.once_in(self.1.lines_every());
        let line = self.0.pick(self.1.lines());
        is_trouble.then_some(line)
    }
}

/// What comes to a source.
pub(crate) struct Feed {
    pub lines: Vec<Line>,
    /// The place of the next line that nobody has taken, of a feed that cannot be read again.
    pub taken: usize,
    /// What was taken of it.
    pub given: Vec<Given>,
    /// Where they appear as files, of a feed of files.
    pub folder: Folder,
    /// Who sends them, of a feed whose peer keeps what is not acknowledged.
    pub peer: Peer,
    is_closed: bool,
    next_at: Timestamp,
    first_number: i64,
    random: Random,
    /// For values, and lines that are trouble.
    trouble: TroubleRandom,
    words: u64,
    gap_micros_max: u64,
}

impl Feed {
    pub fn new(seed: u64, stream: &str, begin: Timestamp, scenario: &Scenario) -> Feed {
        Feed {
            lines: Vec::new(),
            taken: 0,
            given: Vec::new(),
            is_closed: false,
            next_at: begin,
            folder: Folder::new(Random::new(seed, &format!("files of {stream}"))),
            peer: Peer::default(),
            first_number: first_number(stream),
            random: Random::new(seed, stream),
            trouble: TroubleRandom(Random::new(seed, &format!("trouble of {stream}")), scenario.trouble),
            words: scenario.words,
            // The time of a run is for all kinds of sources, not for many lines.
            gap_micros_max: if stream == REPEATABLE || stream == LIVE { 1 } else { 3 } * scenario.gap_micros_max,
        }
    }

    /// Adds what has arrived up to now.
    pub fn arrive(&mut self, now: Timestamp) {
        while self.next_at <= now && !self.is_closed {
            let words: Vec<String> =
                (0..self.random.between(0, 4)).map(|_| format!("w{}", self.random.between(1, self.words))).collect();
            let number = self.first_number + self.lines.len() as i64;
            let (value, text) = (self.trouble.value(), self.trouble.line().map_or(words.join(" "), str::to_owned));
            self.lines.push(Line { number, value, text, at: self.next_at });
            let pause = if self.random.once_in(PAUSE_EVERY) { self.random.between(0, PAUSE_MICROS_MAX) } else { 0 };
            self.next_at.0 += (1 + pause + self.random.between(0, self.gap_micros_max)) as i64;
        }
        if !self.is_closed {
            self.folder.arrive(self.lines.len(), false);
        }
    }

    /// When the next line will arrive, if one will.
    pub fn next_at(&self) -> Option<Timestamp> {
        (!self.is_closed).then_some(self.next_at)
    }

    /// Nothing more will arrive.
    pub fn close(&mut self) {
        if !std::mem::replace(&mut self.is_closed, true) {
            self.folder.arrive(self.lines.len(), true);
        }
    }

    /// Whether everything that will ever arrive stands before a place.
    pub fn ends_at(&self, place: usize) -> bool {
        self.is_closed && place >= self.lines.len()
    }

    /// The place behind what arrived up to a time.
    pub fn arrived(&self, until: Timestamp) -> usize {
        self.lines.partition_point(|line| line.at <= until)
    }

    /// The files that a host finds, of those that were there at a time.
    pub fn files(&self, until: Timestamp) -> impl Iterator<Item = usize> + '_ {
        let arrived = self.arrived(until);
        let is_there = move |place: &usize| {
            let file = &self.folder.files[*place];
            !file.is_gone && file.lines.end <= arrived
        };
        (0..self.folder.files.len()).filter(is_there)
    }

    /// Notes that a host has taken a chunk of lines that cannot be read again.
    pub fn take(&mut self, host: HostId, lines: Range<usize>) {
        self.taken = lines.end;
        let first = self.lines[lines.start].number;
        let given = self.lines[lines].iter().map(|line| {
            let log = Logged::No { begins_chunk: line.number == first };
            Given { number: line.number, host, log }
        });
        self.given.extend(given);
    }

    /// Loses up to so many lines that a crashed host had received and not given to the engine.
    pub fn lose(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.lines.len());
    }

    /// The pipeline has the source no more: what was not committed of it is given up.
    pub fn give_up(&mut self) {
        self.given.iter_mut().for_each(|given| given.log = Logged::Appended);
    }

    /// A host has appended its next chunk to the input log.
    pub fn appended_by(&mut self, host: HostId) {
        let mut of_host = self.given.iter_mut().filter(|given| given.host == host);
        let first = of_host.find(|given| matches!(given.log, Logged::No { .. }));
        let rest = of_host.take_while(|given| given.log == Logged::No { begins_chunk: false });
        first.into_iter().chain(rest).for_each(|given| given.log = Logged::Appended);
    }

    /// The lines that a host has appended and that are not durable.
    pub fn appended(&self, host: HostId) -> BTreeSet<i64> {
        let appended = self.given.iter().filter(|given| given.host == host && given.log == Logged::Appended);
        appended.map(|given| given.number).collect()
    }

    /// Of these, which a host has appended, all are durable.
    pub fn synced_by(&mut self, host: HostId, lines: &BTreeSet<i64>) {
        let appended = self.given.iter_mut().filter(|given| given.host == host && given.log == Logged::Appended);
        appended.filter(|given| lines.contains(&given.number)).for_each(|given| given.log = Logged::Durable);
    }
}
