//! A hint to the processor.

#![allow(unsafe_code, reason = "the prefetch instruction has no safe form; it has no effect on what a program does")]

/// Asks for `items[at]` to be brought near. Nothing happens where that is no item, or on other processors.
#[inline(always)]
pub(super) fn prefetch<T>(items: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if at < items.len() {
        // SAFETY: the pointer is inside the slice, and a prefetch does not access memory as far as the program can see.
        unsafe {
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(items.as_ptr().add(at).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, at);
}
