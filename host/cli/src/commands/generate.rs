//! `tidemill generate`: made-up lines to standard output, to whoever connects, or to a peer.

use std::{io, sync::Arc};

use tidemill_connect::{
    feed::{self, GeneratedLines, Patience},
    generate::Generator,
    system::SystemClock,
};

use crate::{
    arguments::{self, FeedTarget},
    failure::Failure,
    stdout,
};

pub fn run(arguments: &arguments::Generate) -> Result<(), Failure> {
    let words = usize::try_from(arguments.vocabulary).unwrap_or(usize::MAX);
    let generator = Generator::with_vocabulary(arguments.kind.into(), arguments.seed, words);
    let mut lines = GeneratedLines::new(generator, arguments.rate, arguments.count, Arc::new(SystemClock));
    match &arguments.target {
        FeedTarget { listen: Some(address), .. } => {
            feed::to_clients(&mut lines, super::nc::listen(address)?, true, &SystemClock)?
        }
        FeedTarget { connect: Some(address), .. } => feed::to_peer(&mut lines, address, Patience::TryOn(&SystemClock))?,
        FeedTarget { listen: None, connect: None } => {
            stdout::check()?;
            feed::to_writer(&mut lines, &mut io::stdout().lock())?;
        }
    }
    Ok(())
}
