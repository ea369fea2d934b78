//! The boundary: calls of a guest's exports, arguments lowered from borrowed slices, answers seen in place.
//!
//! wasmtime frees what a call returned (the export's post-return) before it hands the value over. To read columns where
//! they lie in the guest's memory, [`Seen`] runs the consumer of the answer inside lifting: after the guest has returned,
//! before its post-return. Lifting has no access to anything of the caller's, so a thread-local carries the consumer.
//!
//! This is the one place with `unsafe` code that touches guests. The traits that it implements are hidden in wasmtime's
//! documentation and not covered by its stability promise: the version is pinned.
#![allow(unsafe_code, reason = "wasmtime's Lift and ComponentType are unsafe traits; each use says why it is sound")]

mod text;
pub(crate) mod wire;

use std::{any::Any, cell::Cell, marker::PhantomData, ops::Range};

use wasmtime::{
    Store, ValRaw,
    component::{
        __internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext},
        ComponentExportIndex, ComponentNamedList, ComponentType, Func, Instance, Lift, Lower, TypedFunc, WasmList,
    },
};

use crate::verdict::{Place, Verdict};

pub(crate) use text::{CutText, TextSpan};

/// An export of the operators interface: its name, what it takes and what it answers.
pub(crate) trait Shape: 'static {
    /// Its name in the WIT package.
    const NAME: &'static str;
    /// Its parameters.
    type Params<'a>: ComponentNamedList + Lower;
    /// Its result.
    type Answer: Lift + 'static;
}

/// An export that has been found in a component and has the types of its shape.
pub(crate) struct Export<S> {
    index: ComponentExportIndex,
    shape: PhantomData<fn(S)>,
}

/// An [`Export`] in one instance of its component.
pub(crate) struct Entry<S> {
    func: Func,
    shape: PhantomData<fn(S)>,
}

/// Bytes in a guest's memory, known to be inside it. A `list<u8>` that has not been copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span(Range<usize>);

/// Looks at an answer, and at the memory that its spans lie in.
pub(crate) type Consume<'a, T> = &'a mut dyn FnMut(&mut T, &[u8]) -> Result<(), Verdict>;

// === impl Export ===

impl<S: Shape> Export<S> {
    /// The export at `index`, if it has the types of the shape in `instance`, which is of the component of `index`.
    pub(crate) fn check<T>(
        store: &mut Store<T>,
        instance: &Instance,
        index: ComponentExportIndex,
    ) -> wasmtime::Result<Export<S>> {
        let func = instance.get_func(&mut *store, index).ok_or_else(|| wasmtime::Error::msg("it is no function"))?;
        func.typed::<S::Params<'_>, (Seen<S::Answer>,)>(&*store)?;
        Ok(Export { index, shape: PhantomData })
    }

    /// The same export in another instance of the component.
    pub(crate) fn enter<T>(&self, store: &mut Store<T>, instance: &Instance) -> wasmtime::Result<Entry<S>> {
        let func = instance
            .get_func(&mut *store, self.index)
            .ok_or_else(|| wasmtime::Error::msg(format!("the component lost its export {}", S::NAME)))?;
        Ok(Entry { func, shape: PhantomData })
    }
}

// === impl Entry ===

impl<S> Clone for Entry<S> {
    fn clone(&self) -> Entry<S> {
        *self
    }
}

impl<S> Copy for Entry<S> {}

impl<S: Shape> Entry<S> {
    /// Calls the guest. `consume` sees the answer before the guest frees it; it may call other instances. A guest that
    /// traps while it frees the answer is an error although `consume` was called.
    pub(crate) fn call<T>(
        self,
        store: &mut Store<T>,
        params: S::Params<'_>,
        consume: Consume<'_, S::Answer>,
    ) -> wasmtime::Result<()> {
        let mut erased = |answer: &mut dyn Any, memory: &[u8]| match answer.downcast_mut::<S::Answer>() {
            Some(answer) => consume(answer, memory),
            // Lifting a `Seen<S::Answer>` hands over nothing else.
            None => Err(Verdict::Trapped { reason: "the answer has another type".to_owned(), at: Place::default() }),
        };
        let mut slot: ErasedConsume<'_> = &mut erased;
        let _restored = Restore(CONSUMER.replace(Some((&raw mut slot).cast())));
        // SAFETY: an `Entry` comes from an `Export`, which has checked that the function of this index has these types;
        // wasmtime finds no function under an index that belongs to another component.
        let func = unsafe { TypedFunc::<S::Params<'_>, (Seen<S::Answer>,)>::new_unchecked(self.func) };
        func.call(store, params).map(|_| ())
    }
}

// === The consumer's way into lifting ===

type ErasedConsume<'a> = &'a mut (dyn FnMut(&mut dyn Any, &[u8]) -> Result<(), Verdict> + 'a);

thread_local! {
    /// The consumer of the innermost call on this thread: an `ErasedConsume` on the stack of [`Entry::call`].
    static CONSUMER: Cell<Option<*mut ()>> = const { Cell::new(None) };
}

/// Puts the outer call's consumer back, also when unwinding: a consumer may call another instance.
struct Restore(Option<*mut ()>);

impl Drop for Restore {
    fn drop(&mut self) {
        CONSUMER.set(self.0);
    }
}

/// An answer that has been looked at while it was lifted.
struct Seen<T>(PhantomData<fn(T)>);

impl<T: 'static> Seen<T> {
    fn show(mut answer: T, memory: &[u8]) -> wasmtime::Result<Seen<T>> {
        // Taken, so that nothing can reach the consumer a second time while it runs.
        let slot = CONSUMER.take().ok_or_else(|| wasmtime::Error::msg("an answer that nobody waits for"))?;
        // SAFETY: `Entry::call` of this thread has put the pointer there and is still on the stack below, for it takes
        // it back (by `Restore`) before it returns; a call inside another one has restored the outer one's. The
        // pointee is not touched by anybody else meanwhile: `take` has left nothing for a second `show`.
        let consume = unsafe { &mut *slot.cast::<ErasedConsume<'_>>() };
        consume(&mut answer, memory)?;
        Ok(Seen(PhantomData))
    }
}

// SAFETY: everything that describes the type to wasmtime is that of `T`, which wasmtime's derive has made.
unsafe impl<T: ComponentType> ComponentType for Seen<T> {
    type Lower = T::Lower;
    const ABI: CanonicalAbiInfo = T::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        T::typecheck(ty, types)
    }
}

// SAFETY: both ways lift a `T` by its own implementation, from the place that it would be lifted from.
unsafe impl<T: Lift + 'static> Lift for Seen<T> {
    fn linear_lift_from_flat(
        context: &mut LiftContext<'_>,
        ty: InterfaceType,
        source: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        let answer = T::linear_lift_from_flat(context, ty, source)?;
        Seen::show(answer, context.memory())
    }

    fn linear_lift_from_memory(
        context: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let answer = T::linear_lift_from_memory(context, ty, bytes)?;
        Seen::show(answer, context.memory())
    }
}

// === impl Span ===

impl Span {
    /// The bytes, where `memory` is the one that came with the answer.
    pub(crate) fn of<'a>(&self, memory: &'a [u8]) -> &'a [u8] {
        // A range that was inside the memory is inside of it: memories do not shrink.
        &memory[self.0.clone()]
    }

    fn lift(context: &mut LiftContext<'_>, start: u32, length: u32) -> wasmtime::Result<Span> {
        let (start, length) = (start as usize, length as usize);
        if start + length > context.memory().len() {
            return Err(Verdict::ResultOutsideMemory.into());
        }
        context.consume_fuel(length)?;
        Ok(Span(start..start + length))
    }
}

// SAFETY: the type is `list<u8>`, and everything that describes it to wasmtime is that of `WasmList<u8>`.
unsafe impl ComponentType for Span {
    type Lower = [ValRaw; 2];
    const ABI: CanonicalAbiInfo = <WasmList<u8> as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <WasmList<u8> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a list is lowered as an address and a length; both are read as the canonical ABI of a 32-bit memory has them
// (64-bit memories are switched off in the runtime's settings) and checked against the memory.
unsafe impl Lift for Span {
    fn linear_lift_from_flat(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        source: &Self::Lower,
    ) -> wasmtime::Result<Self> {
        Span::lift(context, source[0].get_u32(), source[1].get_u32())
    }

    fn linear_lift_from_memory(
        context: &mut LiftContext<'_>,
        _: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Span::lift(context, word(0), word(4))
    }
}
