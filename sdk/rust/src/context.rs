//! What a function can ask about the call that it serves.

use crate::{
    bindings::{
        exports::tidemill::plugin::operators::{Binding, CallContext},
        tidemill::plugin::data::{Batch, Failure},
    },
    function::failure,
    log,
    parameters::{self, AnyParameters, Parameters},
    value::Timestamp,
};

/// The call that a function serves: an optional first parameter, `context: &Context`, or `context: &Context<P>` of a function
/// that declares its parameters as a struct `P` with `#[derive(Parameters)]`.
#[derive(Clone, Debug)]
pub struct Context<P = AnyParameters> {
    parameters: P,
    given: Vec<(String, String)>,
    call: CallContext,
    /// As the WIT package numbers causes. Written for every key, and read by few functions.
    cause_bits: u8,
}

/// Why an update-state function is called for a key. None of them: the operator runs for every key of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    /// The key has new rows.
    pub news: bool,
    /// The time has come at which the key wanted to be called again.
    pub woken: bool,
    /// The key has been idle for the operator's timeout, and will be deleted after this call.
    pub idle: bool,
}

// === impl Context ===

impl<P: Parameters> Context<P> {
    pub(crate) fn try_new(binding: &Binding) -> Result<Context<P>, String> {
        let call = CallContext {
            batch_time: 0,
            interval: 0,
            watermark: None,
            partition: 0,
            partitions: 1,
            chunk: 0,
            last: true,
        };
        let parameters = parameters::read(binding)?;
        Ok(Context { parameters, given: binding.parameters.clone(), call, cause_bits: 0 })
    }

    /// A side input's content.
    pub(crate) fn share(&mut self, name: &str, rows: &Batch) -> Result<(), Failure> {
        self.parameters.share(name, rows).map_err(failure)
    }
}

impl<P> Context<P> {
    /// What the pipeline gives to the function, as it declares it.
    pub fn parameters(&self) -> &P {
        &self.parameters
    }

    pub(crate) fn enter(&mut self, call: CallContext) {
        self.call = call;
        self.cause_bits = 0;
    }

    /// Why the function is called for the next key, as the sum that the WIT package describes.
    #[inline]
    pub(crate) fn set_cause(&mut self, bits: u8) {
        self.cause_bits = bits;
    }

    /// The time of the batch.
    pub fn batch_time(&self) -> Timestamp {
        Timestamp(self.call.batch_time)
    }

    /// The time between two batches, in microseconds.
    pub fn interval_micros(&self) -> i64 {
        self.call.interval
    }

    /// No row with an earlier event time is expected any more; none where the pipeline has no event time.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.call.watermark.map(Timestamp)
    }

    /// The partition, from 0.
    pub fn partition(&self) -> u32 {
        self.call.partition
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> u32 {
        self.call.partitions
    }

    /// The operator's parameter `name` as text, as the pipeline has it: `parameters = { name = "..." }`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Why an update-state function is called for this key.
    pub fn cause(&self) -> Cause {
        Cause::from_bits(self.cause_bits)
    }

    /// Adds to a counter of this operator. Counters are part of the batch: one that runs again counts once.
    pub fn count(&self, counter: &str, delta: u64) {
        log::count(counter, delta);
    }
}

impl Cause {
    /// From the sum that the WIT package describes.
    fn from_bits(bits: u8) -> Cause {
        Cause { news: bits & 1 != 0, woken: bits & 2 != 0, idle: bits & 4 != 0 }
    }
}
