//! From a manifest to a plan: names to nodes, functions to signatures, types settled from the sources on.

pub(crate) mod calls;
mod dead_letters;
pub(crate) mod fields;
mod order;
mod outputs;
mod plugins;
mod ports;
mod shared;
mod sizes;

pub(crate) use plugins::Plugins;
use tidemill_model::text::counted;

use std::{collections::HashMap, sync::Arc};

use tidemill_model::{connector::SourceSettings, schema::Schema, time::Interval};

use crate::{
    diagnostics::{Diagnostic, Diagnostics},
    document::Name,
    functions::Functions,
    graph::{Node, NodeId, Operator, Output, Plan, Port, Role, Way},
    manifest::{Body, Manifest, StreamEntry},
    operators::Inputs,
    reader::quantity::show_interval,
    stages::{self, Stages},
    suggest,
};

impl Manifest {
    /// The plan, unless there is any error: those that reading found count too. What is found goes to `diagnostics`,
    /// which must be those of [`Manifest::read`].
    pub fn resolve(&self, functions: &dyn Functions, diagnostics: &mut Diagnostics) -> Option<Plan> {
        if self.incomplete {
            return None;
        }
        let plan = Resolver::new(self, functions, diagnostics).resolve();
        diagnostics.sort();
        if diagnostics.error_count() > 0 {
            return None;
        }
        plan
    }
}

/// Partitions of a stream, a union's too.
const STREAM_PARTITIONS_MAX: u64 = 16_384;

/// A stream whose rows are known, as others read it.
#[derive(Clone, Copy)]
pub(crate) struct Stream<'a> {
    pub(crate) name: &'a str,
    pub(crate) schema: &'a Schema,
    /// The fields by which its rows are placed in partitions.
    pub(crate) placed_by: Option<&'a [String]>,
    /// At which multiples it has batches, if not at every tick.
    pub(crate) slide: Option<Interval>,
    /// The time between two of its batches, if that is known.
    pub(crate) every: Option<Interval>,
    /// Of how many streams its rows come one after the other.
    pub(crate) origins: u64,
    /// What it comes from that never has an end: `a socket`.
    pub(crate) endless: Option<&'static str>,
}

fn source(settings: &Arc<dyn SourceSettings>) -> Node {
    Node::new(Operator::Source(Arc::clone(settings)), settings.schema(), Role::Pass, Way::Here)
}

/// What is read.
#[derive(Clone, Copy)]
struct Link {
    /// The stream's place in the manifest.
    stream: usize,
    /// What of it.
    port: Port,
}

struct Resolver<'a> {
    manifest: &'a Manifest,
    plugins: plugins::Plugins<'a>,
    /// The place in the manifest of each stream.
    streams: HashMap<&'a str, usize>,
    /// For each stream of the manifest its node, once it has one. Where there was an error there is none, and what
    /// follows from it is not reported.
    nodes: Vec<Option<NodeId>>,
    /// What stands beside them and is read; `None`: it was found that there is no such thing.
    beside: HashMap<(NodeId, Port), Option<NodeId>>,
    done: Done,
    diagnostics: &'a mut Diagnostics,
}

/// The streams that are settled.
struct Done {
    nodes: Vec<Node>,
    /// For each of them by which fields its rows are placed.
    placed_by: Vec<Option<Vec<String>>>,
    /// For each of them of how many streams its rows come one after the other.
    origins: Vec<u64>,
    /// For each of them what it comes from that never has an end.
    endless: Vec<Option<&'static str>>,
    /// The pipeline's, if that is known.
    interval: Option<Interval>,
}

impl<'a> Resolver<'a> {
    fn new(manifest: &'a Manifest, functions: &'a dyn Functions, diagnostics: &'a mut Diagnostics) -> Resolver<'a> {
        let names = manifest.streams.iter().enumerate().map(|(i, stream)| (stream.name.text.as_str(), i));
        Resolver {
            manifest,
            plugins: plugins::Plugins::load(manifest, functions, diagnostics),
            streams: names.collect(),
            nodes: vec![None; manifest.streams.len()],
            beside: HashMap::new(),
            done: Done {
                nodes: Vec::new(),
                placed_by: Vec::new(),
                origins: Vec::new(),
                endless: Vec::new(),
                interval: manifest.pipeline.interval,
            },
            diagnostics,
        }
    }

    fn resolve(mut self) -> Option<Plan> {
        let links: Vec<Vec<Option<Link>>> = self
            .manifest
            .streams
            .iter()
            .map(|stream| stream.from.iter().map(|name| self.find(name)).collect())
            .collect();
        let streams_of = |links: &Vec<Option<Link>>| links.iter().map(|link| Some((*link)?.stream)).collect();
        let read: Vec<Vec<Option<usize>>> = links.iter().map(streams_of).collect();
        for index in order::order(&self.manifest.streams, &read, self.diagnostics) {
            self.add_node(index, &links[index]);
        }
        let outputs = self.outputs();
        self.check_previous_names();
        self.check_partitions();
        self.check_acknowledge();
        if self.diagnostics.error_count() > 0 {
            return None;
        }
        self.warn_of_unused(&read);
        let pipeline = &self.manifest.pipeline;
        let plan = Plan {
            name: pipeline.name.clone()?,
            interval: pipeline.interval?,
            partitions: pipeline.partitions,
            limits: pipeline.limits.clone(),
            stop_within: pipeline.stop_within,
            late_ticks: pipeline.late_ticks,
            nodes: self.done.nodes,
            outputs,
        };
        let stages = Stages::of(&plan);
        sizes::check_instances(&plan, &stages, self.manifest, self.diagnostics);
        sizes::check_places(&stages, self.diagnostics);
        sizes::check_origins(&plan, &stages, self.manifest, self.diagnostics);
        sizes::check_depth(&plan, &stages, self.manifest, self.diagnostics);
        Some(plan)
    }

    /// What is acknowledged must be kept somewhere.
    fn check_acknowledge(&mut self) {
        if self.manifest.pipeline.checkpoint.is_some() {
            return;
        }
        for stream in &self.manifest.streams {
            if let Some(Body::Source(source)) = &stream.body
                && let Some(acknowledged) = source.acknowledges()
            {
                let what = format!(
                    "stream `{}` acknowledges {acknowledged}, and the pipeline has no checkpoint",
                    stream.name.text
                );
                let error = Diagnostic::error(stream.name.span, what);
                self.diagnostics.push(error.help("give it one: checkpoint = \"checkpoint\" in [pipeline]"));
            }
        }
    }

    /// What is called `name`; that there is no such stream is reported.
    fn find(&mut self, name: &Name) -> Option<Link> {
        let rows = self.streams.get(name.text.as_str()).map(|&stream| Link { stream, port: Port::Rows });
        let beside = || {
            let (stream, port) = name.text.rsplit_once('.')?;
            Some(Link { stream: *self.streams.get(stream)?, port: Port::of_name(port)? })
        };
        let found = rows.or_else(beside);
        if found.is_none() {
            let streams = self.manifest.streams.iter().map(|stream| stream.name.text.as_str());
            self.diagnostics.push_error_with(|| {
                let error = Diagnostic::error(name.span, format!("there is no stream `{}`", name.text));
                let is_beside = name.text.split_once('.').is_some_and(|(stream, _)| self.streams.contains_key(stream));
                let help = match is_beside {
                    true => "beside a stream may stand `.state`, and `.rejected`".to_owned(),
                    false => suggest::help(&name.text, "streams", streams),
                };
                error.label("unknown").help(help)
            });
        }
        found
    }

    /// The node of what is read under this name.
    fn node_of(&mut self, link: Link, name: &Name) -> Option<NodeId> {
        let of_stream = self.nodes[link.stream]?;
        if link.port == Port::Rows {
            return Some(of_stream);
        }
        if let Some(known) = self.beside.get(&(of_stream, link.port)) {
            return *known;
        }
        let node = ports::beside(&self.done.nodes, of_stream, link.port, name, self.diagnostics);
        let added = node.map(|node| self.done.add(node));
        self.beside.insert((of_stream, link.port), added);
        added
    }

    fn add_node(&mut self, index: usize, links: &[Option<Link>]) {
        let entry = &self.manifest.streams[index];
        let read = links.iter().zip(&entry.from);
        let mut inputs: Vec<Option<NodeId>> = read.map(|(link, name)| self.node_of((*link)?, name)).collect();
        let shared = inputs.split_off(inputs.len() - entry.shared);
        let inputs: Option<Vec<NodeId>> = inputs.into_iter().collect();
        let streams: Option<Vec<Stream<'_>>> =
            inputs.as_ref().map(|inputs| inputs.iter().map(|id| self.done.stream(*id)).collect());
        let resolved = entry.body.as_ref().and_then(|body| match body {
            Body::Source(settings) => Some(source(settings)),
            Body::Operator(operator) => {
                let names = &entry.from[..entry.from.len() - entry.shared];
                let inputs = Inputs { names, streams: streams.as_deref() };
                let node = operator.resolve(&inputs, &self.plugins, self.diagnostics)?;
                let shared = shared.iter().map(|id| id.map(|id| (id, self.done.stream(id))));
                shared::resolve(operator.call(), node, &shared.collect::<Vec<_>>(), self.diagnostics)
            }
        });
        if let (Some(node), Some(inputs)) = (resolved, inputs)
            && sizes::check_nodes(&entry.name, &node.schema, self.diagnostics)
        {
            self.check_slides(entry, &inputs);
            let (name, previously) = (entry.name.text.clone(), entry.previously.as_ref().map(|name| name.text.clone()));
            let node = Node { name, inputs, previously, fails_if_absent: entry.fails_if_absent, ..node };
            let holds = node.holds.or(node.fails_if_absent.then_some(self.plugins.on_error.then));
            self.nodes[index] = Some(self.done.add(Node { holds, ..node }));
        }
    }

    /// Streams that are put together have batches at the same ticks.
    fn check_slides(&mut self, entry: &StreamEntry, inputs: &[NodeId]) {
        let Some((first, rest)) = inputs.split_first() else { return };
        let first = self.done.stream(*first);
        for (id, name) in rest.iter().zip(entry.from.iter().skip(1)) {
            let other = self.done.stream(*id);
            if other.slide == first.slide {
                continue;
            }
            let every = |stream: &Stream<'_>| {
                stream
                    .slide
                    .map_or_else(|| "at every tick".to_owned(), |slide| format!("every {}", show_interval(slide)))
            };
            let message = format!("`{}` and `{}` have batches at other times", first.name, other.name);
            let help = format!(
                "`{}` has one {}, and `{}` {}; streams that are put together have them at the same ticks: give windows the same `slide`",
                first.name,
                every(&first),
                other.name,
                every(&other)
            );
            self.diagnostics.push(Diagnostic::error(name.span, message).label("other ticks").help(help));
        }
    }

    fn outputs(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        for entry in &self.manifest.outputs {
            let from = entry.from.as_ref().and_then(|from| Some((self.find(from)?, from)));
            let from = from.and_then(|(link, name)| self.node_of(link, name));
            let stream = from.map(|id| (id, self.done.stream(id)));
            outputs.extend(outputs::resolve(entry, stream, &self.plugins, self.diagnostics));
        }
        outputs::check_folders(&self.manifest.outputs, self.diagnostics);
        dead_letters::add(self.manifest, &self.done.nodes, &mut outputs, self.diagnostics);
        outputs::check_checkpoint(self.manifest.pipeline.checkpoint.as_ref(), &outputs, self.diagnostics);
        outputs
    }

    /// What a stream was called before is no other stream's name, now or before.
    fn check_previous_names(&mut self) {
        let mut taken: HashMap<&str, &str> = HashMap::new();
        for stream in &self.manifest.streams {
            let Some(previously) = &stream.previously else { continue };
            let (old, name) = (previously.text.as_str(), stream.name.text.as_str());
            let message = match (self.streams.contains_key(old), taken.insert(old, name)) {
                (true, _) => format!("there is a stream `{old}`: what a checkpoint has of that name belongs to it"),
                (false, Some(other)) => format!("`{other}` and `{name}` cannot both have been called `{old}`"),
                (false, None) => continue,
            };
            self.diagnostics.push(Diagnostic::error(previously.span, message));
        }
    }

    /// A union has the partitions of all that it reads, and unions of unions soon have too many to run.
    fn check_partitions(&mut self) {
        let partitions = stages::partitions(&self.done.nodes, self.manifest.pipeline.partitions);
        let is_too_many = |id: NodeId| partitions[id.0] > STREAM_PARTITIONS_MAX;
        for (stream, id) in self.manifest.streams.iter().zip(&self.nodes) {
            // What reads such a union is not to blame.
            let Some(id) =
                id.filter(|&id| is_too_many(id) && !self.done.nodes[id.0].inputs.iter().any(|&id| is_too_many(id)))
            else {
                continue;
            };
            let partitions = partitions[id.0];
            let message = format!("stream `{}` would have {}", stream.name.text, counted(partitions, "partition"));
            let help = format!("a stream has at most {STREAM_PARTITIONS_MAX}; a union has those of all that it reads");
            self.diagnostics.push(Diagnostic::error(stream.name.span, message).label("too many").help(help));
        }
    }

    /// Only of a pipeline without errors: where something is wrong, what uses a stream may be what could not be read.
    fn warn_of_unused(&mut self, links: &[Vec<Option<usize>>]) {
        let mut used = vec![false; self.manifest.streams.len()];
        let outputs = self.manifest.outputs.iter().filter_map(|output| output.from.as_ref());
        // Without what stands behind a dot: no stream's name has one.
        let stream_of = |from: &Name| self.streams.get(from.text.split('.').next()?).copied();
        for index in outputs.filter_map(stream_of).chain(links.iter().flatten().filter_map(|link| *link)) {
            used[index] = true;
        }
        let unused = |stream: &StreamEntry| {
            let warning = Diagnostic::warning(stream.name.span, format!("nothing reads stream `{}`", stream.name.text));
            warning.help("it runs for nothing; give it an output, or remove it")
        };
        for (stream, _) in self.manifest.streams.iter().zip(used).filter(|(_, used)| !used) {
            self.diagnostics.push(unused(stream));
        }
        plugins::warn_of_unused(self.manifest, self.diagnostics);
    }
}

impl Done {
    /// Adds a stream whose inputs are there; it slides as they do, unless it says otherwise.
    fn add(&mut self, node: Node) -> NodeId {
        let input = node.inputs.first().map(|input| input.0);
        let placed_by = stages::placed_by(&node.placement, input.and_then(|input| self.placed_by[input].clone()));
        let slide = node.slide.or(input.and_then(|input| self.nodes[input].slide));
        let of_inputs = node.inputs.iter().map(|input| self.origins[input.0]);
        self.origins.push(stages::origins(&node, of_inputs));
        let of_inputs = || node.inputs.iter().find_map(|input| self.endless[input.0]);
        let endless = node.source().map_or_else(of_inputs, |source| source.endless());
        self.endless.push(endless);
        self.placed_by.push(placed_by);
        self.nodes.push(Node { slide, ..node });
        NodeId(self.nodes.len() - 1)
    }

    /// A stream, as others read it.
    fn stream(&self, id: NodeId) -> Stream<'_> {
        let node = &self.nodes[id.0];
        Stream {
            name: &node.name,
            schema: &node.schema,
            placed_by: self.placed_by[id.0].as_deref(),
            slide: node.slide,
            every: node.slide.or(self.interval),
            origins: self.origins[id.0],
            endless: self.endless[id.0],
        }
    }
}
