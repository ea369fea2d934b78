//! What all functions of a pipeline may use together.

use tidemill_model::limits::PipelineLimits;

use super::super::{reader::Reader, values};
use crate::{diagnostics::Diagnostics, document::Value, keys};

/// Changes those limits that are written.
pub(super) fn read(value: &Value, limits: &mut PipelineLimits, diagnostics: &mut Diagnostics) {
    let Some(mut reader) = Reader::try_new("the limits of [pipeline]", value, diagnostics) else { return };
    reader.check_keys(keys::PIPELINE_LIMITS, "");
    for (key, value) in reader.entries() {
        limit(&key.text, value, limits, reader.diagnostics);
    }
}

/// Changes the limit called `key`; one that is none has been reported.
fn limit(key: &str, value: &Value, limits: &mut PipelineLimits, diagnostics: &mut Diagnostics) {
    let max = PipelineLimits::host_max();
    let (limit, max, is_size) = match key {
        "batch-fuel" => (&mut limits.batch_fuel, max.batch_fuel, false),
        "batch-rows" => (&mut limits.batch_rows, max.batch_rows, false),
        "batch-bytes" => (&mut limits.batch_bytes, max.batch_bytes, true),
        "instance-memory" => (&mut limits.instance_memory, max.instance_memory, true),
        _ => return,
    };
    let what = format!("`{key}`");
    let read = if is_size {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        values::size(value, &what, 1..=max, diagnostics).map(|bytes| bytes as u64)
    } else {
        values::integer(value, &what, 1..=max, diagnostics)
    };
    if let Some(read) = read {
        *limit = read;
    }
}
