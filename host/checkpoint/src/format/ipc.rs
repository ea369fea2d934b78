//! Rows as Arrow IPC streams: they say themselves what they are, and are validated when they are read.

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::{reader::StreamDecoder, writer::StreamWriter};

use super::FormatError;

/// A stream of batches of one schema; nothing for no batches.
pub(crate) fn encode_batches(batches: &[RecordBatch]) -> Result<Vec<u8>, FormatError> {
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let mut encoded = Vec::with_capacity(if batches.is_empty() { 0 } else { bytes + 1024 });
    append_batches(batches, &mut encoded)?;
    Ok(encoded)
}

/// Adds such a stream to the end of `bytes`.
pub(crate) fn append_batches(batches: &[RecordBatch], bytes: &mut Vec<u8>) -> Result<(), FormatError> {
    let Some(first) = batches.first() else { return Ok(()) };
    if batches.iter().any(|batch| batch.schema_ref() != first.schema_ref()) {
        return Err(FormatError::Unwritable { what: "a section with batches of different schemas".to_owned() });
    }
    let failed = |error: arrow_schema::ArrowError| FormatError::Unwritable { what: error.to_string() };
    let mut writer = StreamWriter::try_new(bytes, first.schema_ref()).map_err(failed)?;
    for batch in batches {
        writer.write(batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)
}

/// The batches of a stream, which keep its bytes; `at` is where it stands.
pub(crate) fn decode_batches(bytes: Vec<u8>, at: u64) -> Result<Vec<RecordBatch>, FormatError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error: arrow_schema::ArrowError| FormatError::damaged(format!("rows ({error})"), at);
    let mut decoder = StreamDecoder::new();
    let mut buffer = Buffer::from_vec(bytes);
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        match decoder.decode(&mut buffer).map_err(failed)? {
            Some(batch) => batches.push(batch),
            None => break,
        }
    }
    decoder.finish().map_err(failed)?;
    Ok(batches)
}
