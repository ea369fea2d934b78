//! The check of batches against a slow and simple one, on batches that are mostly damaged.

use std::ops::Range;

use proptest::prelude::*;
use tidemill_guest::{RawColumn, Scratch, check_batch};
use tidemill_model::{
    schema::{Field, Kind, Schema, Type},
    testing::cases,
};

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_batch_passes_exactly_if_the_slow_check_says_so(
        schema in schema(),
        rows in 0..6_usize,
        seed in any::<u64>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0..9_u8, any::<u8>()), 0..3),
        shift in 0..8_usize,
    ) {
        let mut batch = Batch::honest(&schema, rows, seed);
        for (at, what, byte) in damages {
            batch.damage(at, what, byte);
        }
        let placed = batch.placed(shift);
        let raw: Vec<RawColumn<'_>> = placed.iter().map(|column| column.raw(shift)).collect();
        let mut scratch = Scratch::default();
        let checked = check_batch(&schema, batch.rows, &raw, &mut scratch);
        prop_assert_eq!(checked.is_ok(), is_good(&schema, batch.rows, &raw), "{:?} {:?}", &batch, checked);
        for (column, raw) in checked.into_iter().flatten().zip(&raw) {
            prop_assert_eq!(bytemuck::cast_slice::<i32, u8>(column.offsets), raw.offsets);
            prop_assert_eq!(column.values, raw.values);
            prop_assert_eq!(column.validity, raw.validity);
        }
    }
}

// === The slow check ===

fn is_good(schema: &Schema, rows: usize, columns: &[RawColumn<'_>]) -> bool {
    let mut left = columns.iter();
    schema.fields().iter().all(|field| is_good_column(&field.ty, rows, &mut left)) && left.next().is_none()
}

fn is_good_column<'a>(ty: &Type, rows: usize, left: &mut (impl Iterator<Item = &'a RawColumn<'a>> + ?Sized)) -> bool {
    let Some(column) = left.next() else { return false };
    let bits = rows.div_ceil(8);
    if column.validity.is_some_and(|validity| !ty.optional || validity.len() != bits) {
        return false;
    }
    let plain = |bytes| column.offsets.is_empty() && column.values.len() == bytes;
    match &ty.kind {
        Kind::Boolean => plain(bits),
        Kind::Integer | Kind::Float | Kind::Timestamp => plain(rows * 8),
        Kind::Bytes => cuts(column, rows, column.values.len()).is_some(),
        Kind::Text => cuts(column, rows, column.values.len())
            .is_some_and(|mut cuts| cuts.all(|cut| std::str::from_utf8(&column.values[cut]).is_ok())),
        Kind::List(item) => {
            let end = column.offsets.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
            column.values.is_empty() && cuts(column, rows, end).is_some() && is_good_column(item, end, &mut *left)
        }
        Kind::Record(fields) => {
            plain(0) && fields.fields().iter().all(|field| is_good_column(&field.ty, rows, &mut *left))
        }
        Kind::Any => false,
    }
}

fn cuts(column: &RawColumn<'_>, rows: usize, end: usize) -> Option<impl Iterator<Item = Range<usize>> + use<>> {
    let (offsets, rest) = column.offsets.as_chunks::<4>();
    let offsets: Vec<usize> = offsets.iter().map(|offset| u32::from_le_bytes(*offset) as usize).collect();
    let whole = rest.is_empty() && offsets.len() == rows + 1;
    let fits = whole && offsets[0] == 0 && offsets.is_sorted() && offsets[rows] == end && end <= i32::MAX as usize;
    fits.then(|| (0..rows).map(move |row| offsets[row]..offsets[row + 1]))
}

// === Batches ===

#[derive(Debug)]
struct Batch {
    rows: usize,
    columns: Vec<Buffers>,
}

#[derive(Clone, Debug, Default)]
struct Buffers {
    validity: Option<Vec<u8>>,
    offsets: Vec<u8>,
    values: Vec<u8>,
}

fn schema() -> impl Strategy<Value = Schema> {
    let leaf = prop::sample::select(vec![
        Kind::Boolean,
        Kind::Integer,
        Kind::Float,
        Kind::Text,
        Kind::Text,
        Kind::Bytes,
        Kind::Timestamp,
    ]);
    let kind = leaf.prop_recursive(2, 6, 3, |inner| {
        let ty = (inner, any::<bool>()).prop_map(|(kind, optional)| Type { kind, optional }).boxed();
        prop_oneof![
            ty.clone().prop_map(|item| Kind::List(Box::new(item))),
            prop::collection::vec(ty, 1..3).prop_map(|types| Kind::Record(named(types))),
        ]
    });
    let ty = (kind, any::<bool>()).prop_map(|(kind, optional)| Type { kind, optional });
    prop::collection::vec(ty, 0..4).prop_map(named)
}

fn named(types: Vec<Type>) -> Schema {
    let fields = types.into_iter().enumerate().map(|(number, ty)| Field::new(format!("f{number}"), ty));
    Schema::try_new(fields.collect()).unwrap()
}

impl Batch {
    fn honest(schema: &Schema, rows: usize, seed: u64) -> Batch {
        let mut batch = Batch { rows, columns: Vec::new() };
        let mut random = Random(seed);
        for field in schema.fields() {
            batch.push(&field.ty, rows, &mut random);
        }
        batch
    }

    fn push(&mut self, ty: &Type, rows: usize, random: &mut Random) {
        const TEXTS: &[&str] = &["", "a", "to be", "é", "水車", "🎡"];
        let bits = rows.div_ceil(8);
        let mut column = Buffers::default();
        if ty.optional && random.below(2) == 0 {
            column.validity = Some(random.bytes(bits));
        }
        match &ty.kind {
            Kind::Boolean => column.values = random.bytes(bits),
            Kind::Integer | Kind::Float | Kind::Timestamp => column.values = random.bytes(rows * 8),
            Kind::Text | Kind::Bytes => {
                let texts: Vec<&str> = (0..rows).map(|_| TEXTS[random.below(TEXTS.len())]).collect();
                column.offsets = offsets(texts.iter().map(|text| text.len()));
                column.values = texts.concat().into_bytes();
            }
            Kind::List(_) => column.offsets = offsets((0..rows).map(|_| random.below(3))),
            Kind::Record(_) | Kind::Any => {}
        }
        let items = column.offsets.last_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
        self.columns.push(column);
        match &ty.kind {
            Kind::List(item) => self.push(item, items, random),
            Kind::Record(fields) => fields.fields().iter().for_each(|field| self.push(&field.ty, rows, random)),
            _ => {}
        }
    }

    /// Does one thing to one column, which may happen to leave it as good as it was.
    fn damage(&mut self, at: prop::sample::Index, what: u8, byte: u8) {
        if what == 0 {
            self.rows = usize::from(byte % 8);
            return;
        }
        let Some(index) = (!self.columns.is_empty()).then(|| at.index(self.columns.len())) else {
            self.columns.push(Buffers::default());
            return;
        };
        let column = &mut self.columns[index];
        let buffer = if byte.is_multiple_of(2) { &mut column.offsets } else { &mut column.values };
        match what {
            1 => drop(self.columns.remove(index)),
            2 => self.columns.insert(index, Buffers::default()),
            3 => column.validity = Some(vec![byte; usize::from(byte % 3)]),
            4 => column.validity = None,
            5 => drop(buffer.pop()),
            6 => buffer.push(byte),
            _ if buffer.is_empty() => buffer.push(byte),
            _ => {
                let place = at.index(buffer.len());
                buffer[place] = buffer[place].wrapping_add(byte % 5).wrapping_sub(2);
            }
        }
    }

    /// The buffers, each `shift` bytes behind a multiple of eight.
    fn placed(&self, shift: usize) -> Vec<Placed> {
        let place = |bytes: &Vec<u8>| {
            let mut words = vec![0_u64; (shift + bytes.len()).div_ceil(8)];
            bytemuck::cast_slice_mut(&mut words)[shift..shift + bytes.len()].copy_from_slice(bytes);
            (words, bytes.len())
        };
        let placed = |column: &Buffers| Placed {
            validity: column.validity.as_ref().map(place),
            offsets: place(&column.offsets),
            values: place(&column.values),
        };
        self.columns.iter().map(placed).collect()
    }
}

struct Placed {
    validity: Option<(Vec<u64>, usize)>,
    offsets: (Vec<u64>, usize),
    values: (Vec<u64>, usize),
}

impl Placed {
    fn raw(&self, shift: usize) -> RawColumn<'_> {
        fn bytes((words, len): &(Vec<u64>, usize), shift: usize) -> &[u8] {
            &bytemuck::cast_slice(words)[shift..shift + len]
        }
        RawColumn {
            validity: self.validity.as_ref().map(|validity| bytes(validity, shift)),
            offsets: bytes(&self.offsets, shift),
            values: bytes(&self.values, shift),
        }
    }
}

fn offsets(lengths: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut end = 0;
    let mut bytes = vec![0; 4];
    for length in lengths {
        end += u32::try_from(length).unwrap();
        bytes.extend(end.to_le_bytes());
    }
    bytes
}

/// A small generator of numbers, so that a batch follows from its seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
