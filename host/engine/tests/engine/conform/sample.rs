//! What a sample of an operator is.

use tidemill_model::testing::Value;

use super::feed::Feed;

/// A pipeline from `in` and `more` to `out`, and what `out` has.
pub struct Sample {
    /// The operator's key.
    pub operator: &'static str,
    pub name: &'static str,
    /// The streams.
    pub text: &'static str,
    /// What `out` has in each batch.
    pub model: fn(&Feed) -> Vec<Vec<Vec<Value>>>,
    /// The rows of `out` are in an order.
    pub is_ordered: bool,
}

/// A stream beside whose function fails for some rows, without its policy.
pub const BESIDE: &str = "
[streams.beside]
from = \"in\"
map = \"hostile/touchy\"
";

/// An output for it.
pub const OF_BESIDE: &str = "[outputs.beside]\nfrom = \"beside\"\nprint = true\n";

impl Sample {
    /// Whether what it keeps hangs on the time.
    pub fn hangs_on_time(&self) -> bool {
        ["window = ", "idle-timeout = "].iter().any(|key| self.text.contains(key))
    }

    /// A pipeline with this feed, or with one that is given otherwise.
    pub fn pipeline(&self, feed: Option<&Feed>) -> String {
        let batches = |stream| feed.map(|feed| feed.text(stream)).unwrap_or_default();
        let source = |name, stream| {
            let schema = "k: text, n: integer, f: boolean?, line: text";
            format!("[streams.{name}]\nqueue = {{ schema = \"{schema}\", batches = [{}] }}\n", batches(stream))
        };
        let sources = source("in", 0) + &source("more", 1);
        // Somebody reads the second one, also where a sample does not.
        let unread =
            if self.text.contains("\"more\"") { "" } else { "[outputs.more]\nfrom = \"more\"\nprint = true\n" };
        format!("{sources}{}\n[outputs.out]\nfrom = \"out\"\nprint = true\n{unread}", self.text)
    }
}
