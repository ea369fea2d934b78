//! What instructions cost.
//!
//! A call is bounded by fuel, so fuel must stand for time. wasmtime takes a unit for nearly every instruction, and most of them take
//! less than a nanosecond. Some call a function of the runtime, which takes up to two hundred: these are paid for here. The test
//! beside this measures every instruction that a plugin can have.
//!
//! What is not bounded like this: memory that the processor has to wait for. A load or store at a place that no cache has takes
//! about 100 ns for its unit, and one that the kernel has to give a page for up to 1 us, once a page.

use wasmtime::{OperatorCost, VariableOperatorCost};

/// The price of every instruction.
pub(crate) fn prices() -> OperatorCost {
    OperatorCost {
        // They are looked up for a table or a function at run time.
        RefFunc: 255,
        ElemDrop: 32,
        DataDrop: 32,
        TableGrow: 64,
        // The kernel may be asked for more.
        MemoryGrow: 255,
        // Whatever their length is; a fill of no bytes takes longest, where nothing was written before.
        MemoryFill: 128,
        MemoryCopy: 16,
        MemoryInit: 16,
        TableInit: 16,
        TableCopy: 4,
        TableFill: 4,
        CallIndirect: 2,
        ReturnCallIndirect: 2,
        F64Sqrt: 2,
        variable: VariableOperatorCost {
            memory_grow_per_page: 255,
            table_init_per_element: 2,
            table_copy_per_element: 2,
            table_fill_per_element: 2,
            table_grow_per_element: 2,
            ..VariableOperatorCost::new()
        },
        ..OperatorCost::new()
    }
}

#[cfg(test)]
mod tests;
