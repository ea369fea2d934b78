//! Pins that are not a source's own are refused, by the name of the stream; and so they are before a checkpoint is taken over.

use tidemill_model::ports::{PortError, Source};

use super::{
    STREAM, Walk,
    drive::{Batch, Pinned, begin, repeatable},
};

pub(super) fn walk(walk: &Walk<'_>) {
    let mut feed = (walk.sample.feed)();
    let mut source = walk.open(&*feed);
    let has_table = source.repeatable().is_some_and(|source| source.table().is_some());
    if has_table {
        Pinned::default().next(&mut *source);
    }
    begin(&mut *source);
    feed.come(0);
    Batch::default().end(&*feed, &mut *source, (0, usize::MAX));
    let own = Pinned::default().next(&mut *source).pin;
    drop(source);
    check(walk, &own);

    let beginnings = (0..own.len()).filter_map(|end| own.get(..end)).map(str::to_owned);
    let foreign = ["null", "{}", "[]", "0", r#"{"source":"another","batches":1}"#].map(str::to_owned);
    for text in beginnings.chain(foreign) {
        check(walk, &text);
        for error in tried(walk, &text) {
            let message = error.map_or_else(|error| error.to_string(), |()| format!("`{text}` is taken for a pin"));
            assert!(message.contains(&format!("`{STREAM}`")), "{}: `{text}`: {message}", walk.sample.name);
        }
    }
    // Not every flipped bit can be seen, but what is seen is told by name, and nothing is worse.
    for at in 0..own.len() {
        let mut bytes = own.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        check(walk, &text);
        for error in tried(walk, &text).into_iter().filter_map(Result::err) {
            let message = error.to_string();
            assert!(message.contains(&format!("`{STREAM}`")), "{}: `{text}`: {message}", walk.sample.name);
        }
    }
}

/// What is asked before a checkpoint is taken over refuses what could not be gone on behind, and nothing else; and has no effect.
fn check(walk: &Walk<'_>, pin: &str) {
    let (mut feed, name) = ((walk.sample.feed)(), walk.sample.name);
    let mut source = walk.open(&*feed);
    let (checked, resumed) = match source.acknowledging() {
        Some(source) => (source.check(pin), source.resume_after(pin)),
        None => (repeatable(&mut *source).check(pin), repeatable(&mut *source).resume_after(pin)),
    };
    assert!(!feed.is_touched(), "{name}: it has an effect when it checks a pin");
    match (checked, resumed) {
        (Ok(()), Err(error)) => {
            panic!("{name}: `{pin}` is not refused before the checkpoint is taken over, and behind that: {error}")
        }
        (Err(error), Ok(())) => panic!("{name}: `{pin}` is refused before the checkpoint is taken over alone: {error}"),
        (Err(before), Err(behind)) => {
            assert_eq!(before.to_string(), behind.to_string(), "{name}: `{pin}` is refused in other words");
        }
        (Ok(()), Ok(())) => {}
    }
}

/// What becomes of a pin, by every way in which it may be used.
fn tried(walk: &Walk<'_>, pin: &str) -> Vec<Result<(), PortError>> {
    let feed = (walk.sample.feed)();
    let open = || -> Box<dyn Source> { walk.open(&*feed) };
    let mut source = open();
    if let Some(source) = source.acknowledging() {
        return vec![source.resume_after(pin)];
    }
    let mut other = open();
    vec![repeatable(&mut *source).resume_after(pin), repeatable(&mut *other).repeat(pin)]
}
