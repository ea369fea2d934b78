//! The first rows of each batch on standard output, in the forms of DStreams' `pprint` and `print`.

mod float;
mod python;
mod scala;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufWriter, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow_array::RecordBatch;
use jiff::tz::{Offset, TimeZone};
use tidemill_model::{
    connector::{UtcOffset, World},
    ports::{PortError, Sink, SinkParts, SinkRows, WrittenRows},
    schema::Schema,
    text::{Seen, shown, shown_json},
    time::Timestamp,
};

use crate::{
    json, lock,
    value::{self, Record},
};
pub use settings::{PRINT, PrintSink, PrintStyle};

const RULE: &str = "-------------------------------------------";

/// Bytes of text that are collected before they are written: all of most batches.
const WRITE_BYTES: usize = 64 << 10;

/// The outputs of a run that print.
#[derive(Default)]
struct Printers(Arc<AtomicUsize>);

/// Prints.
pub(crate) struct PrintedSink {
    output: String,
    spec: PrintSink,
    stdout: Arc<Mutex<dyn Write + Send>>,
    is_terminal: bool,
    utc_offset: UtcOffset,
    /// How many outputs print in this run: if others do, each says which one it is.
    printers: Arc<AtomicUsize>,
    written: WrittenRows,
    prepared: BTreeMap<Timestamp, Shown>,
}

/// What is shown of a batch. Rows become text while they are printed: as text they may be far more than they are in columns.
struct Shown {
    schema: Schema,
    rows: Vec<RecordBatch>,
    /// There are others, which are not shown.
    more: bool,
}

impl PrintedSink {
    pub fn try_new(output: &str, spec: &PrintSink, world: &World) -> Result<PrintedSink, PortError> {
        let printers = Arc::clone(&world.shared.get(|| Ok(Printers::default()))?.0);
        printers.fetch_add(1, Ordering::Relaxed);
        let (stdout, utc_offset) = (Arc::clone(&world.stdout), Arc::clone(&world.utc_offset));
        let (written, prepared) = (WrittenRows::default(), BTreeMap::new());
        let (output, spec, is_terminal) = (output.to_owned(), spec.clone(), world.is_terminal);
        Ok(PrintedSink { output, spec, stdout, is_terminal, utc_offset, printers, written, prepared })
    }

    /// What is shown of a batch whose rows are all written.
    fn shown(&mut self, batch: &SinkParts<'_>) -> Shown {
        let mut shown = Shown { schema: batch.schema.clone(), rows: Vec::new(), more: false };
        let mut left = self.spec.rows;
        for rows in self.written.take(batch).iter().flatten() {
            let count = rows.num_rows().min(left);
            shown.rows.push(rows.slice(0, count));
            left -= count;
            if count < rows.num_rows() {
                shown.more = true;
                break;
            }
        }
        shown
    }

    /// Writes what a batch looks like.
    fn print(&self, time: Timestamp, shown: &Shown, out: &mut impl Write) -> io::Result<()> {
        // Programs read JSON: all that it has is rows.
        let is_json = self.spec.style == PrintStyle::Json;
        if !is_json {
            out.write_all(self.head(time).as_bytes())?;
        }
        for rows in &shown.rows {
            for row in 0..rows.num_rows() {
                self.write_row(&value::row(&shown.schema, rows, row), out)?;
                out.write_all(b"\n")?;
            }
        }
        match (is_json, shown.more) {
            (true, _) => Ok(()),
            (false, more) => out.write_all(if more { b"...\n\n" } else { b"\n" }),
        }
    }

    /// Whose rows follow, and of when.
    fn head(&self, batch: Timestamp) -> String {
        let millis = || format!("{} ms", batch.millis());
        let time = match self.spec.style {
            PrintStyle::Python => {
                let offset = Offset::from_seconds((self.utc_offset)(batch)).unwrap_or(Offset::UTC);
                civil(batch.0, &TimeZone::fixed(offset), ' ').unwrap_or_else(millis)
            }
            PrintStyle::Scala | PrintStyle::Json => millis(),
        };
        let of = match self.printers.load(Ordering::Relaxed) {
            0 | 1 => String::new(),
            _ => format!(", output {}", shown(&self.output)),
        };
        format!("{RULE}\nTime: {time}{of}\n{RULE}\n")
    }

    /// A program gets a row as it is. On a terminal it is a line, and each of its characters is seen.
    fn write_row(&self, row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
        let style = self.spec.style;
        match style {
            _ if !self.is_terminal => write_row(style, row, out),
            PrintStyle::Json => write_row(style, row, &mut Seen::new(out, shown_json)),
            PrintStyle::Python | PrintStyle::Scala => write_row(style, row, &mut Seen::new(out, shown)),
        }
    }
}

fn write_row(style: PrintStyle, row: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    match style {
        PrintStyle::Python => python::write_row(row, out),
        PrintStyle::Scala => scala::write_row(row, out),
        PrintStyle::Json => json::write_row(row, out),
    }
}

fn write_char(c: char, out: &mut impl Write) -> io::Result<()> {
    out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())
}

impl Sink for PrintedSink {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        value::check(&self.output, rows.schema, rows.rows)?;
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let shown = self.shown(batch);
        self.prepared.insert(batch.time, shown);
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let Some(shown) = self.prepared.remove(&time) else {
            let output = &self.output;
            return Err(PortError::configuration(format!("output `{output}` has no prepared batch of {time}")));
        };
        let mut stdout = lock(&self.stdout);
        let mut out = BufWriter::with_capacity(WRITE_BYTES, &mut *stdout);
        let written = self.print(time, &shown, &mut out).and_then(|()| out.flush());
        // What could not be written is not tried again when this is dropped.
        drop(out.into_parts());
        written.map_err(|error| {
            PortError::environment(format!("output `{}` cannot print to standard output", self.output), error)
        })
    }

    fn rows_max(&self) -> Option<usize> {
        Some(self.spec.rows.saturating_add(1))
    }
}

/// Date and time of day with `between` between them, and the fraction of a second, six digits, if there is one; `None`
/// beyond the years -9999 to 9999.
pub(crate) fn civil(micros: i64, time_zone: &TimeZone, between: char) -> Option<String> {
    let offset = jiff::SignedDuration::from_secs(offset_at(time_zone, micros).into());
    let since = jiff::SignedDuration::from_micros(micros) + offset;
    let time = jiff::civil::date(1970, 1, 1).to_datetime(jiff::civil::Time::midnight()).checked_add(since).ok()?;
    let (date, fraction) = (time.date(), time.subsec_nanosecond() / 1000);
    let mut text = format!("{date}{between}{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second());
    if fraction != 0 {
        write!(text, ".{fraction:06}").ok()?;
    }
    Some(text)
}

/// By how many seconds a time zone is ahead of UTC at an instant.
pub(crate) fn offset_at(time_zone: &TimeZone, micros: i64) -> i32 {
    // Instants leave a day at each end of the years of dates, so that they have a date in every time zone.
    let instant = jiff::Timestamp::from_microsecond(micros);
    let known = instant.unwrap_or(if micros < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX });
    time_zone.to_offset(known).seconds()
}
