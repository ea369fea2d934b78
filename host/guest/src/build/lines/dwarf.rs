//! What the compiler says of the source of each instruction. Only of modules that cargo has just made here.

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};

use crate::build::module::Module;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Instructions that stand in one line. Offsets are from the beginning of the code.
pub(super) struct Row {
    pub(super) begin: usize,
    pub(super) end: usize,
    /// Files and lines: that of the instructions, and where its function was put into another one, and so on.
    pub(super) frames: Vec<(String, u32)>,
}

/// Rows of all the code, in no order. None where the compiler's words cannot be read.
pub(super) fn rows(module: &Module<'_>) -> Vec<Row> {
    read(module).unwrap_or_default()
}

fn read(module: &Module<'_>) -> Result<Vec<Row>, gimli::Error> {
    let section = |id: SectionId| -> Result<Reader<'_>, gimli::Error> {
        Ok(EndianSlice::new(module.custom(id.name()), LittleEndian))
    };
    let context = Context::from_dwarf(Dwarf::load(section)?)?;
    let code_bytes = module.code_bytes() as u64;
    let mut rows = Vec::new();
    for (begin, length, _) in context.find_location_range(0, code_bytes)? {
        // What the linker has left out stands at addresses that nothing has.
        let Some(end) = begin.checked_add(length).filter(|&end| end <= code_bytes) else { continue };
        let (Ok(begin_at), Ok(end_at)) = (usize::try_from(begin), usize::try_from(end)) else { continue };
        rows.push(Row { begin: begin_at, end: end_at, frames: frames(&context, begin)? });
    }
    Ok(rows)
}

fn frames(context: &Context<Reader<'_>>, address: u64) -> Result<Vec<(String, u32)>, gimli::Error> {
    let mut found = Vec::new();
    let mut frames = context.find_frames(address).skip_all_loads()?;
    while let Some(frame) = frames.next()? {
        let place = frame.location.and_then(|location| Some((location.file?.to_owned(), location.line?)));
        found.extend(place.filter(|(_, line)| *line > 0));
    }
    Ok(found)
}
