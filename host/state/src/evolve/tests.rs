//! Schemas by table, and random ones against values that are converted one by one.

#![allow(clippy::unwrap_used, reason = "a test")]

use proptest::{collection::vec, prelude::*};
use tidemill_model::{
    columns::{Rows, columns_of, compact},
    schema::{Field, Kind, Schema, Type},
    table::TableKind,
    testing::{Value, blank_row, buffer_of, cases, schemas, tables, types, values_of},
};

use super::*;
use crate::{
    keyed::KeyedTable,
    table::{BlockLimits, block_schema},
};

/// What comes and what goes, or why it cannot be.
#[track_caller]
fn check(old: &str, new: &str, expect: &str) {
    let got = match plan_evolution(&old.parse().unwrap(), &new.parse().unwrap()) {
        Ok(evolution) => format!("+[{}] -[{}]", evolution.added().join(" "), evolution.removed().join(" ")),
        Err(error) => error.conflicts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    };
    assert_eq!(got, expect);
}

#[test]
fn fields_come_go_move_and_widen() {
    check("", "", "+[] -[]");
    check("a: integer", "a: integer", "+[] -[]");
    check("a: integer, b: text", "b: text, a: integer", "+[] -[]");
    check("a: integer", "a: integer?", "+[] -[]");
    check("", "a: integer, b: text?", "+[a b] -[]");
    check("a: integer, b: text?", "", "+[] -[a b]");
    check("old: integer", "new: integer", "+[new] -[old]");
    check("r: record<a: integer>", "r: record<b: text?, a: integer?>?", "+[r.b] -[]");
    check("l: list<record<a: integer, b: text>>", "l: list<record<a: integer>?>?", "+[] -[l[].b]");
    check("a: text", "a: bytes?", "+[] -[]");
    check("r: record<l: list<text?>>", "r: record<l: list<bytes?>>", "+[] -[]");
    check("l: list<list<integer>>", "l: list<list<integer?>>", "+[] -[]");
}

#[test]
fn what_loses_values_or_has_none_is_refused() {
    check("a: integer?", "a: integer", "field `a` was `integer?` and is `integer`, but it may be missing");
    check("a: integer", "a: float", "field `a` was `integer` and is `float`, but not every integer is a float");
    check("a: timestamp", "a: integer", "field `a` was `timestamp` and is `integer`, but that is another type");
    check("a: bytes", "a: text", "field `a` was `bytes` and is `text`, but that is another type");
    check("a: text", "a: list<text>", "field `a` was `text` and is `list<text>`, but that is another type");
    check(
        "l: list<integer?>",
        "l: list<integer>",
        "field `l[]` was `integer?` and is `integer`, but it may be missing",
    );
    check(
        "r: record<l: list<record<a: boolean>>>, b: text?",
        "r: record<l: list<record<a: text>>>, b: text",
        "field `r.l[].a` was `boolean` and is `text`, but that is another type; \
         field `b` was `text?` and is `text`, but it may be missing",
    );
    check("a: any", "a: any", "field `a` was `any` and is `any`, but a type that is not settled has no values");
}

#[test]
fn who_is_refused_sees_both_schemas() {
    let error = plan_evolution(&"a: text, b: float".parse().unwrap(), &"a: float".parse().unwrap()).unwrap_err();
    let expect = "state of `a: text, b: float` cannot become `a: float`: field `a` was `text` and is `float`, but that \
                  is another type; give a field its old type, or another name";
    assert_eq!(error.to_string(), expect);
}

#[test]
fn blocks_of_another_schema_are_refused() {
    let (old, new): (Schema, Schema) = ("a: text".parse().unwrap(), "a: text?".parse().unwrap());
    let block = block_of(&new, &[vec![Value::Missing]]);
    assert!(matches!(
        plan_evolution(&old, &new).unwrap().apply(TableKind::Keyed, &block),
        Err(ApplyError::Schema { .. })
    ));
}

/// Rows as a block, keys numbered from 0; every third is deleted, its state a blank.
fn block_of(schema: &Schema, states: &[Vec<Value>]) -> RecordBatch {
    let row = |(number, state): (usize, &Vec<Value>)| {
        let deleted = number % 3 == 2;
        let wake = if deleted || number % 2 == 0 { Value::Missing } else { Value::Integer(number as i64) };
        let state = if deleted { blank_row(schema) } else { state.clone() };
        let state = (!schema.is_empty()).then_some(Value::Record(state));
        let fixed = [Value::Bytes(vec![number as u8]), Value::Boolean(deleted), wake];
        fixed.into_iter().chain(state).collect()
    };
    let rows: Vec<Vec<Value>> = states.iter().enumerate().map(row).collect();
    let schema = block_schema(TableKind::Keyed, schema);
    buffer_of(&schema, &rows).to_batch(&schema.to_arrow()).unwrap()
}

fn rows_in(state: &Schema, block: &RecordBatch) -> Vec<Vec<Value>> {
    let (schema, block) = (block_schema(TableKind::Keyed, state), compact(block));
    values_of(&Rows { schema: &schema, len: block.num_rows(), columns: &columns_of(&block) })
}

/// A value by the rules, for types that fit; `None` for a field that is new.
fn expected(old: Option<(&Type, &Value)>, new: &Type) -> Value {
    match (old, &new.kind) {
        (None, _) => Value::blank(new),
        (Some((Type { kind: Kind::List(old), .. }, Value::List(items))), Kind::List(new)) => {
            Value::List(items.iter().map(|item| expected(Some((old, item)), new)).collect())
        }
        (Some((Type { kind: Kind::Record(old), .. }, Value::Record(fields))), Kind::Record(new)) => {
            Value::Record(expected_row(old, new, fields))
        }
        (Some((_, Value::Text(text))), Kind::Bytes) => Value::Bytes(text.clone().into_bytes()),
        (Some((_, value)), _) => value.clone(),
    }
}

fn expected_row(old: &Schema, new: &Schema, row: &[Value]) -> Vec<Value> {
    let of = |field: &Field| old.index_of(&field.name).map(|at| (&old.fields()[at].ty, &row[at]));
    new.fields().iter().map(|field| expected(of(field), &field.ty)).collect()
}

fn fits(old: &Type, new: &Type) -> bool {
    let kinds = match (&old.kind, &new.kind) {
        (Kind::List(old), Kind::List(new)) => fits(old, new),
        (Kind::Record(old), Kind::Record(new)) => all_fit(old, new),
        (Kind::Text, Kind::Bytes) => true,
        (old, new) => old == new,
    };
    kinds && (new.optional || !old.optional)
}

fn all_fit(old: &Schema, new: &Schema) -> bool {
    new.fields().iter().all(|field| old.index_of(&field.name).is_none_or(|at| fits(&old.fields()[at].ty, &field.ty)))
}

/// A schema that `old` can become: what is done to each field is drawn from `choices`.
fn edited(old: &Schema, choices: &mut impl Iterator<Item = (u8, Type)>, keep_one: bool) -> Schema {
    let mut fields = Vec::new();
    for (at, field) in old.fields().iter().enumerate() {
        let Some((choice, ty)) = choices.next() else { break };
        if choice & 1 == 1 {
            fields.push(Field::new(format!("new{at}"), ty));
        }
        if choice & 6 != 6 || (keep_one && fields.is_empty()) {
            fields.push(Field::new(&field.name, edited_type(&field.ty, choices, choice & 8 == 8)));
        }
        if choice & 16 == 16 {
            fields.reverse();
        }
    }
    if keep_one && fields.is_empty() { old.clone() } else { Schema::try_new(fields).unwrap() }
}

fn edited_type(old: &Type, choices: &mut impl Iterator<Item = (u8, Type)>, widens: bool) -> Type {
    let kind = match &old.kind {
        Kind::List(item) => Kind::List(Box::new(edited_type(item, choices, widens))),
        Kind::Record(schema) => Kind::Record(edited(schema, choices, true)),
        Kind::Text if widens => Kind::Bytes,
        kind => kind.clone(),
    };
    Type { kind, optional: old.optional || widens }
}

fn evolutions() -> impl Strategy<Value = (Schema, Schema, Vec<Vec<Value>>)> {
    let choices = vec((any::<u8>(), types()), 12);
    (tables(0..4, 0..8), choices).prop_map(|((old, rows), choices)| {
        let new = edited(&old, &mut choices.into_iter(), false);
        (old, new, rows)
    })
}

/// The block after the evolution has the values that it should have, and is a block of the new schema.
fn check_values(old: &Schema, new: &Schema, rows: &[Vec<Value>]) {
    let evolution = plan_evolution(old, new).unwrap();
    let block = block_of(old, rows);
    // A part of a larger block too: its arrays do not begin where their buffers do.
    for block in [block.clone(), block.slice(rows.len() / 2, rows.len() - rows.len() / 2)] {
        let expect: Vec<Vec<Value>> = rows_in(old, &block)
            .into_iter()
            .map(|mut row| {
                let state = match row.split_off(3).pop() {
                    Some(Value::Record(state)) => state,
                    _ => Vec::new(),
                };
                let state = (!new.is_empty()).then(|| Value::Record(expected_row(old, new, &state)));
                row.into_iter().chain(state).collect()
            })
            .collect();
        let evolved = evolution.apply(TableKind::Keyed, &block).unwrap();
        assert_eq!(rows_in(new, &evolved), expect);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn values_are_taken_over((old, new, rows) in evolutions()) {
        check_values(&old, &new, &rows);
    }

    #[test]
    fn schemas_become_others_or_are_refused((old, rows) in tables(0..4, 0..4), new in schemas(0..4)) {
        prop_assert_eq!(plan_evolution(&old, &new).is_ok(), all_fit(&old, &new));
        if all_fit(&old, &new) {
            check_values(&old, &new, &rows);
        }
    }

    #[test]
    fn nothing_is_done_where_nothing_changed((schema, rows) in tables(0..4, 0..4)) {
        let evolution = plan_evolution(&schema, &schema).unwrap();
        let block = block_of(&schema, &rows);
        prop_assert!(evolution.is_same());
        prop_assert_eq!(evolution.apply(TableKind::Keyed, &block).unwrap(), block);
    }

    /// What a table of the new schema stores is what the blocks said, whatever lies under missing values.
    #[test]
    fn tables_take_evolved_blocks((old, new, rows) in evolutions()) {
        let keys = "k: bytes".parse().unwrap();
        // Blocks of live keys alone: nothing was there that could be deleted.
        let live: Vec<Vec<Value>> = rows.into_iter().take(2).collect();
        let block = plan_evolution(&old, &new).unwrap().apply(TableKind::Keyed, &block_of(&old, &live)).unwrap();
        let mut table = KeyedTable::new(&new, 7);
        table.apply(&keys, &block).unwrap();
        let stored: Vec<_> = table.snapshot(BlockLimits::default()).map(Result::unwrap).collect();
        let stored: Vec<Vec<Value>> = stored.iter().flat_map(|block| rows_in(&new, block)).collect();
        prop_assert_eq!(stored, rows_in(&new, &block));
    }
}
