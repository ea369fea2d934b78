//! Pins as text: what sources keep in checkpoints, to be read again by later versions.
//!
//! A pin is a JSON object. Its field `source` says which kind of source made it; the others are the source's own.
//! Fields that are not known are passed over, so that an older version reads what a newer one added to.

#[cfg(test)]
pub(crate) mod checking;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidemill_model::ports::{PortError, PortErrorKind};

/// What a source's batch is made of, and how far the source has come with it.
pub(crate) trait Pin: Serialize + DeserializeOwned {
    /// The kind of source, in `source`.
    const SOURCE: &'static str;

    /// What cannot be in a pin that this kind of source wrote.
    fn check(&self) -> Result<(), String>;
}

#[derive(Serialize)]
struct Written<'a, P> {
    source: &'static str,
    #[serde(flatten)]
    pin: &'a P,
}

#[derive(Deserialize)]
struct Header {
    source: String,
}

/// The text of a pin.
pub(crate) fn write<P: Pin>(stream: &str, pin: &P) -> Result<String, PortError> {
    let mut text = serde_json::to_string(&Written { source: P::SOURCE, pin })
        .map_err(|error| changed(format!("stream `{stream}`: its position cannot be written down: {error}")))?;
    // A folder's may have megabytes, and lives until its batch is durable.
    text.shrink_to_fit();
    Ok(text)
}

/// The pin of the stream in a checkpoint.
///
/// # Errors
///
/// It is damaged, or another kind of source made it.
pub(crate) fn read<P: Pin>(stream: &str, text: &str) -> Result<P, PortError> {
    if text.is_empty() {
        return Err(PortError::configuration(format!(
            "stream `{stream}` was read from a socket when the checkpoint was written, and the pipeline has a source of kind \
             `{}` now; set it back, or begin with a new checkpoint",
            P::SOURCE
        )));
    }
    let header: Header = serde_json::from_str(text).map_err(|error| damaged(stream, error))?;
    if header.source != P::SOURCE {
        let (then, now) = (header.source, P::SOURCE);
        return Err(PortError::configuration(format!(
            "stream `{stream}` was read from a source of kind `{then}` when the checkpoint was written, and the \
             pipeline has one of kind `{now}` now; set it back, or begin with a new checkpoint"
        )));
    }
    let pin: P = serde_json::from_str(text).map_err(|error| damaged(stream, error))?;
    pin.check().map_err(|reason| damaged(stream, reason))?;
    Ok(pin)
}

/// A pin from before the first batch, where one of a batch is needed.
pub(crate) fn no_batch(stream: &str) -> PortError {
    damaged(stream, "it stands before the first batch, so there is none to be repeated")
}

/// A batch that is not taken to its end has no pin.
pub(crate) fn not_taken(stream: &str) -> PortError {
    changed(format!("stream `{stream}`: its batch is not taken to the end, so it has no position to be written down"))
}

/// What the pin stands for is not as it was.
pub(crate) fn changed(message: String) -> PortError {
    PortError { kind: PortErrorKind::Environment, message, source: None }
}

pub(crate) fn damaged(stream: &str, reason: impl std::fmt::Display) -> PortError {
    changed(format!(
        "stream `{stream}`: its position in the checkpoint cannot be used: {reason}; take the checkpoint from a \
         backup, or begin with a new one"
    ))
}
