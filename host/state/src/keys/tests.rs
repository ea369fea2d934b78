//! The key table against a map, with keys that are alike, crowd together or come and go.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*, sample::Index};
use tidemill_model::{columns::Column, testing::cases};

use super::{KeyTable, SLOTS_MIN};

/// Keys as a column: offsets and bytes.
fn column_of(keys: &[Vec<u8>]) -> (Vec<i32>, Vec<u8>) {
    let mut offsets = vec![0];
    let mut bytes = Vec::new();
    for key in keys {
        bytes.extend_from_slice(key);
        offsets.push(bytes.len() as i32);
    }
    (offsets, bytes)
}

fn group(table: &mut KeyTable, keys: &[Vec<u8>]) -> Vec<u32> {
    let (offsets, bytes) = column_of(keys);
    let mut groups = Vec::new();
    table.group(Column { validity: None, offsets: &offsets, values: &bytes }, &mut groups);
    groups
}

fn insert(table: &mut KeyTable, keys: &[Vec<u8>]) -> Vec<u32> {
    let (offsets, bytes) = column_of(keys);
    let mut ids = Vec::new();
    table.insert(Column { validity: None, offsets: &offsets, values: &bytes }, &mut ids);
    ids
}

/// What a table should answer.
#[derive(Default)]
struct Model {
    /// By id, the removed ones too.
    keys: Vec<Vec<u8>>,
    ids: HashMap<Vec<u8>, u32>,
    /// Of this batch, by id.
    groups: HashMap<u32, u32>,
    touched: Vec<u32>,
}

impl Model {
    fn insert(&mut self, key: &[u8]) -> u32 {
        *self.ids.entry(key.to_vec()).or_insert_with(|| {
            self.keys.push(key.to_vec());
            self.keys.len() as u32 - 1
        })
    }

    fn group(&mut self, key: &[u8]) -> u32 {
        let id = self.insert(key);
        *self.groups.entry(id).or_insert_with(|| {
            self.touched.push(id);
            self.touched.len() as u32 - 1
        })
    }

    fn remove(&mut self, id: u32) {
        let key = &self.keys[id as usize];
        if self.ids.get(key) == Some(&id) {
            self.ids.remove(key);
        }
    }

    fn begin_batch(&mut self) {
        self.groups.clear();
        self.touched.clear();
    }
}

/// What is done to a table.
#[derive(Clone, Debug)]
enum Step {
    Group(Vec<Vec<u8>>),
    Insert(Vec<Vec<u8>>),
    InsertOne(Vec<u8>),
    Remove(Vec<Index>),
    BeginBatch,
    /// Ids are given anew from 0 on, to the keys there are.
    Renumber,
    Clear,
}

fn steps(key: impl Strategy<Value = Vec<u8>> + Clone) -> impl Strategy<Value = Vec<Step>> {
    let keys = || vec(key.clone(), 0..80);
    let step = prop_oneof![
        6 => keys().prop_map(Step::Group),
        3 => keys().prop_map(Step::Insert),
        1 => key.clone().prop_map(Step::InsertOne),
        4 => vec(any::<Index>(), 0..40).prop_map(Step::Remove),
        3 => Just(Step::BeginBatch),
        2 => Just(Step::Renumber),
        1 => Just(Step::Clear),
    ];
    vec(step, 1..12)
}

/// Keys of 0 to 40 bytes, most of them beginnings of one another, often as long as what lies inside a slot.
fn alike() -> impl Strategy<Value = Vec<u8>> + Clone {
    let len = prop_oneof![0..41usize, 14..19usize, 0..4usize];
    let end = prop_oneof![3 => Just(None), 1 => any::<u8>().prop_map(Some)];
    (any::<bool>(), len, end).prop_map(|(zeros, len, end)| {
        let mut key: Vec<u8> = (0..len).map(|i| if zeros { 0 } else { b'a' + i as u8 % 7 }).collect();
        if let (Some(last), Some(end)) = (key.last_mut(), end) {
            *last = end;
        }
        key
    })
}

/// Does the steps to a table and to a map, and compares all that can be asked after each.
fn run(seed: u64, steps: Vec<Step>) {
    let (mut table, mut model) = (KeyTable::new(seed), Model::default());
    for step in steps {
        match step {
            Step::Group(keys) => {
                let expect: Vec<u32> = keys.iter().map(|key| model.group(key)).collect();
                assert_eq!(group(&mut table, &keys), expect);
            }
            Step::Insert(keys) => {
                let expect: Vec<u32> = keys.iter().map(|key| model.insert(key)).collect();
                assert_eq!(insert(&mut table, &keys), expect);
            }
            Step::InsertOne(key) => {
                table.insert_one(&key);
                model.insert(&key);
            }
            Step::Remove(indices) => {
                let count = model.keys.len();
                for id in indices.iter().filter(|_| count > 0).map(|index| index.index(count) as u32) {
                    table.remove(id);
                    model.remove(id);
                }
            }
            Step::BeginBatch => {
                table.begin_batch();
                model.begin_batch();
            }
            Step::Renumber => {
                model.begin_batch();
                table.begin_batch();
                let keys = std::mem::take(&mut model.keys);
                let (old, ids) = (0u32.., std::mem::take(&mut model.ids));
                for (old, key) in old.zip(keys).filter(|(old, key)| ids.get(key) == Some(old)) {
                    let new = model.insert(&key);
                    if new != old {
                        table.renumber(old, new);
                    }
                }
                table.truncate(model.keys.len());
            }
            Step::Clear => {
                table.clear();
                model = Model::default();
            }
        }
        assert_eq!((table.len(), table.is_empty()), (model.keys.len(), model.keys.is_empty()));
        assert_eq!(table.touched(), model.touched);
        assert_eq!(table.used, model.ids.len());
        for (id, key) in (0u32..).zip(&model.keys) {
            assert_eq!(table.key(id), key);
        }
    }
    // Every key that is there is found where it is, and no other.
    let keys: Vec<Vec<u8>> = model.ids.keys().cloned().collect();
    let ids: Vec<u32> = keys.iter().map(|key| model.ids[key]).collect();
    assert_eq!(insert(&mut table, &keys), ids);
    assert_eq!(table.len(), model.keys.len());
}

/// The slot in a table of `slots` slots where the search for a key begins.
fn home(table: &KeyTable, key: &[u8], slots: usize) -> usize {
    let inline = table.hasher.inline(key, 0, key.len());
    table.hasher.hash(inline, key.len() as u32) as usize & (slots - 1)
}

/// `count` keys whose search begins in the last two or the first slot of a table of `slots` slots.
fn crowd(seed: u64, slots: usize, count: usize) -> Vec<Vec<u8>> {
    let table = KeyTable::new(seed);
    let keys = (0u32..).map(|i| format!("key {i}{}", "-".repeat(i as usize % 12)).into_bytes());
    keys.filter(|key| (home(&table, key, slots) + 2) % slots < 3).take(count).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_table_does_as_a_map_does(seed in any::<u64>(), steps in steps(alike())) {
        run(seed, steps);
    }

    #[test]
    fn crowded_keys_are_found(seed in any::<u64>(), steps in steps((0..40u8).prop_map(|number| vec![number]))) {
        // The steps name keys by number; the keys are those of this seed that get into each other's way.
        let keys = crowd(seed, 64, 40);
        let of = |key: Vec<u8>| keys[usize::from(key[0])].clone();
        let all = |keys: Vec<Vec<u8>>| keys.into_iter().map(of).collect();
        let named = steps.into_iter().map(|step| match step {
            Step::Group(keys) => Step::Group(all(keys)),
            Step::Insert(keys) => Step::Insert(all(keys)),
            Step::InsertOne(key) => Step::InsertOne(of(key)),
            other => other,
        });
        run(seed, named.collect());
    }
}

#[test]
fn many_keys_are_found_again() {
    let keys: Vec<Vec<u8>> =
        (0..50_000u32).map(|i| format!("{:0width$}", i, width = i as usize % 30).into_bytes()).collect();
    let mut table = KeyTable::new(3);
    let first = insert(&mut table, &keys);
    let mut expect: Vec<&Vec<u8>> = Vec::new();
    let mut seen = HashMap::new();
    for key in &keys {
        seen.entry(key).or_insert_with(|| expect.push(key));
    }
    assert_eq!(table.len(), expect.len());
    assert_eq!(insert(&mut table, &keys), first);
    assert!((0u32..).zip(expect).all(|(id, key)| table.key(id) == key));
}

#[test]
fn keys_for_which_room_was_made_do_not_grow_the_table() {
    let key = |i: usize| i.to_be_bytes().to_vec();
    for (before, more) in [(0, 0), (0, 6), (0, 7), (5, 1), (5, 91), (96, 96), (1_000, 1)] {
        let keys: Vec<Vec<u8>> = (0..before + more).map(key).collect();
        let mut table = KeyTable::new(3);
        insert(&mut table, &keys[..before]);
        table.reserve(more);
        let slots = table.slots.len();
        assert_eq!(insert(&mut table, &keys), (0..keys.len() as u32).collect::<Vec<_>>());
        assert_eq!(table.slots.len(), slots, "{before} keys and {more} more");
    }
}

#[test]
fn groups_begin_anew_when_batches_have_no_number_left() {
    let mut table = KeyTable::new(1);
    let keys = [b"a".to_vec(), b"b".to_vec()];
    table.batch = u32::MAX - 1;
    for expect in [vec![0, 1], vec![0], vec![1], vec![0, 1]] {
        table.begin_batch();
        let keys: Vec<Vec<u8>> = expect.iter().map(|&i: &u32| keys[i as usize].clone()).collect();
        assert_eq!(group(&mut table, &keys), (0..expect.len() as u32).collect::<Vec<_>>());
        assert_eq!(table.touched(), expect);
    }
    assert!(table.batch < 4);
}

#[test]
fn a_group_of_a_batch_long_ago_is_none_when_its_number_comes_again() {
    for number in 1..4 {
        let mut table = KeyTable::new(1);
        (1..number).for_each(|_| table.begin_batch());
        assert_eq!((table.batch, group(&mut table, &[b"new".to_vec(), b"old".to_vec()])), (number, vec![0, 1]));
        table.batch = u32::MAX;
        (0..number).for_each(|_| table.begin_batch());
        assert_eq!((table.batch, group(&mut table, &[b"old".to_vec()])), (number, vec![0]));
        assert_eq!(table.touched(), [1]);
    }
}

#[test]
fn the_memory_of_a_table_is_that_of_its_slots_and_keys() {
    for (keys, length) in [(0, 0), (5, 8), (1_000, 4), (1_000, 100), (50_000, 20)] {
        let mut table = KeyTable::new(3);
        for key in 0..keys {
            let text = format!("{key:0length$}").into_bytes();
            assert_eq!(text.len(), length);
            group(&mut table, &[text]);
        }
        // Slots of half a cache line, each key's bytes and their end, and the key of each group; each with some room.
        let least = (table.slots.len() + table.old.slots.len()) * 32 + keys * (length + 8 + 4);
        let bytes = table.memory_bytes();
        assert!((least..=least + keys * (length + 8 + 4) + 128).contains(&bytes), "{bytes} bytes, {least} at least");
        table.clear();
        assert!(table.memory_bytes() <= SLOTS_MIN * 32 + keys * 8 + 128, "{} bytes", table.memory_bytes());
    }
}

#[test]
fn long_keys_of_one_hash_are_told_apart() {
    let key = b"a key that is longer than what lies inside a slot".to_vec();
    let mut table = KeyTable::new(1);
    table.insert_one(&key);
    // Its slot now stands for another key, as if both had the same hash.
    table.bytes[20] = b'!';
    assert_eq!(insert(&mut table, &[key.clone(), key]), [1, 1]);
    assert_eq!(table.len(), 2);
}

#[test]
fn keys_that_come_and_go_leave_the_slots_few() {
    let mut table = KeyTable::new(5);
    for round in 0..1_000u32 {
        let ids = insert(&mut table, &[round.to_le_bytes().to_vec(), b"stays".to_vec()]);
        table.remove(ids[0]);
        table.remove(ids[0]);
    }
    assert_eq!((table.slots.len(), table.used, table.len()), (SLOTS_MIN, 1, 1_001));
    table.clear();
    assert_eq!((table.slots.len(), table.used, table.len()), (SLOTS_MIN, 0, 0));
}

/// How far on average a key lies from where the search for it begins.
fn distance_mean(table: &KeyTable) -> f64 {
    let homes = table.slots.iter().enumerate().filter(|(_, slot)| !slot.is_free());
    let distances = homes.map(|(at, slot)| at.wrapping_sub(slot.hash(&table.hasher) as usize) & table.mask);
    distances.sum::<usize>() as f64 / table.used as f64
}

#[test]
fn keys_with_a_pattern_lie_near_where_they_are_sought() {
    type Pattern = fn(u64) -> Vec<u8>;
    let patterns: [(&str, Pattern); 8] = [
        ("integers as keys have them", |i| (i ^ 1 << 63).to_be_bytes().to_vec()),
        ("the same, little-endian", |i| i.to_le_bytes().to_vec()),
        ("multiples of 2^32", |i| (i << 32).to_be_bytes().to_vec()),
        ("decimal numbers", |i| i.to_string().into_bytes()),
        ("a common beginning of 8 bytes", |i| format!("customer{i:08}").into_bytes()),
        ("a common end", |i| format!("{i:06}-orders").into_bytes()),
        ("two words that move together", |i| [i.to_le_bytes(), i.to_le_bytes()].concat()),
        ("long keys", |i| format!("a key longer than a slot, number {i}").into_bytes()),
    ];
    for (name, key) in patterns {
        for seed in 0..4 {
            let mut table = KeyTable::new(seed);
            // A table of 2^15 slots, half full.
            (0..1 << 14).for_each(|i| table.insert_one(&key(i)));
            // Half full with random places it is 0.5 in theory (Knuth, linear probing).
            assert!(distance_mean(&table) < 1.0, "{name}, seed {seed}: {}", distance_mean(&table));
        }
    }
}

#[test]
fn seeds_place_keys_differently() {
    let places = |seed: u64| -> Vec<usize> {
        let table = KeyTable::new(seed);
        (0..64u64).map(|i| home(&table, &i.to_le_bytes(), 1 << 16)).collect()
    };
    let (one, other) = (places(1), places(2));
    assert_eq!(one, places(1));
    assert!(one.iter().zip(&other).filter(|(one, other)| one == other).count() < 4);
}
