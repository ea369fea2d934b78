//! Standard output: what a command was asked for.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use crate::failure::Failure;

/// Writes a text; a reader that has gone away ends the command quietly.
pub fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// For those who write while something runs.
pub fn shared() -> Arc<Mutex<dyn Write + Send>> {
    Arc::new(Mutex::new(io::stdout()))
}
