//! The runtime: one compiler and one pool of instances for all plugins of the process.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use tidemill_model::limits::{Limits, STACK_BYTES};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails, WasmFeatures,
    component::{Component, Linker},
};

use crate::{
    cache::Cache,
    code::{self, EngineHash},
    compile::{CompileError, Compiler},
    component::not_a_component,
    error::LoadError,
    fuel,
    host::{self, DATA_INTERFACE, HOST_INTERFACE, Host},
    lines::Lines,
    plugin::{Loaded, Plugin},
};

/// The version of the WIT package that this host speaks.
const WIT_VERSION: &str = "0.1.0";

/// Frames of a failed call that are looked at for a line of the author's.
const FRAMES_MAX: Option<NonZeroUsize> = NonZeroUsize::new(64);

/// What a runtime may take of the machine.
#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    /// The folder for compiled code; `None`: every load compiles.
    pub cache: Option<PathBuf>,
    /// Who compiles; in this process, unless it is said.
    pub compiler: Compiler,
    /// How many instances there may be at once. Each reserves 4 GiB of addresses, but memory only as it uses it.
    pub instances_max: u32,
    /// The most linear memory that any plugin's limits may allow.
    pub memory_bytes_max: usize,
    /// The largest table that any plugin's limits may allow, in elements.
    pub table_elements_max: usize,
}

/// Compiles plugins and runs their instances. Clones share everything.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    engine_hash: EngineHash,
    linker: Arc<Linker<Host>>,
    cache: Option<Cache>,
    settings: RuntimeSettings,
}

impl Default for RuntimeSettings {
    fn default() -> RuntimeSettings {
        let most = Limits::host_max();
        RuntimeSettings {
            cache: None,
            compiler: Compiler::InProcess,
            instances_max: 256,
            memory_bytes_max: most.memory_bytes,
            table_elements_max: most.table_elements,
        }
    }
}

impl Runtime {
    /// A runtime. A cache folder that cannot be used is a warning in the log, not an error.
    pub fn try_new(settings: &RuntimeSettings) -> Result<Runtime, LoadError> {
        let make = || -> wasmtime::Result<(Engine, Linker<Host>)> {
            let engine = Engine::new(&config(settings))?;
            let mut linker = Linker::new(&engine);
            host::link(&mut linker)?;
            Ok((engine, linker))
        };
        let (engine, linker) = make().map_err(|error| LoadError::Runtime {
            instances_max: settings.instances_max,
            memory_bytes_max: settings.memory_bytes_max,
            reason: format!("{error:#}"),
        })?;
        let cache = settings.cache.as_deref().and_then(Cache::open);
        let engine_hash = code::engine_hash(&engine);
        Ok(Runtime { engine, engine_hash, linker: Arc::new(linker), cache, settings: settings.clone() })
    }

    /// Loads a plugin: checks that `component` is one and imports nothing that is not granted, compiles it or takes its
    /// code from the cache, and asks it what it does. `name` is what the pipeline calls it.
    pub fn load(&self, name: &str, component: &[u8], limits: &Limits) -> Result<Plugin, LoadError> {
        self.check_limits(name, limits)?;
        if component.len() > limits.component_bytes {
            let plugin = name.to_owned();
            return Err(LoadError::TooLarge { plugin, limit: limits.component_bytes, got: component.len() });
        }
        if let Some(what) = not_a_component(component) {
            return Err(LoadError::NotComponent { plugin: name.to_owned(), what: what.to_owned() });
        }
        let (compiled, was_compiled) = self.compiled(name, component, limits)?;
        let imports = self.granted_imports(name, &compiled)?;
        let linked = self.linker.instantiate_pre(&compiled).map_err(|error| LoadError::Imports {
            plugin: name.to_owned(),
            imports: vec![format!("`{HOST_INTERFACE}` with other functions ({error:#})")],
        })?;
        Plugin::describe(Loaded {
            name: name.into(),
            digest: blake3::hash(component).to_hex().to_string(),
            imports,
            compiled: was_compiled,
            limits: Arc::new(limits.clone()),
            lines: Lines::of(component),
            component: linked,
        })
    }

    fn check_limits(&self, name: &str, limits: &Limits) -> Result<(), LoadError> {
        let most = Limits::host_max();
        let memory_max = most.memory_bytes.min(self.settings.memory_bytes_max);
        let table_max = most.table_elements.min(self.settings.table_elements_max);
        for (limit, got, max) in [
            ("fuel_per_call", limits.fuel_per_call, most.fuel_per_call),
            ("fuel_per_row", limits.fuel_per_row, most.fuel_per_row),
            ("memory_bytes", limits.memory_bytes as u64, memory_max as u64),
            ("table_elements", limits.table_elements as u64, table_max as u64),
            ("result_bytes", limits.result_bytes as u64, most.result_bytes as u64),
            ("result_rows", limits.result_rows as u64, most.result_rows as u64),
            ("rejections", limits.rejections as u64, most.rejections as u64),
            ("log_lines_per_batch", limits.log_lines_per_batch.into(), most.log_lines_per_batch.into()),
            ("log_line_bytes", limits.log_line_bytes as u64, most.log_line_bytes as u64),
            ("counters", limits.counters as u64, most.counters as u64),
            ("component_bytes", limits.component_bytes as u64, most.component_bytes as u64),
            ("functions", limits.functions as u64, most.functions as u64),
            ("compile_time", limits.compile_time.as_secs(), most.compile_time.as_secs()),
            ("compile_wait", limits.compile_wait.as_secs(), most.compile_wait.as_secs()),
            ("compile_memory", limits.compile_memory as u64, most.compile_memory as u64),
            ("compiled_bytes", limits.compiled_bytes as u64, most.compiled_bytes as u64),
        ] {
            if got > max {
                return Err(LoadError::Limit { plugin: name.to_owned(), limit, got, max });
            }
        }
        Ok(())
    }

    /// The component's code, from the cache or compiled; and whether it was compiled.
    fn compiled(&self, name: &str, component: &[u8], limits: &Limits) -> Result<(Component, bool), LoadError> {
        if let Some(packed) = self.cache.as_ref().and_then(|cache| cache.read(&self.engine_hash, component, limits)) {
            match self.unpacked(&packed, component) {
                Ok(found) => return Ok((found, false)),
                Err(error) => {
                    tracing::warn!(plugin = name, "compiled code in the cache is not used: {}", error.reason())
                }
            }
        }
        let not_compiled = |error| LoadError::of_compiling(name, error);
        let packed = self.settings.compiler.compile(name, component, limits).map_err(not_compiled)?;
        let compiled = self.unpacked(&packed, component).map_err(not_compiled)?;
        if let Some(cache) = &self.cache {
            cache.write(&self.engine_hash, component, &packed);
        }
        Ok((compiled, true))
    }

    fn unpacked(&self, packed: &[u8], component: &[u8]) -> Result<Component, CompileError> {
        let foreign = || CompileError::Failed { reason: "it is another component's, or damaged".to_owned() };
        let code = code::unpack(packed, &self.engine_hash, component).ok_or_else(foreign)?;
        code::load(&self.engine, code).map_err(|error| CompileError::Refused { reason: format!("{error:#}") })
    }

    fn granted_imports(&self, name: &str, component: &Component) -> Result<Vec<String>, LoadError> {
        let component = component.component_type();
        let imports: Vec<String> = component.imports(&self.engine).map(|(import, _)| import.to_owned()).collect();
        let exports = component.exports(&self.engine).map(|(export, _)| export);
        if let Some(theirs) = imports.iter().map(String::as_str).chain(exports).find_map(other_version) {
            return Err(LoadError::Version { plugin: name.to_owned(), theirs: theirs.to_owned(), ours: WIT_VERSION });
        }
        let foreign = imports.iter().filter(|import| ![HOST_INTERFACE, DATA_INTERFACE].contains(&import.as_str()));
        let foreign: Vec<String> = foreign.map(|import| format!("`{import}`")).collect();
        if foreign.is_empty() {
            return Ok(imports);
        }
        Err(LoadError::Imports { plugin: name.to_owned(), imports: foreign })
    }
}

/// The version of an interface of the WIT package, if it is not this host's.
fn other_version(interface: &str) -> Option<&str> {
    let (_, version) = interface.strip_prefix("tidemill:plugin/")?.split_once('@')?;
    (version != WIT_VERSION).then_some(version)
}

/// The same component, the same rows, the same bytes back; and nothing on that a plugin does not need.
fn config(settings: &RuntimeSettings) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .operator_cost(fuel::prices())
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(STACK_BYTES)
        .concurrency_support(false)
        // No component of a language that is compiled to one needs them, and what is not there cannot be dear.
        .wasm_features(WasmFeatures::THREADS | WasmFeatures::GC | WasmFeatures::FUNCTION_REFERENCES, false)
        // The boundary reads addresses of 32 bits.
        .wasm_memory64(false)
        .wasm_component_model_memory64(false)
        // Verdicts say where a guest was: the innermost frames are enough, whatever it calls.
        .wasm_backtrace_max_frames(FRAMES_MAX)
        // What a component says of its lines besides is its own, and hostile: nobody reads it.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    config
}

/// For compiling: what can be loaded with room for few instances can be with room for many.
pub(crate) fn settings_for(instances_max: u32) -> Config {
    config(&RuntimeSettings { instances_max, ..RuntimeSettings::default() })
}

fn pool(settings: &RuntimeSettings) -> PoolingAllocationConfig {
    // A component of one language's module and the adapters around it has a handful of core instances and tables.
    const CORE_INSTANCES_PER_COMPONENT: u32 = 16;
    const TABLES_PER_COMPONENT: u32 = 8;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(settings.instances_max)
        .total_core_instances(settings.instances_max.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .total_memories(settings.instances_max)
        .max_memories_per_component(1)
        .max_memory_size(settings.memory_bytes_max)
        .total_tables(settings.instances_max.saturating_mul(TABLES_PER_COMPONENT))
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(settings.table_elements_max);
    pool
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn what_is_compiled_with_room_for_one_instance_runs_in_any_room() {
        let compiling = code::engine_hash(&Engine::new(&settings_for(1)).unwrap());
        let small = RuntimeSettings { instances_max: 2, memory_bytes_max: 1 << 20, ..RuntimeSettings::default() };
        for settings in [RuntimeSettings::default(), small] {
            assert_eq!(Runtime::try_new(&settings).unwrap().engine_hash, compiling);
        }
    }
}
