#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::*;

/// A component's beginning, and a section that an earlier tool has left.
const FRONT: &[u8] = b"\0asm\x0d\0\x01\0\0\x03\x02hi";

/// A component with the places `main:7`, and `deep:3` called there, for the offsets from 100, 120 and 130 on.
fn component(front: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let numbers = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    content.extend(numbers(&[VERSION, u32::try_from(front.len()).unwrap(), 8, 2, 3]));
    content.extend(b"maindeep");
    content.extend(numbers(&[0, 4, 7, 0, 4, 4, 3, 1]));
    content.extend(numbers(&[100, 2, 120, 0, 130, 1]));
    let mut section = vec![u8::try_from(SECTION.len()).unwrap()];
    section.extend(SECTION.as_bytes());
    section.extend(content);
    let mut component = front.to_vec();
    component.extend([
        0,
        0x80 | u8::try_from(section.len() & 0x7f).unwrap(),
        u8::try_from(section.len() >> 7).unwrap(),
    ]);
    component.extend(section);
    component
}

fn told(component: &[u8], offsets: &[usize]) -> String {
    Lines::of(component).place(offsets.iter().copied()).to_string()
}

#[test]
fn an_offset_has_a_line_and_what_called_it() {
    let good = component(FRONT);
    for (offsets, expect) in [
        (&[][..], ""),
        (&[99], ""),
        (&[100], " (at deep:3, called at main:7)"),
        (&[119], " (at deep:3, called at main:7)"),
        (&[120], ""),
        (&[130], " (at main:7)"),
        (&[usize::MAX], " (at main:7)"),
        // Frames of the library are passed over, and a function that calls itself is told once.
        (&[125, 131, 131, 132, 100], " (at main:7, called at deep:3, called at main:7)"),
        (&[100, 100, 100], " (at deep:3, called at main:7, called at deep:3, called at main:7)"),
    ] {
        assert_eq!(told(&good, offsets), expect, "{offsets:?}");
    }
}

#[test]
fn a_component_that_something_was_put_into_has_no_lines() {
    let mut moved = FRONT.to_vec();
    moved.extend(b"\0\x02\x01x");
    moved.extend(&component(FRONT)[FRONT.len()..]);
    assert_eq!(told(&moved, &[100]), "");
    let mut more = component(FRONT);
    more.extend(b"\0\x02\x01x");
    assert_eq!(told(&more, &[130]), " (at main:7)", "what is behind it moves nothing");
    assert_eq!(told(FRONT, &[100]), "", "and none has none");
}

#[test]
fn damaged_sections_give_no_line_or_another_and_nothing_else() {
    let good = component(FRONT);
    let offsets = [0, 100, 125, 130, usize::MAX];
    for end in 0..good.len() {
        assert_eq!(told(&good[..end], &offsets), "", "cut at {end}");
    }
    for at in 0..good.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff, good[at] ^ 0x10, good[at].wrapping_add(1)] {
            let mut damaged = good.clone();
            damaged[at] = value;
            // A line of four bytes' number, and the eight letters of all names, four times.
            assert!(told(&damaged, &offsets).len() <= 4 * 120, "byte {at} is {value}");
        }
    }
}

#[test]
fn a_section_of_more_bytes_than_may_be_is_not_kept() {
    let with_texts = |texts: usize| {
        let mut content = vec![u8::try_from(SECTION.len()).unwrap()];
        content.extend(SECTION.as_bytes());
        let numbers = [VERSION, 8, u32::try_from(texts).unwrap(), 1, 1];
        content.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        content.resize(content.len() + texts, b'a');
        content.extend([0, 4, 7, 0, 0, 1].iter().flat_map(|number: &u32| number.to_le_bytes()));
        let mut component = FRONT[..8].to_vec();
        let length = content.len();
        component.extend([0].into_iter().chain((0..4).map(|at| 0x80 | (length >> (7 * at) & 0x7f) as u8)).chain([0]));
        component.extend(content);
        component
    };
    let most = LINES_BYTES - 4 * (HEADER + PLACE + RANGE);
    assert_eq!(told(&with_texts(most), &[9]), " (at aaaa:7)");
    assert_eq!(told(&with_texts(most + 1), &[9]), "");
}

#[test]
fn names_of_files_are_shown_as_any_text_of_a_guest() {
    let mut odd = component(FRONT);
    let at = odd.windows(4).position(|bytes| bytes == b"main").unwrap();
    odd[at..at + 4].copy_from_slice(b"a\n\x1b!");
    assert_eq!(told(&odd, &[130]), " (at a\\n\\u{1b}!:7)");
    odd[at] = 0xff;
    assert_eq!(told(&odd, &[130]), "", "no text");
}
