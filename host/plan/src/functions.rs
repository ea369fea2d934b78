//! What the plan asks of plugins.

use tidemill_model::function::{Binding, Description, Signature};

/// The functions of a pipeline's plugins. Who has the plugins implements it; here nothing is loaded or called.
pub trait Functions {
    /// What the plugin called `plugin` in the pipeline has. The error says in one sentence why it could not be loaded;
    /// it is shown once, at the plugin.
    fn description(&self, plugin: &str) -> Result<&Description, String>;

    /// The signature of a function, every type settled, for a use of it. The error is the plugin's own reason, or says what
    /// is wrong with its answer: here nothing is checked again. So the signature is of the described kind, its state and
    /// output are what that kind has, and its input takes what the binding gives.
    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String>;
}
