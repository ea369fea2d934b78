//! What time it is.

use tidemill_connect::system::SystemClock;
use tidemill_model::ports::Clock;

/// As events of logs say it.
pub fn now() -> String {
    SystemClock.now().utc().to_string()
}
