//! Modules in which an instruction stands many times in a loop.

use std::time::{Duration, Instant};

use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

use super::instructions::Instruction;

/// How often it stands in the loop.
const COPIES: usize = 16;

/// A run takes so long at least: less cannot be measured, and more is interrupted on a busy machine.
const RUN: Duration = Duration::from_micros(30);

/// Runs of which the shortest counts.
const RUNS: usize = 9;

/// No run goes through the loop more often.
const TIMES_MAX: i32 = 1 << 20;

/// Fuel that no run uses up.
const FUEL: u64 = 1 << 60;

/// The types of numbers, by their letters; how they are loaded and stored, and the locals that they are kept in.
const TYPES: &str = "ilfdv";
const LOADS: [&[u8]; 5] = [b"\x28", b"\x29", b"\x2a", b"\x2b", b"\xfd\x00"];
const STORES: [&[u8]; 5] = [b"\x36", b"\x37", b"\x38", b"\x39", b"\xfd\x0b"];
const KEPT: [u8; 5] = [4, 5, 6, 7, 8];

/// Bytes of memory for the operands of each type, twice; behind them are results.
const AREA: usize = 4 << 10;
const RESULTS: usize = 2 * 5 * AREA;

/// An address that nothing is written to, in the memory's second page.
const UNTOUCHED: usize = 0x1_8000;

/// Two operands of each type, as bytes in memory.
pub(super) type Operands = [[u8; 16]; 10];

/// Ordinary ones; and what processors take long for: large numbers, and such floats that are too small to be written
/// as others are.
pub(super) fn operands() -> [Operands; 3] {
    let wide = |lane: u64| [lane.to_le_bytes(), lane.to_le_bytes()].concat().try_into().unwrap();
    let narrow = |lane: u32| wide(u64::from(lane) << 32 | u64::from(lane));
    let (one, half_more) = (1.0_f64.to_bits(), 1.5_f64.to_bits());
    let (one_narrow, half_more_narrow) = (1.0_f32.to_bits(), 1.5_f32.to_bits());
    let (tiny, tiny_narrow) = (0x0008_0000_0000_0001, 0x0040_0001);
    let large = [narrow(i32::MAX as u32 - 7), narrow(3), wide(i64::MAX as u64 - 7), wide(3)];
    let [a, b, c, d] = large;
    let (x, y) = (narrow(tiny_narrow), narrow(half_more_narrow));
    [
        [
            narrow(1),
            narrow(1),
            wide(1),
            wide(1),
            narrow(one_narrow),
            narrow(one_narrow),
            wide(one),
            wide(one),
            wide(one),
            wide(one),
        ],
        [a, b, c, d, x, y, wide(tiny), wide(half_more), x, y],
        [a, b, c, d, x, x, wide(tiny), wide(tiny), wide(tiny), wide(half_more)],
    ]
}

/// An instruction that is ready to be run.
pub(super) struct Measured {
    store: Store<()>,
    memory: Memory,
    run: TypedFunc<i32, ()>,
    times: i32,
}

impl Measured {
    pub(super) fn of(engine: &Engine, instruction: &Instruction) -> Measured {
        let module = Module::new(engine, around(&body(instruction)));
        let module = module.unwrap_or_else(|error| panic!("{}: {error:?}", instruction.name));
        let mut store = Store::new(engine, ());
        store.set_fuel(FUEL).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&mut store, "o").unwrap();
        let run = instance.get_typed_func(&mut store, "m").unwrap();
        Measured { store, memory, run, times: 8 }
    }

    /// Nanoseconds that a unit of fuel takes with these operands, at best.
    pub(super) fn nanos_per_unit(&mut self, operands: &Operands) -> f64 {
        for (number, operand) in operands.iter().enumerate() {
            self.memory.write(&mut self.store, number * AREA, &operand.repeat(AREA / operand.len())).unwrap();
        }
        while self.once().0 < RUN && self.times < TIMES_MAX {
            self.times *= 2;
        }
        let runs = (0..RUNS).map(|_| self.once());
        runs.map(|(time, fuel)| time.as_secs_f64() * 1e9 / fuel as f64).min_by(f64::total_cmp).unwrap()
    }

    #[allow(clippy::disallowed_methods, reason = "it is time that is measured")]
    fn once(&mut self) -> (Duration, u64) {
        self.store.set_fuel(FUEL).unwrap();
        let began = Instant::now();
        self.run.call(&mut self.store, self.times).unwrap();
        (began.elapsed(), FUEL - self.store.get_fuel().unwrap())
    }
}

/// A loop with the instruction. Operands come from memory and what comes out goes there, each time to another place, so that
/// nothing is computed in advance, only once, or not at all.
fn body(instruction: &Instruction) -> Vec<u8> {
    // Local 0: how often. 1: the number 0, which the compiler does not know. 2: what goes through places. 3: a function.
    let mut body =
        b"\x07\x02\x7f\x01\x70\x01\x7f\x01\x7e\x01\x7d\x01\x7c\x01\x7b\xd2\x00\x21\x03\x23\x00\x21\x01\x03\x40"
            .to_vec();
    body.extend(b"\x20\x00\x41\x10\x6c\x41\xff\x0f\x71\x21\x02");
    for copy in 0..COPIES {
        for (place, letter) in instruction.takes.chars().enumerate() {
            body.extend(operand(letter, copy, place > 0));
        }
        let address = b"\x20\x02".as_slice();
        match TYPES.find(instruction.gives).filter(|_| !instruction.gives.is_empty()) {
            Some(ty) => {
                let store = STORES[ty];
                body.extend(&instruction.bytes);
                body.extend(
                    [&[0x21][..], &[KEPT[ty]], address, &[0x20, KEPT[ty]], store, &[0], &number(RESULTS + 64 * copy)]
                        .concat(),
                );
            }
            None if instruction.gives == "r" => {
                body.extend(&instruction.bytes);
                body.extend(
                    [
                        &[0xd1, 0x21, KEPT[0]][..],
                        address,
                        &[0x20, KEPT[0]],
                        STORES[0],
                        &[0],
                        &number(RESULTS + 64 * copy),
                    ]
                    .concat(),
                );
            }
            None => body.extend(&instruction.bytes),
        }
    }
    body.extend(b"\x20\x00\x41\x01\x6b\x22\x00\x0d\x00\x0b\x0b");
    body
}

/// What puts an operand on the stack; the second one of its type where `second` says so.
fn operand(letter: char, copy: usize, second: bool) -> Vec<u8> {
    match letter {
        '0' => vec![0x20, 1],
        'c' => vec![0x41, 0],
        'u' => [&[0x41][..], &number(UNTOUCHED)].concat(),
        '8' => vec![0x41, 8],
        'k' => [&[0x41][..], &number(50_000)].concat(),
        'r' => vec![0x20, 3],
        letter => {
            let ty = TYPES.find(letter).unwrap();
            let place = AREA * (2 * ty + usize::from(second)) + 64 * copy;
            [&[0x20, 2][..], LOADS[ty], &[0], &number(place)].concat()
        }
    }
}

/// The module around a body: types, functions that do nothing, a table, a memory, globals, segments.
fn around(body: &[u8]) -> Vec<u8> {
    let functions: [&[u8]; 5] = [b"\0\x0b", b"\0\x0f\x0b", b"\0\x12\x00\x0b", b"\0\x41\x00\x13\x00\x00\x0b", body];
    let functions = functions.map(|function| [number(function.len()), function.to_vec()].concat()).concat();
    let parts: [(u8, Vec<u8>); 10] = [
        (1, b"\x02\x60\0\0\x60\x01\x7f\0".to_vec()),
        (3, b"\x05\0\0\0\0\x01".to_vec()),
        (4, [&b"\x01\x70\x00"[..], &number(60_000)].concat()),
        (5, b"\x01\x01\x02\x04".to_vec()),
        (6, b"\x01\x7f\x01\x41\0\x0b".to_vec()),
        (7, b"\x02\x01m\0\x04\x01o\x02\0".to_vec()),
        // The first of the table, and a segment of eight.
        (9, b"\x02\x00\x41\x00\x0b\x01\x00\x01\x00\x08\0\0\0\0\0\0\0\0".to_vec()),
        (12, b"\x01".to_vec()),
        (10, [&b"\x05"[..], &functions].concat()),
        (11, b"\x01\x01\x08xxxxxxxx".to_vec()),
    ];
    let sections = parts.into_iter().flat_map(|(id, bytes)| [vec![id], number(bytes.len()), bytes].concat());
    b"\0asm\x01\0\0\0".iter().copied().chain(sections).collect()
}

/// Whether a body may have this instruction, with zeros behind it as immediates: where they are too many they are
/// instructions themselves.
pub(super) fn may_stand(engine: &Engine, code: &[u8]) -> bool {
    let zeros = [0; 17];
    let behind: [&[u8]; 5] = [
        &[&zeros[..], b"\x0b"].concat(),
        &[&zeros[..], b"\x0b\x0b"].concat(),
        b"\x40\x0b\x0b",
        b"\x70\x00\x0b",
        b"\x01\x7f\x00\x0b",
    ];
    behind.iter().any(|behind| {
        // A function that never comes to it takes and gives whatever is needed.
        let body = [&b"\0\x00"[..], code, behind].concat();
        Module::validate(engine, &around(&body)).is_ok()
    })
}

/// As Wasm writes it.
pub(super) fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
