//! The word count as an ordinary good native program: what the pipeline is measured against.
//!
//! A receiver thread reads blocks from the socket and cuts them at line ends; two workers take blocks, find words with
//! `memchr2` and add into a hashbrown map of their own; once an interval each merges its map into the running totals,
//! and ten of them are written down. No plugin, no types, no UTF-8 check, no backpressure beyond a bounded queue.

use std::{
    io::Read,
    net::TcpStream,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use crate::job::Value;

/// Running totals by word.
pub type Totals = HashMap<Vec<u8>, i64, foldhash::fast::RandomState>;

/// Bytes of a block.
const BLOCK_BYTES: usize = 1 << 20;

/// Blocks between the receiver and the workers.
const BLOCKS: usize = 32;

/// Runs the job over everything that comes from the socket, with two workers; gives the totals.
pub fn run(mut socket: TcpStream, value: Value, interval: Duration) -> Totals {
    let (full_in, full_out) = sync_channel::<Vec<u8>>(BLOCKS);
    let (empty_in, empty_out) = sync_channel::<Vec<u8>>(BLOCKS);
    let full_out = Mutex::new(full_out);
    let totals: [Mutex<Totals>; 2] = Default::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (full_out, empty_in, totals) = (&full_out, empty_in.clone(), &totals);
            scope.spawn(move || work(full_out, &empty_in, value, interval, totals));
        }
        receive(&mut socket, &full_in, &empty_out);
        drop(full_in);
    });
    let [mut all, second] = totals.map(|totals| totals.into_inner().unwrap_or_else(PoisonError::into_inner));
    all.extend(second);
    all
}

/// Reads until the peer ends; every block ends with a line.
fn receive(socket: &mut TcpStream, full: &SyncSender<Vec<u8>>, empty: &Receiver<Vec<u8>>) {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    loop {
        let mut have = block.len();
        block.resize(BLOCK_BYTES, 0);
        let mut ended = false;
        while have < BLOCK_BYTES && !ended {
            let count = socket.read(&mut block[have..]).expect("the feeder is on this machine");
            ended = count == 0;
            have += count;
        }
        block.truncate(have);
        let cut = if ended { have } else { memchr::memrchr(b'\n', &block).map_or(have, |at| at + 1) };
        let mut next = empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BLOCK_BYTES));
        next.clear();
        next.extend_from_slice(&block[cut..]);
        block.truncate(cut);
        if full.send(std::mem::replace(&mut block, next)).is_err() || ended {
            return;
        }
    }
}

fn work(
    full: &Mutex<Receiver<Vec<u8>>>,
    empty: &SyncSender<Vec<u8>>,
    value: Value,
    interval: Duration,
    totals: &[Mutex<Totals>; 2],
) {
    let mut counts = Totals::default();
    let mut merged = Instant::now();
    loop {
        let block = lock(full).recv();
        let Ok(block) = block else { break };
        count(&block, value, &mut counts);
        // A full queue of empty blocks is no loss.
        let _ = empty.try_send(block);
        if merged.elapsed() >= interval {
            merge(&mut counts, totals);
            merged = Instant::now();
        }
    }
    merge(&mut counts, totals);
}

fn count(block: &[u8], value: Value, counts: &mut Totals) {
    let mut start = 0;
    let mut add = |word: &[u8]| {
        if !word.is_empty() {
            let delta = match value {
                Value::One => 1,
                Value::Length => word.len() as i64,
            };
            *counts.entry_ref(word).or_insert(0) += delta;
        }
    };
    for end in memchr::memchr2_iter(b' ', b'\n', block) {
        add(&block[start..end]);
        start = end + 1;
    }
    add(&block[start..]);
}

/// Adds a worker's counts to the totals, half by half, and writes ten rows down.
fn merge(counts: &mut Totals, totals: &[Mutex<Totals>; 2]) {
    let mut halves: [Vec<(Vec<u8>, i64)>; 2] = Default::default();
    for (word, count) in counts.drain() {
        let half = usize::from(word.first().is_some_and(|first| first % 2 == 1));
        halves[half].push((word, count));
    }
    for (half, totals) in halves.into_iter().zip(totals) {
        let mut totals = lock(totals);
        for (word, count) in half {
            *totals.entry(word).or_insert(0) += count;
        }
        let rows: Vec<String> =
            totals.iter().take(10).map(|(word, total)| format!("({}, {total})", word.escape_ascii())).collect();
        std::hint::black_box(rows);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
