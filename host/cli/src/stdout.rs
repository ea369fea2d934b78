//! Standard output: what a command was asked for.

mod closed;

use std::{
    io::{self, BufWriter, Write},
    sync::{Arc, Mutex},
};

use crate::failure::Failure;

/// Writes a text; a reader that has gone away ends the command quietly.
pub fn write(text: &str) -> Result<(), Failure> {
    check()?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// Writes what may be long, piece by piece.
pub fn write_with(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Failure> {
    check()?;
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::stdout(&error))
}

/// For those who write while something runs. They say [`check`] first.
pub fn shared() -> Arc<Mutex<dyn Write + Send>> {
    Arc::new(Mutex::new(io::stdout()))
}

/// Refuses to go on where what would be printed would go nowhere.
pub fn check() -> Result<(), Failure> {
    if !closed::is_closed() {
        return Ok(());
    }
    Err(Failure::run("standard output is closed, and there is something to print")
        .hint("send it to /dev/null if nobody needs it"))
}
