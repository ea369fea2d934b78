//! `window`: the rows of several batches.

use tidemill_model::{
    schema::{DEPTH_MAX, Kind, Schema, Type},
    table::{TableKind, TableSpec},
    text::counted,
    time::Interval,
};

use super::{
    Entry, Inputs, OperatorKind, Page,
    page::{Form, Reads},
};
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Span},
    document::Value,
    graph::{self, Node, Operator, Part, Placement, Role, Way},
    reader::{Reader, quantity::show_interval, values},
    resolve::{Plugins, Stream},
};

/// A window is of so many batches at most.
const BATCHES_MAX: i64 = 100_000;

pub(super) struct Window;

/// Which batches a window is of, as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    length: (Interval, Span),
    slide: Option<(Interval, Span)>,
}

impl OperatorKind for Window {
    fn page(&self) -> &'static Page {
        const FORM: Form = Form {
            written: &["window = \"30s\""],
            beside: &["slide", "previously"],
            rows: "the rows of so long a time until now, see [below](#windows)",
            holds: "the rows of the batch; those of the window are state",
        };
        &Page { key: "window", reads: Reads::One, forms: &[FORM] }
    }

    fn read(&self, value: &Value, reader: &mut Reader<'_, '_>) -> Option<Box<dyn Entry>> {
        Some(Box::new(Lengths::read(value, reader)?))
    }
}

impl Lengths {
    /// `value` is the length.
    pub(super) fn read(value: &Value, reader: &mut Reader<'_, '_>) -> Option<Lengths> {
        let length = values::interval(value, "length of a window", reader.diagnostics);
        let read = |value: &Value, diagnostics: &mut Diagnostics| {
            Some((values::interval(value, "slide", diagnostics)?, value.span))
        };
        let slide = reader.read("slide", read);
        if reader.get("slide").is_some() && slide.is_none() {
            return None;
        }
        Some(Lengths { length: (length?, value.span), slide })
    }

    /// The same of an operator that need not have a window; that it slides without one is reported.
    pub(super) fn read_beside(reader: &mut Reader<'_, '_>) -> Option<Option<Lengths>> {
        if let Some(value) = reader.get("window") {
            return Lengths::read(value, reader).map(Some);
        }
        if let Some(slide) = reader.get("slide") {
            let error = Diagnostic::error(slide.span, "`slide` says how often a window comes, and there is none");
            reader.diagnostics.push(error.help("give it one: window = \"30s\""));
            return None;
        }
        Some(None)
    }

    /// The window over a stream, if it fits; and whether it slides otherwise than that.
    pub(super) fn resolve(
        &self,
        stream: Stream<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<(graph::Window, Option<Interval>)> {
        // That the pipeline has no interval has been reported.
        let every = stream.every?;
        let (length, slide) = (self.length.0, self.slide.map_or(every, |(slide, _)| slide));
        let is_length = is_multiple("window", self.length, every, stream, diagnostics);
        let is_slide = self.slide.is_none_or(|slide| is_multiple("slide", slide, every, stream, diagnostics));
        let batches = length.micros() / every.micros();
        if batches > BATCHES_MAX {
            let message = format!("the window has {} of `{}`", counted(batches.unsigned_abs(), "batch"), stream.name);
            let help = format!("{BATCHES_MAX} at most; a window over a stream that slides has fewer");
            diagnostics.push(Diagnostic::error(self.length.1, message).label("too long").help(help));
            return None;
        }
        let slides = if slide == every { stream.slide } else { Some(slide) };
        (is_length && is_slide).then_some((graph::Window { length, slide, every }, slides))
    }
}

impl Entry for Lengths {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        let (window, slide) = Lengths::resolve(self, stream, diagnostics)?;
        let batches = u32::try_from(window.length.micros() / window.every.micros()).ok()?;
        if stream.schema.depth() > DEPTH_MAX - 2 {
            let message = format!("the values of `{}` nest too deep for a window", stream.name);
            diagnostics.push(Diagnostic::error(self.length.1, message).help("a map before it can make them flat"));
            return None;
        }
        let by = stream.placed_by.unwrap_or_default().iter().map(|name| stream.schema.index_of(name));
        let by = by.collect::<Option<Vec<usize>>>().unwrap_or_default();
        let way = Way::Behind { batches };
        let part = Part { role: Role::Window, way: way.clone(), tables: vec![table(stream, &by, window.every)] };
        let operator = Operator::Window { by, window };
        Some(Node {
            slide,
            placement: Placement::AsInput,
            parts: vec![part],
            is_always_present: true,
            holds: Some(plugins.on_error.then),
            ..Node::new(operator, stream.schema.clone(), Role::Window, way)
        })
    }
}

/// What is kept of past batches, by these fields or in runs. See [`graph::Window`].
fn table(stream: Stream<'_>, by: &[usize], every: Interval) -> TableSpec {
    let (keys, rows) = if by.is_empty() {
        let item = Type::required(Kind::Record(stream.schema.clone()));
        (Schema::single("place", Kind::Bytes), Schema::single("rows", Kind::List(Box::new(item))))
    } else {
        (stream.schema.project(by), stream.schema.clone())
    };
    // Rows of other fields are not rows of this window, nor is their place that of another order.
    let of = if by.is_empty() { format!(" (order of {})", stream.origins) } else { String::new() };
    panes(keys, rows, 1, &format!("{}{of}", stream.schema), every)
}

/// What is kept of past batches. `what` it hangs on is kept with it, and when the batches come: others that stand at other times
/// would not fit between them.
pub(super) fn panes(keys: Schema, rows: Schema, version: u32, what: &str, every: Interval) -> TableSpec {
    let settings = format!("every {}: {what}", show_interval(every));
    TableSpec { name: String::new(), kind: TableKind::Blocks, keys, rows, version, settings }
}

/// Whether a time is so many batches of the stream; if not it is reported.
fn is_multiple(
    what: &str,
    (time, span): (Interval, Span),
    every: Interval,
    stream: Stream<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    let rest = time.micros() % every.micros();
    if rest != 0 {
        let (every_shown, shown) = (show_interval(every), show_interval(time));
        let message = format!("`{}` has a batch every {every_shown}, and `{what}` is {shown}", stream.name);
        let fitting = [time.micros() - rest, time.micros() - rest + every.micros()];
        let fitting = fitting.into_iter().filter_map(|micros| Interval::try_new(micros).ok()).map(show_interval);
        let help = format!("it is a multiple of that: {}", fitting.collect::<Vec<_>>().join(" or "));
        diagnostics.push(Diagnostic::error(span, message).label("does not fit").help(help));
    }
    rest == 0
}
