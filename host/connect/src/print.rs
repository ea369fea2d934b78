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
    io::Write,
    sync::{Arc, Mutex},
};

use jiff::tz::{Offset, TimeZone};
use tidemill_model::{
    connector::{UtcOffset, World},
    ports::{PortError, Sink, SinkParts, SinkRows, WrittenRows},
    time::Timestamp,
};

use crate::{
    json, lock,
    value::{self, Value},
};
pub use settings::{PRINT, PrintSink, PrintStyle};

const RULE: &str = "-------------------------------------------";

/// Prints.
pub(crate) struct PrintedSink {
    output: String,
    spec: PrintSink,
    stdout: Arc<Mutex<dyn Write + Send>>,
    utc_offset: UtcOffset,
    written: WrittenRows,
    prepared: BTreeMap<Timestamp, Vec<u8>>,
}

impl PrintedSink {
    pub fn new(output: &str, spec: &PrintSink, world: &World) -> PrintedSink {
        let (stdout, utc_offset) = (Arc::clone(&world.stdout), Arc::clone(&world.utc_offset));
        let (written, prepared) = (WrittenRows::default(), BTreeMap::new());
        PrintedSink { output: output.to_owned(), spec: spec.clone(), stdout, utc_offset, written, prepared }
    }

    /// What a batch looks like.
    fn text(&mut self, batch: &SinkParts<'_>) -> Vec<u8> {
        let time = match self.spec.style {
            PrintStyle::Python => {
                let offset = Offset::from_seconds((self.utc_offset)(batch.time)).unwrap_or(Offset::UTC);
                civil(batch.time.0, &TimeZone::fixed(offset), ' ').unwrap_or_else(|| batch.time.to_string())
            }
            PrintStyle::Scala | PrintStyle::Json => batch.time.to_string(),
        };
        let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n").into_bytes();
        let mut left = self.spec.rows;
        for rows in self.written.take(batch).iter().flatten() {
            let shown = rows.num_rows().min(left);
            for row in 0..shown {
                write_row(self.spec.style, &value::row(batch.schema, rows, row), &mut text);
                text.push(b'\n');
            }
            left -= shown;
            if shown < rows.num_rows() {
                text.extend_from_slice(b"...\n");
                break;
            }
        }
        text.push(b'\n');
        text
    }
}

fn write_row(style: PrintStyle, row: &[(&str, Value<'_>)], out: &mut Vec<u8>) {
    let mut text = String::new();
    match style {
        PrintStyle::Python => python::write_row(row, &mut text),
        PrintStyle::Scala => scala::write_row(row, &mut text),
        PrintStyle::Json => return json::write_row(row, out),
    }
    out.extend_from_slice(text.as_bytes());
}

impl Sink for PrintedSink {
    fn write(&mut self, rows: &SinkRows<'_>) -> Result<(), PortError> {
        value::check(&self.output, rows.schema, rows.rows)?;
        self.written.write(rows);
        Ok(())
    }

    fn prepare(&mut self, batch: &SinkParts<'_>) -> Result<(), PortError> {
        let text = self.text(batch);
        self.prepared.insert(batch.time, text);
        Ok(())
    }

    fn discard(&mut self, batch: Timestamp) -> Result<(), PortError> {
        self.written.discard(batch);
        Ok(())
    }

    fn deliver(&mut self, time: Timestamp) -> Result<(), PortError> {
        let Some(text) = self.prepared.remove(&time) else {
            let output = &self.output;
            return Err(PortError::configuration(format!("output `{output}` has no prepared batch of {time}")));
        };
        let mut stdout = lock(&self.stdout);
        let written = stdout.write_all(&text).and_then(|()| stdout.flush());
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
