//! For how long a connection has given no line.

use std::{io, time::Duration};

use tidemill_model::ports::Clock;
use tokio::{net::TcpStream, time::timeout};

/// How often it is looked what the clock says.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends a connection that is quiet for too long.
pub(super) struct Quiet<'a> {
    clock: &'a dyn Clock,
    max: Option<Duration>,
    /// As it was at the last look.
    quiet: Duration,
    looked: Duration,
}

impl Quiet<'_> {
    /// From now on; without a limit it may be quiet for ever.
    pub fn new(clock: &dyn Clock, max: Option<Duration>) -> Quiet<'_> {
        Quiet { clock, max, quiet: Duration::ZERO, looked: time(clock) }
    }

    /// A line came, or none could come until now.
    pub fn begin(&mut self) {
        *self = Quiet::new(self.clock, self.max);
    }

    /// Waits until there is something to read. Bytes without the end of a line are quiet, too.
    pub async fn readable(&mut self, connection: &TcpStream) -> io::Result<()> {
        let Some(max) = self.max else { return connection.readable().await };
        let over =
            || Err(io::Error::new(io::ErrorKind::TimedOut, format!("no line came for {max:?}, so it was closed")));
        while !self.is_over(max) {
            if let Ok(readable) = timeout(max.min(LOOK_EVERY), connection.readable()).await {
                return readable;
            }
        }
        over()
    }

    /// It takes two looks at least: when this program was held up itself, what came meanwhile is read first.
    fn is_over(&mut self, max: Duration) -> bool {
        let now = time(self.clock);
        self.quiet += now.saturating_sub(self.looked).min(max / 2);
        self.looked = now;
        self.quiet >= max
    }
}

/// Time that goes on whatever people do to the clock, where there is one that does.
fn time(clock: &dyn Clock) -> Duration {
    clock.steady().unwrap_or_else(|| Duration::from_micros(clock.now().0.unsigned_abs()))
}
