//! The connectors of this crate.

use tidemill_plan::connector::Connectors;

use crate::{files::FILES, generate::GENERATE, print::PRINT, queue::QUEUE, socket::SOCKET};

/// All of them, in the order in which people are told of them.
pub static CONNECTORS: Connectors = &[&PRINT, &SOCKET, &FILES, &QUEUE, &GENERATE];

#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::{
        path::Path,
        sync::{Arc, Mutex},
    };

    use tidemill_model::{
        connector::{SinkSettings, SourceSettings, World},
        ports::{PortErrorKind, SinkBatch},
        time::Timestamp,
    };

    use crate::{
        files::FilesSource,
        files_sink::{FileFormat, FilesSink},
        generate::{GenerateKind, GenerateSource},
        lock,
        print::{PrintSink, PrintStyle},
        queue::{JsonText, QueueSource},
        system::{ManualClock, Threads},
        testing::begin,
        text::{self, TextOptions},
    };

    fn world(folder: &Path, stdout: Arc<Mutex<Vec<u8>>>) -> World {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let world = World::new(clock, Arc::new(Threads), folder.to_owned(), stdout);
        World { until_done: true, ..world }
    }

    #[test]
    fn every_kind_opens_and_relative_paths_begin_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.txt"), "a\nb\n").unwrap();
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let world = world(folder.path(), stdout.clone());
        let text = TextOptions::default();
        let files = FilesSource { path: "in.txt".into(), existing: false, settled_after: None, text };
        let schema = text::schema();
        let batches = vec![Some(vec![JsonText("\"a\"".to_owned()), JsonText("\"b\"".to_owned())])];
        let queue = QueueSource { schema: schema.clone(), batches, partitions: None };
        let generate = GenerateSource { kind: GenerateKind::Points, rate: None, count: Some(2), seed: 0 };
        let sources: [&dyn SourceSettings; 3] = [&files, &queue, &generate];
        for settings in sources {
            let mut source = settings.open("lines", &world).unwrap();
            assert!(source.seal(Timestamp(1_000)).unwrap().last);
            let taken = source.take(usize::MAX).unwrap();
            assert_eq!((taken.end, taken.chunks[0].rows.num_rows()), (true, 2));
            assert_eq!(*source.schema(), schema);
            let print = PrintSink { rows: 1, style: PrintStyle::Scala };
            let files = FilesSink { folder: "out".into(), format: FileFormat::Text };
            let sinks: [&dyn SinkSettings; 2] = [&print, &files];
            let partitions = [vec![taken.chunks[0].rows.clone()]];
            for settings in sinks {
                let mut sink = settings.open("out", &world).unwrap();
                begin(&mut *sink);
                let batch = SinkBatch { time: Timestamp(1_000), schema: &schema, parts: &partitions };
                batch.prepare(&mut *sink).unwrap();
                sink.deliver(Timestamp(1_000)).unwrap();
            }
        }
        assert_eq!(lock(&stdout).split(|&byte| byte == b'\n').filter(|line| *line == b"...").count(), 3);
        let written = std::fs::read(folder.path().join("out/batch-0000000000001/part-00000.txt")).unwrap();
        assert_eq!(written, b"a\nb\n");
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(folder.path(), Arc::default());
        let text = TextOptions { line_bytes_max: 0, ..TextOptions::default() };
        let files = FilesSource { path: ".".into(), existing: false, settled_after: None, text };
        let error = files.open("lines", &world).err().unwrap();
        assert_eq!(error.kind, PortErrorKind::Configuration);
        assert_eq!(error.to_string(), "stream `lines`: lines of at most 0 bytes cannot be: choose 1 to 268435456");
    }
}
