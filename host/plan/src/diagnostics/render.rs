//! Diagnostics as rustc shows them.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use tidemill_model::text::{shown, shown_lines};

use super::{Diagnostic, Diagnostics, Severity, Source, Span};

pub(super) fn render(diagnostics: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut reports: Vec<String> =
        diagnostics.items.iter().map(|item| renderer.render(&[group(&diagnostics.sources, item)])).collect();
    if diagnostics.left_out > 0 {
        reports.push(format!("... and {} more", diagnostics.left_out));
    }
    let mut text = reports.join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn group<'a>(sources: &'a [Source], item: &'a Diagnostic) -> Group<'a> {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(shown_lines(&item.message).into_owned());
    let mut group = match item.span.and_then(|span| excerpt(sources, span)) {
        Some(excerpt) => title.element(excerpt.snippet(&item.label)),
        None => title.element(Origin::path(shown(sources.first().map_or("", |file| file.name.as_str())))),
    };
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(shown_lines(help)));
    }
    group
}

/// The line that a span begins in; a renderer is not asked to look through a whole file for each diagnostic.
struct Excerpt<'a> {
    source: &'a Source,
    /// As it is shown, and so are the places in it.
    line: String,
    line_number: usize,
    start: usize,
    end: usize,
}

/// `None` if the span belongs to no source. A span that is not one of the text is moved into it.
fn excerpt(sources: &[Source], span: Span) -> Option<Excerpt<'_>> {
    let source = sources.get(span.source)?;
    let text = &source.text;
    let start = text.floor_char_boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let start = (start - line_start).min(line.len());
    let end = line.ceil_char_boundary(span.end.saturating_sub(line_start)).clamp(start, line.len());
    let line_number = 1 + text[..line_start].bytes().filter(|&byte| byte == b'\n').count();
    // What is not seen is longer where it is shown.
    let [before, meant, behind] = [&line[..start], &line[start..end], &line[end..]].map(shown_lines);
    let (start, end) = (before.len(), before.len() + meant.len());
    Some(Excerpt { source, line: format!("{before}{meant}{behind}"), line_number, start, end })
}

impl<'a> Excerpt<'a> {
    fn snippet(self, label: &str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let label = Some(shown_lines(label).into_owned()).filter(|label| !label.is_empty());
        Snippet::source(self.line)
            .path(shown(&self.source.name))
            .line_start(self.line_number)
            .line_numbering(self.source.numbered)
            .annotation(AnnotationKind::Primary.span(self.start..self.end).label(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_moved_into_the_text() {
        let text = "a = \"\u{e4}\u{1f600}\"\r\nb = 1\n";
        for start in 0..text.len() + 3 {
            for end in [0, start, start + 1, start + 4, usize::MAX] {
                let mut diagnostics = Diagnostics::new("p.toml", text);
                for source in [0, 1] {
                    diagnostics.push(Diagnostic::error(Span { source, start, end }, "here").label("and here"));
                }
                assert!(render(&diagnostics, false).contains("p.toml"), "{start} to {end}");
            }
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        for &hostile in tidemill_model::testing::HOSTILE {
            let bad = format!("x{hostile}y");
            let mut diagnostics = Diagnostics::new(&bad, &format!("a = {hostile}[31m{hostile}"));
            let error = Diagnostic::error(Span::of_file(0..4 + hostile.len_utf8()), bad.as_str());
            diagnostics.push(error.label(bad.as_str()).help(format!("{bad}\n{bad}")));
            diagnostics.push(Diagnostic::whole(bad.as_str()));
            let shown = render(&diagnostics, false);
            let is_seen = |c: char| matches!(c, '\n' | '\t') || tidemill_model::text::is_visible(c);
            assert!(shown.chars().all(is_seen), "{hostile:?}: {shown:?}");
        }
    }

    #[test]
    fn what_is_not_seen_is_underlined_where_it_is_shown() {
        let mut diagnostics = Diagnostics::new("p.toml", "a = \u{202e}b\u{200b}");
        diagnostics.push(Diagnostic::error(Span::of_file(7..8), "wrong"));
        let shown = render(&diagnostics, false);
        assert!(shown.contains("a = \\u{202e}b\\u{200b}\n  |             ^\n"), "{shown}");
    }
}
