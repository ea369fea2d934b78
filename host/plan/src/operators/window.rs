//! `window`: the rows of several batches.

use tidemill_model::{
    schema::{Kind, Schema, Type},
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

#[derive(Debug)]
struct WindowEntry {
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
        let length = values::interval(value, "length of a window", reader.diagnostics);
        let slide = reader.get("slide");
        let read = |value: &Value, diagnostics: &mut Diagnostics| {
            Some((values::interval(value, "slide", diagnostics)?, value.span))
        };
        let slide_read = reader.read("slide", read);
        if slide.is_some() && slide_read.is_none() {
            return None;
        }
        Some(Box::new(WindowEntry { length: (length?, value.span), slide: slide_read }))
    }
}

impl Entry for WindowEntry {
    fn resolve(&self, inputs: &Inputs<'_>, plugins: &Plugins<'_>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let stream = inputs.first()?;
        // That the pipeline has no interval has been reported.
        let every = stream.every?;
        let (length, slide) = (self.length.0, self.slide.map_or(every, |(slide, _)| slide));
        let is_good = is_multiple("window", self.length, every, stream, diagnostics);
        let slides = self.slide.is_none_or(|slide| is_multiple("slide", slide, every, stream, diagnostics));
        let batches = length.micros() / every.micros();
        if batches > BATCHES_MAX {
            let message = format!("the window has {} of `{}`", counted(batches.unsigned_abs(), "batch"), stream.name);
            let help = format!("{BATCHES_MAX} at most; a window over a stream that slides has fewer");
            diagnostics.push(Diagnostic::error(self.length.1, message).label("too long").help(help));
            return None;
        }
        if !is_good || !slides {
            return None;
        }
        let batches = u32::try_from(batches).ok()?;
        let by = stream.placed_by.unwrap_or_default().iter().map(|name| stream.schema.index_of(name));
        let by = by.collect::<Option<Vec<usize>>>().unwrap_or_default();
        let part = Part { role: Role::Window, way: Way::Behind { batches }, tables: vec![table(stream, &by, every)] };
        let schema = stream.schema.clone();
        Some(Node {
            slide: (slide != every).then_some(slide).or(stream.slide),
            placement: Placement::AsInput,
            parts: vec![part],
            is_always_present: true,
            holds: Some(plugins.on_error.then),
            ..Node::new(
                Operator::Window(graph::Window { by, length, slide, every }),
                schema,
                Role::Window,
                Way::Behind { batches },
            )
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
    TableSpec {
        name: String::new(),
        kind: TableKind::Blocks,
        keys,
        rows,
        version: 1,
        // Rows of other fields, or of batches that stand at other times, are not rows of this window.
        settings: format!("every {}: {}", show_interval(every), stream.schema),
    }
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
