//! How made-up rows are written in a pipeline.

use std::sync::Arc;

use tidemill_model::{
    connector::{SourceSettings, World},
    ports::{PortError, Source},
    schema::Schema,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    reader::{Reader, values},
};

use super::GeneratedSource;
use crate::text;

/// Made-up rows.
pub static GENERATE: Connector =
    Connector { key: "generate", source: Some(Form { page: PAGE, read }), sink: None, letters: None };

const PAGE: Page = Page {
    says: "Made-up lines, the same for the same seed. `generate = \"KIND\"`, or:",
    short: Short::Text { key: "kind", what: "a kind of rows, or a table" },
    keys: &[
        Key("kind", "`\"words\"`, `\"orders\"`, `\"points\"`, `\"activity\"`", "needed", "what the lines are about"),
        Key("rate", "integer, 1 at least", "none", "lines a second; without it as many as are taken"),
        Key("count", "integer", "none", "lines in all; without it there is no end"),
        Key("seed", "integer", "0", ""),
    ],
};

const KINDS: &[(&str, GenerateKind)] = &[
    ("words", GenerateKind::Words),
    ("orders", GenerateKind::Orders),
    ("points", GenerateKind::Points),
    ("activity", GenerateKind::Activity),
];

/// Made-up rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerateSource {
    /// What they are about.
    pub kind: GenerateKind,
    /// Rows a second; `None`: as fast as they are taken.
    pub rate: Option<u64>,
    /// Rows in all; `None`: without end.
    pub count: Option<u64>,
    /// The same seed gives the same rows.
    pub seed: u64,
}

/// What generated rows are about. Each is one line of text, as the tutorials' feeds have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerateKind {
    /// Lines of ten words, frequencies after Zipf.
    Words,
    /// `{"order_id": "...", "status": "PLACED"}`.
    Orders,
    /// `x y`, now and then a bad one.
    Points,
    /// `{"user_id": 1000, "activity": "profile.view"}`.
    Activity,
}

impl SourceSettings for GenerateSource {
    fn schema(&self) -> Schema {
        text::schema()
    }

    fn endless(&self) -> Option<&'static str> {
        self.count.is_none().then_some("generated without a count")
    }

    fn open(&self, stream: &str, world: &World) -> Result<Box<dyn Source>, PortError> {
        // What a generator has is there at once.
        world.wake.notify();
        Ok(Box::new(GeneratedSource::new(stream, self, world.clock.now(), world.until_done)))
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SourceSettings>> {
    let mut number = |key: &str, min: u64| {
        reader.read(key, |value, diagnostics| values::integer(value, &format!("`{key}`"), min..=u64::MAX, diagnostics))
    };
    let (rate, count, seed) = (number("rate", 1), number("count", 0), number("seed", 0));
    let kind = reader.need("kind", "kind = \"words\"")?;
    let kind = values::choice(kind, "kind of generated rows", KINDS, reader.diagnostics)?;
    Some(Arc::new(GenerateSource { kind, rate, count, seed: seed.unwrap_or(0) }))
}
