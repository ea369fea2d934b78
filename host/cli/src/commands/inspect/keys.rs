//! Keys and their states as JSON lines.

use std::io::{self, BufWriter, Write};

use tidemill_connect::write_json;
use tidemill_engine::checkpoint::KeyedRows;

use super::checkpoint::Looked;
use crate::{failure::Failure, stdout, time};

/// Writes an object a key: `stream`, `key`, `state`, and `wake_at` where the function is to be called then.
pub fn write(looked: &mut Looked, wanted: Option<&str>) -> Result<(), Failure> {
    let Some(states) = &mut looked.states else { return Ok(()) };
    let streams: Vec<String> = states.streams().iter().map(|(schema, _)| schema.stream.clone()).collect();
    if let Some(wanted) = wanted.filter(|wanted| !streams.iter().any(|stream| stream == wanted)) {
        return Err(no_stream(wanted, &streams));
    }
    stdout::check()?;
    let mut out = BufWriter::new(io::stdout().lock());
    for stream in streams.iter().filter(|stream| wanted.is_none_or(|wanted| *stream == wanted)) {
        states.each_block(stream, |block| write_block(stream, block, &mut out))?;
    }
    out.flush().map_err(|error| Failure::stdout(&error))
}

fn write_block(stream: &str, block: &KeyedRows, out: &mut impl Write) -> Result<(), Failure> {
    let stream = serde_json::Value::from(stream);
    let mut line = Vec::new();
    for row in 0..block.len() {
        line.clear();
        line.extend_from_slice(format!("{{\"stream\":{stream},\"key\":").as_bytes());
        write_json(&block.key_schema, &block.keys, row, &mut line);
        line.extend_from_slice(b",\"state\":");
        write_json(&block.state_schema, &block.states, row, &mut line);
        if let Some(at) = block.wake_at(row) {
            line.extend_from_slice(format!(",\"wake_at\":\"{}\"", time::utc(at)).as_bytes());
        }
        line.extend_from_slice(b"}\n");
        out.write_all(&line).map_err(|error| Failure::stdout(&error))?;
    }
    Ok(())
}

fn no_stream(wanted: &str, streams: &[String]) -> Failure {
    let failure = Failure::input(format!("no stream `{wanted}` keeps state in this checkpoint"));
    match streams {
        [] => failure.hint("no stream does"),
        streams => failure.hint(format!("these do: {}", streams.join(", "))),
    }
}
