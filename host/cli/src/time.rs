//! Times as people read them.

use tidemill_model::time::Timestamp;

/// A time after RFC 3339, in UTC; as microseconds where a calendar has no such time.
pub fn utc(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.0).map_or_else(|_| time.0.to_string(), |time| time.to_string())
}

/// A batch as it is named everywhere, with what that is in a calendar.
pub fn batch(time: Timestamp) -> String {
    format!("{time} ({})", utc(time))
}
