//! What the plan asks of plugins.

use std::collections::HashMap;

use tidemill_guest::Plugin;
use tidemill_model::function::{Binding, Description, Signature};
use tidemill_plan::{Functions, Manifest, graph::Plan};

use crate::{
    connectors::CONNECTORS,
    scenario::{Edition, Scenario},
};

/// Loaded plugins by name.
pub(crate) struct Loaded<'a>(pub &'a HashMap<String, Plugin>);

impl Loaded<'_> {
    /// The plan of a scenario's pipeline. The error is what is wrong with it.
    pub fn plan(&self, scenario: &Scenario, edition: Edition) -> Result<Plan, String> {
        let (manifest, mut diagnostics) =
            Manifest::read("simulated.toml", &scenario.pipeline(edition), &[], CONNECTORS);
        manifest.resolve(self, &mut diagnostics).ok_or_else(|| diagnostics.render(false))
    }

    fn get(&self, name: &str) -> Result<&Plugin, String> {
        self.0.get(name).ok_or_else(|| format!("there is no plugin `{name}`"))
    }
}

impl Functions for Loaded<'_> {
    fn description(&self, plugin: &str) -> Result<&Description, String> {
        self.get(plugin).map(Plugin::description)
    }

    fn open(&self, plugin: &str, binding: &Binding) -> Result<Signature, String> {
        let instance = self.get(plugin)?.open(binding).map_err(|verdict| verdict.to_string())?;
        Ok(instance.signature().clone())
    }
}
