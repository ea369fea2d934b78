//! An allocator that can be told to misbehave. The boundary allocates and frees byte buffers, whose alignment is 1;
//! everything else is served honestly.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU32, Ordering},
};

/// What happens to buffers of bytes.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// Nothing special.
    Honest = 0,
    /// They lie one byte beside a multiple of eight.
    Misaligned = 1,
    /// Freeing one traps: what a call returned is freed after the host has seen it.
    TrapOnFree = 2,
    /// They lie outside the memory.
    Outside = 3,
}

struct Allocator(AtomicU32);

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(AtomicU32::new(Mode::Honest as u32));

/// From now on.
pub(crate) fn set(mode: Mode) {
    ALLOCATOR.0.store(mode as u32, Ordering::Relaxed);
}

impl Allocator {
    fn is(&self, mode: Mode) -> bool {
        self.0.load(Ordering::Relaxed) == mode as u32
    }
}

/// `System` gives addresses that are multiples of eight, so a remainder of one means a buffer that was moved.
const MOVED: usize = 1;

// SAFETY: apart from `Mode::Outside`, which is a lie on purpose, every block is one of `System`'s that is large enough,
// moved by a byte or not, and is given back to `System` where it began.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 1 || self.is(Mode::Honest) || self.is(Mode::TrapOnFree) {
            // SAFETY: the caller's promise, handed on.
            return unsafe { System.alloc(layout) };
        }
        if self.is(Mode::Outside) {
            return usize::MAX as *mut u8;
        }
        let Ok(larger) = Layout::from_size_align(layout.size() + MOVED, 8) else { return std::ptr::null_mut() };
        // SAFETY: the layout has a size, and the block is one byte larger than asked for.
        unsafe {
            let block = System.alloc(larger);
            if block.is_null() { block } else { block.add(MOVED) }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is(Mode::TrapOnFree) && layout.align() == 1 {
            crate::trouble::trap();
        }
        let moved = layout.align() == 1 && block.addr() % 8 == MOVED;
        let align = if moved { 8 } else { layout.align() };
        let begin = block.addr() - if moved { MOVED } else { 0 };
        let Ok(layout) = Layout::from_size_align(layout.size() + block.addr() - begin, align) else { return };
        // SAFETY: where it was allocated, with the layout it was allocated with.
        unsafe { System.dealloc(block.with_addr(begin), layout) }
    }
}
