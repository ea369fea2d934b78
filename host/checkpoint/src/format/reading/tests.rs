//! Beginnings, frames and ends that nobody writes, with checksums that fit.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};

use super::*;
use crate::format::{FileWriter, SectionKind, whole_file};

impl Header for u64 {}

/// A file's first bytes.
fn prologue(version: u16, kind: u8, header_bytes: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&[kind, 0]);
    bytes.extend_from_slice(&header_bytes.to_le_bytes());
    bytes.extend_from_slice(&[0; 12]);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// A file with a section, up to before its end frame, and how many bytes its first frame begins behind.
fn unfinished() -> (Vec<u8>, usize) {
    let (mut writer, mut bytes) = FileWriter::begin(FileKind::Record, &7_u64, 0).expect("a header");
    let at = bytes.len();
    let (kind, stream, table) = (SectionKind::State, "words".to_owned(), String::new());
    let section = Section { kind, stream, table, partition: 3, batches: Vec::new() };
    writer.section(&section).for_each(|frame| bytes.extend(frame.expect("a section")));
    (bytes, at)
}

/// The file with the head of another frame.
fn with_frame(file: &[u8], first: usize, tag: u8, head_bytes: u32, body_bytes: u64) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes.push(tag);
    bytes.extend_from_slice(&head_bytes.to_le_bytes());
    bytes.extend_from_slice(&body_bytes.to_le_bytes());
    // Of all bytes but the checksums: of the beginning, the header, the section's frame and the section.
    let (end, len) = (PROLOGUE_BYTES - CHECKSUM_BYTES, file.len());
    let parts = [0..end, PROLOGUE_BYTES..first - CHECKSUM_BYTES, first..first + 13, first + 17..len - CHECKSUM_BYTES];
    let covered = parts.into_iter().chain(std::iter::once(len..bytes.len())).flat_map(|part| &bytes[part]).copied();
    let checksum = crc32c::crc32c(&covered.collect::<Vec<u8>>());
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// What is said of a file, with the sections before.
fn read(bytes: &[u8]) -> (usize, String) {
    let mut reader = match FileReader::begin::<u64>(bytes, FileKind::Record) {
        Ok((reader, _)) => reader,
        Err(error) => return (0, error.to_string()),
    };
    let mut sections = 0;
    loop {
        match reader.next() {
            Ok(Some(_)) => sections += 1,
            Ok(None) => return (sections, "whole".to_owned()),
            Err(error) => return (sections, error.to_string()),
        }
    }
}

#[test]
fn beginnings_are_told_apart() {
    let long = HEADER_BYTES_MAX as u32;
    let check = |bytes: &[u8], prefix: Option<usize>, expect: &str| {
        assert_eq!((read(bytes), prefix_bytes(bytes)), ((0, expect.to_owned()), prefix));
    };
    let within = |what: &str| format!("it is damaged: it ends at byte 32, within {what}");
    check(&prologue(VERSION, 1, 5), Some(41), &within("the header"));
    check(&prologue(VERSION, 1, long), Some(36 + HEADER_BYTES_MAX), &within("the header"));
    check(&prologue(VERSION, 1, long + 1), None, "it is damaged: the length of the header at byte 32");
    for kind in [0, 2, 3] {
        check(&prologue(VERSION, kind, 5), Some(41), "it is damaged: a file of another kind at byte 10");
    }
    check(&prologue(0, 1, 5), Some(41), "it is damaged: a file of another kind at byte 10");
    let (newer, _) = (FormatError::Newer { version: VERSION + 1 }.to_string(), ());
    check(&prologue(VERSION + 1, 1, 5), Some(41), &newer);
    // A newer one of another kind is newer first: kinds may have changed.
    check(&prologue(VERSION + 1, 9, 5), Some(41), &newer);
    let mut first = prologue(VERSION, 1, 5);
    first[3] ^= 1;
    check(&first, None, "it is damaged: its first bytes at byte 0");
    first[20] ^= 1;
    check(&first, None, "it is not a file of a Tidemill checkpoint");
    let mut checksum = prologue(VERSION, 1, 5);
    checksum[20] ^= 1;
    check(&checksum, None, "it is damaged: the checksum of its beginning at byte 28");
    for length in 0..PROLOGUE_BYTES {
        let expect = format!("it is damaged: it ends at byte {length}, within its beginning");
        check(&prologue(VERSION, 1, 5)[..length], None, &expect);
    }
    let lost = "it is damaged: zeros, as where a write was lost, at byte 0";
    for zeros in [1, 8, PROLOGUE_BYTES, 4096] {
        check(&vec![0; zeros], None, lost);
    }
    check(b"{\"a\": 1}", None, "it is not a file of a Tidemill checkpoint");
}

#[test]
fn frames_are_held_to_their_limits() {
    let (file, first) = unfinished();
    let at = file.len();
    let check = |tag: u8, head: u32, body: u64, expect: &str| {
        assert_eq!(read(&with_frame(&file, first, tag, head, body)), (1, expect.to_owned()), "{tag} {head} {body}");
    };
    let cut = format!("it is damaged: it ends at byte {}, within a section", at + 17);
    let length = format!("it is damaged: the length of a section at byte {at}");
    let unknown = format!("it is damaged: a frame of an unknown kind at byte {at}");
    let (head, body) = (HEADER_BYTES_MAX as u32, SECTION_BYTES_MAX);
    check(END, 0, 1, "whole");
    check(SECTION, 0, 0, &cut);
    check(SECTION, head, 0, &cut);
    check(SECTION, 0, body, &cut);
    check(SECTION, head + 1, 0, &length);
    check(SECTION, 0, body + 1, &length);
    // An end that counts other sections, or has a head; and what is no frame at all.
    check(END, 0, 0, &unknown);
    check(END, 0, 2, &unknown);
    check(END, 1, 1, &unknown);
    check(0, 0, 1, &unknown);
    check(3, 0, 1, &unknown);
    let whole = with_frame(&file, first, END, 0, 1);
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(read(&longer), (1, format!("it is damaged: bytes after the end at byte {}", whole.len())));
}

#[test]
fn what_was_read_to_the_end_stays_at_the_end() {
    let (file, first) = unfinished();
    let whole = with_frame(&file, first, END, 0, 1);
    let (mut reader, prefix) = FileReader::begin::<u64>(&whole[..], FileKind::Record).expect("a beginning");
    assert_eq!((prefix.header, prefix.bytes, prefix.file_bytes), (7, first as u64, None));
    reader.verify().expect("it is whole");
    assert!(matches!(reader.next(), Ok(None)));
    let (_, known) = FileWriter::begin(FileKind::Record, &7_u64, 30).expect("a header");
    let prefix: Prefix<u64> = read_prefix(&known, FileKind::Record).expect("a beginning");
    assert_eq!(prefix.file_bytes, Some(prefix.bytes + 30));
}

/// State of any size can be written and brought back: a section has as much of it as one can have, and what it goes on in follows.
#[test]
fn state_goes_on_in_another_section() {
    let batch = |n: i64| {
        let numbers = Int64Array::from(vec![n; 200]);
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).expect("a column")
    };
    let section = |kind, partition, batches: &[RecordBatch]| {
        let (stream, table) = ("words".to_owned(), "of".to_owned());
        Section { kind, stream, table, partition, batches: batches.to_vec() }
    };
    let seven: Vec<RecordBatch> = (0..7).map(batch).collect();
    let sections = [
        section(SectionKind::State, 3, &seven),
        section(SectionKind::State, 4, &seven[..1]),
        section(SectionKind::State, 5, &[]),
        section(SectionKind::Output, 6, &seven),
    ];
    let (mut writer, mut part_by_part) = FileWriter::begin(FileKind::Record, &7_u64, 0).expect("a header");
    for section in &sections {
        writer.section(section).for_each(|frame| part_by_part.extend(frame.expect("a section")));
    }
    part_by_part.extend(writer.end());
    let at_once = whole_file(FileKind::Record, &7_u64, &sections).expect("a file");
    for file in [part_by_part, at_once] {
        let (mut reader, _) = FileReader::begin::<u64>(&file[..], FileKind::Record).expect("a beginning");
        let mut came: Vec<Section> = Vec::new();
        while let Some(section) = reader.next().expect("it is whole") {
            came.push(section);
        }
        let lengths: Vec<usize> = came.iter().map(|section| section.batches.len()).collect();
        assert_eq!(lengths, [2, 2, 2, 1, 1, 0, 7]);
        let joined: Vec<RecordBatch> = came[..4].iter().flat_map(|section| section.batches.clone()).collect();
        assert_eq!((section(SectionKind::State, 3, &joined), &came[4..]), (sections[0].clone(), &sections[1..]));
    }
}
