//! Whether standard output was closed when the process began.
//!
//! Rust's runtime puts /dev/null in the place of a standard stream that is closed (so that no file that is opened later
//! gets its number), and what is printed would vanish without an error. So the system's loader is asked to call
//! [`look`] before that.

use std::{
    io,
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
};

/// The system's number for "this is no open descriptor", on Linux and macOS alike.
const EBADF: i32 = 9;

/// Set once, before `main`.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether what is written to standard output goes nowhere, because whoever started this closed it.
pub fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}

#[allow(unsafe_code, reason = "the name of a section of the program: functions that are called when it is loaded")]
// SAFETY: the loader calls what stands in this section once, on the one thread that there is, with the C calling
// convention; `look` needs nothing that the runtime would set up first.
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[used]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let copied = io::stdout().as_fd().try_clone_to_owned();
    let is_closed = copied.is_err_and(|error| error.raw_os_error() == Some(EBADF));
    IS_CLOSED.store(is_closed, Ordering::Relaxed);
}
