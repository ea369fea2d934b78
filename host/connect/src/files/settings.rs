//! How files that are read are written in a pipeline.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tidemill_model::{
    connector::{SourceSettings, World},
    ports::{PortError, Source},
    schema::Schema,
    time::Interval,
};
use tidemill_plan::{
    connector::{Connector, Form, Key, Page, Short},
    diagnostics::Diagnostics,
    reader::{Reader, Value, values},
};

use super::open_files;
use crate::{
    files_sink,
    text::{
        self,
        options::{self, TextOptions},
    },
};

/// Lines of files, and files of rows.
pub static FILES: Connector = Connector {
    key: "files",
    source: Some(Form { page: PAGE, read }),
    sink: Some(files_sink::FORM),
    letters: Some(files_sink::letters),
};

const PAGE: Page = Page {
    says: "Lines of text files. `files = \"PATH\"` is a file, or a folder whose new files are read as they come. The long form:",
    short: Short::Text { key: "path", what: "the path of a file or folder, or a table" },
    keys: &[
        Key("path", "text", "needed", "a file or a folder"),
        Key("existing", "boolean", "false", "for a folder: whether files that are there at the start are read too"),
        Key(
            "settled-after",
            "interval",
            "the pipeline's `interval`",
            "for a folder: so long a file must have been seen unchanged before it is read. If it is not given, a file whose \
             time is one of whole seconds rests 3 s at least. See \
             [the page of files](../connect/connectors/files.md#a-file-that-is-still-being-written)",
        ),
        options::LINE_BYTES,
        options::UTF8,
    ],
};

/// Files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSource {
    /// A file, or a folder whose files are read, each once; names that begin with `.` are passed over.
    pub path: PathBuf,
    /// For a folder: whether files that were there at the start are read too.
    pub existing: bool,
    /// For a folder: how long a file must have been seen unchanged before it is read; `None`: an interval, and some seconds
    /// at least where the file's time is one of whole seconds.
    pub settled_after: Option<Duration>,
    /// How lines are cut.
    pub text: TextOptions,
}

impl SourceSettings for FilesSource {
    fn schema(&self) -> Schema {
        text::schema()
    }

    fn open(&self, stream: &str, world: &World) -> Result<Box<dyn Source>, PortError> {
        // What files have is there at once.
        world.wake.notify();
        open_files(stream, self, world)
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SourceSettings>> {
    let text = options::read(reader);
    let existing = reader.read("existing", values::boolean).unwrap_or(false);
    let settled_after = reader.read("settled-after", settled_after);
    let path = reader.need("path", "path = \"words.txt\"")?;
    let path = PathBuf::from(values::filled_text(path, "the path", reader.diagnostics)?.text);
    Some(Arc::new(FilesSource { path, existing, settled_after, text }))
}

fn settled_after(value: &Value, diagnostics: &mut Diagnostics) -> Option<Duration> {
    values::interval(value, "time for which a file rests", diagnostics).map(Interval::duration)
}
