//! The state table against rows in a vector, over random schemas and batches.

#![allow(clippy::unwrap_used, reason = "a test")]

mod checkpoint;

use proptest::{collection::vec, prelude::*, sample::Index};
use tidemill_model::{
    columns::{Column, RowsBuffer},
    schema::Schema,
    testing::{Value, blank_row, buffer_of, cases, rows_of, schemas, values_of},
    time::Timestamp,
};

use super::{Action, KeyedTable};

/// What a table should answer: keys in the order in which they were first met, with what they have.
#[derive(Debug, Default)]
struct Model {
    rows: Vec<ModelRow>,
}

#[derive(Clone, Debug)]
struct ModelRow {
    key: Vec<u8>,
    state: Option<Vec<Value>>,
    wake: Option<i64>,
}

impl Model {
    /// The place of a key, which gets one if it has none.
    fn place(&mut self, key: &[u8]) -> usize {
        self.rows.iter().position(|row| row.key == key).unwrap_or_else(|| {
            self.rows.push(ModelRow { key: key.to_vec(), state: None, wake: None });
            self.rows.len() - 1
        })
    }

    fn with_state(&self) -> impl Iterator<Item = &ModelRow> {
        self.rows.iter().filter(|row| row.state.is_some())
    }

    fn due(&self, now: i64) -> Vec<&[u8]> {
        let mut due: Vec<&ModelRow> = self.rows.iter().filter(|row| row.wake.is_some_and(|at| at <= now)).collect();
        // The sort keeps the order of rows of one time.
        due.sort_by_key(|row| row.wake);
        due.into_iter().map(|row| &row.key[..]).collect()
    }
}

/// What a call wants of one row: an action, the state where it is Put, and a time to be called again.
#[derive(Clone, Debug)]
struct Change {
    action: Action,
    state: Vec<Value>,
    wake: Option<Option<i64>>,
}

/// Chunks of keys by number, changes for the keys touched, and changes for chosen keys that have state.
#[derive(Clone, Debug)]
struct Batch {
    chunks: Vec<Vec<u8>>,
    changes: Vec<Change>,
    others: Vec<(Index, Change)>,
}

fn change(schema: &Schema) -> impl Strategy<Value = Change> + Clone + use<> {
    let action = prop_oneof![3 => Just(Action::Put), 1 => Just(Action::Keep), 2 => Just(Action::Delete)];
    let wake = proptest::option::of(proptest::option::of(-3..6i64));
    let state = rows_of(schema, 1..2).prop_map(|mut rows| rows.remove(0)).boxed();
    (action, state, wake).prop_map(|(action, state, wake)| Change { action, state, wake })
}

fn batch(schema: &Schema) -> impl Strategy<Value = Batch> + use<> {
    let chunks = vec(vec(0..40u8, 0..12), 1..3);
    let others = vec((any::<Index>(), change(schema)), 0..3);
    (chunks, vec(change(schema), 24), others).prop_map(|(chunks, changes, others)| Batch { chunks, changes, others })
}

fn histories() -> impl Strategy<Value = (Schema, Vec<Batch>)> {
    schemas(0..4).prop_flat_map(|schema| {
        let batches = vec(batch(&schema), 1..8);
        (Just(schema), batches)
    })
}

/// Keys of 0 to 39 bytes, each the beginning of the next.
fn key_of(number: u8) -> Vec<u8> {
    (0..number).collect()
}

fn group(table: &mut KeyedTable, keys: &[Vec<u8>]) -> Vec<u32> {
    let offsets: Vec<i32> =
        keys.iter().scan(0, |end, key| Some(std::mem::replace(end, *end + key.len() as i32))).collect();
    let end = keys.iter().map(Vec::len).sum::<usize>() as i32;
    let offsets = [offsets, vec![end]].concat();
    let mut groups = Vec::new();
    table.group(Column { validity: None, offsets: &offsets, values: &keys.concat() }, &mut groups);
    groups
}

/// Does the changes to the rows of the table and to the model.
fn write(table: &mut KeyedTable, model: &mut Model, rows: &[u32], changes: &[Change]) {
    let actions: Vec<Action> = changes.iter().map(|change| change.action).collect();
    let states: Vec<Vec<Value>> = changes.iter().map(|change| change.state.clone()).collect();
    let buffer = buffer_of(&table.schema, &states);
    table.write(rows, &actions, &buffer.with_columns(&buffer.columns())).unwrap();
    for (&row, change) in rows.iter().zip(changes) {
        let place = model.place(table.key(row));
        let of_model = &mut model.rows[place];
        match change.action {
            Action::Keep => {}
            Action::Put => of_model.state = Some(change.state.clone()),
            Action::Delete => (of_model.state, of_model.wake) = (None, None),
        }
        if let Some(wake) = change.wake {
            table.set_wake(row, wake.map(Timestamp)).unwrap();
            of_model.wake = wake;
        }
    }
}

fn read(table: &KeyedTable, rows: &[u32]) -> Vec<Vec<Value>> {
    let mut states = RowsBuffer::new(&table.schema);
    table.read(rows, &mut states).unwrap();
    values_of(&states.with_columns(&states.columns()))
}

/// Compares all that can be asked.
fn check(table: &KeyedTable, model: &Model) {
    let rows: Vec<u32> = table.rows().collect();
    let keys: Vec<&[u8]> = rows.iter().map(|&row| table.key(row)).collect();
    assert_eq!(keys, model.with_state().map(|row| &row.key[..]).collect::<Vec<_>>());
    assert_eq!((table.len(), table.is_empty()), (rows.len(), rows.is_empty()));
    assert!(rows.iter().all(|&row| table.has_state(row)));
    assert_eq!(read(table, &rows), model.with_state().map(|row| row.state.clone().unwrap()).collect::<Vec<_>>());
    check_within(table, &rows);
    for now in -4..7 {
        let due: Vec<&[u8]> = table.due(Timestamp(now)).map(|row| table.key(row)).collect();
        assert_eq!(due, model.due(now));
    }
}

/// The rows that are said to have few bytes have no more, unless it is one row.
fn check_within(table: &KeyedTable, rows: &[u32]) {
    for bytes_max in [0, 1, 40, 300, 4_000] {
        let count = table.rows_within(rows, bytes_max);
        assert!(count <= rows.len() && (count > 0 || rows.is_empty()), "{count} of {}", rows.len());
        let mut states = RowsBuffer::new(&table.schema);
        table.read(&rows[..count], &mut states).unwrap();
        // Each node may have a bitmap, and an offset more than rows.
        let beside: usize = states.columns().iter().map(|column| column.validity.map_or(0, <[u8]>::len) + 4).sum();
        assert!(count <= 1 || states.bytes() <= bytes_max + beside, "{count} rows have {} bytes", states.bytes());
    }
}

#[test]
fn rows_are_counted_by_what_their_states_take() {
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    churn(&mut table, 0..10, Action::Put);
    let rows: Vec<u32> = table.rows().collect();
    // A key, a number, an offset and a digit.
    for (bytes_max, expect) in [(0, 1), (17, 1), (33, 1), (34, 2), (169, 9), (170, 10), (usize::MAX, 10)] {
        assert_eq!(table.rows_within(&rows, bytes_max), expect, "{bytes_max}");
    }
    let mut numbers = KeyedTable::new(&"n: integer, b: boolean".parse().unwrap(), 7);
    group(&mut numbers, &(0..5).map(key_of).collect::<Vec<_>>());
    let rows = numbers.touched().to_vec();
    for (bytes_max, expect) in [(0, 1), (32, 1), (33, 2), (1_000, 5)] {
        assert_eq!(numbers.rows_within(&rows, bytes_max), expect, "{bytes_max}");
    }
    assert_eq!((numbers.rows_within(&[], 9), KeyedTable::new(&Schema::default(), 1).rows_within(&[], 9)), (0, 0));
}

/// Compares the rows that the batch touched.
fn check_touched(table: &KeyedTable, model: &mut Model, expect: &[Vec<u8>]) {
    let touched: Vec<&[u8]> = table.touched().iter().map(|&row| table.key(row)).collect();
    assert_eq!(touched, expect);
    let states: Vec<Option<Vec<Value>>> = expect
        .iter()
        .map(|key| {
            let place = model.place(key);
            model.rows[place].state.clone()
        })
        .collect();
    let has_state: Vec<bool> = table.touched().iter().map(|&row| table.has_state(row)).collect();
    assert_eq!(has_state, states.iter().map(Option::is_some).collect::<Vec<_>>());
    let or_blank = |state: Option<Vec<Value>>| state.unwrap_or_else(|| blank_row(&table.schema));
    assert_eq!(read(table, table.touched()), states.into_iter().map(or_blank).collect::<Vec<_>>());
}

fn run(schema: &Schema, seed: u64, batches: Vec<Batch>) {
    let (mut table, mut model) = (KeyedTable::new(schema, seed), Model::default());
    for batch in batches {
        table.begin_batch();
        let mut touched: Vec<Vec<u8>> = Vec::new();
        for chunk in &batch.chunks {
            let keys: Vec<Vec<u8>> = chunk.iter().copied().map(key_of).collect();
            for (key, group) in keys.iter().zip(group(&mut table, &keys)) {
                let at = touched.iter().position(|other| other == key).unwrap_or_else(|| {
                    touched.push(key.clone());
                    touched.len() - 1
                });
                assert_eq!(at, group as usize);
            }
        }
        check_touched(&table, &mut model, &touched);
        let rows = table.touched().to_vec();
        write(&mut table, &mut model, &rows, &batch.changes[..rows.len()]);
        check_touched(&table, &mut model, &touched);
        for (other, change) in batch.others {
            let rows: Vec<u32> = table.rows().collect();
            if !rows.is_empty() {
                write(&mut table, &mut model, &[rows[other.index(rows.len())]], &[change]);
            }
        }
        check(&table, &model);
        table.end_batch();
        model.rows.retain(|row| row.state.is_some());
        check(&table, &model);
        assert!(
            table.present.len() <= 3 * table.live + 200,
            "rows close up: {} of {}",
            table.live,
            table.present.len()
        );
        table.columns.iter().for_each(|column| column.check(&table.present));
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_table_does_as_rows_do((schema, batches) in histories(), seed in any::<u64>()) {
        run(&schema, seed, batches);
    }
}

/// Puts or deletes the states of keys numbered by `keys`; a state is the key's number as it is and as text.
fn churn(table: &mut KeyedTable, keys: impl Iterator<Item = u32>, action: Action) {
    let keys: Vec<u32> = keys.collect();
    let mut states = RowsBuffer::new(&table.schema);
    let mut groups = Vec::new();
    table.begin_batch();
    for key in &keys {
        states.node_mut(0).push_word(u64::from(*key));
        states.node_mut(1).push_bytes(key.to_string().as_bytes()).unwrap();
        states.end_row();
    }
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
    let offsets: Vec<i32> = (0..=keys.len() as i32).map(|i| i * 4).collect();
    table.group(Column { validity: None, offsets: &offsets, values: &bytes }, &mut groups);
    let rows = table.touched().to_vec();
    table.write(&rows, &vec![action; rows.len()], &states.with_columns(&states.columns())).unwrap();
    table.end_batch();
}

#[test]
fn memory_is_bounded_when_keys_come_and_go() {
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    let stay = 1_000;
    churn(&mut table, 0..stay, Action::Put);
    let mut memory_bytes_max = 0;
    for first in (stay..1_000_000).step_by(20_000) {
        churn(&mut table, first..first + 20_000, Action::Put);
        memory_bytes_max = memory_bytes_max.max(table.memory_bytes());
        churn(&mut table, first..first + 20_000, Action::Delete);
        assert_eq!(table.len(), stay as usize);
    }
    // 21,000 keys at a time take some 2 MiB; a million would take 100.
    assert!(memory_bytes_max < 4 << 20, "{memory_bytes_max} bytes");
    // The room that they had goes little by little, too.
    for _ in 0..20_000 {
        table.begin_batch();
        table.end_batch();
    }
    assert!(table.memory_bytes() < 1 << 20, "{} bytes", table.memory_bytes());
    let rows: Vec<u32> = table.rows().collect();
    let expect = (0..stay).map(|key| vec![Value::Integer(key.into()), Value::text(&key.to_string())]);
    assert_eq!(read(&table, &rows), expect.collect::<Vec<_>>());
}

/// What a table takes grows with all that it keeps: keys, states, times, and what changes and what was in a batch.
#[test]
fn memory_is_counted_of_all_that_is_kept() {
    const ROWS: usize = 1_000;
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    let mut grows = |least: usize, most: usize, work: &mut dyn FnMut(&mut KeyedTable)| {
        let before = table.memory_bytes();
        work(&mut table);
        let grown = table.memory_bytes() - before;
        assert!((least..=most).contains(&grown), "{grown} bytes and not {least} to {most}");
    };
    // A key of four bytes has a slot of 32, its end and its group; its row is there or not, has a number, and a text with its
    // place.
    let of_row = 32 + 4 + 8 + 4 + 1 + 8 + 16 + 3;
    grows(ROWS * of_row, 3 * ROWS * of_row, &mut |table| churn(table, 0..ROWS as u32, Action::Put));
    let mut wakes =
        |table: &mut KeyedTable| (0..ROWS as u32).for_each(|row| table.set_wake(row, Some(Timestamp(9))).unwrap());
    grows(ROWS * (8 + 4), ROWS * 2 * (8 + 4) + 100, &mut wakes);
    grows(0, 0, &mut wakes);
    let mut noted = |table: &mut KeyedTable| {
        table.note_changes(true);
        (0..ROWS as u32).for_each(|row| table.set_wake(row, Some(Timestamp(10))).unwrap());
    };
    grows(ROWS * 4, ROWS * 8, &mut noted);
}

#[test]
fn memory_is_bounded_when_keys_have_no_state() {
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    for first in (0..200_000).step_by(10_000) {
        churn(&mut table, first..first + 10_000, Action::Keep);
        assert!(table.is_empty());
    }
    assert!(table.memory_bytes() < 1 << 20, "{} bytes", table.memory_bytes());
}

#[test]
fn memory_is_bounded_when_states_grow_and_shrink() {
    let mut table = KeyedTable::new(&"t: text?".parse().unwrap(), 7);
    for round in 0..2_000usize {
        table.begin_batch();
        let keys = [b"one".to_vec(), b"other".to_vec()];
        group(&mut table, &keys);
        let long = Value::text(&"x".repeat(round * 7919 % 5_000));
        let states = [vec![long.clone()], vec![if round % 3 == 0 { Value::Missing } else { long }]];
        let buffer = buffer_of(&table.schema, &states);
        let rows = table.touched().to_vec();
        table.write(&rows, &[Action::Put; 2], &buffer.with_columns(&buffer.columns())).unwrap();
        assert_eq!(read(&table, &rows), states);
        table.end_batch();
    }
    assert!(table.memory_bytes() < 64 << 10, "{} bytes", table.memory_bytes());
}

#[test]
fn a_key_that_lost_its_state_is_the_last_when_it_comes_back() {
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    let order = |table: &KeyedTable| -> Vec<Vec<Value>> { read(table, &table.rows().collect::<Vec<_>>()) };
    let state = |key: i64| vec![Value::Integer(key), Value::text(&key.to_string())];
    churn(&mut table, 0..3, Action::Put);
    // Not a touched row: as when its time has come, or every key is called.
    table.begin_batch();
    let blank = buffer_of(&table.schema, &[blank_row(&table.schema)]);
    table.write(&[0], &[Action::Delete], &blank.with_columns(&blank.columns())).unwrap();
    table.end_batch();
    assert_eq!(order(&table), [state(1), state(2)]);
    churn(&mut table, 0..1, Action::Put);
    assert_eq!(order(&table), [state(1), state(2), state(0)]);
}

/// As a batch does that is skipped: what it deleted is put again.
#[test]
fn a_key_that_is_put_again_in_the_batch_that_deleted_it_stays_where_it_is() {
    let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
    let order = |table: &KeyedTable| -> Vec<Vec<Value>> { read(table, &table.rows().collect::<Vec<_>>()) };
    churn(&mut table, 0..3, Action::Put);
    let before = order(&table);
    for _ in 0..3 {
        table.begin_batch();
        let states = buffer_of(&table.schema, &before);
        let columns = states.columns();
        let (rows, states) = ([0, 1, 2], states.with_columns(&columns));
        table.write(&rows, &[Action::Delete; 3], &states).unwrap();
        assert!(table.is_empty());
        table.write(&rows, &[Action::Put; 3], &states).unwrap();
        table.end_batch();
        assert_eq!(order(&table), before);
        // Their keys are found where they were.
        churn(&mut table, (0..3).rev(), Action::Put);
        assert_eq!(order(&table), before);
    }
}

/// A batch that is skipped before a table was lent ends without having begun, and one that is undone ends twice: also where rows
/// have got other numbers in the meantime.
#[test]
fn a_batch_may_end_twice_or_without_having_begun() {
    for stay in [0, 1, 5, 40] {
        let mut table = KeyedTable::new(&"n: integer, t: text".parse().unwrap(), 7);
        table.keep_undo(true);
        table.note_changes(true);
        churn(&mut table, 0..100, Action::Put);
        churn(&mut table, stay..100, Action::Delete);
        let order = |table: &KeyedTable| -> Vec<Vec<Value>> { read(table, &table.rows().collect::<Vec<_>>()) };
        let before = order(&table);
        for _ in 0..60 {
            table.undo();
            assert_eq!(order(&table), before);
            table.end_batch();
            assert_eq!(order(&table), before);
        }
        churn(&mut table, 200..210, Action::Put);
        assert_eq!(table.len(), stay as usize + 10);
    }
}
