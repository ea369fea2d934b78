//! Text that a guest hands to `log` and `count`: copied no further than the host has use for.

use wasmtime::{
    ValRaw,
    component::{
        __internal::{
            CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, wasmtime_environ::component::StringEncoding,
        },
        ComponentType, Lift, WasmStr,
    },
};

use crate::verdict::Verdict;

/// A guest's string, cut after `BYTES` bytes or a little more, and what is no text in it replaced.
#[derive(Debug)]
pub(crate) struct CutText<const BYTES: usize> {
    /// The text.
    pub(crate) text: String,
    /// How many bytes it had in the guest.
    pub(crate) bytes: usize,
}

impl<const BYTES: usize> CutText<BYTES> {
    fn lift(context: &mut LiftContext<'_>, start: u32, length: u32) -> wasmtime::Result<Self> {
        /// In the encoding "latin1+utf16" of the canonical ABI this bit of the length says which of the two it is.
        const UTF16: u32 = 1 << 31;
        let (units, unit_bytes) = match context.options().string_encoding {
            StringEncoding::Utf8 => (length, 1),
            StringEncoding::Utf16 => (length, 2),
            StringEncoding::CompactUtf16 if length & UTF16 != 0 => (length ^ UTF16, 2),
            StringEncoding::CompactUtf16 => (length, 1),
        };
        let bytes = units as usize * unit_bytes;
        let start = start as usize;
        let memory = context.memory();
        let all = memory.get(start..start + bytes).ok_or(Verdict::ResultOutsideMemory)?;
        let head = &all[..bytes.min(BYTES)];
        let text = match (unit_bytes, context.options().string_encoding) {
            (2, _) => {
                let units = head.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            (_, StringEncoding::Utf8) => String::from_utf8_lossy(head).into_owned(),
            _ => head.iter().map(|&byte| char::from(byte)).collect(),
        };
        Ok(CutText { text, bytes })
    }
}

// SAFETY: the type is `string`, and everything that describes it to wasmtime is that of `WasmStr`.
unsafe impl<const BYTES: usize> ComponentType for CutText<BYTES> {
    type Lower = [ValRaw; 2];
    const ABI: CanonicalAbiInfo = <WasmStr as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <WasmStr as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a string is lowered as an address and a length; both are read as the canonical ABI of a 32-bit memory has
// them, and every byte is taken from the memory with a check.
unsafe impl<const BYTES: usize> Lift for CutText<BYTES> {
    fn linear_lift_from_flat(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        source: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        Self::lift(context, source[0].get_u32(), source[1].get_u32())
    }

    fn linear_lift_from_memory(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self::lift(context, word(0), word(4))
    }
}
