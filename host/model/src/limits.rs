//! What a guest may use. Every limit is here, with its default and the host's maximum.

use std::time::Duration;

/// What one plugin may use. A guest that goes beyond one fails its batch with a verdict that names the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for a call, whatever it is given: a unit for most instructions.
    pub fuel_per_call: u64,
    /// And so many more for each row that the call is given.
    pub fuel_per_row: u64,
    /// Linear memory of an instance.
    pub memory_bytes: usize,
    /// Table elements of an instance.
    pub table_elements: usize,
    /// Bytes that one call may return. A value counts as one at least: a boolean takes a bit in columns, and more elsewhere.
    pub result_bytes: usize,
    /// Rows that one call may return.
    pub result_rows: usize,
    /// Rejected rows that one call may return.
    pub rejections: usize,
    /// Lines that the instances of a function at one place may log in a batch; more are dropped and counted.
    pub log_lines_per_batch: u32,
    /// Bytes of a logged line; the rest is cut off.
    pub log_line_bytes: usize,
    /// Different counters of an operator.
    pub counters: usize,
    /// Bytes of a component.
    pub component_bytes: usize,
    /// Functions that a plugin may describe.
    pub functions: usize,
    /// Time that processors may spend on compiling the component, all together; whole seconds count.
    pub compile_time: Duration,
    /// Time that may pass meanwhile.
    pub compile_wait: Duration,
    /// Memory that compiling it may take.
    pub compile_memory: usize,
    /// Bytes of its compiled code.
    pub compiled_bytes: usize,
}

/// The stack of a call in bytes; the same for every guest, because it is a setting of the compiler.
pub const STACK_BYTES: usize = 512 << 10;

/// What compiling takes at least, whatever it is: less memory than this is no limit that anything meets.
pub const COMPILE_MEMORY_MIN: usize = 64 << 20;

/// The least time for compiling: processors' time is counted in seconds.
pub const COMPILE_TIME_MIN: Duration = Duration::from_secs(1);

/// Fuel for a plugin's description, whatever its limits are: it is asked before any pipeline runs.
pub const DESCRIBE_FUEL: u64 = 100_000_000;

/// Bytes of a description.
pub const DESCRIPTION_BYTES: usize = 4 << 20;

/// Bytes of a plugin's, a function's, a field's or a counter's name.
pub const NAME_BYTES: usize = 128;

/// Bytes of a function's documentation.
pub const DOC_BYTES: usize = 16 << 10;

/// Bytes of a type expression.
pub const TYPE_BYTES: usize = 4 << 10;

/// Fields of a schema.
pub const FIELDS: usize = 1_000;

/// Columns of a schema, those inside lists and records included. Every place where rows are kept has a buffer for each.
pub const NODES: usize = 4_096;

/// Side inputs of a function.
pub const SHARED: usize = 64;

/// Bytes of what a component says of the lines that it was made of; more is not read.
pub const LINES_BYTES: usize = 1 << 20;

/// Bytes of the reason of a rejection or a failure; the rest is cut off.
pub const REASON_BYTES: usize = 1 << 10;

/// Fuel that one call of the host's `log` or `count` costs, because it takes about as long as so many instructions.
pub const HOST_CALL_FUEL: u64 = 1_000;

/// What all functions of a pipeline may use together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineLimits {
    /// Fuel for all calls of a batch.
    pub batch_fuel: u64,
    /// Rows that they may return.
    pub batch_rows: u64,
    /// Bytes of these rows, with what is put beside them: kept fields, keys, dead letters.
    pub batch_bytes: u64,
    /// Memory that all instances may have at once.
    pub instance_memory: u64,
}

impl Default for PipelineLimits {
    fn default() -> PipelineLimits {
        PipelineLimits {
            // Some 15 hours of a processor.
            batch_fuel: 100_000_000_000_000,
            batch_rows: 10_000_000_000,
            batch_bytes: 1 << 40,
            instance_memory: 256 << 30,
        }
    }
}

impl PipelineLimits {
    /// No pipeline gets more than this.
    pub fn host_max() -> PipelineLimits {
        PipelineLimits {
            batch_fuel: i64::MAX as u64,
            batch_rows: i64::MAX as u64,
            batch_bytes: 1 << 50,
            instance_memory: 1 << 50,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            fuel_per_call: 100_000_000,
            fuel_per_row: 100_000,
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            result_bytes: 32 << 20,
            result_rows: 4 << 20,
            rejections: 1 << 20,
            log_lines_per_batch: 100,
            log_line_bytes: 1 << 10,
            counters: 256,
            component_bytes: 10 << 20,
            functions: 256,
            compile_time: Duration::from_secs(60),
            compile_wait: Duration::from_secs(10 * 60),
            compile_memory: 1 << 30,
            compiled_bytes: 256 << 20,
        }
    }
}

impl Limits {
    /// No plugin gets more than this, whatever the pipeline asks for.
    pub fn host_max() -> Limits {
        Limits {
            fuel_per_call: 1 << 50,
            fuel_per_row: 1 << 32,
            memory_bytes: 1 << 30,
            table_elements: 100_000,
            result_bytes: 512 << 20,
            result_rows: 64 << 20,
            rejections: 16 << 20,
            log_lines_per_batch: 100_000,
            log_line_bytes: 64 << 10,
            counters: 10_000,
            component_bytes: 64 << 20,
            functions: 4_096,
            compile_time: Duration::from_secs(60 * 60),
            compile_wait: Duration::from_secs(24 * 60 * 60),
            compile_memory: 64 << 30,
            compiled_bytes: 1 << 30,
        }
    }
}
