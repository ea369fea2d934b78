//! Write Tidemill plugins as plain typed functions.

#[allow(unused_extern_crates, reason = "what the macros write names the crate, in here too")]
extern crate self as tidemill_sdk;

#[doc(hidden)]
pub mod bindings;
mod buffer;
mod context;
mod export;
mod function;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
mod update;
mod value;
mod values;

pub use context::{Cause, Context};
pub use update::{StateChange, Update};
pub use value::Timestamp;
pub use values::{Values, ValuesIter};

pub use tidemill_sdk_macros::{Record, map, output, plugin, reduce, update_state};

/// Everything that a plugin's functions need.
pub mod prelude {
    pub use crate::{
        Cause, Context, Record, Timestamp, Update, Values, map, output, plugin, reduce, text::words, update_state,
    };
    pub use crate::{debug, error, info, trace, warn};
}

/// What the macros' code names. Not for authors.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        bindings::{
            exports::tidemill::plugin::operators::{Binding, Kind, Signature},
            tidemill::plugin::data::{Column, Field},
        },
        context::Context,
        export::{Exports, Table},
        function::*,
        update::Update,
        value::*,
        values::Values,
    };
}
