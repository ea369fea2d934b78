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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    fn rows(count: usize) -> RecordBatch {
        let numbers = Int64Array::from((0..count as i64).collect::<Vec<_>>());
        let texts = StringArray::from(vec!["some text"; count]);
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as _), ("t", Arc::new(texts) as _)]).expect("columns")
    }

    #[test]
    fn a_stream_is_read_whole_or_refused() {
        let batches = [rows(3), rows(40)];
        let whole = encode_batches(&batches).expect("rows of one schema");
        assert_eq!(decode_batches(whole.clone(), 0).expect("as it was written"), batches);
        let mut refused = 0;
        for cut in 1..whole.len() {
            // What ends between two messages may have been written like that.
            match decode_batches(whole[..cut].to_vec(), 7) {
                Ok(read) => assert_eq!(read, batches[..read.len()], "cut at {cut}"),
                Err(FormatError::Damaged { what, at: 7 }) => {
                    assert!(what.starts_with("rows ("), "{what}");
                    refused += 1;
                }
                Err(other) => unreachable!("cut at {cut}: {other}"),
            }
        }
        // Behind each batch.
        assert_eq!(whole.len() - 1 - refused, batches.len());
    }

    #[test]
    fn no_batches_are_no_bytes_and_batches_of_two_schemas_no_stream() {
        assert_eq!(encode_batches(&[]).expect("nothing"), [0; 0]);
        assert_eq!(decode_batches(Vec::new(), 0).expect("nothing"), []);
        let other = RecordBatch::try_from_iter([("n", Arc::new(StringArray::from(vec!["1"])) as _)]).expect("a column");
        for batches in [[rows(1), other.clone()], [other, rows(1)]] {
            let error = encode_batches(&batches).expect_err("two schemas");
            assert!(error.to_string().contains("batches of different schemas"), "{error}");
        }
    }
}
