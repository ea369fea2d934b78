//! What goes through the pipes: a component in, its code and words out, all of it bounded, and none of it waited for longer than
//! may be.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime},
};
use tidemill_model::limits::Limits;

use super::outcome::REASON_BYTES;
use crate::code::PACKED_BYTES;

/// After so long a person is told what is waited for.
const SILENT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Why the talk ends before the process does.
pub(super) enum Stop {
    /// The time that may pass has passed.
    Waited,
    /// The code has more bytes than it may.
    TooMuch,
    /// The system does not do its part.
    Failed(io::Error),
}

/// The pipes of a compiling process.
pub(super) struct Talk<'a> {
    name: &'a str,
    /// What is still to be written.
    component: &'a [u8],
    timer: OwnedFd,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    written: Vec<u8>,
    written_max: usize,
    said: Vec<u8>,
}

impl<'a> Talk<'a> {
    pub(super) fn with(child: &mut Child, name: &'a str, component: &'a [u8], limits: &Limits) -> io::Result<Talk<'a>> {
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        for pipe in
            [input.as_ref().map(AsFd::as_fd), output.as_ref().map(AsFd::as_fd), errors.as_ref().map(AsFd::as_fd)]
        {
            pipe.map_or(Ok(()), |pipe| ioctl_fionbio(pipe, true))?;
        }
        let written_max = limits.compiled_bytes.saturating_add(PACKED_BYTES);
        let timer = timer(limits.compile_wait)?;
        Ok(Talk { name, component, timer, input, output, errors, written: Vec::new(), written_max, said: Vec::new() })
    }

    /// What the process has written, and what it has said, when it has closed both of its pipes.
    pub(super) fn until_its_end(mut self) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        let mut silent = Some(SILENT);
        while self.output.is_some() || self.errors.is_some() {
            match self.wait(silent.as_ref()) {
                Ok(true) => return Err(Stop::Waited),
                Ok(false) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::TIME) => {
                    silent = None;
                    tracing::info!(plugin = self.name, "compiling");
                    continue;
                }
                Err(error) => return Err(Stop::Failed(error.into())),
            }
            self.write().map_err(Stop::Failed)?;
            read(&mut self.output, &mut self.written, self.written_max.saturating_add(1)).map_err(Stop::Failed)?;
            if self.written.len() > self.written_max {
                return Err(Stop::TooMuch);
            }
            self.listen().map_err(Stop::Failed)?;
        }
        Ok((self.written, self.said))
    }

    /// Waits until something can be done; whether the time is over.
    fn wait(&self, timeout: Option<&Timespec>) -> Result<bool, Errno> {
        let readable = PollFlags::IN;
        let mut waits = vec![PollFd::new(&self.timer, readable)];
        waits.extend(self.input.as_ref().map(|input| PollFd::new(input, PollFlags::OUT)));
        waits.extend(self.output.as_ref().map(|output| PollFd::new(output, readable)));
        waits.extend(self.errors.as_ref().map(|errors| PollFd::new(errors, readable)));
        match poll(&mut waits, timeout)? {
            0 => Err(Errno::TIME),
            _ => Ok(waits.first().is_some_and(|timer| timer.revents().contains(readable))),
        }
    }

    /// Writes as much of the component as the pipe takes.
    fn write(&mut self) -> io::Result<()> {
        let Some(input) = &mut self.input else { return Ok(()) };
        while !self.component.is_empty() {
            match input.write(self.component) {
                Ok(bytes) => self.component = self.component.get(bytes..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It has ended, and its end says why.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
        self.input = None;
        Ok(())
    }

    /// Reads what it says, of which the end is kept.
    fn listen(&mut self) -> io::Result<()> {
        read(&mut self.errors, &mut self.said, READ_BYTES)?;
        let more = self.said.len().saturating_sub(REASON_BYTES);
        self.said.drain(..more);
        Ok(())
    }
}

/// Reads what is there, so that `all` has `max` bytes at most. A pipe that was closed is taken away.
fn read<R: Read>(pipe: &mut Option<R>, all: &mut Vec<u8>, max: usize) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut buffer = [0; READ_BYTES];
    while all.len() < max {
        let room = buffer.len().min(max - all.len());
        match open.read(&mut buffer[..room]) {
            Ok(0) => {
                *pipe = None;
                return Ok(());
            }
            Ok(bytes) => all.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What can be read once `wait` has passed, by a clock that nobody sets.
fn timer(wait: Duration) -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let at = Timespec { tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: wait.subsec_nanos().into() };
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: never, it_value: at })?;
    Ok(timer)
}
