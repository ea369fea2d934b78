//! Instances of guests for the steps: opened when they are first needed, dropped after an error.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tidemill_guest::{FunctionLog, Instance, Plugin, Usage, Verdict};
use tidemill_model::{
    columns::{Column, Rows},
    limits::{Limits, PipelineLimits},
};
use tidemill_plan::graph::{FunctionUse, Node};

use super::{
    policy::Attempt,
    shared::{Given, SharedRows},
};
use crate::{
    budget::Budget,
    counters::Counters,
    failure::{Cause, RunError},
    stop::Stopper,
};

/// The plugins of a pipeline, and how their instances are kept.
#[derive(Clone)]
pub(crate) struct Guests {
    plugins: Arc<HashMap<String, Plugin>>,
    fresh: bool,
    counters: Counters,
    budget: Budget,
    stopper: Stopper,
    /// The logs of the functions by stream or output: all partitions share one.
    logs: Arc<Mutex<HashMap<String, Arc<FunctionLog>>>>,
}

impl Guests {
    /// `fresh`: every batch gets new instances, to catch guests that remember.
    pub(crate) fn new(plugins: HashMap<String, Plugin>, fresh: bool, budget: Budget, stopper: Stopper) -> Guests {
        let (counters, logs) = (Counters::default(), Arc::default());
        Guests { plugins: Arc::new(plugins), fresh, counters, budget, stopper, logs }
    }

    /// What they may use of a batch together.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What the guests count.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// No batch comes any more: what functions have left out of the log of the last one is said.
    pub(crate) fn end_logs(&self) {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let by_place: BTreeMap<_, _> = logs.iter().collect();
        by_place.into_values().for_each(|log| log.end());
    }

    /// A place for instances of a stream's function.
    pub(crate) fn slot_of(&self, node: &Node) -> Result<GuestSlot, RunError> {
        let Some(function) = &node.function else { unreachable!("`{}` calls a function", node.name) };
        self.slot(&node.name, function)
    }

    /// A place for instances of the function of the stream or output `place`.
    pub(crate) fn slot(&self, place: &str, function: &FunctionUse) -> Result<GuestSlot, RunError> {
        let plugin =
            self.plugins.get(&function.plugin).ok_or_else(|| RunError::NoPlugin(function.plugin.clone()))?.clone();
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let new_log = || Arc::new(plugin.log(&function.signature.name, place));
        let log = logs.entry(place.to_owned()).or_insert_with(new_log).clone();
        Ok(GuestSlot {
            plugin,
            function: function.clone(),
            counted_as: format!("{place}/{}", function.plugin),
            instance: None,
            given: Given::default(),
            fresh: self.fresh,
            counters: self.counters.clone(),
            budget: self.budget.clone(),
            stopper: self.stopper.clone(),
            log,
            batches: 0,
            counted: Vec::new(),
            used: Usage::default(),
            owed: Usage::default(),
        })
    }
}

/// A function at its place, and the instance that serves it. An instance is a cache: any batch may get a new one.
pub(crate) struct GuestSlot {
    plugin: Plugin,
    pub(crate) function: FunctionUse,
    /// What comes before the names of its counters.
    counted_as: String,
    instance: Option<Instance>,
    /// The side inputs of the batch, and what the instance has of them.
    given: Given,
    fresh: bool,
    counters: Counters,
    stopper: Stopper,
    log: Arc<FunctionLog>,
    /// Batches that have begun.
    batches: u64,
    /// What the calls of an attempt have counted.
    counted: Vec<(String, u64)>,
    budget: Budget,
    /// What the calls of an attempt have used.
    used: Usage,
    /// What calls in vain have used; paid for by the next one, unless that is made because nothing of the failed one counts.
    owed: Usage,
}

impl GuestSlot {
    /// The same for calls that are of no batch: nothing that they use or count counts for one.
    pub(crate) fn of_no_batch(self) -> GuestSlot {
        let budget = Budget::new(&PipelineLimits::host_max(), false);
        GuestSlot { budget, counters: Counters::default(), ..self }
    }

    /// A new batch.
    pub(crate) fn begin(&mut self) {
        // Of an attempt that was never ended: what came behind it failed, and its batch was skipped.
        self.counted.clear();
        (self.used, self.owed) = Default::default();
        self.batches += 1;
        self.log.begin_batch(self.batches);
        if self.fresh {
            self.instance = None;
        }
    }

    /// The side inputs of the batch. Each instance gets them before it is called.
    pub(crate) fn share(&mut self, shared: &Arc<[SharedRows]>) {
        self.given.begin(shared);
    }

    /// Calls an instance; one that failed is dropped.
    pub(crate) fn call(&mut self, call: impl FnOnce(&mut Instance) -> Result<(), Verdict>) -> Result<(), Cause> {
        let counted = self.try_call(call)?;
        if self.function.on_error.calls_again() {
            self.counted.extend(counted);
        } else {
            self.counters.add(&self.counted_as, counted);
        }
        Ok(())
    }

    /// Calls that are made again count only if the attempt that they belong to does.
    pub(crate) fn end_attempt(&mut self, counts: bool) -> Result<(), Cause> {
        let (counted, used) = (std::mem::take(&mut self.counted), std::mem::take(&mut self.used));
        if counts {
            self.counters.add(&self.counted_as, counted);
            return self.spend(used);
        }
        self.owed.fuel = self.owed.fuel.saturating_add(used.fuel);
        Ok(())
    }

    /// The attempt that failed is made again as if it had not been.
    pub(crate) fn forgive(&mut self) {
        self.owed = Usage::default();
    }

    /// The next call is made by a new instance.
    pub(crate) fn renew(&mut self) {
        self.instance = None;
    }

    /// The same for a call that is only made to see whether it fails: what it counts does not count.
    pub(crate) fn probe(&mut self, call: impl FnOnce(&mut Instance) -> Result<(), Verdict>) -> Result<(), Cause> {
        let called = self.try_call(call).map(|_| ());
        self.owed.fuel = self.owed.fuel.saturating_add(std::mem::take(&mut self.used).fuel);
        called
    }

    fn try_call(
        &mut self,
        call: impl FnOnce(&mut Instance) -> Result<(), Verdict>,
    ) -> Result<Vec<(String, u64)>, Cause> {
        // A call ends by itself when its fuel does; a batch of many calls is to end when there is no time left.
        if self.stopper.is_out_of_time() {
            return Err(Cause::OutOfTime);
        }
        let owed = std::mem::take(&mut self.owed);
        self.spend(owed)?;
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => {
                self.given.renew();
                let opened = self.plugin.open_with_log(&self.function.binding, &self.log);
                opened.map_err(|verdict| self.failed(false, verdict))?
            }
        };
        self.given.give(&mut instance).map_err(|(input, verdict)| self.not_shared(input, verdict))?;
        let called = call(&mut instance);
        let usage = instance.take_usage();
        if self.function.on_error.calls_again() {
            self.used.add(usage);
        } else if called.is_ok() {
            self.spend(usage)?;
        }
        called.map_err(|verdict| self.failed(true, verdict))?;
        let counted = instance.take_counters();
        self.instance = Some(instance);
        Ok(counted)
    }

    fn spend(&self, usage: Usage) -> Result<(), Cause> {
        self.budget.spend(usage).map_err(|cause| self.named(cause))
    }

    /// With this function in place of none.
    fn named(&self, cause: Cause) -> Cause {
        match cause {
            Cause::OverBudget { who: None, key, what, limit, used } => {
                let who = Some(format!("{}/{}", self.function.plugin, self.function.signature.name));
                Cause::OverBudget { who, key, what, limit, used }
            }
            other => other,
        }
    }

    /// How a call went whose answer was `handed` on, or was not.
    pub(crate) fn outcome(&self, called: Result<(), Cause>, handed: Option<Result<(), Cause>>) -> Attempt {
        match handed {
            Some(Err(downstream)) => Err(self.named(downstream)),
            Some(Ok(())) if self.function.on_error.calls_again() => Ok(Ok(())),
            _ => Ok(called),
        }
    }

    /// What an instance may use.
    pub(crate) fn limits(&self) -> &Limits {
        self.plugin.limits()
    }

    fn not_shared(&self, input: String, verdict: Verdict) -> Cause {
        Cause::Shared { input, cause: Box::new(self.failed(true, verdict)) }
    }

    fn failed(&self, opened: bool, verdict: Verdict) -> Cause {
        let function = self.function.signature.name.clone();
        Cause::Guest { plugin: self.function.plugin.clone(), function, opened, verdict }
    }

    /// The function's input columns of `rows`.
    pub(crate) fn input<'a>(&self, rows: &Rows<'a>) -> Vec<Column<'a>> {
        rows.project(&self.function.fields)
    }
}
