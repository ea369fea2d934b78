//! Walks the test kit through `tests/forms/cases.txt`: functions of every kind, option and form. A test of the host walks
//! real pipelines through the same file.

#[path = "forms/case.rs"]
mod case;
#[path = "../forms/src/lib.rs"]
mod functions;
#[path = "forms/run.rs"]
mod run;
#[path = "forms/value.rs"]
mod value;

use case::Case;
use functions::{maps, outputs, reduces, shared, updates, wholes};
use run::{Runs, map, reduce, update};

/// Every function, and how it is run.
const RUNS: &[(&str, Runs)] = &[
    ("map-row", map::<maps::map_row>),
    ("map-record", map::<maps::map_record>),
    ("map-optional", map::<maps::map_optional>),
    ("map-list", map::<maps::map_list>),
    ("map-iterator", map::<maps::map_iterator>),
    ("map-boxed", map::<maps::map_boxed>),
    ("map-result", map::<maps::map_result>),
    ("map-result-optional", map::<maps::map_result_optional>),
    ("map-result-list", map::<maps::map_result_list>),
    ("map-result-iterator", map::<maps::map_result_iterator>),
    ("map-bytes", map::<maps::map_bytes>),
    ("map-fields", map::<maps::map_fields>),
    ("map-context", map::<maps::map_context>),
    ("map-parameters", map::<maps::map_parameters>),
    ("map-flag", map::<maps::map_flag>),
    ("map-parsed", map::<maps::map_parsed>),
    ("map-shared", map::<shared::map_shared>),
    ("map-shared-hashed", map::<shared::map_shared_hashed>),
    ("map-shared-list", map::<shared::map_shared_list>),
    ("map-shared-set", map::<shared::map_shared_set>),
    ("map-shared-limit", map::<shared::map_shared_limit>),
    ("whole-shared", map::<shared::whole_shared>),
    ("update-shared", update::<shared::update_shared>),
    ("whole-row", map::<wholes::whole_row>),
    ("whole-record", map::<wholes::whole_record>),
    ("whole-optional", map::<wholes::whole_optional>),
    ("whole-list", map::<wholes::whole_list>),
    ("whole-iterator", map::<wholes::whole_iterator>),
    ("whole-boxed", map::<wholes::whole_boxed>),
    ("whole-result", map::<wholes::whole_result>),
    ("whole-result-optional", map::<wholes::whole_result_optional>),
    ("whole-result-list", map::<wholes::whole_result_list>),
    ("whole-result-iterator", map::<wholes::whole_result_iterator>),
    ("whole-context", map::<wholes::whole_context>),
    ("whole-parameters", map::<wholes::whole_parameters>),
    ("output-row", map::<outputs::output_row>),
    ("output-optional", map::<outputs::output_optional>),
    ("output-list", map::<outputs::output_list>),
    ("output-iterator", map::<outputs::output_iterator>),
    ("output-result", map::<outputs::output_result>),
    ("output-context", map::<outputs::output_context>),
    ("output-parameters", map::<outputs::output_parameters>),
    ("reduce-values", reduce::<reduces::reduce_values, String>),
    ("reduce-inverse", reduce::<reduces::reduce_inverse, i64>),
    ("reduce-zero", reduce::<reduces::reduce_zero, reduces::Mean>),
    ("reduce-create", reduce::<reduces::reduce_create, Vec<i64>>),
    ("reduce-in-place", reduce::<reduces::reduce_in_place, reduces::Slowest>),
    ("reduce-finish", reduce::<reduces::reduce_finish, f64>),
    ("reduce-context", reduce::<reduces::reduce_context, f64>),
    ("reduce-parameters", reduce::<reduces::reduce_parameters, f64>),
    ("reduce-version", reduce::<reduces::reduce_version, reduces::Mean>),
    ("update-state", update::<updates::update_state>),
    ("update-optional", update::<updates::update_optional>),
    ("update-result", update::<updates::update_result>),
    ("update-key", update::<updates::update_key>),
    ("update-parameters", update::<updates::update_parameters>),
    ("update-emit", update::<updates::update_emit>),
    ("update-wake", update::<updates::update_wake>),
    ("update-result-emit", update::<updates::update_result_emit>),
    ("update-version", update::<updates::update_version>),
];

#[test]
fn functions_do_in_the_test_kit_what_they_do_in_the_host() {
    let cases: Vec<Case> = include_str!("../forms/cases.txt").split("=== ").skip(1).map(Case::read).collect();
    for (function, _) in RUNS {
        assert!(cases.iter().any(|case| case.function == *function), "`{function}` has no case");
    }
    for case in &cases {
        let Some((_, run)) = RUNS.iter().find(|(function, _)| *function == case.function) else {
            unreachable!("`{}` is in the cases and not in the test kit's list", case.function)
        };
        for chunk_rows in [1, 2, 3, 100] {
            assert_eq!(run(case, &case.kit(chunk_rows)), case.expect, "{} in chunks of {chunk_rows}", case.title);
        }
    }
}
