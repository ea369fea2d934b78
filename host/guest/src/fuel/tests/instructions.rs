//! Every instruction, by its opcode: what stands behind it, what it takes, and what it gives.

use super::module::number;

/// Opcodes that follow each other and have the same form.
pub(super) struct Group {
    prefix: u8,
    first: usize,
    last: usize,
    /// Immediates.
    behind: &'static [u8],
    /// A letter for each operand, then `>`, then one for what comes out.
    ///
    /// `i`, `l`, `f`, `d` and `v` are the types i32, i64, f32, f64 and v128; `r` is a function, `0` a number of i32 that is 0,
    /// and that the compiler does not know.
    form: &'static str,
}

/// An instruction with what must be around it, ready to stand in a loop.
pub(super) struct Instruction {
    /// For messages.
    pub(super) name: String,
    /// The types of its operands.
    pub(super) takes: String,
    /// Itself.
    pub(super) bytes: Vec<u8>,
    /// The type of what comes out.
    pub(super) gives: &'static str,
}

/// In place of a prefix: there is none.
const NONE: u8 = 0;
const MEMORY: &[u8] = &[0, 0];
const LANE: &[u8] = &[0];

const fn group(prefix: u8, first: usize, last: usize, behind: &'static [u8], form: &'static str) -> Group {
    Group { prefix, first, last, behind, form }
}

const fn plain(first: usize, last: usize, form: &'static str) -> Group {
    group(NONE, first, last, &[], form)
}

const fn vector(first: usize, last: usize, form: &'static str) -> Group {
    group(0xfd, first, last, &[], form)
}

/// All that stand alone.
#[rustfmt::skip]
pub(super) const GROUPS: &[Group] = &[
    plain(0x01, 0x01, ">"),
    group(NONE, 0x10, 0x10, &[0], ">"), group(NONE, 0x11, 0x11, &[0, 0], "0>"),
    plain(0x1a, 0x1a, "i>"), plain(0x1b, 0x1b, "iii>i"), group(NONE, 0x1c, 0x1c, &[1, 0x7f], "iii>i"),
    group(NONE, 0x20, 0x20, &[0], ">i"), group(NONE, 0x21, 0x21, &[4], "i>"), group(NONE, 0x22, 0x22, &[4], "i>i"),
    group(NONE, 0x23, 0x23, &[0], ">i"), group(NONE, 0x24, 0x24, &[0], "0>"),
    group(NONE, 0x25, 0x25, &[0], "0>r"), group(NONE, 0x26, 0x26, &[0], "0r>"),
    group(NONE, 0x28, 0x28, MEMORY, "0>i"), group(NONE, 0x29, 0x29, MEMORY, "0>l"), group(NONE, 0x2a, 0x2a, MEMORY, "0>f"),
    group(NONE, 0x2b, 0x2b, MEMORY, "0>d"), group(NONE, 0x2c, 0x2f, MEMORY, "0>i"), group(NONE, 0x30, 0x35, MEMORY, "0>l"),
    group(NONE, 0x36, 0x36, MEMORY, "0i>"), group(NONE, 0x37, 0x37, MEMORY, "0l>"), group(NONE, 0x38, 0x38, MEMORY, "0f>"),
    group(NONE, 0x39, 0x39, MEMORY, "0d>"), group(NONE, 0x3a, 0x3b, MEMORY, "0i>"), group(NONE, 0x3c, 0x3e, MEMORY, "0l>"),
    group(NONE, 0x3f, 0x3f, &[0], ">i"), group(NONE, 0x40, 0x40, &[0], "0>i"),
    group(NONE, 0x41, 0x41, &[0], ">i"), group(NONE, 0x42, 0x42, &[0], ">l"), group(NONE, 0x43, 0x43, &[0; 4], ">f"),
    group(NONE, 0x44, 0x44, &[0; 8], ">d"),
    plain(0x45, 0x45, "i>i"), plain(0x46, 0x4f, "ii>i"), plain(0x50, 0x50, "l>i"), plain(0x51, 0x5a, "ll>i"),
    plain(0x5b, 0x60, "ff>i"), plain(0x61, 0x66, "dd>i"), plain(0x67, 0x69, "i>i"), plain(0x6a, 0x78, "ii>i"),
    plain(0x79, 0x7b, "l>l"), plain(0x7c, 0x8a, "ll>l"), plain(0x8b, 0x91, "f>f"), plain(0x92, 0x98, "ff>f"),
    plain(0x99, 0x9f, "d>d"), plain(0xa0, 0xa6, "dd>d"), plain(0xa7, 0xa7, "l>i"), plain(0xa8, 0xa9, "f>i"),
    plain(0xaa, 0xab, "d>i"), plain(0xac, 0xad, "i>l"), plain(0xae, 0xaf, "f>l"), plain(0xb0, 0xb1, "d>l"),
    plain(0xb2, 0xb3, "i>f"), plain(0xb4, 0xb5, "l>f"), plain(0xb6, 0xb6, "d>f"), plain(0xb7, 0xb8, "i>d"),
    plain(0xb9, 0xba, "l>d"), plain(0xbb, 0xbb, "f>d"), plain(0xbc, 0xbc, "f>i"), plain(0xbd, 0xbd, "d>l"),
    plain(0xbe, 0xbe, "i>f"), plain(0xbf, 0xbf, "l>d"), plain(0xc0, 0xc1, "i>i"), plain(0xc2, 0xc4, "l>l"),
    group(NONE, 0xd0, 0xd0, &[0x70], ">r"), plain(0xd1, 0xd1, "r>i"), group(NONE, 0xd2, 0xd2, &[0], ">r"),
    group(0xfc, 0x00, 0x01, &[], "f>i"), group(0xfc, 0x02, 0x03, &[], "d>i"), group(0xfc, 0x04, 0x05, &[], "f>l"),
    group(0xfc, 0x06, 0x07, &[], "d>l"), group(0xfc, 0x08, 0x08, &[0, 0], "000>"), group(0xfc, 0x09, 0x09, &[0], ">"),
    group(0xfc, 0x0a, 0x0a, &[0, 0], "000>"), group(0xfc, 0x0b, 0x0b, &[0], "000>"), group(0xfc, 0x0c, 0x0c, &[1, 0], "000>"),
    group(0xfc, 0x0d, 0x0d, &[1], ">"), group(0xfc, 0x0e, 0x0e, &[0, 0], "000>"), group(0xfc, 0x0f, 0x0f, &[0], "r0>i"),
    group(0xfc, 0x10, 0x10, &[0], ">i"), group(0xfc, 0x11, 0x11, &[0], "0r0>"),
    group(0xfd, 0x00, 0x0a, MEMORY, "0>v"), group(0xfd, 0x0b, 0x0b, MEMORY, "0v>"), group(0xfd, 0x0c, 0x0c, &[1; 16], ">v"),
    group(0xfd, 0x0d, 0x0d, &[7; 16], "vv>v"), vector(0x0e, 0x0e, "vv>v"), vector(0x0f, 0x11, "i>v"), vector(0x12, 0x12, "l>v"),
    vector(0x13, 0x13, "f>v"), vector(0x14, 0x14, "d>v"), group(0xfd, 0x15, 0x16, LANE, "v>i"),
    group(0xfd, 0x17, 0x17, LANE, "vi>v"), group(0xfd, 0x18, 0x19, LANE, "v>i"), group(0xfd, 0x1a, 0x1a, LANE, "vi>v"),
    group(0xfd, 0x1b, 0x1b, LANE, "v>i"), group(0xfd, 0x1c, 0x1c, LANE, "vi>v"), group(0xfd, 0x1d, 0x1d, LANE, "v>l"),
    group(0xfd, 0x1e, 0x1e, LANE, "vl>v"), group(0xfd, 0x1f, 0x1f, LANE, "v>f"), group(0xfd, 0x20, 0x20, LANE, "vf>v"),
    group(0xfd, 0x21, 0x21, LANE, "v>d"), group(0xfd, 0x22, 0x22, LANE, "vd>v"),
    vector(0x23, 0x4c, "vv>v"), vector(0x4d, 0x4d, "v>v"), vector(0x4e, 0x51, "vv>v"), vector(0x52, 0x52, "vvv>v"),
    vector(0x53, 0x53, "v>i"), group(0xfd, 0x54, 0x57, &[0, 0, 0], "0v>v"), group(0xfd, 0x58, 0x5b, &[0, 0, 0], "0v>"),
    group(0xfd, 0x5c, 0x5d, MEMORY, "0>v"), vector(0x5e, 0x62, "v>v"), vector(0x63, 0x64, "v>i"), vector(0x65, 0x66, "vv>v"),
    vector(0x67, 0x6a, "v>v"), vector(0x6b, 0x6d, "vi>v"), vector(0x6e, 0x73, "vv>v"), vector(0x74, 0x75, "v>v"),
    vector(0x76, 0x79, "vv>v"), vector(0x7a, 0x7a, "v>v"), vector(0x7b, 0x7b, "vv>v"), vector(0x7c, 0x81, "v>v"),
    vector(0x82, 0x82, "vv>v"), vector(0x83, 0x84, "v>i"), vector(0x85, 0x86, "vv>v"), vector(0x87, 0x8a, "v>v"),
    vector(0x8b, 0x8d, "vi>v"), vector(0x8e, 0x93, "vv>v"), vector(0x94, 0x94, "v>v"), vector(0x95, 0x99, "vv>v"),
    vector(0x9b, 0x9f, "vv>v"), vector(0xa0, 0xa1, "v>v"), vector(0xa3, 0xa4, "v>i"), vector(0xa7, 0xaa, "v>v"),
    vector(0xab, 0xad, "vi>v"), vector(0xae, 0xae, "vv>v"), vector(0xb1, 0xb1, "vv>v"), vector(0xb5, 0xba, "vv>v"),
    vector(0xbc, 0xbf, "vv>v"), vector(0xc0, 0xc1, "v>v"), vector(0xc3, 0xc4, "v>i"), vector(0xc7, 0xca, "v>v"),
    vector(0xcb, 0xcd, "vi>v"), vector(0xce, 0xce, "vv>v"), vector(0xd1, 0xd1, "vv>v"), vector(0xd5, 0xdf, "vv>v"),
    vector(0xe0, 0xe1, "v>v"), vector(0xe3, 0xe3, "v>v"), vector(0xe4, 0xeb, "vv>v"), vector(0xec, 0xed, "v>v"),
    vector(0xef, 0xef, "v>v"), vector(0xf0, 0xf7, "vv>v"), vector(0xf8, 0xff, "v>v"), vector(0x100, 0x100, "vv>v"),
    vector(0x101, 0x104, "v>v"), vector(0x105, 0x10c, "vvv>v"), vector(0x10d, 0x112, "vv>v"), vector(0x113, 0x113, "vvv>v"),
];

/// What stands with others alone: its opcodes are those that begin it or a part of it.
pub(super) const TOGETHER: &[(&str, &[u8], &str, &[u8])] = &[
    ("block", &[0x02], "", &[0x02, 0x40, 0x0b]),
    ("loop", &[0x03], "", &[0x03, 0x40, 0x0b]),
    ("if", &[0x04], "i", &[0x04, 0x40, 0x05, 0x0b]),
    ("br", &[0x0c], "", &[0x02, 0x40, 0x0c, 0, 0x0b]),
    ("br_if", &[0x0d], "", &[0x02, 0x40, 0x20, 1, 0x0d, 0, 0x0b]),
    ("br_table", &[0x0e], "", &[0x02, 0x40, 0x20, 1, 0x0e, 1, 0, 0, 0x0b]),
    // Functions that do nothing else.
    ("return", &[0x0f], "", &[0x10, 1]),
    ("return_call", &[0x12], "", &[0x10, 2]),
    ("return_call_indirect", &[0x13], "", &[0x10, 3]),
    // More than nothing at once: what is paid by length.
    // Where nothing was ever written processors take long for a store of no bytes.
    ("memory.init of 0 to untouched memory", &[], "u00", &[0xfc, 0x08, 0, 0]),
    ("memory.copy of 0 to untouched memory", &[], "u00", &[0xfc, 0x0a, 0, 0]),
    ("memory.copy of 0 in untouched memory", &[], "uu0", &[0xfc, 0x0a, 0, 0]),
    ("memory.fill of 0 in untouched memory", &[], "u00", &[0xfc, 0x0b, 0]),
    ("memory.init of 8", &[], "008", &[0xfc, 0x08, 0, 0]),
    ("memory.copy of 8", &[], "008", &[0xfc, 0x0a, 0, 0]),
    ("memory.copy of 50000", &[], "08k", &[0xfc, 0x0a, 0, 0]),
    ("memory.fill of 8", &[], "008", &[0xfc, 0x0b, 0]),
    ("memory.fill of 50000", &[], "00k", &[0xfc, 0x0b, 0]),
    ("table.init of 8", &[], "008", &[0xfc, 0x0c, 1, 0]),
    ("table.copy of 8", &[], "008", &[0xfc, 0x0e, 0, 0]),
    ("table.copy of 50000", &[], "08k", &[0xfc, 0x0e, 0, 0]),
    ("table.fill of 8", &[], "0r8", &[0xfc, 0x11, 0]),
    ("table.fill of 50000", &[], "0rk", &[0xfc, 0x11, 0]),
];

/// It ends the call, so there can be no second one.
pub(super) const ONCE: &[u8] = &[0x00];

/// Each of them; those that take the number 0 a second time, with one that the compiler knows.
pub(super) fn all() -> Vec<Instruction> {
    let alone = GROUPS.iter().flat_map(|group| (group.first..=group.last).map(move |code| group.instruction(code)));
    let together = TOGETHER.iter().map(|(name, _, takes, bytes)| Instruction {
        name: (*name).to_owned(),
        takes: (*takes).to_owned(),
        bytes: bytes.to_vec(),
        gives: "",
    });
    let mut all: Vec<Instruction> = alone.chain(together).collect();
    let known = all.iter().filter(|instruction| instruction.takes.contains('0')).map(|instruction| Instruction {
        name: format!("{} of constants", instruction.name),
        takes: instruction.takes.replace('0', "c"),
        bytes: instruction.bytes.clone(),
        gives: instruction.gives,
    });
    let known: Vec<Instruction> = known.collect();
    all.extend(known);
    all
}

/// The opcodes of all of them.
pub(super) fn codes() -> impl Iterator<Item = Vec<u8>> {
    let alone = GROUPS.iter().flat_map(|group| (group.first..=group.last).map(move |code| group.code(code)));
    alone
        .chain(TOGETHER.iter().map(|(_, code, ..)| code.to_vec()).filter(|code| !code.is_empty()))
        .chain([ONCE.to_vec()])
}

impl Group {
    fn code(&self, code: usize) -> Vec<u8> {
        let code = if self.prefix == NONE { vec![u8::try_from(code).unwrap()] } else { number(code) };
        if self.prefix == NONE { code } else { [&[self.prefix][..], &code].concat() }
    }

    fn instruction(&self, code: usize) -> Instruction {
        let (takes, gives) = self.form.split_once('>').unwrap();
        let name = if self.prefix == NONE { format!("{code:#04x}") } else { format!("{:#x} {code:#04x}", self.prefix) };
        Instruction { name, takes: takes.to_owned(), bytes: [self.code(code), self.behind.to_vec()].concat(), gives }
    }
}
