//! How large a pipeline may be: what every stream has may be few, and all of them together too many to run.

use tidemill_model::{
    limits::{Limits, NODES},
    schema::{DEPTH_MAX as NESTING_MAX, Schema},
    text::counted,
};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Name,
    graph::{Caller, Plan},
    manifest::Manifest,
    reader::quantity::show_size,
    stages::{Stage, Stages, StepKind},
};

/// Instances of plugins that a pipeline has at once: each reserves 4 GiB of the addresses that a process has.
const INSTANCES_MAX: u64 = 8_192;

/// Steps of all stages, each counted for each of its partitions: one takes about 2 KiB before it gets a row.
const PLACES_MAX: u64 = 1 << 20;

/// Steps that rows go through one after the other: each one's call is inside the one before, on one stack.
const DEPTH_MAX: usize = 64;

/// Whether a stream's rows have no more columns than rows may have; that they have is reported.
pub(super) fn check_nodes(name: &Name, schema: &Schema, diagnostics: &mut Diagnostics) -> bool {
    let nodes = schema.nodes();
    if nodes > NODES {
        let message = format!("stream `{}` would have {}", name.text, counted(nodes, "column"));
        let help = format!("a stream has at most {NODES}, those inside lists and records included");
        diagnostics.push(Diagnostic::error(name.span, message).label("too many").help(help));
    }
    let depth = schema.depth();
    if depth > NESTING_MAX {
        let message = format!("the values of stream `{}` would nest {depth} deep", name.text);
        let help = format!("lists and records nest {NESTING_MAX} deep at most; a map can make them flat");
        diagnostics.push(Diagnostic::error(name.span, message).label("too deep").help(help));
    }
    nodes <= NODES && depth <= NESTING_MAX
}

/// Reports that there would be too many instances, or that they could have too much memory.
pub(super) fn check_instances(plan: &Plan, stages: &Stages, manifest: &Manifest, diagnostics: &mut Diagnostics) {
    let instances = stages.instances(plan);
    if instances > INSTANCES_MAX {
        let message = format!("the pipeline would have {} of its plugins at once", counted(instances, "instance"));
        let help = format!(
            "it has one for each partition of each function, a reduce two, and at most {INSTANCES_MAX}: take fewer \
             `partitions`, or fewer functions behind a union"
        );
        diagnostics.push(Diagnostic::whole(message).help(help));
        return;
    }
    let used = memory_of_plugins(plan, stages, manifest);
    let (memory, max) = (used.iter().map(|plugin| plugin.memory()).sum::<u64>(), plan.limits.instance_memory);
    if memory > max {
        diagnostics.push(too_much_memory(used, memory, max));
    }
}

/// Reports a window over windows, or unions of them, of which more batches stand one behind the other than have a number.
pub(super) fn check_origins(plan: &Plan, stages: &Stages, manifest: &Manifest, diagnostics: &mut Diagnostics) {
    let is_too_much = |stage: &&Stage| stage.order.origins() == u32::MAX;
    let Some(StepKind::Part(id, _)) = stages.stages.iter().find(is_too_much).map(|stage| stage.steps[0].kind) else {
        return;
    };
    let name = &plan.node(id).name;
    let message = format!("stream `{name}` would have too many batches one behind the other");
    let help =
        "a window over a window has as many as both lengths multiplied: make one of them slide less often, or shorter";
    let span = manifest.streams.iter().find(|stream| stream.name.text == *name).map(|stream| stream.name.span);
    let error = span.map_or_else(|| Diagnostic::whole(&message), |span| Diagnostic::error(span, message.clone()));
    diagnostics.push(error.help(help));
}

/// Reports that there would be too many partitions of streams and outputs.
pub(super) fn check_places(stages: &Stages, diagnostics: &mut Diagnostics) {
    let of_stage = |stage: &Stage| stage.steps.len() as u64 * u64::from(stage.partitions);
    let places: u64 = stages.stages.iter().map(of_stage).sum();
    if places > PLACES_MAX {
        let message = format!(
            "the pipeline would have {} of its streams and outputs, all together",
            counted(places, "partition")
        );
        let help = format!(
            "each stream and output has its `partitions`, a reduce or distinct twice, and a union those of all that it reads; there \
             are {PLACES_MAX} at most: take fewer `partitions`, or fewer streams"
        );
        diagnostics.push(Diagnostic::whole(message).help(help));
    }
}

/// The instances of a plugin, and what each may have.
struct InstancesOf<'a> {
    plugin: &'a str,
    count: u64,
    memory_bytes: u64,
}

impl InstancesOf<'_> {
    fn memory(&self) -> u64 {
        self.count.saturating_mul(self.memory_bytes)
    }
}

fn memory_of_plugins<'a>(plan: &'a Plan, stages: &Stages, manifest: &'a Manifest) -> Vec<InstancesOf<'a>> {
    let counts = stages.instances_by_plugin(plan);
    let of_plugin = |(plugin, count): (&'a str, u64)| {
        let entry = manifest.plugins().iter().find(|entry| entry.name == plugin);
        let memory_bytes = entry.map_or(Limits::default().memory_bytes, |entry| entry.limits.memory_bytes) as u64;
        InstancesOf { plugin, count, memory_bytes }
    };
    counts.into_iter().map(of_plugin).collect()
}

fn too_much_memory(mut used: Vec<InstancesOf<'_>>, memory: u64, max: u64) -> Diagnostic {
    used.sort_by_key(|plugin| std::cmp::Reverse(plugin.memory()));
    let most = used.iter().take(3).map(|InstancesOf { plugin, count, memory_bytes }| {
        format!("{count} of `{plugin}` with {} each", show_size(*memory_bytes))
    });
    let most = most.collect::<Vec<_>>().join(", ");
    let (memory, max) = (show_size(memory), show_size(max));
    let message = format!(
        "the instances of the pipeline's plugins could have {memory} of memory together, and `instance-memory` allows {max}"
    );
    Diagnostic::whole(message).help(format!(
        "there is one for each partition of each function, a reduce two: {most}; take fewer `partitions`, give the plugin a lower \
         limit `memory`, or, where the machine has that much, limits = {{ instance-memory = \"{memory}\" }} in [pipeline]"
    ))
}

/// Reports the first stream or output of each stage that stands behind too many steps.
pub(super) fn check_depth(plan: &Plan, stages: &Stages, manifest: &Manifest, diagnostics: &mut Diagnostics) {
    for kind in stages.stages.iter().filter_map(|stage| first_too_deep(stage, plan)) {
        let (what, name) = match kind.owner() {
            Caller::Stream(id) => ("stream", &plan.node(id).name),
            Caller::Output(output) => ("output", &plan.outputs[output].name),
        };
        let streams = manifest.streams.iter().map(|stream| &stream.name);
        let outputs = manifest.outputs.iter().map(|output| &output.name);
        let mut names: Box<dyn Iterator<Item = &Name>> =
            if what == "stream" { Box::new(streams) } else { Box::new(outputs) };
        let message = format!("{what} `{name}` stands behind more than {DEPTH_MAX} maps and filters in a row");
        let error = match names.find(|known| known.text == *name) {
            Some(known) => Diagnostic::error(known.span, message).label("too far behind"),
            None => Diagnostic::whole(message),
        };
        diagnostics.push(error.help("let one function do what several do, or put a reduce or a sort between them"));
    }
}

/// The first step of a stage that is too deep.
fn first_too_deep(stage: &Stage, plan: &Plan) -> Option<StepKind> {
    let mut depths = vec![0; stage.steps.len()];
    for (index, step) in stage.steps.iter().enumerate() {
        // Where rows are left nobody is called.
        let only_leaves = step.leaves.is_some() && step.kind.caller(plan).is_none();
        if depths[index] > DEPTH_MAX && !only_leaves {
            return Some(step.kind);
        }
        // A step's children stand behind it.
        let beside = step.beside.iter().map(|(_, child)| child);
        step.children.iter().chain(beside).for_each(|&child| depths[child] = depths[index] + 1);
    }
    None
}
