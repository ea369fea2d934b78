//! Numbered tables against panes in a map, over random histories.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use tidemill_model::{
    key::KeyBuffer,
    testing::{Value, buffer_of, cases, rows_of, schemas, values_of},
};

use super::*;
use crate::{evolve::plan_evolution, table::split};

/// Small ones, so that most panes have several blocks.
const LIMITS: BlockLimits = BlockLimits { rows_max: 3, bytes_max: 150 };

/// Rows with their keys.
type RowsOf = Vec<(String, Vec<Value>)>;

/// What a batch does: panes that come, and which of those that there are go.
#[derive(Clone, Debug)]
struct Batch {
    come: Vec<RowsOf>,
    go: Vec<prop::sample::Index>,
    is_undone: bool,
}

fn keys() -> Schema {
    "k: text".parse().unwrap()
}

fn histories() -> impl Strategy<Value = (Schema, Vec<Batch>)> {
    schemas(0..4).prop_flat_map(|schema| {
        let row = ("[a-h]", rows_of(&schema, 1..2).prop_map(|mut rows| rows.remove(0)));
        let batch = (vec(vec(row, 0..8), 0..3), vec(any::<prop::sample::Index>(), 0..3), any::<bool>());
        let batch = batch.prop_map(|(come, go, is_undone)| Batch { come, go, is_undone });
        (Just(schema), vec(batch, 1..8))
    })
}

fn pane(schema: &Schema, rows: &RowsOf) -> Pane {
    let keys = buffer_of(&keys(), &rows.iter().map(|(key, _)| vec![Value::text(key)]).collect::<Vec<_>>());
    let mut canonical = KeyBuffer::default();
    let key_columns = keys.columns();
    keys.with_columns(&key_columns).encode_keys(&[0], &mut canonical).unwrap();
    let states = buffer_of(schema, &rows.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>());
    let mut pane = Pane::new(schema);
    pane.extend(canonical.column(), &states.with_columns(&states.columns())).unwrap();
    pane
}

/// Rows with their keys' bytes.
type Contents = Vec<(Vec<u8>, Vec<Value>)>;

/// The rows of all panes, each with its key's bytes.
fn contents(schema: &Schema, table: &NumberedTable) -> BTreeMap<i64, Contents> {
    let of_pane = |(number, pane): (i64, &Pane)| {
        let (keys, columns) = pane.columns();
        let rows = values_of(&Rows { schema, len: pane.len(), columns: &columns });
        (number, rows.into_iter().enumerate().map(|(row, values)| (keys.slice(row).to_vec(), values)).collect())
    };
    table.panes().map(of_pane).collect()
}

fn collect(blocks: impl Iterator<Item = Result<RecordBatch, StateError>>) -> Vec<RecordBatch> {
    blocks.map(Result::unwrap).collect()
}

proptest! {
    #![proptest_config(cases(200))]

    /// Undone batches have not been; the changes of the others, and the whole table at any time, make another table the same.
    #[test]
    fn blocks_make_the_same_table((schema, batches) in histories(), partitions in 1..4u32) {
        let (mut table, mut copy) = (NumberedTable::new(&schema), NumberedTable::new(&schema));
        let mut parts: Vec<_> = (0..partitions).map(|_| NumberedTable::new(&schema)).collect();
        let mut next = 0;
        for Batch { come, go, is_undone } in batches {
            let before = contents(&schema, &table);
            let there: Vec<i64> = table.panes().map(|(number, _)| number).collect();
            for rows in &come {
                next += 1;
                table.put(next, pane(&schema, rows));
            }
            go.iter().filter(|_| !there.is_empty()).for_each(|index| table.remove(*index.get(&there)));
            if is_undone {
                table.undo();
                prop_assert_eq!(&contents(&schema, &table), &before);
                prop_assert_eq!(collect(table.changes(LIMITS)).len(), 0);
                continue;
            }
            for block in collect(table.changes(LIMITS)) {
                prop_assert!(block.num_rows() <= there.len().max(LIMITS.rows_max));
                for (part, block) in parts.iter_mut().zip(split(TableKind::Blocks, &schema, &block, partitions).unwrap()) {
                    part.apply(&keys(), &block).unwrap();
                }
                copy.apply(&keys(), &block).unwrap();
            }
            table.end_batch();
            prop_assert_eq!(contents(&schema, &copy), contents(&schema, &table));
            let mut whole = NumberedTable::new(&schema);
            collect(table.whole(LIMITS)).iter().for_each(|block| whole.apply(&keys(), block).unwrap());
            prop_assert_eq!(contents(&schema, &whole), contents(&schema, &table));
            prop_assert_eq!(table.len(), parts.iter().map(NumberedTable::len).sum::<usize>());
            let numbers = |table: &NumberedTable| table.panes().map(|(number, _)| number).collect::<Vec<_>>();
            prop_assert!(parts.iter().all(|part| numbers(part) == numbers(&table)));
        }
    }
}

fn one() -> (Schema, NumberedTable) {
    let schema: Schema = "n: integer".parse().unwrap();
    let mut table = NumberedTable::new(&schema);
    table.put(5, pane(&schema, &vec![("a".to_owned(), vec![Value::Integer(1)])]));
    (schema, table)
}

#[test]
fn what_is_no_change_is_refused_and_nothing_is_changed() {
    let (schema, table) = one();
    let blocks = collect(table.changes(LIMITS));
    assert_eq!([said(&blocks[0]), said(&blocks[1])], [Some(Change::Came), Some(Change::Has)]);
    let mut other = NumberedTable::new(&schema);
    // Whoever gets rows of a pane has it, also where another was told that it came.
    other.apply(&keys(), &blocks[1]).unwrap();
    assert_eq!(contents(&schema, &other), contents(&schema, &table));
    other = NumberedTable::new(&schema);
    other.apply(&keys(), &blocks[0]).unwrap();
    let wrong_key = other.apply(&"k: integer".parse().unwrap(), &blocks[1]);
    assert!(matches!(wrong_key, Err(ApplyError::Key { row: 0, .. })));
    assert_eq!((other.len(), other.is_empty()), (0, false));
    other.apply(&keys(), &blocks[1]).unwrap();
    assert_eq!(contents(&schema, &other), contents(&schema, &table));
    let of_text = NumberedTable::new(&"n: text".parse().unwrap()).apply(&keys(), &blocks[0]);
    assert!(matches!(of_text, Err(ApplyError::Schema { .. })));
}

#[test]
fn a_pane_that_came_and_went_in_a_batch_is_told_of_to_nobody() {
    let (_, mut table) = one();
    table.remove(5);
    assert_eq!((collect(table.changes(LIMITS)).len(), table.memory_bytes()), (0, 0));
    table.remove(5);
    assert!(table.is_empty());
}

#[test]
fn memory_follows_the_panes() {
    let (schema, mut table) = one();
    let before = table.memory_bytes();
    table.put(6, pane(&schema, &vec![("a".to_owned(), vec![Value::Integer(1)]); 1_000]));
    assert!(table.memory_bytes() > before + 8_000);
    table.end_batch();
    table.remove(6);
    table.end_batch();
    assert_eq!(table.memory_bytes(), before);
}

#[test]
fn rows_of_an_older_schema_become_those_of_the_newer() {
    let (old, table) = one();
    let new: Schema = "t: text?, n: integer".parse().unwrap();
    let evolution = plan_evolution(&old, &new).unwrap();
    let mut evolved = NumberedTable::new(&new);
    for block in collect(table.whole(LIMITS)) {
        evolved.apply(&keys(), &evolution.apply(TableKind::Blocks, &block).unwrap()).unwrap();
    }
    let (_, columns) = evolved.pane(5).unwrap().columns();
    assert_eq!(values_of(&Rows { schema: &new, len: 1, columns: &columns }), [[Value::Missing, Value::Integer(1)]]);
}

/// Blocks of rows of one size are as large as the limits let them be, and no larger; one row is in a block at any rate.
#[test]
fn a_block_has_as_many_rows_as_its_limits_let_it() {
    let schema: Schema = "n: integer".parse().unwrap();
    let mut table = NumberedTable::new(&schema);
    let rows = vec![("a".to_owned(), vec![Value::Integer(1)]); 10];
    let pane = pane(&schema, &rows);
    let row_bytes = pane.rows.bytes().div_ceil(10);
    table.put(5, pane);
    for (rows_max, bytes_max, expect) in [
        (100, 100 * row_bytes, vec![10]),
        (4, 100 * row_bytes, vec![4, 4, 2]),
        (100, 4 * row_bytes, vec![4, 4, 2]),
        (100, 5 * row_bytes - 1, vec![4, 4, 2]),
        (100, 5 * row_bytes, vec![5, 5]),
        (5, 9 * row_bytes, vec![5, 5]),
        (100, row_bytes - 1, vec![1; 10]),
        (1, 100 * row_bytes, vec![1; 10]),
    ] {
        let limits = BlockLimits { rows_max, bytes_max };
        for blocks in [collect(table.whole(limits)), collect(table.changes(limits))] {
            // Before the rows it is said that the pane is there.
            let lengths: Vec<usize> = blocks[1..].iter().map(RecordBatch::num_rows).collect();
            assert_eq!((blocks[0].num_rows(), lengths), (1, expect.clone()), "{rows_max} rows, {bytes_max} bytes");
        }
    }
}
