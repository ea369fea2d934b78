//! The switch that a rewritten crate asks: which mutant is on, and who wants to know which ones were reached.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

/// The environment variable with the number of the mutant that is on.
pub const ACTIVE: &str = "TIDEMILL_MUTANT";
/// The one with the name of the socket that is told which mutants were reached: no file, because some processes may write none.
pub const REACHED: &str = "TIDEMILL_MUTANT_REACHED";
/// The module's name in a rewritten crate.
pub const MODULE: &str = "mutant_switch";

/// The expression that asks for a mutant.
pub fn on(number: u32) -> TokenStream {
    let number = literal(u64::from(number));
    quote!(crate::mutant_switch::on(#number))
}

pub fn literal(number: u64) -> Literal {
    Literal::u64_unsuffixed(number)
}

/// The source of the module for mutants of less than `end`.
pub fn source(crate_name: &str, end: u32) -> String {
    let words = end.div_ceil(64).max(1);
    TEMPLATE
        .replace("ACTIVE_NAME", ACTIVE)
        .replace("REACHED_NAME", REACHED)
        .replace("CRATE_NAME", crate_name)
        .replace("WORDS", &words.to_string())
}

const TEMPLATE: &str = r#"//! Which mutant is on.
#![allow(warnings)]
use std::{
    io::ErrorKind,
    os::{linux::net::SocketAddrExt, unix::net::{SocketAddr, UnixDatagram}},
    sync::{OnceLock, atomic::{AtomicU32, AtomicU64, Ordering::Relaxed}},
};

const UNREAD: u32 = u32::MAX;
const RECORDING: u32 = u32::MAX - 1;
static ACTIVE: AtomicU32 = AtomicU32::new(UNREAD);
static SEEN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
static TOLD: OnceLock<Option<UnixDatagram>> = OnceLock::new();

#[inline]
pub(crate) fn on(number: u32) -> bool {
    let active = ACTIVE.load(Relaxed);
    active == number || (active >= RECORDING && slow(number, active))
}

#[cold]
#[inline(never)]
fn slow(number: u32, mut active: u32) -> bool {
    if active == UNREAD {
        let chosen = std::env::var("ACTIVE_NAME").ok().and_then(|text| text.parse().ok());
        active = chosen.unwrap_or(if std::env::var_os("REACHED_NAME").is_some() { RECORDING } else { 0 });
        ACTIVE.store(active, Relaxed);
    }
    if active != RECORDING {
        return active == number;
    }
    let (word, bit) = (&SEEN[number as usize / 64], 1 << (number % 64));
    if word.fetch_or(bit, Relaxed) & bit == 0 {
        if let Some(socket) = TOLD.get_or_init(open).as_ref() {
            while let Err(error) = socket.send(number.to_string().as_bytes()) {
                if error.kind() != ErrorKind::Interrupted {
                    break;
                }
            }
        }
    }
    false
}

fn open() -> Option<UnixDatagram> {
    let name = std::env::var("REACHED_NAME").ok()?;
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&SocketAddr::from_abstract_name(name).ok()?).ok()?;
    // Where a standard stream is closed, the socket has its number; a copy has one above those, and leaves it closed.
    socket.try_clone().ok()
}
"#;
