//! A plugin's limits where there is no pipeline that sets them.

use tidemill_connect::CONNECTORS;
use tidemill_model::limits::Limits;
use tidemill_plan::{Manifest, Override};

use crate::failure::Failure;

/// The least that is a pipeline. Nothing in it is wrong, so what is wrong with it is what was typed.
const PIPELINE: &str = "[pipeline]\nname = \"p\"\ninterval = \"1s\"\n[plugins]\np = { path = \"p.wasm\" }\n\
    [streams.s]\ngenerate = \"words\"\n[outputs.o]\nfrom = \"s\"\nprint = true\n";

/// `limits` with those in place that were typed, as in `compile-memory=2GiB`: keys and values are those of a pipeline.
pub fn changed(limits: Limits, typed: &[String]) -> Result<Limits, Failure> {
    if typed.is_empty() {
        return Ok(limits);
    }
    let path = |limit: &String| {
        let wrong = || Failure::input(format!("--limit `{limit}` is not LIMIT=VALUE, say compile-memory=2GiB"));
        format!("plugins.p.limits.{limit}").parse::<Override>().map_err(|_| wrong())
    };
    let overrides = typed.iter().map(path).collect::<Result<Vec<_>, _>>()?;
    let (manifest, diagnostics) = Manifest::read("--limit", PIPELINE, &overrides, CONNECTORS);
    if let Some(wrong) = diagnostics.iter().next() {
        let failure = Failure::input(format!("--limit: {}", wrong.message.replace(" of plugin `p`", "")));
        return Err(wrong.help.iter().fold(failure, |failure, help| failure.hint(help.clone())));
    }
    let read = manifest.plugins().first().map(|plugin| plugin.limits.clone()).unwrap_or_default();
    let is_typed = |key: &str| typed.iter().any(|limit| limit.split('=').next() == Some(key));
    // The one that is not the pipelines' default here.
    let component_bytes = if is_typed("component-bytes") { read.component_bytes } else { limits.component_bytes };
    Ok(Limits { component_bytes, ..read })
}
