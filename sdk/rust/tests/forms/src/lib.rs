//! A function of every kind, with every option and every form that it may return. What they make of which rows stands in
//! `cases.txt`, through which the test kit and the host are walked alike.

use tidemill_sdk::prelude::*;

pub(crate) mod maps;
pub(crate) mod outputs;
pub(crate) mod reduces;
pub(crate) mod shared;
pub(crate) mod updates;
pub(crate) mod wholes;

plugin!(
    maps::map_row,
    maps::map_record,
    maps::map_optional,
    maps::map_list,
    maps::map_iterator,
    maps::map_boxed,
    maps::map_result,
    maps::map_result_optional,
    maps::map_result_list,
    maps::map_result_iterator,
    maps::map_bytes,
    maps::map_fields,
    maps::map_context,
    maps::map_parameters,
    maps::map_flag,
    maps::map_parsed,
    shared::map_shared,
    shared::map_shared_hashed,
    shared::map_shared_list,
    shared::map_shared_set,
    shared::map_shared_limit,
    shared::whole_shared,
    shared::update_shared,
    wholes::whole_row,
    wholes::whole_record,
    wholes::whole_optional,
    wholes::whole_list,
    wholes::whole_iterator,
    wholes::whole_boxed,
    wholes::whole_result,
    wholes::whole_result_optional,
    wholes::whole_result_list,
    wholes::whole_result_iterator,
    wholes::whole_context,
    wholes::whole_parameters,
    outputs::output_row,
    outputs::output_optional,
    outputs::output_list,
    outputs::output_iterator,
    outputs::output_result,
    outputs::output_context,
    outputs::output_parameters,
    reduces::reduce_values,
    reduces::reduce_inverse,
    reduces::reduce_zero,
    reduces::reduce_create,
    reduces::reduce_in_place,
    reduces::reduce_finish,
    reduces::reduce_context,
    reduces::reduce_parameters,
    reduces::reduce_version,
    updates::update_state,
    updates::update_optional,
    updates::update_result,
    updates::update_key,
    updates::update_parameters,
    updates::update_emit,
    updates::update_wake,
    updates::update_result_emit,
    updates::update_version,
);
