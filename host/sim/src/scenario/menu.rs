//! What pipelines are put together from.

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
}

/// All but the lines, with the name of their output and its stream.
pub(super) const MENU: [(&str, Content); 9] = [
    ("counts", Content::Counts),
    ("native", Content::NativeCounts),
    ("lengths", Content::Lengths),
    ("top", Content::Top),
    ("rows", Content::Rows),
    ("totals", Content::Totals),
    ("all", Content::All),
    ("ages", Content::Ages),
    ("busy", Content::Busy),
];

/// The streams that make it; `LINES` stands for the stream of the lines.
pub(super) fn streams(content: Content) -> &'static str {
    match content {
        Content::Lines => "",
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
    }
}
