//! Makes code of components. Compiling is hostile work: two kilobytes can ask for minutes and for gigabytes, and the first
//! look at a component's sections already is a part of it. So the program does all of it in a process of its own, with limits
//! that the kernel holds, and reads nothing of a component but what that process made of it.
//!
//! `child` is the side of the host, `work` that of the process between them, `request` what the one asks of the other.

mod child;
mod outcome;
mod request;
mod work;

use tidemill_model::limits::Limits;
use wasmtime::{Engine, component::Component};

use crate::{code, runtime};

pub use child::ChildCompiler;
pub use request::CompileRequest;
pub use work::compile_as_child;

/// Who compiles components.
///
/// Compiled code is run as it is, so this is no trait: nothing but this crate's compiler gives code to a runtime.
#[derive(Clone, Debug, Default)]
pub enum Compiler {
    /// The process itself, without limits: for components that are trusted as those of tests are.
    #[default]
    InProcess,
    /// A process for each component.
    Child(ChildCompiler),
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompileError {
    /// The component is none.
    Refused { reason: String },
    /// A limit of the plugin's is not enough; it is called as a pipeline calls it.
    Limit { key: &'static str, limit: String },
    /// The compiler ended over it.
    Failed { reason: String },
    /// There is no process for it.
    NoProcess { reason: String },
}

impl CompileError {
    /// In a few words, for the log.
    pub(crate) fn reason(&self) -> String {
        match self {
            CompileError::Refused { reason } | CompileError::Failed { reason } | CompileError::NoProcess { reason } => {
                reason.clone()
            }
            CompileError::Limit { key, limit } => format!("{key}={limit}"),
        }
    }
}

impl Compiler {
    /// The packed code of `component`, which is called `name` in the log.
    pub(crate) fn compile(&self, name: &str, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::InProcess => {
                packed(component).map_err(|error| CompileError::Refused { reason: format!("{error:#}") })
            }
            Compiler::Child(child) => child.compile(name, component, limits),
        }
    }
}

/// Compiles in this process. What could not be loaded is refused here: to find that out may take as much as compiling does.
fn packed(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let engine = Engine::new(&runtime::settings_for(1))?;
    let code = Component::new(&engine, component)?.serialize()?;
    code::load(&engine, &code)?;
    Ok(code::pack(&code::engine_hash(&engine), component, code))
}
