//! How printing is written in a pipeline.

use std::sync::Arc;

use tidemill_model::{
    connector::{SinkSettings, World},
    ports::{PortError, Sink},
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    diagnostics::Diagnostics,
    reader::{Reader, Value, values},
};

use super::PrintedSink;

/// Standard output.
pub static PRINT: Connector =
    Connector { key: "print", source: None, sink: Some(Form { page: PAGE, read }), letters: None };

const PAGE: Page = Page {
    says: "To standard output, for people. `print = true`, or:",
    short: Short::True { key: "rows" },
    keys: &[
        Key("rows", "integer", "10", "rows of a batch that are shown before `...`"),
        Key(
            "style",
            "`\"python\"`, `\"scala\"`, `\"json\"`",
            "`\"python\"`",
            "`('a', 1)` as PySpark's pprint, `(a,1)` as Scala's print, or a JSON object a row",
        ),
    ],
};

/// Rows that are printed where the pipeline does not say how many.
const ROWS_DEFAULT: usize = 10;

const STYLES: &[(&str, PrintStyle)] =
    &[("python", PrintStyle::Python), ("scala", PrintStyle::Scala), ("json", PrintStyle::Json)];

/// The first rows of each batch, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintSink {
    /// How many rows are shown before `...`.
    pub rows: usize,
    /// How a row looks.
    pub style: PrintStyle,
}

/// How a printed batch looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintStyle {
    /// As PySpark's pprint: `('a', 1)`, and the time as local date and time.
    Python,
    /// As Scala's print: `(a,1)`, and the time in milliseconds.
    Scala,
    /// One JSON object a row, and the time in milliseconds.
    Json,
}

impl SinkSettings for PrintSink {
    fn rows_max(&self) -> Option<usize> {
        // With the one that says that there are more.
        Some(self.rows.saturating_add(1))
    }

    fn prints(&self) -> bool {
        true
    }

    fn open(&self, output: &str, world: &World) -> Result<Box<dyn Sink>, PortError> {
        Ok(Box::new(PrintedSink::try_new(output, self, world)?))
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SinkSettings>> {
    let rows = |value: &Value, diagnostics: &mut Diagnostics| {
        usize::try_from(values::integer(value, "`rows`", 0..=u64::MAX, diagnostics)?).ok()
    };
    let rows = reader.read("rows", rows).unwrap_or(ROWS_DEFAULT);
    let style = reader.read("style", |value, diagnostics| values::choice(value, "style", STYLES, diagnostics));
    Some(Arc::new(PrintSink { rows, style: style.unwrap_or(PrintStyle::Python) }))
}
