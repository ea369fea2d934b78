//! What pipelines are put together from.

use super::Trouble;

/// What an output holds, of a batch or of all batches so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The lines with their numbers, as they came.
    Lines,
    /// How often each word stands in the batch, by a plugin.
    Counts,
    /// The same without one.
    NativeCounts,
    /// The bytes of each word in the batch, by a plugin's map and a native sum.
    Lengths,
    /// The two words that the batch has most often.
    Top,
    /// How many words the batch has.
    Rows,
    /// How often each word of the batch has come since the beginning.
    Totals,
    /// How often every word has come since the beginning.
    All,
    /// For every word how many batches have ended since it came first.
    Ages,
    /// How often each word has come in this batch and those before without a gap; others are forgotten.
    Busy,
    /// Each word's values since the beginning, by a function that gets newer versions.
    Moved,
    /// What words say that are woken: the newest value of a word says when it is.
    Alarms,
    /// A number of each word, in which the order of its values in one stream shows.
    InOrder,
    /// Lines, by a function that counts them.
    Counted,
    /// Lines, by a function that stumbles over some.
    Taken,
    /// Each word's values in the batch, by one that stumbles over 13.
    Sums,
    /// Each word's values since the beginning, by one that stumbles over 13, rejects 5, and when it is woken over 7.
    Touchy,
    /// How often each word of the batch has come since the beginning, by a function behind the states that stumbles over some
    /// words, and counts the others.
    Behind,
    /// How often each word came in the last batches, by a plugin's accumulators.
    Recent,
    /// The same of three batches, in every second one.
    Sliding,
    /// In how many of the last batches each word came: a window over sums, which are placed by word.
    Gathered,
    /// Beside how often each word stands in the batch the bytes of all of these: a join.
    Paired,
    /// How often each word has come since it was last away for more than two batches: all states, beside what is said of those that
    /// go.
    Idle,
    /// The dead letters of another output's stream, which has this name.
    Letters(&'static str),
}

/// Contents with the name of their output and its stream.
type Menu = &'static [(&'static str, Content)];

/// What no function stumbles over, but for the lines.
pub(super) const MENU: Menu = &[
    ("counts", Content::Counts),
    ("native", Content::NativeCounts),
    ("lengths", Content::Lengths),
    ("top", Content::Top),
    ("rows", Content::Rows),
    ("totals", Content::Totals),
    ("all", Content::All),
    ("ages", Content::Ages),
    ("busy", Content::Busy),
    ("alarms", Content::Alarms),
    ("moved", Content::Moved),
];

/// The same, of which each is there or not.
pub(super) const MORE: Menu = &[("in-order", Content::InOrder), ("counted", Content::Counted)];

/// And these.
pub(super) const LATER: Menu = &[
    ("recent", Content::Recent),
    ("sliding", Content::Sliding),
    ("gathered", Content::Gathered),
    ("paired", Content::Paired),
    ("idle", Content::Idle),
];

/// What a pipeline may have where functions stumble.
pub(super) fn troubled(trouble: Trouble) -> Menu {
    match trouble {
        Trouble::None => &[],
        Trouble::Letters => &[("taken", Content::Taken), ("sums", Content::Sums), ("touchy", Content::Touchy)],
        Trouble::Skip | Trouble::Stop | Trouble::Retry => &[("taken", Content::Taken)],
    }
}

/// Whether the stream of an output keeps state, and may get another name. One with dead letters may not: their output would
/// be another one.
pub(super) fn is_renamed(content: Content) -> bool {
    use Content::{Ages, Alarms, All, Busy, Idle, InOrder, Moved, Recent, Sliding, Totals};
    matches!(content, Totals | All | Ages | Busy | Moved | Alarms | InOrder | Recent | Sliding | Idle)
}

/// The functions `TOTAL` and `ALARM` of [`streams`] in a version.
pub(super) fn functions(version: u32) -> [&'static str; 2] {
    match version {
        1 => ["total-emitted", "alarm"],
        2 => ["sum-migrated", "alarm-migrated"],
        _ => ["sum-migrated-again", "alarm-migrated"],
    }
}

/// The streams of what is in [`LATER`].
fn later(content: Content) -> &'static str {
    match content {
        Content::Recent => {
            "[streams.recent]\nfrom = \"words\"\nby = \"word\"\nreduce = \"wordcount/sum\"\nwindow = \"WINDOW\"\n"
        }
        Content::Sliding => {
            "[streams.sliding]\nfrom = \"words\"\nby = \"word\"\nreduce = \"count\"\nwindow = \"THREE\"\nslide = \"TWO\"\n"
        }
        Content::Gathered => {
            "[streams.one]\nfrom = \"words\"\nby = \"word\"\nreduce = \"sum\"\n\n\
             [streams.past]\nfrom = \"one\"\nwindow = \"WINDOW\"\n\n\
             [streams.gathered]\nfrom = \"past\"\nby = \"word\"\nreduce = \"count\"\n"
        }
        Content::Paired => {
            "[streams.left]\nfrom = \"words\"\nby = \"word\"\nreduce = \"sum\"\n\n\
             [streams.sized]\nfrom = \"LINES\"\nmap = \"wordcount/lengths\"\n\n\
             [streams.right]\nfrom = \"sized\"\nby = \"word\"\nreduce = \"sum\"\n\n\
             [streams.paired]\nfrom = [\"left\", \"right\"]\nby = \"word\"\njoin = \"full\"\nprefix = [\"\", \"of-\"]\n"
        }
        Content::Idle => {
            "[streams.idle]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"hostile/farewell\"\nidle-timeout = \"TWO\"\n"
        }
        _ => "",
    }
}

/// The streams that make it; `LINES` stands for the stream of the lines, `SINGLE` for one of the sources that it is made of,
/// `POLICY` for what `on-error` says, `WINDOW`, `TWO` and `THREE` for times of so many batches.
pub(super) fn streams(content: Content) -> &'static str {
    match content {
        Content::Recent | Content::Sliding | Content::Gathered | Content::Paired | Content::Idle => later(content),
        Content::Lines | Content::Letters(_) => "",
        Content::Counts => "[streams.counts]\nfrom = \"words\"\nby = \"word\"\nreduce = \"wordcount/sum\"\n",
        Content::NativeCounts => "[streams.native]\nfrom = \"words\"\nby = \"word\"\nreduce = \"count\"\n",
        Content::Lengths => {
            "[streams.long]\nfrom = \"LINES\"\nmap = \"wordcount/lengths\"\n\n\
             [streams.lengths]\nfrom = \"long\"\nby = \"word\"\nreduce = \"sum\"\n"
        }
        Content::Top => {
            "[streams.number]\nfrom = \"words\"\nby = \"word\"\nreduce = \"sum\"\n\n\
             [streams.sorted]\nfrom = \"number\"\nsort = [\"-count\", \"word\"]\n\n\
             [streams.top]\nfrom = \"sorted\"\nlimit = 2\n"
        }
        Content::Rows => "[streams.rows]\nfrom = \"words\"\ncount = true\n",
        Content::Totals => {
            "[streams.totals]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\n"
        }
        Content::All => {
            "[streams.all]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\nemit = \"all\"\n"
        }
        Content::Ages => {
            "[streams.ages]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"hostile/age\"\nrun = \"all\"\n\
             emit = \"all\"\n"
        }
        Content::Busy => {
            "[streams.busy]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"hostile/total-while-busy\"\n\
             run = \"all\"\nemit = \"all\"\n"
        }
        Content::Alarms => "[streams.alarms]\nfrom = \"valued\"\nby = \"word\"\nupdate-state = \"hostile/ALARM\"\n",
        Content::Moved => "[streams.moved]\nfrom = \"valued\"\nby = \"word\"\nupdate-state = \"hostile/TOTAL\"\n",
        Content::InOrder => {
            "[streams.single]\nfrom = \"SINGLE\"\nmap = \"wordcount/split\"\nkeep = \"value\"\n\n\
             [streams.in-order]\nfrom = \"single\"\nby = \"word\"\nupdate-state = \"hostile/in-order\"\n"
        }
        Content::Counted => "[streams.counted]\nfrom = \"LINES\"\nmap = \"hostile/counts\"\nkeep = \"number\"\n",
        Content::Behind => {
            "[streams.beneath]\nfrom = \"words\"\nby = \"word\"\nupdate-state = \"wordcount/running-total\"\n\n\
             [streams.behind]\nfrom = \"beneath\"\nmap = \"hostile/touchy-counted\"\nfields = { line = \"word\" }\n\
             keep = \"count\"\non-error = POLICY\n"
        }
        Content::Taken => {
            "[streams.taken]\nfrom = \"LINES\"\nmap = \"hostile/touchy\"\nkeep = \"number\"\non-error = POLICY\n"
        }
        Content::Sums => {
            "[streams.sums]\nfrom = \"valued\"\nby = \"word\"\nreduce = \"hostile/touchy-sum\"\non-error = \
             \"dead-letter\"\n"
        }
        Content::Touchy => {
            "[streams.touchy]\nfrom = \"valued\"\nby = \"word\"\nupdate-state = \"hostile/touchy-total\"\non-error = \
             \"dead-letter\"\n"
        }
    }
}
