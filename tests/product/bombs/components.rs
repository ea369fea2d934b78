//! Small components that ask for much.

/// A name, and the component.
pub type Bomb = (&'static str, Vec<u8>);

/// One of each kind.
pub fn bombs() -> Vec<Bomb> {
    vec![
        ("a chain of components, each with the one before twice", chain(30, 2)),
        ("a chain with eight of each", chain(11, 8)),
        ("nested loops over many locals", loops(500, 500)),
        ("an element segment of many functions", elements(800_000)),
        ("many blocks that read one local", blocks(15_000)),
        ("deeply nested blocks", nested(10_000)),
        ("many functions", functions(100_000)),
        ("one large function", large(1_500_000)),
        ("a type that doubles", types(50)),
    ]
}

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// An empty component, `length` that have `width` instances of the one before, and an instance of the last one.
pub fn chain(length: usize, width: usize) -> Vec<u8> {
    let mut bytes = [COMPONENT, &section(4, COMPONENT)].concat();
    for before in 0..length {
        let alias = [&[1, 4, 2, 1][..], &number(before)].concat();
        let instances = [number(width), [0, 0, 0].repeat(width)].concat();
        bytes.extend(section(4, &[COMPONENT, &section(6, &alias), &section(5, &instances)].concat()));
    }
    bytes.extend(section(5, &[&[1, 0][..], &number(length), &[0]].concat()));
    bytes
}

/// Loops inside loops; each may go on to every one outside, and all locals change inside.
pub fn loops(depth: usize, locals: usize) -> Vec<u8> {
    let mut code = b"\x03\x40".repeat(depth);
    for local in 0..locals {
        let local = number(local);
        code.extend([b"\x20", &local[..], b"\x41\x01\x6a\x21", &local].concat());
    }
    for level in 0..depth {
        code.extend([b"\x20", &number(level % locals)[..], b"\x0d\x00\x0b"].concat());
    }
    one_function(locals, &code, &[])
}

fn elements(count: usize) -> Vec<u8> {
    let segment = [&[1, 1, 0][..], &number(count), &vec![0; count]].concat();
    one_function(1, &[], &section(9, &segment))
}

fn blocks(count: usize) -> Vec<u8> {
    one_function(1, &b"\x02\x40\x20\x00\x0d\x00\x0b".repeat(count), &[])
}

fn nested(depth: usize) -> Vec<u8> {
    one_function(1, &[b"\x02\x40".repeat(depth), b"\x0b".repeat(depth)].concat(), &[])
}

fn large(additions: usize) -> Vec<u8> {
    one_function(1, &[&b"\x20\x00"[..], &b"\x20\x00\x6a".repeat(additions), b"\x1a"].concat(), &[])
}

fn functions(count: usize) -> Vec<u8> {
    let types = section(1, b"\x01\x60\0\0");
    let declared = section(3, &[number(count), vec![0; count]].concat());
    let bodies = section(10, &[number(count), b"\x05\0\x41\0\x1a\x0b".repeat(count)].concat());
    [COMPONENT, &section(1, &[MODULE, &types, &declared, &bodies].concat())].concat()
}

/// Pairs of pairs.
fn types(depth: usize) -> Vec<u8> {
    let mut defined = [number(depth + 1), vec![0x6f, 2, 0x79, 0x79]].concat();
    for before in 0..depth {
        defined.extend([&[0x6f, 2][..], &number(before), &number(before)].concat());
    }
    [COMPONENT, &section(7, &defined)].concat()
}

/// A component with a module with one function, with so many locals.
fn one_function(locals: usize, code: &[u8], elements: &[u8]) -> Vec<u8> {
    let body = [&[1][..], &number(locals), b"\x7f", code, b"\x0b"].concat();
    let bodies = section(10, &[&[1][..], &number(body.len()), &body].concat());
    let module = [MODULE, &section(1, b"\x01\x60\0\0"), &section(3, b"\x01\0"), elements, &bodies].concat();
    [COMPONENT, &section(1, &module)].concat()
}

fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id][..], &number(bytes.len()), bytes].concat()
}

/// As Wasm writes it.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
