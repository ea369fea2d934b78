//! Standard output: what a command was asked for.

mod closed;

use std::{
    io::{self, BufWriter, IsTerminal, StdoutLock, Write},
    sync::{Arc, Mutex},
};

use tidemill_model::text::{Seen, shown_json, shown_lines};

use crate::failure::Failure;

/// JSON on its way to standard output, with every character seen.
pub type Json = Seen<BufWriter<StdoutLock<'static>>>;

/// Writes lines for people, so that every character is seen: plugins, rows and files choose some of the words.
pub fn write_text(text: &str) -> Result<(), Failure> {
    write(&shown_lines(text))
}

/// Writes JSON, so that every character is seen where it is looked at, and programs read what it says.
pub fn write_json(json: &str) -> Result<(), Failure> {
    write(&shown_json(json))
}

/// A reader that has gone away ends the command quietly.
fn write(text: &str) -> Result<(), Failure> {
    check()?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// Writes JSON that may be long, piece by piece, as [`write_json`] does.
pub fn write_with(write: impl FnOnce(&mut Json) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = json()?;
    write(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::stdout(&error))
}

/// For JSON that is written while it is made.
pub fn json() -> Result<Json, Failure> {
    check()?;
    Ok(Seen::new(BufWriter::new(io::stdout().lock()), shown_json))
}

/// Whether people read it, and no program.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
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
