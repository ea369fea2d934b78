//! How files that are written are written in a pipeline.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tidemill_model::{
    connector::{SinkSettings, World},
    ports::{PortError, Sink},
};
use tidemill_plan::{
    connector::{Form, Key, Page, Short},
    diagnostics::Diagnostics,
    reader::{Name, Reader, Value, ValueKind, not_yet, values},
};

use super::FileSink;

/// Files as a sink.
pub(crate) const FORM: Form<dyn SinkSettings> = Form { page: PAGE, read };

const PAGE: Page = Page {
    says: "`files = \"FOLDER\"` writes a folder for each batch, and its rows in one or more files; or:",
    short: Short::Text { key: "folder", what: "the path of a folder, or a table" },
    keys: &[
        Key(
            "folder",
            "text",
            "needed",
            "where the folders come; no two outputs of any pipelines have the same, and none is in the checkpoint's folder",
        ),
        Key(
            "format",
            "`\"text\"`, `\"jsonl\"`",
            "`\"text\"`",
            "a line a row: the values with tabs between them, or a JSON object",
        ),
    ],
};

const FORMATS: &[(&str, FileFormat)] = &[("text", FileFormat::Text), ("jsonl", FileFormat::Jsonl)];

/// Formats that a later version will have.
const FORMATS_LATER: [&str; 2] = ["csv", "parquet"];

/// A file a partition in a folder a batch, prepared and then renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesSink {
    /// The folder that gets a folder for each batch.
    pub folder: PathBuf,
    /// What a file has in it.
    pub format: FileFormat,
}

/// What a file has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// A line a row: the value of a single field; several fields with tabs between them.
    Text,
    /// A JSON object a row.
    Jsonl,
}

/// Dead letters in this folder.
pub(crate) fn letters(folder: &Path) -> Arc<dyn SinkSettings> {
    Arc::new(FilesSink { folder: folder.to_owned(), format: FileFormat::Jsonl })
}

impl SinkSettings for FilesSink {
    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    fn open(&self, output: &str, world: &World) -> Result<Box<dyn Sink>, PortError> {
        let run = format!("{:016x}", world.run);
        Ok(Box::new(FileSink::open(output, self, &world.folder.join(&self.folder), &run, world.disk.clone())?))
    }
}

fn read(reader: &mut Reader<'_, '_>) -> Option<Arc<dyn SinkSettings>> {
    let format = reader.read("format", format);
    let folder = reader.need("folder", "folder = \"out/words\"")?;
    let folder = values::filled_text(folder, "the folder", reader.diagnostics)?;
    Some(Arc::new(FilesSink { folder: PathBuf::from(folder.text), format: format.unwrap_or(FileFormat::Text) }))
}

fn format(value: &Value, diagnostics: &mut Diagnostics) -> Option<FileFormat> {
    if let ValueKind::Text(text) = &value.kind
        && FORMATS_LATER.contains(&text.as_str())
    {
        diagnostics.push(not_yet(&Name { text: text.clone(), span: value.span }));
        return None;
    }
    values::choice(value, "format", FORMATS, diagnostics)
}
