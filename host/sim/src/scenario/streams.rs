//! Where lines come from.

use crate::random::Random;

/// The stream that can be read again, as made-up rows can.
pub(crate) const REPEATABLE: &str = "in";

/// The stream that cannot: what is taken of it is logged.
pub(crate) const LIVE: &str = "live";

/// The stream whose peer keeps what is not acknowledged, and sends it again.
pub(crate) const ACKNOWLEDGED: &str = "acknowledged";

/// The stream of a folder's files, which are read as wholes, and can be removed when they were.
pub(crate) const FILES: &str = "files";

/// All there are.
const ALL: [&str; 4] = [REPEATABLE, LIVE, ACKNOWLEDGED, FILES];

/// The lines of a stream have numbers of their own, so many at most.
const NUMBERS_MAX: i64 = 1_000_000;

/// The number of a stream's first line.
pub(crate) fn first_number(stream: &str) -> i64 {
    ALL.iter().position(|known| *known == stream).map_or(0, |place| place as i64) * NUMBERS_MAX
}

/// Whose line has this number.
pub(crate) fn stream_of_number(number: i64) -> &'static str {
    usize::try_from(number / NUMBERS_MAX).ok().and_then(|place| ALL.get(place)).copied().unwrap_or(REPEATABLE)
}

/// A source that is there in some hosts and in others not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passing {
    pub stream: &'static str,
    /// The first host has it.
    pub is_there_first: bool,
}

/// Those that a pipeline has.
pub(super) fn draw(random: &mut Random, of_more: &mut Random) -> Vec<&'static str> {
    let mut streams = random.pick(&[vec![REPEATABLE], vec![LIVE], vec![REPEATABLE, LIVE]]);
    streams.extend([ACKNOWLEDGED, FILES].into_iter().filter(|_| of_more.once_in(4)));
    streams
}

/// The one of several that comes and goes, if one does.
pub(super) fn draw_passing(random: &mut Random, streams: &[&'static str]) -> Option<Passing> {
    let (is_one, stream, is_there_first) = (random.once_in(2), random.pick(streams), random.once_in(2));
    (is_one && streams.len() > 1).then_some(Passing { stream, is_there_first })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_whose_lines_they_are() {
        for stream in ALL {
            let first = first_number(stream);
            assert_eq!([first, first + 1, first + NUMBERS_MAX - 1].map(stream_of_number), [stream; 3]);
        }
    }
}
