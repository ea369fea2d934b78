//! Text that others choose, fit to be shown: the words of plugins, peers, stores, files and rows. What a reader does not see as
//! what it is, is written as an escape: what moves the cursor, turns the direction of writing, begins a line, or is not seen at
//! all. Data stays as it is where a program reads it.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

/// First and last of the characters that fonts show nothing of, although Unicode counts them among letters, marks or symbols:
/// fillers, joiners, selectors of variations, a rest without a head, the empty pattern of Braille.
const UNSEEN: [(char, char); 11] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{e0100}', '\u{e01ef}'),
];

/// Whether a reader sees a character as what it is.
pub fn is_visible(c: char) -> bool {
    is_printable(c) && (c.is_ascii() || !UNSEEN.iter().any(|&(first, last)| (first..=last).contains(&c)))
}

/// Whether Python's `repr` shows a character as it is: nothing of Unicode's categories control, format, surrogate, private use,
/// unassigned and separator, but the blank. Rust's `escape_debug` goes by the same ones; behind another character it leaves
/// combining ones alone.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut bytes = [b'a', 0, 0, 0, 0];
    let length = 1 + c.encode_utf8(&mut bytes[1..]).len();
    str::from_utf8(&bytes[..length]).is_ok_and(|text| text.escape_debug().nth(1) == Some(c))
}

/// A text as one line in which every character is seen: the others are written as Rust does, `\u{202e}`, `\n`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, is_visible, |c, shown| shown.extend(c.escape_default()))
}

/// The same of a text of several lines, which may have tabs.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t') || is_visible(c), |c, shown| shown.extend(c.escape_default()))
}

/// JSON that says the same, with every character seen: the others are written as JSON does, `\u202e`. Lines stay lines.
pub fn shown_json(json: &str) -> Cow<'_, str> {
    let escape = |c: char, shown: &mut String| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    };
    escaped(json, |c| c == '\n' || is_visible(c), escape)
}

/// Writes on what is written to it as one of these forms, piece by piece: [`shown`], [`shown_lines`] or [`shown_json`].
pub struct Seen<W> {
    out: W,
    form: fn(&str) -> Cow<'_, str>,
    /// The beginning of a character.
    rest: Vec<u8>,
}

impl<W: Write> Seen<W> {
    /// Nothing was written yet.
    pub fn new(out: W, form: fn(&str) -> Cow<'_, str>) -> Seen<W> {
        Seen { out, form, rest: Vec::new() }
    }
}

impl<W: Write> Write for Seen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        let whole = match str::from_utf8(&self.rest) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.rest.len(),
        };
        let text = String::from_utf8_lossy(&self.rest[..whole]);
        self.out.write_all((self.form)(&text).as_bytes())?;
        self.rest.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// How many there are of what is called `one` if there is one of it: `1 row`, `2 rows`, `3 batches`, `4 entries`.
pub fn counted(count: impl TryInto<u64>, one: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", by_count(count, one, &many(one)))
}

/// The word for one, or for another number of them.
pub fn by_count<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn many(one: &str) -> String {
    match one.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
        _ if one.ends_with(['s', 'x']) || one.ends_with("ch") => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let Some(first) = text.find(|c| !is_kept(c)) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for c in text[first..].chars() {
        if is_kept(c) { shown.push(c) } else { escape(c, &mut shown) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::HOSTILE;

    #[test]
    fn what_is_read_stays_as_it_is() {
        let text = "a b~ \u{e4}\u{df}\u{20ac} e\u{301} \u{3b1}\u{5d0}\u{627}\u{4e2d}\u{d55c} \u{1f600}\u{1d11e} \\ \"";
        for read in [shown(text), shown_lines(text), shown_json(text)] {
            assert!(matches!(read, Cow::Borrowed(_)), "{read}");
        }
    }

    #[test]
    fn no_hostile_character_is_left_in_any_form() {
        for &hostile in HOSTILE {
            assert!(!is_visible(hostile), "{hostile:?}");
            let text = format!("a{hostile}b");
            assert_eq!(shown(&text), format!("a{}b", hostile.escape_default()));
            if hostile != '\n' && hostile != '\t' {
                assert_eq!(shown_lines(&text), shown(&text));
                let json = shown_json(&text).into_owned();
                assert!(json.is_ascii() && json.chars().all(is_visible), "{json}");
            }
        }
        assert_eq!(shown_lines("a\n\tb\r\n"), "a\n\tb\\r\n");
        assert_eq!(shown_json("\"\u{202e}\u{e0041}\"\n"), "\"\\u202e\\udb40\\udc41\"\n");
    }

    /// However it is cut into pieces.
    #[test]
    fn pieces_are_seen_as_the_whole_is() {
        let text: String = HOSTILE.iter().flat_map(|&c| ['x', c, '\u{e4}', '\u{1f600}']).collect();
        for form in [shown as fn(&str) -> Cow<'_, str>, shown_lines, shown_json] {
            for length in 1..9 {
                let mut out = Vec::new();
                let mut seen = Seen::new(&mut out, form);
                text.as_bytes().chunks(length).for_each(|piece| seen.write_all(piece).expect("memory takes it"));
                assert_eq!(String::from_utf8_lossy(&out), form(&text), "{length}");
            }
        }
    }

    #[test]
    fn one_is_not_many() {
        for (count, one, expect) in [
            (0, "row", "0 rows"),
            (1, "row", "1 row"),
            (2, "row", "2 rows"),
            (1, "entry", "1 entry"),
            (2, "entry", "2 entries"),
            (2, "key", "2 keys"),
            (2, "batch", "2 batches"),
            (2, "index", "2 indexes"),
        ] {
            assert_eq!(counted(count, one), expect);
        }
        assert_eq!(counted(1_usize, "byte"), "1 byte");
    }

    #[test]
    fn nothing_of_a_whole_category_is_seen() {
        let all = |first: char, last: char| (first..=last).all(|c| !is_visible(c));
        assert!(all('\0', '\u{1f}') && all('\u{7f}', '\u{9f}'), "controls");
        assert!(all('\u{200b}', '\u{200f}') && all('\u{2028}', '\u{202f}') && all('\u{2060}', '\u{206f}'), "formats");
        assert!(all('\u{e000}', '\u{f8ff}') && all('\u{e0000}', '\u{10ffff}'), "private and tags");
    }
}
