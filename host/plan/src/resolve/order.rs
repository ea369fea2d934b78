//! The order of the streams: what is read stands before what reads it, otherwise as in the file.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::Name,
    manifest::StreamEntry,
    suggest,
};

/// The places of all streams that are not on a circle and do not read from one. Circles are reported, each once.
pub(super) fn order(
    streams: &[StreamEntry],
    links: &[Vec<Option<usize>>],
    diagnostics: &mut Diagnostics,
) -> Vec<usize> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); streams.len()];
    let mut waits_for: Vec<usize> = vec![0; streams.len()];
    for (reader, inputs) in links.iter().enumerate() {
        for input in inputs.iter().flatten() {
            readers[*input].push(reader);
            waits_for[reader] += 1;
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        waits_for.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(i, _)| Reverse(i)).collect();
    let mut order = Vec::with_capacity(streams.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in &readers[index] {
            waits_for[reader] -= 1;
            if waits_for[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    for circle in circles(links, &waits_for) {
        diagnostics.push(describe(&circle, streams));
    }
    order
}

/// Circles among the streams that still wait, each from its first stream in the file on, in the direction of `from`.
fn circles(links: &[Vec<Option<usize>>], waits_for: &[usize]) -> Vec<Vec<usize>> {
    // The walk in which a stream was met; 0: in none yet.
    let mut walk_of = vec![0_usize; links.len()];
    let mut circles = Vec::new();
    for start in 0..links.len() {
        let mut way: Vec<usize> = Vec::new();
        let mut at = start;
        while waits_for[at] > 0 && walk_of[at] == 0 {
            walk_of[at] = start + 1;
            way.push(at);
            // What waits has an input that waits too.
            match links[at].iter().flatten().find(|input| waits_for[**input] > 0) {
                Some(input) => at = *input,
                None => break,
            }
        }
        if walk_of[at] == start + 1
            && let Some(first) = way.iter().position(|met| *met == at)
        {
            let mut circle = way.split_off(first);
            let lowest = circle.iter().enumerate().min_by_key(|(_, stream)| **stream).map_or(0, |(i, _)| i);
            circle.rotate_left(lowest);
            circles.push(circle);
        }
    }
    circles
}

fn describe(circle: &[usize], streams: &[StreamEntry]) -> Diagnostic {
    let name = |index: &usize| streams[*index].name.text.as_str();
    let span_of = |stream: &StreamEntry| {
        // Where it reads the next one, of which it may read what stands beside it.
        let next = circle.get(1).or(circle.first()).map(name);
        let is_next = |read: &&Name| read.text.split('.').next() == next;
        stream.from.iter().find(is_next).unwrap_or(&stream.name).span
    };
    let span = circle.first().and_then(|first| streams.get(*first)).map_or(Span::of_file(0..0), span_of);
    let message = match circle {
        [only] => format!("stream `{}` reads itself", name(only)),
        _ => format!("the streams {} read each other in a circle", suggest::and(circle.iter().map(name))),
    };
    let way: Vec<&str> = circle.iter().chain(circle.first()).map(name).collect();
    Diagnostic::error(span, message).label(format!("from: {}", way.join(" -> ")))
}
