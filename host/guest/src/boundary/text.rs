//! Text that a guest hands over: copied no further than the host has use for.

use wasmtime::{
    ValRaw,
    component::{
        __internal::{
            CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, wasmtime_environ::component::StringEncoding,
        },
        ComponentType, Lift, WasmStr,
    },
};

use tidemill_model::limits::REASON_BYTES;

use crate::verdict::Verdict;

/// A guest's string where it lies, known to be inside the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextSpan {
    start: u32,
    bytes: u32,
    encoding: Encoding,
}

/// A guest's string, cut after `BYTES` bytes or a little more, and what is no text in it replaced.
#[derive(Debug)]
pub(crate) struct CutText<const BYTES: usize> {
    /// The text.
    pub(crate) text: String,
    /// How many bytes it had in the guest.
    pub(crate) bytes: usize,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Utf8,
    Utf16,
    Latin1,
}

impl TextSpan {
    /// The text in `memory`, which is the one that came with the answer: cut after `bytes_max` bytes or a little more, and
    /// what is no text in it replaced.
    pub(crate) fn head(&self, memory: &[u8], bytes_max: usize) -> String {
        // What was inside the memory is inside of it: memories do not shrink.
        let head = &memory[self.start as usize..][..(self.bytes as usize).min(bytes_max)];
        match self.encoding {
            Encoding::Utf8 => String::from_utf8_lossy(head).into_owned(),
            Encoding::Utf16 => {
                let units = head.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            Encoding::Latin1 => head.iter().map(|&byte| char::from(byte)).collect(),
        }
    }

    fn lift(context: &mut LiftContext<'_>, start: u32, length: u32) -> wasmtime::Result<TextSpan> {
        /// In the encoding "latin1+utf16" of the canonical ABI this bit of the length says which of the two it is.
        const UTF16: u32 = 1 << 31;
        let (units, encoding) = match context.options().string_encoding {
            StringEncoding::Utf8 => (length, Encoding::Utf8),
            StringEncoding::Utf16 => (length, Encoding::Utf16),
            StringEncoding::CompactUtf16 if length & UTF16 != 0 => (length ^ UTF16, Encoding::Utf16),
            StringEncoding::CompactUtf16 => (length, Encoding::Latin1),
        };
        let unit_bytes = if matches!(encoding, Encoding::Utf16) { 2 } else { 1 };
        let bytes = units.checked_mul(unit_bytes).ok_or(Verdict::ResultOutsideMemory)?;
        if start as usize + bytes as usize > context.memory().len() {
            return Err(Verdict::ResultOutsideMemory.into());
        }
        // Many may lie at one place, and each is copied once it is looked at.
        context.consume_fuel((bytes as usize).min(REASON_BYTES))?;
        Ok(TextSpan { start, bytes, encoding })
    }
}

impl<const BYTES: usize> CutText<BYTES> {
    fn lift(context: &mut LiftContext<'_>, start: u32, length: u32) -> wasmtime::Result<Self> {
        let span = TextSpan::lift(context, start, length)?;
        Ok(CutText { text: span.head(context.memory(), BYTES), bytes: span.bytes as usize })
    }
}

/// Makes a type with a function `lift` a `string` of the component model.
macro_rules! lift_string {
    ([$($generics:tt)*] $text:ty) => {
        // SAFETY: the type is `string`, and everything that describes it to wasmtime is that of `WasmStr`.
        unsafe impl<$($generics)*> ComponentType for $text {
            type Lower = [ValRaw; 2];
            const ABI: CanonicalAbiInfo = <WasmStr as ComponentType>::ABI;

            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
                <WasmStr as ComponentType>::typecheck(ty, types)
            }
        }

        // SAFETY: a string is lowered as an address and a length; both are read as the canonical ABI of a 32-bit memory
        // has them, and every byte is taken from the memory with a check.
        unsafe impl<$($generics)*> Lift for $text {
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
    };
}

lift_string!([] TextSpan);
lift_string!([const BYTES: usize] CutText<BYTES>);

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a text that stands behind three other bytes.
    fn head(encoding: Encoding, bytes: &[u8], bytes_max: usize) -> String {
        let memory = [&[b'?'; 3], bytes, b"?"].concat();
        TextSpan { start: 3, bytes: bytes.len() as u32, encoding }.head(&memory, bytes_max)
    }

    #[test]
    fn texts_of_all_encodings_are_read_and_cut() {
        let utf16: Vec<u8> = "a\u{e4}\u{1f600}b".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (encoding, bytes, bytes_max, expect) in [
            (Encoding::Utf8, "a\u{e4}b".as_bytes(), 100, "a\u{e4}b"),
            (Encoding::Utf8, "a\u{e4}b".as_bytes(), 4, "a\u{e4}b"),
            (Encoding::Utf8, "a\u{e4}b".as_bytes(), 3, "a\u{e4}"),
            (Encoding::Utf8, "a\u{e4}b".as_bytes(), 2, "a\u{fffd}"),
            (Encoding::Utf8, b"a\xffb", 100, "a\u{fffd}b"),
            (Encoding::Utf8, b"", 100, ""),
            (Encoding::Utf16, &utf16[..], 100, "a\u{e4}\u{1f600}b"),
            (Encoding::Utf16, &utf16[..], 8, "a\u{e4}\u{1f600}"),
            (Encoding::Utf16, &utf16[..], 6, "a\u{e4}\u{fffd}"),
            (Encoding::Utf16, &utf16[..], 5, "a\u{e4}"),
            (Encoding::Latin1, b"a\xe4b", 100, "a\u{e4}b"),
            (Encoding::Latin1, b"a\xe4b", 2, "a\u{e4}"),
        ] {
            assert_eq!(head(encoding, bytes, bytes_max), expect, "{encoding:?}, {bytes_max} of {bytes:?}");
        }
    }
}
