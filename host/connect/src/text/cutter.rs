//! Cuts the bytes of one input into lines.

use super::{InvalidUtf8, LineBuffer, TextOptions};
use memchr::{memchr, memchr_iter, memrchr};

/// Where one input stands between two reads. Many may write to one [`LineBuffer`]: their lines stay whole.
#[derive(Debug)]
pub(crate) struct LineCutter {
    options: TextOptions,
    /// The line that has begun and not ended: at most `line_bytes_max` bytes and a CR.
    partial: Vec<u8>,
    /// The line that has begun is rejected already; its rest is passed over.
    skipping: bool,
}

impl LineCutter {
    /// At the beginning of an input.
    pub fn new(options: TextOptions) -> LineCutter {
        LineCutter { options, partial: Vec::new(), skipping: false }
    }

    /// Takes the next bytes: lines that end in them go to `out`.
    pub fn cut(&mut self, block: &[u8], out: &mut LineBuffer) {
        let mut rest = block;
        if self.skipping || !self.partial.is_empty() {
            let Some(end) = memchr(b'\n', rest) else { return self.keep(rest, out) };
            self.keep(&rest[..end], out);
            if std::mem::take(&mut self.skipping) {
                out.pass_over();
            } else {
                self.end_partial(out);
            }
            rest = &rest[end + 1..];
        }
        if let Some(last) = memrchr(b'\n', rest) {
            self.lines(&rest[..=last], out);
            rest = &rest[last + 1..];
        }
        self.keep(rest, out);
    }

    /// The input is over: what stands there is a line. What comes after is another input.
    pub fn finish(&mut self, out: &mut LineBuffer) {
        if std::mem::take(&mut self.skipping) || self.partial.is_empty() {
            return;
        }
        // No LF came, so a CR at the end is data.
        let partial = std::mem::take(&mut self.partial);
        self.line(&partial, out);
    }

    /// Whole lines, each with its end.
    fn lines(&self, lines: &[u8], out: &mut LineBuffer) {
        // One look at all of them: where a line ends no character can go on, so the lines are valid if all is.
        let Ok(text) = simdutf8::basic::from_utf8(lines) else {
            return self.lines_of_bytes(lines, out);
        };
        let mut start = 0;
        for end in memchr_iter(b'\n', lines) {
            let line = &text[start..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            start = end + 1;
            if line.len() > self.options.line_bytes_max {
                out.irregular.too_long += 1;
                out.pass_over();
            } else {
                out.push(line);
            }
        }
    }

    /// The same where at least one of them is not UTF-8.
    #[cold]
    fn lines_of_bytes(&self, lines: &[u8], out: &mut LineBuffer) {
        let mut start = 0;
        for end in memchr_iter(b'\n', lines) {
            let line = &lines[start..end];
            self.line(line.strip_suffix(b"\r").unwrap_or(line), out);
            start = end + 1;
        }
    }

    /// One line without its end.
    fn line(&self, line: &[u8], out: &mut LineBuffer) {
        if line.len() > self.options.line_bytes_max {
            out.irregular.too_long += 1;
            return out.pass_over();
        }
        if let Ok(line) = simdutf8::basic::from_utf8(line) {
            return out.push(line);
        }
        out.irregular.not_utf8 += 1;
        if self.options.invalid_utf8 == InvalidUtf8::Replace {
            out.push(&String::from_utf8_lossy(line));
        } else {
            out.pass_over();
        }
    }

    /// The line that was kept has ended, with an LF that is not part of it.
    fn end_partial(&mut self, out: &mut LineBuffer) {
        let mut partial = std::mem::take(&mut self.partial);
        self.line(partial.strip_suffix(b"\r").unwrap_or(&partial), out);
        partial.clear();
        self.partial = partial;
    }

    /// Keeps the beginning of a line, or more of it, as long as it can still be short enough.
    fn keep(&mut self, part: &[u8], out: &mut LineBuffer) {
        if self.skipping {
            return;
        }
        // One more than allowed, because the last byte may turn out to be the CR of a line's end.
        if self.partial.len() + part.len() > self.options.line_bytes_max + 1 {
            self.partial.clear();
            self.skipping = true;
            out.irregular.too_long += 1;
        } else {
            self.partial.extend_from_slice(part);
        }
    }
}
