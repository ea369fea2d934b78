//! The cutter and the buffer against a simple model.

use arrow_array::Array;
use proptest::{collection::vec, prelude::*};
use tidemill_model::testing::cases;

use super::{InvalidUtf8, Irregular, LineBuffer, LineCutter, TextOptions};

fn options(line_bytes_max: usize, invalid_utf8: InvalidUtf8) -> TextOptions {
    TextOptions { line_bytes_max, invalid_utf8 }
}

fn take_all(buffer: &mut LineBuffer) -> Vec<Vec<String>> {
    let taken = buffer.take(usize::MAX);
    taken.chunks.iter().map(|chunk| chunk.iter().flatten().map(str::to_owned).collect()).collect()
}

/// One sealed batch of the blocks.
fn cut(options: &TextOptions, chunk_bytes: usize, blocks: &[&[u8]]) -> (Vec<Vec<String>>, Irregular) {
    let mut buffer = LineBuffer::new(chunk_bytes);
    let mut cutter = LineCutter::new(options.clone());
    for block in blocks {
        cutter.cut(block, &mut buffer);
    }
    cutter.finish(&mut buffer);
    buffer.seal(u64::MAX);
    (take_all(&mut buffer), buffer.irregular)
}

#[track_caller]
fn check(blocks: &[&[u8]], expect: &[&str], too_long: u64, not_utf8: u64) {
    for at in 0..=blocks.concat().len() {
        let bytes = blocks.concat();
        let (first, second) = bytes.split_at(at);
        let (chunks, irregular) = cut(&options(8, InvalidUtf8::Replace), 1 << 10, &[first, second]);
        assert_eq!(chunks.concat(), expect, "split at {at}");
        assert_eq!(irregular, Irregular { too_long, not_utf8 }, "split at {at}");
    }
}

#[test]
fn lines_end_with_lf_or_crlf_or_the_input() {
    check(&[b""], &[], 0, 0);
    check(&[b"a\nb\r\n\nc"], &["a", "b", "", "c"], 0, 0);
    check(&[b"a\rb\r\r\nc\r"], &["a\rb\r", "c\r"], 0, 0);
    check(&[b"\r\n\r\n"], &["", ""], 0, 0);
}

#[test]
fn long_lines_are_rejected_without_their_end_counted() {
    check(&[b"12345678\n12345678\r\n123456789\n12345678"], &["12345678", "12345678", "12345678"], 1, 0);
    check(&[b"123456789\r\na\n1234567890"], &["a"], 2, 0);
    check(&[b"12345678\r"], &[], 1, 0);
}

#[test]
fn bad_utf8_is_mended_or_rejected() {
    check(&[b"a\xffb\nok\n\xe2\x82"], &["a\u{fffd}b", "ok", "\u{fffd}"], 0, 2);
    check(&["ä€é\n𝄞\n".as_bytes()], &["ä€é", "𝄞"], 0, 0);
    let (chunks, irregular) = cut(&options(8, InvalidUtf8::Reject), 1 << 10, &[b"a\xff\nok\n\xe2\x82"]);
    assert_eq!(chunks.concat(), ["ok"]);
    assert_eq!(irregular.not_utf8, 2);
}

#[test]
fn what_is_irregular_is_told_once() {
    let mut irregular = Irregular { too_long: 2, not_utf8: 1 };
    let options = options(8, InvalidUtf8::Reject);
    let told: Vec<_> =
        irregular.drain(&options).into_iter().map(|one| (one.what, one.count, one.is_rejected)).collect();
    let expect = [("lines longer than 8 bytes, rejected", 2), ("line that is not UTF-8, rejected", 1)];
    assert_eq!(told, expect.map(|(what, count)| (what.to_owned(), count, true)));
    assert_eq!(irregular.drain(&options), []);
}

#[test]
fn what_is_mended_is_not_rejected() {
    let mut irregular = Irregular { too_long: 1, not_utf8: 1 };
    let told = irregular.drain(&self::options(8, InvalidUtf8::Replace));
    assert_eq!(told.iter().map(|one| one.is_rejected).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn buffers_come_back() {
    let mut buffer = LineBuffer::new(super::CHUNK_BYTES);
    let line = "x".repeat(1000);
    let mut places = std::collections::HashSet::new();
    for _ in 0..64 {
        while buffer.filled == 0 {
            buffer.push(&line);
        }
        buffer.filled = 0;
        places.insert(buffer.take(1).chunks[0].values().as_ptr() as usize);
    }
    assert!(places.len() <= 4, "64 chunks lay in {} buffers", places.len());
}

/// The same, thought simply: all lines, then chunks of them.
fn model_lines(options: &TextOptions, bytes: &[u8]) -> (Vec<String>, Irregular) {
    let (mut lines, mut irregular) = (Vec::new(), Irregular::default());
    let mut parts: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let last = parts.pop().unwrap_or_default();
    let ended = parts.into_iter().map(|part| part.strip_suffix(b"\r").unwrap_or(part));
    for line in ended.chain((!last.is_empty()).then_some(last)) {
        match std::str::from_utf8(line) {
            _ if line.len() > options.line_bytes_max => irregular.too_long += 1,
            Ok(line) => lines.push(line.to_owned()),
            Err(_) => {
                irregular.not_utf8 += 1;
                if options.invalid_utf8 == InvalidUtf8::Replace {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                }
            }
        }
    }
    (lines, irregular)
}

fn model_chunks(lines: &[String], chunk_bytes: usize) -> Vec<Vec<String>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut weight) = (Vec::new(), 0);
    for line in lines {
        chunk.push(line.clone());
        weight += line.len() + 1;
        if weight >= chunk_bytes {
            chunks.push(std::mem::take(&mut chunk));
            weight = 0;
        }
    }
    chunks.extend((!chunk.is_empty()).then_some(chunk));
    chunks
}

fn feed() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(b'\n'), 2 => Just(b'\r'), 8 => b'a'..=b'z', 1 => any::<u8>(), 1 => Just(0xe2)];
    vec(byte, 0..300)
}

/// Splits of `bytes` at random places.
fn split<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    at.sort_unstable();
    at.push(bytes.len());
    let mut from = 0;
    at.into_iter().map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_split_gives_the_same_chunks(
        bytes in feed(), places in vec(any::<usize>(), 0..8), line_max in 1_usize..12, chunk in 1_usize..60, replace: bool,
    ) {
        let invalid_utf8 = if replace { InvalidUtf8::Replace } else { InvalidUtf8::Reject };
        let options = options(line_max, invalid_utf8);
        let (lines, irregular) = model_lines(&options, &bytes);
        let expect = (model_chunks(&lines, chunk), irregular);
        prop_assert_eq!(cut(&options, chunk, &split(&bytes, &places)), expect);
    }

    /// Steps: lines come, a batch is sealed so many rows ago, so many bytes are taken.
    #[test]
    fn chunks_begin_with_their_batch(
        steps in vec((vec("[a-z]{0,12}", 0..12), 0_u64..8, 1_usize..80, any::<bool>()), 0..20), chunk in 1_usize..60,
    ) {
        let mut buffer = LineBuffer::new(chunk);
        let (mut lines, mut begin, mut taken) = (Vec::new(), 0_usize, Vec::new());
        for (new, ago, bytes_max, seals) in steps {
            new.iter().for_each(|line| buffer.push(line));
            lines.extend(new);
            prop_assert_eq!(buffer.received() as usize, lines.len());
            taken.extend(buffer.take(bytes_max).chunks);
            if !seals {
                continue;
            }
            let rows = |chunks: &[arrow_array::StringArray]| chunks.iter().map(Array::len).sum::<usize>();
            let end = (lines.len().saturating_sub(ago as usize)).max(begin + rows(&taken));
            buffer.seal(lines.len().saturating_sub(ago as usize) as u64);
            loop {
                let more = buffer.take(bytes_max);
                taken.extend(more.chunks);
                if more.end {
                    break;
                }
            }
            let got: Vec<Vec<String>> =
                taken.drain(..).map(|chunk| chunk.iter().flatten().map(str::to_owned).collect()).collect();
            prop_assert_eq!(got, model_chunks(&lines[begin..end], chunk));
            begin = end;
        }
        let held: usize = lines[begin..].iter().map(|line| line.len() + 4).sum();
        let gone: usize = taken.iter().map(|chunk| chunk.values().len() + 4 * chunk.len()).sum();
        prop_assert_eq!(buffer.held_bytes() + gone, held);
    }
}

/// A chunk of the open batch is given as soon as it is full, whatever came before the last seal and belongs behind it.
#[test]
fn a_chunk_is_given_as_soon_as_it_is_full() {
    for (chunk, before, ago) in
        (1..30).flat_map(|chunk| (0..12).flat_map(move |n| (0..=n).map(move |ago| (chunk, n, ago))))
    {
        let line = |number: usize| "x".repeat(number * 7 % 9);
        let mut buffer = LineBuffer::new(chunk);
        (0..before).for_each(|number| buffer.push(&line(number)));
        buffer.seal((before - ago) as u64);
        assert!(buffer.take(usize::MAX).end);
        buffer.filled = 0;
        let (mut weight, mut rows) = (0, 0);
        for number in before - ago..before + 20 {
            let is_there = number < before;
            if !is_there {
                buffer.push(&line(number));
            }
            (weight, rows) = (weight + line(number).len() + 1, rows + 1);
            if weight >= chunk {
                let taken = buffer.take(1).chunks;
                assert_eq!(
                    taken.iter().map(Array::len).collect::<Vec<_>>(),
                    [rows],
                    "{chunk} bytes, {ago} of {before}"
                );
                assert!(is_there || std::mem::take(&mut buffer.filled) == 1, "it rings when it is full");
                (weight, rows) = (0, 0);
            } else if !is_there {
                assert!(buffer.take(1).chunks.is_empty() && buffer.filled == 0, "{chunk} bytes, {ago} of {before}");
            }
        }
    }
}

/// Who counts lines counts those that become no rows, however the bytes come.
#[test]
fn every_line_that_has_ended_is_counted() {
    let text = b"ok\nmuch too long\n\xff\n\nexactly8\nexactly9+\r\n12345678\r\nlast";
    for (invalid_utf8, rows) in [(InvalidUtf8::Replace, 5), (InvalidUtf8::Reject, 4)] {
        for at in 0..=text.len() {
            for next in at..=text.len() {
                let mut buffer = LineBuffer::new(1 << 10);
                buffer.gaps = Some(Default::default());
                let mut cutter = LineCutter::new(options(8, invalid_utf8));
                [&text[..at], &text[at..next], &text[next..]].iter().for_each(|block| cutter.cut(block, &mut buffer));
                let passed: u64 = buffer.gaps.iter().flatten().map(|(_, count)| count).sum();
                assert_eq!((buffer.received(), buffer.received() + passed), (rows, 7), "split at {at} and {next}");
            }
        }
    }
}
