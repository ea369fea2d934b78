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
    sync::{Arc, Mutex},
};

use arrow_array::RecordBatch;
use jiff::tz::{Offset, TimeZone};
use tidemill_model::{
    connector::{UtcOffset, World},
    ports::{PortError, Sink, SinkParts, SinkRows, WrittenRows},
    schema::Schema,
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

/// Prints.
pub(crate) struct PrintedSink {
    output: String,
    spec: PrintSink,
    stdout: Arc<Mutex<dyn Write + Send>>,
    utc_offset: UtcOffset,
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
    pub fn new(output: &str, spec: &PrintSink, world: &World) -> PrintedSink {
        let (stdout, utc_offset) = (Arc::clone(&world.stdout), Arc::clone(&world.utc_offset));
        let (written, prepared) = (WrittenRows::default(), BTreeMap::new());
        PrintedSink { output: output.to_owned(), spec: spec.clone(), stdout, utc_offset, written, prepared }
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
        let time = match self.spec.style {
            PrintStyle::Python => {
                let offset = Offset::from_seconds((self.utc_offset)(time)).unwrap_or(Offset::UTC);
                civil(time.0, &TimeZone::fixed(offset), ' ').unwrap_or_else(|| time.to_string())
            }
            PrintStyle::Scala | PrintStyle::Json => time.to_string(),
        };
        write!(out, "{RULE}\nTime: {time}\n{RULE}\n")?;
        for rows in &shown.rows {
            for row in 0..rows.num_rows() {
                write_row(self.spec.style, &value::row(&shown.schema, rows, row), out)?;
                out.write_all(b"\n")?;
            }
        }
        out.write_all(if shown.more { b"...\n\n" } else { b"\n" })
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
