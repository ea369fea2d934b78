//! A plugin: a component that has been compiled, checked and asked what it does.

use std::{fmt, sync::Arc};

use tidemill_model::{
    function::{Binding, Description, Signature},
    limits::{DESCRIBE_FUEL, DESCRIPTION_BYTES, Limits},
    schema::Schema,
};
use wasmtime::{
    Store,
    component::{Component, InstancePre},
};

use crate::{
    boundary::{
        Entry, Export, Shape,
        wire::{
            Answer, BindingIn, Describe, FieldIn, MapRows, MigrateStates, Open, OutputRows, ReduceGroups, Share,
            SignatureOut, UpdateStates,
        },
    },
    call::Live,
    describe,
    error::LoadError,
    host::Host,
    instance::{Entries, Instance},
    lines::Lines,
    log::{FunctionLog, LogSink, TracingLog, reason},
    verdict::Verdict,
};

/// The interface that a plugin exports.
pub(crate) const OPERATORS_INTERFACE: &str = "tidemill:plugin/operators@0.1.0";

/// A plugin that is ready to be opened. Clones share its code.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
    sink: Arc<dyn LogSink>,
}

struct Inner {
    name: Arc<str>,
    digest: String,
    imports: Vec<String>,
    compiled: bool,
    limits: Arc<Limits>,
    description: Description,
    lines: Lines,
    component: InstancePre<Host>,
    exports: Exports,
}

/// What a runtime knows of a component before the component says anything.
pub(crate) struct Loaded {
    pub(crate) name: Arc<str>,
    pub(crate) digest: String,
    pub(crate) imports: Vec<String>,
    pub(crate) compiled: bool,
    pub(crate) limits: Arc<Limits>,
    pub(crate) lines: Lines,
    pub(crate) component: InstancePre<Host>,
}

/// The exports that the host calls, their types checked.
struct Exports {
    describe: Export<Describe>,
    open: Export<Open>,
    map_rows: Export<MapRows>,
    reduce_groups: Export<ReduceGroups>,
    update_states: Export<UpdateStates>,
    migrate_states: Export<MigrateStates>,
    output_rows: Export<OutputRows>,
    /// Needed where a function reads side inputs: what was built without any need not have it.
    share: Option<Export<Share>>,
}

// === impl Plugin ===

impl Plugin {
    /// Checks the component's exports and asks it for its description, both in an instance of its own.
    pub(crate) fn describe(loaded: Loaded) -> Result<Plugin, LoadError> {
        let Loaded { name, digest, imports, compiled, limits, lines, component } = loaded;
        let sink: Arc<dyn LogSink> = Arc::new(TracingLog);
        let plugin = name.to_string();
        let asking = Limits { fuel_per_call: DESCRIBE_FUEL, result_bytes: DESCRIPTION_BYTES, ..(*limits).clone() };
        let asking = Arc::new(asking);
        let log = FunctionLog::new(name.clone(), String::new(), String::new(), asking.clone(), sink.clone());
        let host = Host::new(asking.clone(), Arc::new(log), lines.clone());
        let mut wrong_export = None;
        let started = Live::start(&component, host, &asking, |store, instance| {
            let exports = Exports::check(component.component(), store, instance).inspect_err(|what| {
                wrong_export = Some(what.clone());
            });
            let exports = exports.map_err(wasmtime::Error::msg)?;
            let entry = exports.describe.enter(store, instance)?;
            Ok((exports, entry))
        });
        if let Some(what) = wrong_export {
            return Err(LoadError::Exports { plugin, what });
        }
        let failed = |verdict| LoadError::Describe { plugin: plugin.clone(), verdict };
        let (mut live, (exports, entry)) = started.map_err(failed)?;
        let mut described = Err("it said nothing".to_owned());
        live.call(entry, 0, (), &mut |answer, _| {
            described = describe::description(std::mem::take(answer), limits.functions);
            Ok(())
        })
        .map_err(failed)?;
        let description = described.map_err(|what| LoadError::Description { plugin: plugin.clone(), what })?;
        if exports.share.is_none() && description.functions.iter().any(|function| !function.shared.is_empty()) {
            return Err(LoadError::Exports {
                plugin,
                what: "`share` is missing, and a function reads side inputs".to_owned(),
            });
        }
        let inner = Inner { name, digest, imports, compiled, limits, description, lines, component, exports };
        Ok(Plugin { inner: Arc::new(inner), sink })
    }

    /// The same plugin, whose log lines go to `sink`. Without it they become events of `tracing` (see [`TracingLog`]).
    pub fn with_log(mut self, sink: Arc<dyn LogSink>) -> Plugin {
        self.sink = sink;
        self
    }

    /// What the pipeline calls it.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// What it says of itself.
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// What it imports, all granted.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    /// The BLAKE3 hash of the component's bytes, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    /// Whether it had to be compiled; if not, its code came from the cache.
    pub fn was_compiled(&self) -> bool {
        self.inner.compiled
    }

    /// A log for the instances of a function at one place of a pipeline.
    pub fn log(&self, function: &str, place: &str) -> FunctionLog {
        let (name, limits) = (self.inner.name.clone(), self.inner.limits.clone());
        FunctionLog::new(name, function.to_owned(), place.to_owned(), limits, self.sink.clone())
    }

    /// A new instance for one function at one place of a pipeline, with a log of its own.
    pub fn open(&self, binding: &Binding) -> Result<Instance, Verdict> {
        let function = self.inner.description.functions.get(binding.function);
        let log = self.log(function.map_or("", |function| &function.name), "");
        self.open_with_log(binding, &Arc::new(log))
    }

    /// The same with a log that it shares with other instances.
    pub fn open_with_log(&self, binding: &Binding, log: &Arc<FunctionLog>) -> Result<Instance, Verdict> {
        let Inner { limits, description, lines, component, exports, .. } = &*self.inner;
        let functions = description.functions.len();
        let described = description
            .functions
            .get(binding.function)
            .ok_or(Verdict::NoSuchFunction { function: binding.function, functions })?;
        let host = Host::new(limits.clone(), log.clone(), lines.clone());
        let (mut live, (open, entries)) =
            Live::start(component, host, limits, |store, instance| exports.enter(store, instance))?;
        let signature = call_open(&mut live, open, described, binding)?;
        // An instance is a cache: what is used of a batch must not hang on when it was opened.
        live.take_fuel();
        Ok(Instance::new(live, entries, signature, limits.clone()))
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("name", &self.inner.name).field("digest", &self.inner.digest).finish()
    }
}

fn call_open(
    live: &mut Live,
    open: Entry<Open>,
    described: &Signature,
    binding: &Binding,
) -> Result<Signature, Verdict> {
    let (keys, input) = (Names::of(&binding.keys), Names::of(&binding.input));
    let (keys, input) = (keys.lowered(), input.lowered());
    let parameters: Vec<(&str, &str)> =
        binding.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A description has no more functions than its limit, which is far below what 32 bits can say.
    let function = u32::try_from(binding.function).unwrap_or(u32::MAX);
    let params = BindingIn { function, keys: &keys, input: &input, parameters: &parameters };
    let mut opened = Err(Verdict::Poisoned);
    live.call(open, 0, (params,), &mut |answer, _| {
        opened = opened_signature(std::mem::replace(answer, Ok(SignatureOut::default())), described, binding);
        opened.as_ref().map(|_| ()).map_err(Verdict::clone)
    })?;
    opened
}

fn opened_signature(
    answer: Answer<SignatureOut>,
    described: &Signature,
    binding: &Binding,
) -> Result<Signature, Verdict> {
    let told = answer
        .map_err(|failure| Verdict::OpenFailed { reason: reason(failure.reason), retryable: failure.retryable })?;
    let wrong = |what| Verdict::WrongSignature { what };
    let opened = describe::signature(told).map_err(wrong)?;
    describe::check_opened(&opened, described, binding).map_err(wrong)?;
    Ok(opened)
}

/// A schema's names and types as text.
pub(crate) struct Names<'a>(Vec<(&'a str, String)>);

impl<'a> Names<'a> {
    pub(crate) fn of(schema: &'a Schema) -> Names<'a> {
        Names(schema.fields().iter().map(|field| (field.name.as_str(), field.ty.to_string())).collect())
    }

    pub(crate) fn lowered(&self) -> Vec<FieldIn<'_>> {
        self.0.iter().map(|(name, kind)| FieldIn { name, kind }).collect()
    }
}

// === impl Exports ===

impl Exports {
    /// Finds the exports in an instance and checks their types, or says what is missing or different.
    fn check(
        component: &Component,
        store: &mut Store<Host>,
        instance: &wasmtime::component::Instance,
    ) -> Result<Exports, String> {
        let operators =
            component.get_export_index(None, OPERATORS_INTERFACE).ok_or("there is no such interface".to_owned())?;
        fn export<S: Shape>(
            component: &Component,
            operators: &wasmtime::component::ComponentExportIndex,
            store: &mut Store<Host>,
            instance: &wasmtime::component::Instance,
        ) -> Result<Export<S>, String> {
            let name = S::NAME;
            let index = component.get_export_index(Some(operators), name).ok_or(format!("`{name}` is missing"))?;
            Export::check(store, instance, index).map_err(|error| format!("`{name}`: {:#}", error))
        }
        let has_share = component.get_export_index(Some(&operators), Share::NAME).is_some();
        Ok(Exports {
            describe: export(component, &operators, store, instance)?,
            open: export(component, &operators, store, instance)?,
            map_rows: export(component, &operators, store, instance)?,
            reduce_groups: export(component, &operators, store, instance)?,
            update_states: export(component, &operators, store, instance)?,
            migrate_states: export(component, &operators, store, instance)?,
            output_rows: export(component, &operators, store, instance)?,
            share: if has_share { Some(export(component, &operators, store, instance)?) } else { None },
        })
    }

    /// The entry points of another instance.
    fn enter(
        &self,
        store: &mut Store<Host>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<(Entry<Open>, Entries)> {
        let entries = Entries {
            map_rows: self.map_rows.enter(store, instance)?,
            reduce_groups: self.reduce_groups.enter(store, instance)?,
            update_states: self.update_states.enter(store, instance)?,
            migrate_states: self.migrate_states.enter(store, instance)?,
            output_rows: self.output_rows.enter(store, instance)?,
            share: self.share.as_ref().map(|share| share.enter(store, instance)).transpose()?,
        };
        Ok((self.open.enter(store, instance)?, entries))
    }
}
