//! `tidemill replay`: a past batch again, and what is different now.

mod compare;
mod json;
mod pairs;
mod row;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use tidemill_checkpoint::{CheckpointError, History, Past, PluginDigest, Storage};
use tidemill_connect::system::{ManualClock, Threads};
use tidemill_engine::{
    OpenSources,
    replay::{ReplayParts, Replayed, logged, replay},
};
use tidemill_model::connector::World;
use tidemill_plan::graph::NodeId;

use crate::{
    arguments::{self, BatchName},
    environment,
    failure::{Failure, chain},
    pipeline::{self, Ready},
    stdout, storage,
};
use compare::Compared;

/// What is shown of a replay.
struct Shown<'a> {
    pipeline: &'a str,
    past: &'a Past,
    /// The plugins now.
    plugins: Vec<PluginDigest>,
    replayed: &'a Replayed,
    compared: Compared<'a>,
}

pub fn run(arguments: &arguments::Replay) -> Result<(), Failure> {
    let ready = pipeline::prepare_with(&arguments.pipeline, &arguments.plugins, |_| {})?;
    let Some(checkpoint) = &ready.checkpoint else {
        return Err(Failure::input(format!("the pipeline `{}` has no checkpoint to replay from", ready.plan.name)));
    };
    let history = history(&storage::to_look_at(&checkpoint.place, &ready.folder)?, &ready.plan.name)?;
    let past = past(&history, arguments.batch)?;
    let (pipeline, plugins) = (ready.plan.name.clone(), ready.digests.clone());
    let replayed = replayed(ready, &history, &past, arguments.workers)?;
    let compared = Compared::of(&replayed);
    let shown = Shown { pipeline: &pipeline, past: &past, plugins, replayed: &replayed, compared };
    match arguments.json {
        true => stdout::write_with(|out| json::write(&shown, out))?,
        false => stdout::write_text(&text::of(&shown))?,
    }
    match shown.compared.is_same() {
        true => Ok(()),
        // Whoever asked for another plugin has seen what differs, and is told so as programs are.
        false if !arguments.plugins.is_empty() => Err(Failure::run(not_as_committed(&shown))),
        false => Err(differs(&shown)),
    }
}

fn history(storage: &Arc<dyn Storage>, pipeline: &str) -> Result<History, Failure> {
    let history = History::of(storage)?;
    let history = history.ok_or_else(|| Failure::input(format!("no run has begun in `{}`", storage.place())))?;
    if history.pipeline == pipeline {
        return Ok(history);
    }
    let (found, expected, place) = (history.pipeline, pipeline.to_owned(), storage.place());
    Err(CheckpointError::OtherPipeline { place, found, expected }.into())
}

fn past(history: &History, batch: BatchName) -> Result<Past, Failure> {
    let time = match batch {
        BatchName::At(time) => time,
        BatchName::Last => {
            let last = history.batches().into_iter().rfind(|batch| batch.commit.is_some());
            last.ok_or_else(|| Failure::input("the checkpoint has no batch yet"))?.time
        }
    };
    history.past(time).map_err(|error| Failure::input(chain(&error)))
}

fn replayed(ready: Ready, history: &History, past: &Past, workers: Option<u32>) -> Result<Replayed, Failure> {
    // The time at which the batch ended then; it only shows in what the run says of itself.
    let clock = Arc::new(ManualClock::new(past.plan.batch));
    let world = World::new(clock.clone(), Arc::new(Threads), ready.folder.clone(), stdout::shared());
    let logged = logged(&ready.plan, history, past);
    let sources = sources(&ready, &logged, &world)?;
    let parts = ReplayParts {
        rows_max: ready.plan.outputs.iter().map(|output| output.sink.rows_max()).collect(),
        plan: ready.plan,
        plugins: ready.plugins,
        sources,
        clock,
        spawn: Arc::new(Threads),
        history,
        past,
    };
    let workers = workers.map_or_else(environment::cores, |workers| workers as usize);
    Ok(replay(parts, workers, environment::secret_seed())?)
}

/// Those sources that can give the batch again. Those that were logged are not opened: what they gave is in the checkpoint.
fn sources(ready: &Ready, logged: &[String], world: &World) -> Result<OpenSources, Failure> {
    let mut sources = Vec::new();
    for (index, node) in ready.plan.nodes.iter().enumerate() {
        let Some(source) = node.source().filter(|_| !logged.contains(&node.name)) else { continue };
        if let Some(what) = source.logged() {
            let message = format!("the stream `{}` is {what}, and was none in that batch", node.name);
            return Err(Failure::input(message).hint("name the pipeline as it was then"));
        }
        sources.push((NodeId(index), source.open(&node.name, world)?));
    }
    Ok(sources)
}

fn not_as_committed(shown: &Shown<'_>) -> String {
    format!("the batch {} does not come out as it was committed", shown.past.plan.batch)
}

/// What to make of a batch that comes out otherwise although nobody asked for another plugin.
fn differs(shown: &Shown<'_>) -> Failure {
    let failure = Failure::run(not_as_committed(shown));
    let changed: Vec<&str> = shown.changed_plugins().map(|plugin| plugin.name.as_str()).collect();
    match changed.len() {
        0 => failure.hint(
            "the plugins are those of then: a function depends on more than its input, or the pipeline has changed since",
        ),
        _ => failure.hint(format!(
            "not as they were then: {}; name the component of then with --plugin to compare",
            changed.join(", ")
        )),
    }
}

impl Shown<'_> {
    /// The plugins whose components are not those of then.
    fn changed_plugins(&self) -> impl Iterator<Item = &PluginDigest> {
        self.plugins.iter().filter(|plugin| !self.past.plan.plugins.contains(plugin))
    }

    /// What a plugin was then.
    fn plugin_then(&self, name: &str) -> Option<&PluginDigest> {
        self.past.plan.plugins.iter().find(|plugin| plugin.name == name)
    }
}
