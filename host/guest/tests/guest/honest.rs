//! Functions that do what they say.

use tidemill_guest::{Changes, Origins, UpdateCall};
use tidemill_model::function::Phase;

use crate::support::{Data, chunk, only, open, plugin, texts};

#[test]
fn a_map_sees_rows_and_its_answer_is_seen_in_place() {
    let mut split = open(&plugin(), "length").unwrap();
    let mut seen = Vec::new();
    let data = Data::lines(&["to be", "", "où"]);
    data.with(|rows| {
        split.map_rows(&only(), &rows, &mut |mapped| {
            assert_eq!(mapped.origins, Origins::Same);
            seen = texts(&mapped.rows, 0).into_iter().zip(mapped.rows.columns[1].integers().to_vec()).collect();
        })
    })
    .unwrap();
    assert_eq!(seen, [("to be".to_owned(), 5), (String::new(), 0), ("où".to_owned(), 3)]);
}

#[test]
fn origins_and_rejections_name_input_rows() {
    let mut odd = open(&plugin(), "odd-rows").unwrap();
    let data = Data::lines(&["a", "b", "c", "d"]);
    let mut seen = String::new();
    data.with(|rows| {
        odd.map_rows(&only(), &rows, &mut |mapped| {
            seen = format!("{:?} {:?} {:?}", texts(&mapped.rows, 0), mapped.origins, mapped.rejected);
        })
    })
    .unwrap();
    assert_eq!(
        seen,
        "[\"b\", \"d\"] Rows([1, 3]) [Rejection { row: 0, reason: \"row 0 is even\" }, \
         Rejection { row: 2, reason: \"row 2 is even\" }]"
    );
}

#[test]
fn reasons_are_cut_and_made_text() {
    let mut odd = open(&plugin(), "odd-reasons").unwrap();
    let mut seen = Vec::new();
    let data = Data::lines(&["a", "b", "c"]);
    data.with(|rows| odd.map_rows(&only(), &rows, &mut |mapped| seen = mapped.rejected.iter().collect())).unwrap();
    // The first byte is an escape of two, so 511 characters of two bytes come behind it.
    let expect = [format!("\\n{}", "é".repeat(511)), "a\u{fffd}b".to_owned()];
    assert_eq!(seen.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(seen.into_iter().map(|rejection| rejection.reason).collect::<Vec<_>>(), expect);
}

#[test]
fn an_output_function_makes_rows_for_a_sink() {
    let mut lines = open(&plugin(), "lines").unwrap();
    let mut seen = Vec::new();
    Data::lines(&["x"]).with(|rows| lines.output_rows(&only(), &rows, &mut |out| seen = texts(&out.rows, 0))).unwrap();
    assert_eq!(seen, ["x"]);
}

#[test]
fn buffers_that_are_not_aligned_are_read_all_the_same() {
    let mut misaligned = open(&plugin(), "misaligned").unwrap();
    for _ in 0..3 {
        let mut seen = None;
        Data::lines(&["ab", "c"])
            .with(|rows| {
                misaligned.map_rows(&only(), &rows, &mut |mapped| {
                    assert_eq!(mapped.origins, Origins::Rows(&[0, 1]));
                    seen = Some(texts(&mapped.rows, 0));
                })
            })
            .unwrap();
        assert_eq!(seen.unwrap(), ["ab", "c"]);
    }
}

#[test]
fn a_consumer_may_call_another_instance() {
    let (mut outer, mut inner) = (open(&plugin(), "identity").unwrap(), open(&plugin(), "length").unwrap());
    let mut lengths = Vec::new();
    for _ in 0..2 {
        Data::lines(&["abc", "d"])
            .with(|rows| {
                outer.map_rows(&only(), &rows, &mut |mapped| {
                    let mut consume = |mapped: tidemill_guest::Mapped<'_>| {
                        lengths.extend_from_slice(mapped.rows.columns[1].integers());
                    };
                    inner.map_rows(&only(), &mapped.rows, &mut consume).unwrap();
                    inner.map_rows(&only(), &mapped.rows, &mut consume).unwrap();
                })
            })
            .unwrap();
    }
    assert_eq!(lengths, [3, 1, 3, 1, 3, 1, 3, 1]);
}

#[test]
fn a_reduce_streams_its_chunks_and_returns_a_row_a_group() {
    let mut sum = open(&plugin(), "sum").unwrap();
    for _ in 0..2 {
        let mut states = Vec::new();
        let chunks: [(&[i64], &[u32], usize); 3] = [(&[1, 2, 3], &[0, 1, 0], 2), (&[10], &[2], 3), (&[], &[], 3)];
        for (number, (values, groups, count)) in chunks.into_iter().enumerate() {
            let context = chunk(u32::try_from(number).unwrap(), number == 2);
            Data::integers("value", values)
                .with(|rows| {
                    sum.reduce_groups(&context, Phase::Combine, &rows, groups, count, &mut |rows| {
                        assert!(context.last);
                        states = rows.columns[0].integers().to_vec();
                    })
                })
                .unwrap();
        }
        assert_eq!(states, [4, 2, 10]);
    }
    let mut rest = Vec::new();
    Data::integers("total", &[9, 4])
        .with(|rows| {
            sum.reduce_groups(&only(), Phase::Subtract, &rows, &[0, 0], 1, &mut |rows| {
                rest = rows.columns[0].integers().to_vec();
            })
        })
        .unwrap();
    assert_eq!(rest.len(), 1);
}

#[test]
fn an_update_changes_states_and_emits() {
    let mut total = open(&plugin(), "total-emitted").unwrap();
    let (keys, values) = (Data::integers("key", &[7, 8]), Data::integers("value", &[1, 2, 3]));
    let states = Data::integers("total", &[100, 0]);
    let mut seen = String::new();
    let mut look = |changes: Changes<'_>| {
        seen = format!(
            "{:?} {:?} {:?} {:?}",
            changes.actions,
            changes.states.columns[0].integers(),
            changes.emitted.columns[0].integers(),
            changes.emitted_groups
        );
    };
    keys.with(|keys| {
        values.with(|rows| {
            states.with(|states| {
                let call = UpdateCall { keys, rows, ends: &[2, 3], states, present: &[1, 0], causes: &[1, 1] };
                total.update_states(&only(), &call, &mut look)
            })
        })
    })
    .unwrap();
    assert_eq!(seen, "[1, 1] [103, 3] [103, 3] None");
}

#[test]
fn a_migration_gets_old_states_and_returns_new_ones() {
    let mut sums = open(&plugin(), "sum-migrated").unwrap();
    let mut seen = Vec::new();
    for chunk in [&[5, 6][..], &[7]] {
        Data::integers("total", chunk)
            .with(|states| {
                sums.migrate_states(1, &states, &mut |rows| {
                    assert_eq!(rows.schema.to_string(), "sum: integer, was: text");
                    seen.extend(rows.columns[0].integers().iter().copied().zip(texts(&rows, 1)));
                })
            })
            .unwrap();
    }
    assert_eq!(seen, [(5, "1".to_owned()), (6, "1".to_owned()), (7, "1".to_owned())]);
}

#[test]
fn counters_are_taken_once() {
    let mut counts = open(&plugin(), "counts").unwrap();
    let data = Data::lines(&["a", "b"]);
    for _ in 0..3 {
        data.with(|rows| counts.map_rows(&only(), &rows, &mut |_| {})).unwrap();
    }
    assert_eq!(counts.take_counters(), [("calls".to_owned(), 3), ("rows".to_owned(), 6)]);
    assert_eq!(counts.take_counters(), []);
    data.with(|rows| counts.map_rows(&only(), &rows, &mut |_| {})).unwrap();
    assert_eq!(counts.take_counters(), [("calls".to_owned(), 1), ("rows".to_owned(), 2)]);
}

#[test]
fn an_open_type_is_settled_by_the_binding() {
    let plugin = plugin();
    let mut binding = crate::support::binding(&plugin, "anything");
    binding.input = "value: list<text>?".parse().unwrap();
    let instance = plugin.open(&binding).unwrap();
    assert_eq!(instance.signature().output.to_string(), "value: list<text>?");
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let answer = || {
        let mut bytes = Vec::new();
        let mut odd = open(&plugin(), "odd-rows").unwrap();
        Data::lines(&["x", "y", "z", "ü"])
            .with(|rows| odd.map_rows(&only(), &rows, &mut |mapped| bytes = format!("{mapped:?}").into_bytes()))
            .unwrap();
        bytes
    };
    assert_eq!(answer(), answer());
}
