//! Keys and their states as JSON lines.

use std::io::{self, Write};

use tidemill_connect::write_json;
use tidemill_engine::checkpoint::{TableId, TableRows};

use super::checkpoint::Looked;
use crate::{failure::Failure, stdout};

/// Writes an object a key: `stream` (with the table's name behind a point, where it has one), `key`, `state`, and `wake_at` where
/// the function is to be called then; or an object a row of a `pane`, with its number.
pub fn write(looked: &mut Looked, wanted: Option<&str>) -> Result<(), Failure> {
    let Some(states) = &mut looked.states else { return Ok(()) };
    let tables: Vec<TableId> = states.tables().into_iter().map(|(id, ..)| id).collect();
    let is_wanted = |id: &TableId| wanted.is_none_or(|wanted| id.stream == wanted || id.to_string() == wanted);
    if let Some(wanted) = wanted.filter(|_| !tables.iter().any(is_wanted)) {
        return Err(no_stream(wanted, &tables));
    }
    let mut out = stdout::json()?;
    for table in tables.iter().filter(|table| is_wanted(table)) {
        states.each_block(table, |block| write_block(table, block, &mut out))?;
    }
    out.flush().map_err(|error| Failure::stdout(&error))
}

fn write_block(table: &TableId, block: &TableRows, out: &mut impl Write) -> Result<(), Failure> {
    let stream = serde_json::Value::from(table.to_string());
    (0..block.len())
        .filter(|&row| block.has_row(row))
        .try_for_each(|row| write_row(&stream, block, row, out))
        .map_err(|error| Failure::stdout(&error))
}

/// Piece by piece: a key or a state of few bytes may be long as text.
fn write_row(stream: &serde_json::Value, block: &TableRows, row: usize, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"stream\":{stream},")?;
    if let Some(pane) = block.pane(row) {
        write!(out, "\"pane\":{pane},")?;
    }
    out.write_all(b"\"key\":")?;
    write_json(&block.key_schema, &block.keys, row, out)?;
    out.write_all(b",\"state\":")?;
    write_json(&block.state_schema, &block.states, row, out)?;
    if let Some(at) = block.wake_at(row) {
        write!(out, ",\"wake_at\":\"{}\"", at.utc())?;
    }
    out.write_all(b"}\n")
}

fn no_stream(wanted: &str, tables: &[TableId]) -> Failure {
    let failure = Failure::input(format!("no stream `{wanted}` keeps state in this checkpoint"));
    let names: Vec<String> = tables.iter().map(TableId::to_string).collect();
    match &names[..] {
        [] => failure.hint("no stream does"),
        names => failure.hint(format!("these do: {}", names.join(", "))),
    }
}
