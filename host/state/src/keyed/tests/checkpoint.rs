//! Tables from the blocks of others: the same keys in the same order, states and wake-ats.

use std::{collections::BTreeMap, slice::from_ref};

use arrow_array::RecordBatch;
use proptest::{collection::vec, prelude::*};
use tidemill_model::{
    key::Slot,
    schema::{Field, Kind, Schema, Type},
    table::TableKind,
    testing::{Value, buffer_of, cases, values_of},
    time::Timestamp,
};

use super::{Action, Batch, Change, KeyedTable, Model, batch, blank_row, group, histories, key_of, read, write};
use crate::table::{ApplyError, BlockLimits, StateError, block_schema, split};

/// Small ones, so that most batches have several blocks.
const LIMITS: BlockLimits = BlockLimits { rows_max: 5, bytes_max: 200 };

fn keys_schema() -> Schema {
    "k: bytes".parse().unwrap()
}

/// What a table answers: keys, states, wake-ats in order, and who is due when.
type Contents = (Vec<Vec<u8>>, Vec<Vec<Value>>, Vec<Option<Timestamp>>, Vec<Vec<u8>>);

fn contents(table: &KeyedTable) -> Contents {
    let rows: Vec<u32> = table.rows().collect();
    assert_eq!(table.len(), rows.len());
    let keys = rows.iter().map(|&row| table.key(row).to_vec()).collect();
    let wakes = rows.iter().map(|&row| table.wakes.get(row)).collect();
    let due = table.due(Timestamp(i64::MAX)).map(|row| table.key(row).to_vec()).collect();
    (keys, read(table, &rows), wakes, due)
}

fn collect(blocks: impl Iterator<Item = Result<RecordBatch, StateError>>) -> Vec<RecordBatch> {
    blocks.map(Result::unwrap).collect()
}

fn apply_all(table: &mut KeyedTable, blocks: &[RecordBatch]) {
    blocks.iter().for_each(|block| table.apply(&keys_schema(), block).unwrap());
}

/// Runs a batch up to before its end.
fn run(table: &mut KeyedTable, batch: &Batch) {
    table.begin_batch();
    for chunk in &batch.chunks {
        group(table, &chunk.iter().copied().map(key_of).collect::<Vec<_>>());
    }
    let rows = table.touched().to_vec();
    let mut unused = Model::default();
    write(table, &mut unused, &rows, &batch.changes[..rows.len()]);
    for (other, change) in &batch.others {
        let rows: Vec<u32> = table.rows().collect();
        if !rows.is_empty() {
            write(table, &mut unused, &[rows[other.index(rows.len())]], from_ref(change));
        }
    }
}

/// A key's state and wake-at.
type State = (Vec<Value>, Option<i64>);

/// The blocks' keys, each with its state and wake-at, or that it has none.
fn keys_in(blocks: &[RecordBatch], schema: &Schema) -> BTreeMap<Vec<u8>, Option<State>> {
    let schema = block_schema(TableKind::Keyed, schema);
    let mut changes = BTreeMap::new();
    for block in blocks {
        let columns = tidemill_model::columns::columns_of(block);
        let rows = tidemill_model::columns::Rows { schema: &schema, len: block.num_rows(), columns: &columns };
        for row in values_of(&rows) {
            let [Value::Bytes(key), Value::Boolean(deleted), wake, state @ ..] = &row[..] else { unreachable!() };
            let state = match state {
                [Value::Record(state)] => state.clone(),
                _ => Vec::new(),
            };
            let wake = if let Value::Integer(wake) = wake { Some(*wake) } else { None };
            assert!(!deleted || wake.is_none(), "a key without state has a wake-at");
            assert_eq!(changes.insert(key.clone(), (!deleted).then_some((state, wake))), None, "a key stands twice");
        }
    }
    changes
}

type States = BTreeMap<Vec<u8>, State>;

/// A table's contents by key.
fn states(table: &KeyedTable) -> States {
    let (keys, states, wakes, _) = contents(table);
    let wakes = wakes.into_iter().map(|wake| wake.map(|wake| wake.0));
    keys.into_iter().zip(states.into_iter().zip(wakes)).collect()
}

/// Every difference is in the blocks, and what is in the blocks is as it is now.
fn check_changes(before: &States, after: &States, blocks: &[RecordBatch], schema: &Schema) {
    let changes = keys_in(blocks, schema);
    for key in before.keys().chain(after.keys()) {
        assert!(before.get(key) == after.get(key) || changes.contains_key(key), "a change was not noted");
    }
    for (key, change) in &changes {
        assert_eq!(change.as_ref(), after.get(key));
        assert!(before.contains_key(key) || after.contains_key(key), "a key that was nowhere");
    }
}

/// The same without what may be missing: of its columns no bitmap says what is there.
fn without_bitmaps(schema: &Schema) -> Schema {
    fn of_type(ty: &Type) -> Type {
        Type::required(match &ty.kind {
            Kind::Record(fields) => Kind::Record(without_bitmaps(fields)),
            Kind::List(item) => Kind::List(Box::new(of_type(item))),
            kind => kind.clone(),
        })
    }
    let fields = schema.fields().iter().map(|field| Field::new(field.name.clone(), of_type(&field.ty)));
    Schema::try_new(fields.collect()).unwrap()
}

/// Bytes are counted with bitmaps aside.
fn check_limits(table: &KeyedTable, blocks: &[RecordBatch]) {
    for block in blocks {
        assert!(block.num_rows() <= LIMITS.rows_max);
        let schema = without_bitmaps(&block_schema(TableKind::Keyed, &table.schema));
        let columns = tidemill_model::columns::columns_of(block);
        let rows = tidemill_model::columns::Rows { schema: &schema, len: block.num_rows(), columns: &columns };
        // The limit does not count bitmaps.
        let bitmaps: usize = columns.iter().map(|column| column.validity.map_or(0, <[u8]>::len)).sum();
        let bytes = rows.bytes_in(0..rows.len) - bitmaps;
        assert!(bytes <= LIMITS.bytes_max || rows.len == 1, "{bytes} bytes");
    }
}

/// Runs the batches on a table, and gives the changes too.
fn play(schema: &Schema, batches: &[Batch]) -> (KeyedTable, Vec<RecordBatch>) {
    let mut table = KeyedTable::new(schema, 1);
    table.note_changes(true);
    let mut changes = Vec::new();
    for batch in batches {
        run(&mut table, batch);
        changes.extend(collect(table.changes(LIMITS)));
        table.end_batch();
    }
    (table, changes)
}

/// Runs the batches on one table; another gets what changed, and a third a snapshot in the middle and the changes from
/// then on. `cut` is where the snapshot is made.
fn run_all(schema: &Schema, batches: &[Batch], cut: usize) {
    let mut table = KeyedTable::new(schema, 1);
    let (mut follower, mut late) = (KeyedTable::new(schema, 2), KeyedTable::new(schema, 3));
    table.note_changes(true);
    for (number, batch) in batches.iter().enumerate() {
        if number == cut {
            let blocks = collect(table.snapshot(LIMITS));
            check_limits(&table, &blocks);
            late.reserve(table.len());
            apply_all(&mut late, &blocks);
        }
        let before = states(&table);
        run(&mut table, batch);
        let changes = collect(table.changes(LIMITS));
        assert_eq!(changes, collect(table.changes(LIMITS)));
        check_limits(&table, &changes);
        table.end_batch();
        check_changes(&before, &states(&table), &changes, schema);
        apply_all(&mut follower, &changes);
        assert_eq!(contents(&follower), contents(&table));
        if number >= cut {
            apply_all(&mut late, &changes);
            assert_eq!(contents(&late), contents(&table));
        }
    }
    assert_eq!(collect(follower.snapshot(LIMITS)), collect(table.snapshot(LIMITS)));
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn a_table_that_gets_the_changes_is_the_same((schema, batches) in histories(), cut in 0..8usize) {
        run_all(&schema, &batches, cut);
    }

    /// Tables of n partitions become m, from the changes or from snapshots, and have the same keys in the same order.
    #[test]
    fn partitions_change(
        (schema, batches) in histories(),
        (before, after) in (1..4u32, 1..5u32),
    ) {
        let tables: Vec<_> = (0..before).map(|partition| {
            let mine = |key: &u8| Slot::of(&key_of(*key)).partition(before) == partition;
            let batches: Vec<Batch> = batches.iter().cloned().map(|mut batch| {
                batch.chunks.iter_mut().for_each(|chunk| chunk.retain(mine));
                batch
            }).collect();
            play(&schema, &batches)
        }).collect();
        let mut together = States::new();
        for partition in 0..after {
            let (mut by_changes, mut by_snapshot) = (KeyedTable::new(&schema, 4), KeyedTable::new(&schema, 5));
            for (table, changes) in &tables {
                let part = |block: &RecordBatch| split(TableKind::Keyed, &schema, block, after).unwrap().swap_remove(partition as usize);
                for block in changes {
                    by_changes.apply(&keys_schema(), &part(block)).unwrap();
                }
                for block in collect(table.snapshot(LIMITS)) {
                    by_snapshot.apply(&keys_schema(), &part(&block)).unwrap();
                }
            }
            prop_assert_eq!(contents(&by_changes), contents(&by_snapshot));
            together.extend(states(&by_changes));
        }
        prop_assert_eq!(together, tables.iter().flat_map(|(table, _)| states(table)).collect::<States>());
    }

    /// A block that is refused leaves the table as it was.
    #[test]
    fn damaged_blocks_are_refused_whole(
        (schema, batches) in histories(),
        rows in vec((0..4u8, any::<bool>()), 1..6),
    ) {
        let (mut table, _) = play(&schema, &batches);
        let before = contents(&table);
        let rows: Vec<(Vec<u8>, bool)> = rows.into_iter().map(|(key, deleted)| (key_of(key), deleted)).collect();
        let result = table.apply(&keys_schema(), &block_of(&schema, &rows));
        let is_first = |row: usize| rows[..row].iter().all(|(key, _)| *key != rows[row].0);
        let is_there = |row: usize| before.0.contains(&rows[row].0) || !rows[row].1;
        let wrong = (0..rows.len()).find(|&row| !is_first(row) || !is_there(row));
        let expect = match wrong {
            Some(row) if !is_first(row) => Err(ApplyError::Twice { row }),
            Some(row) => Err(ApplyError::NotThere { row }),
            None => Ok(()),
        };
        prop_assert_eq!(&result, &expect);
        if result.is_err() {
            prop_assert_eq!(contents(&table), before);
        }
    }

    /// The changes of a table that was itself loaded are those of its own batches alone.
    #[test]
    fn what_was_applied_is_no_change((schema, batches) in histories(), other in batch(&"n: integer".parse().unwrap())) {
        let (table, _) = play(&schema, &batches);
        let mut loaded = KeyedTable::new(&schema, 9);
        loaded.note_changes(true);
        apply_all(&mut loaded, &collect(table.snapshot(LIMITS)));
        loaded.begin_batch();
        for chunk in &other.chunks {
            group(&mut loaded, &chunk.iter().copied().map(key_of).collect::<Vec<_>>());
        }
        prop_assert_eq!(collect(loaded.changes(LIMITS)), []);
    }
}

/// A block of blank states for these keys, each deleted or not.
fn block_of(schema: &Schema, rows: &[(Vec<u8>, bool)]) -> RecordBatch {
    let state = (!schema.is_empty()).then(|| Value::Record(blank_row(schema)));
    let row = |(key, deleted): &(Vec<u8>, bool)| {
        let fixed = [Value::Bytes(key.clone()), Value::Boolean(*deleted), Value::Missing];
        fixed.into_iter().chain(state.clone()).collect()
    };
    let schema = block_schema(TableKind::Keyed, schema);
    buffer_of(&schema, &rows.iter().map(row).collect::<Vec<_>>()).to_batch(&schema.to_arrow()).unwrap()
}

#[test]
fn keys_of_another_schema_are_refused() {
    let state: Schema = "n: integer".parse().unwrap();
    let check = |keys: &str, key: &[u8], expect: &str| {
        let mut table = KeyedTable::new(&state, 7);
        let block = block_of(&state, &[(key.to_vec(), false)]);
        let error = table.apply(&keys.parse().unwrap(), &block).unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert!(table.is_empty() && table.keys.is_empty());
    };
    let refused = "row 0 of a block of state has a wrong key: the bytes are no canonical key of";
    check("k: integer", &[0; 7], &format!("{refused} `k: integer`"));
    check("k: text", &[0xff], &format!("{refused} `k: text`"));
}

#[test]
fn blocks_of_another_schema_are_refused() {
    let (integer, text): (Schema, Schema) = ("n: integer".parse().unwrap(), "n: text".parse().unwrap());
    let block = block_of(&integer, &[(key_of(1), false)]);
    let mut table = KeyedTable::new(&text, 7);
    let error = table.apply(&keys_schema(), &block).unwrap_err();
    assert!(matches!(&error, ApplyError::Schema { expected, .. } if expected.ends_with("state: record<n: text>")));
    assert_eq!(split(TableKind::Keyed, &text, &block, 2), Err(error));
    assert!(KeyedTable::new(&Schema::default(), 7).apply(&keys_schema(), &block).is_err());
}

#[test]
fn blocks_have_a_schema_without_state_if_there_are_no_fields() {
    assert_eq!(
        block_schema(TableKind::Keyed, &Schema::default()).to_string(),
        "key: bytes, deleted: boolean, wake_at: timestamp?"
    );
    let expect = "key: bytes, deleted: boolean, wake_at: timestamp?, state: record<n: integer?>";
    assert_eq!(block_schema(TableKind::Keyed, &"n: integer?".parse().unwrap()).to_string(), expect);
}

/// One change after another to key 1 within one batch, and what the batch says of it.
#[test]
fn what_counts_is_how_a_batch_ends() {
    let schema: Schema = "n: integer".parse().unwrap();
    let put = |n| Change { action: Action::Put, state: vec![Value::Integer(n)], wake: None };
    let other = |action, wake| Change { action, state: vec![Value::Integer(0)], wake };
    let check = |before: &[Change], batch: &[Change], expect: &str| {
        let mut table = KeyedTable::new(&schema, 7);
        table.note_changes(true);
        for changes in [before, batch] {
            table.end_batch();
            table.begin_batch();
            group(&mut table, &[key_of(1)]);
            let row = table.touched()[0];
            changes.iter().for_each(|change| write(&mut table, &mut Model::default(), &[row], from_ref(change)));
        }
        let changes = keys_in(&collect(table.changes(LIMITS)), &schema);
        let expect = format!("{{{expect}}}").replace("KEY", "[0]");
        assert_eq!(format!("{changes:?}"), expect);
    };
    check(&[], &[put(1)], "KEY: Some(([Integer(1)], None))");
    check(&[], &[put(1), put(2)], "KEY: Some(([Integer(2)], None))");
    check(&[], &[put(1), other(Action::Delete, None)], "");
    check(&[], &[other(Action::Keep, Some(Some(3)))], "");
    check(&[put(1)], &[other(Action::Keep, None)], "");
    check(&[put(1)], &[other(Action::Keep, Some(None))], "");
    check(&[put(1)], &[other(Action::Keep, Some(Some(3)))], "KEY: Some(([Integer(1)], Some(3)))");
    check(&[put(1)], &[other(Action::Delete, Some(Some(3)))], "KEY: None");
    check(&[put(1)], &[other(Action::Delete, None), put(2)], "KEY: Some(([Integer(2)], None))");
    check(&[put(1), other(Action::Delete, None)], &[put(2)], "KEY: Some(([Integer(2)], None))");
    let waking = [put(1), other(Action::Keep, Some(Some(3)))];
    check(&waking, &[other(Action::Keep, Some(Some(3)))], "");
    check(&waking, &[other(Action::Keep, Some(None))], "KEY: Some(([Integer(1)], None))");
    check(&waking, &[other(Action::Delete, None), put(2)], "KEY: Some(([Integer(2)], None))");
}

#[test]
fn a_value_beyond_the_limit_is_a_block_of_its_own() {
    let schema: Schema = "t: text".parse().unwrap();
    let mut table = KeyedTable::new(&schema, 7);
    table.begin_batch();
    let keys: Vec<Vec<u8>> = (0..3).map(key_of).collect();
    group(&mut table, &keys);
    for (row, text) in ["a", &"x".repeat(1_000), "b"].iter().enumerate() {
        let put = Change { action: Action::Put, state: vec![Value::text(text)], wake: None };
        write(&mut table, &mut Model::default(), &[row as u32], &[put]);
    }
    table.end_batch();
    let sizes: Vec<usize> = collect(table.snapshot(LIMITS)).iter().map(RecordBatch::num_rows).collect();
    assert_eq!(sizes, [1, 1, 1]);
    let rows: Vec<usize> = collect(table.snapshot(BlockLimits::default())).iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [3]);
}

#[test]
fn blocks_have_so_many_rows_and_bytes_unless_one_says_more() {
    let put = |text: &str, rows: usize| -> Vec<usize> {
        let mut table = KeyedTable::new(&"t: text".parse().unwrap(), 7);
        table.begin_batch();
        let keys: Vec<Vec<u8>> = (0..rows as u32).map(|key| key.to_be_bytes().to_vec()).collect();
        group(&mut table, &keys);
        let states = vec![vec![Value::text(text)]; rows];
        let buffer = buffer_of(&table.schema, &states);
        let numbers: Vec<u32> = (0..rows as u32).collect();
        table.write(&numbers, &vec![Action::Put; rows], &buffer.with_columns(&buffer.columns())).unwrap();
        table.end_batch();
        collect(table.snapshot(BlockLimits::default())).iter().map(RecordBatch::num_rows).collect()
    };
    assert_eq!(put("", 65_536), [65_536]);
    assert_eq!(put("", 65_537), [65_536, 1]);
    // A key and a text with their offsets, whether it is deleted, and when it is to be called: 21 bytes and the text's.
    let text = "x".repeat(4_096 - 21);
    assert_eq!(put(&text, 1_024), [1_024]);
    assert_eq!(put(&text, 1_025), [1_024, 1]);
}

#[test]
fn blocks_end_at_their_limits_to_the_byte() {
    let mut table = KeyedTable::new(&"n: integer".parse().unwrap(), 7);
    table.begin_batch();
    let keys: Vec<Vec<u8>> = (0u8..6).map(|key| vec![b'k', key, 0, 0]).collect();
    group(&mut table, &keys);
    for row in 0..6 {
        let put = Change { action: Action::Put, state: vec![Value::Integer(1)], wake: None };
        write(&mut table, &mut Model::default(), &[row], &[put]);
    }
    table.end_batch();
    // A key with its offset, whether it is deleted, when it is to be called, and a number: 4 + 4 + 1 + 8 + 8.
    for (rows_max, bytes_max, expect) in [
        (9, 0, &[1; 6][..]),
        (9, 49, &[1; 6]),
        (9, 50, &[2; 3]),
        (9, 74, &[2; 3]),
        (9, 75, &[3; 2]),
        (9, 149, &[5, 1]),
        (9, 150, &[6]),
        (4, 150, &[4, 2]),
        (5, 150, &[5, 1]),
        (6, 150, &[6]),
    ] {
        let blocks = collect(table.snapshot(BlockLimits { rows_max, bytes_max }));
        let rows: Vec<usize> = blocks.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, expect, "{rows_max} rows, {bytes_max} bytes");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// A batch that does not count leaves a table that goes on as one that never ran it.
    #[test]
    fn an_undone_batch_has_not_been((schema, batches) in histories(), undone in vec(any::<bool>(), 8)) {
        let (mut table, mut without) = (KeyedTable::new(&schema, 7), KeyedTable::new(&schema, 8));
        for table in [&mut table, &mut without] {
            table.note_changes(true);
            table.keep_undo(true);
        }
        for (batch, is_undone) in batches.iter().zip(undone) {
            run(&mut table, batch);
            if is_undone {
                table.undo();
            } else {
                run(&mut without, batch);
                prop_assert_eq!(collect(table.changes(LIMITS)), collect(without.changes(LIMITS)));
                table.end_batch();
                without.end_batch();
            }
            prop_assert_eq!(contents(&table), contents(&without));
            prop_assert_eq!(collect(table.snapshot(LIMITS)), collect(without.snapshot(LIMITS)));
        }
    }
}
