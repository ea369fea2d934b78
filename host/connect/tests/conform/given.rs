//! Rows that stand in the pipeline, and made-up ones: nothing happens to them.

use std::sync::Arc;

use tidemill_conform::{Feed, SourceSample};
use tidemill_connect::system::ManualClock;
use tidemill_model::{connector::World, testing::Value, time::Timestamp};

/// What stands in the pipeline is all.
struct Given {
    written: &'static str,
    rows: Option<Vec<Vec<Vec<Value>>>>,
    come: usize,
    clock: Arc<ManualClock>,
}

impl Given {
    fn feed(written: &'static str, rows: Option<Vec<Vec<Vec<Value>>>>) -> Box<dyn Feed> {
        Box::new(Given { written, rows, come: 0, clock: Arc::new(ManualClock::new(Timestamp(5_000_000))) })
    }
}

impl Feed for Given {
    fn written(&self) -> String {
        self.written.to_owned()
    }

    fn world(&self) -> World {
        super::world(self.clock.clone(), ".".as_ref())
    }

    fn come(&mut self, batch: usize) {
        self.come = batch + 1;
        // Not evenly.
        self.clock.advance_to(Timestamp(5_000_000 + [1, 2, 2, 5, 9, 30, 31][batch] * 500_000));
    }

    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        self.rows.as_ref().map(|rows| rows.iter().take(self.come).flatten().cloned().collect())
    }
}

fn queued() -> Option<Vec<Vec<Vec<Value>>>> {
    let row = |text: &str, number| vec![Value::text(text), Value::Integer(number)];
    Some(vec![vec![row("a", 1), row("b", 2), row("c", 3)], vec![], vec![], vec![row("d", 4)]])
}

pub fn sources() -> Vec<SourceSample> {
    macro_rules! queue {
        ($more:literal) => {
            concat!(
                "{ schema = \"word: text, n: integer\", batches = [[{ word = \"a\", n = 1 }, { word = \"b\", n = 2 }, ",
                "{ word = \"c\", n = 3 }], \"none\", [], [{ word = \"d\", n = 4 }]]",
                $more,
                " }"
            )
        };
    }
    let generate = |name, ends, feed| SourceSample { key: "generate", name, batches: 6, ends, feed };
    vec![
        SourceSample {
            key: "queue",
            name: "a queue",
            batches: 6,
            ends: true,
            feed: || Given::feed(queue!(""), queued()),
        },
        SourceSample {
            key: "queue",
            name: "a queue in lanes",
            batches: 6,
            ends: true,
            feed: || Given::feed(queue!(", partitions = 2"), queued()),
        },
        generate("rows by the clock, with an end", true, || {
            Given::feed("{ kind = \"orders\", rate = 10, count = 100 }", None)
        }),
        generate("rows by the clock, without an end", false, || {
            Given::feed("{ kind = \"orders\", rate = 2_000 }", None)
        }),
        generate("rows as they are taken, with an end", true, || {
            Given::feed("{ kind = \"points\", count = 40_000, seed = 7 }", None)
        }),
        generate("rows as they are taken", false, || Given::feed("\"activity\"", None)),
    ]
}
