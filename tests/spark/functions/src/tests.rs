use serde_json::json;

use super::{
    named::{each, failed, holds, of_partition, two_values},
    states::{mapped, timed_out},
};

#[test]
fn names_stand_for_what_they_say() {
    let made = |function: &str, value| each(function, value).unwrap_or_default();
    assert_eq!(made("x_and_2x", json!(3)), [3, 6]);
    assert_eq!(made("plus_8", json!(3)), [11]);
    assert_eq!(made("to_string", json!(-3)), ["-3"]);
    assert_eq!(made("split_space", json!("a  b")), ["a", "", "b"]);
    assert_eq!(made("len_and_chars", json!("hé")), [json!([2, "h"]), json!([2, "é"])]);
    assert_eq!(made("value_and_key_chars", json!(["hi", 1])), [json!([1, "h"]), json!([1, "i"])]);
    assert_eq!(made("swap", json!(["a", [1]])), [json!([[1], "a"])]);
    assert_eq!(made("v1_v2", json!("a")), ["a1", "a2"]);
    assert_eq!(each("fail_if_1", json!(1)), failed("This is a special error"));
    assert_eq!(each("fail_if_1", json!("1")), Ok(vec![json!("1")]));
    assert_eq!(each("nothing", json!(1)), failed("there is no function `nothing`"));
}

#[test]
fn values_are_tested_and_put_together() {
    assert_eq!(holds("value_positive", &json!(["a", 0])), Ok(false));
    assert_eq!(holds("key_contains_a", &json!(["ab", 0])), Ok(true));
    assert_eq!(holds("is_even", &json!(-3)), Ok(false));
    assert_eq!(two_values("add", &json!([1]), &json!([2])), Ok(json!([1, 2])));
    assert_eq!(two_values("concat_string", &json!("1"), &json!(2)), Ok(json!("12")));
    assert_eq!(two_values("sub", &json!(i64::MIN), &json!(1)), failed("-9223372036854775808 - 1 is too large"));
}

#[test]
fn a_partition_may_be_empty() {
    assert_eq!(of_partition("sum", vec![]), Ok(vec![json!(0)]));
    assert_eq!(of_partition("glom", vec![]), Ok(vec![json!([])]));
    assert_eq!(of_partition("concat_upper", vec![json!("a"), json!("b")]), Ok(vec![json!("AB")]));
    assert_eq!(of_partition("swap_each", vec![json!([1, 2])]), Ok(vec![json!([2, 1])]));
}

#[test]
fn a_state_is_kept_removed_and_comes_again() {
    let mut state = Some(json!(345));
    assert_eq!(mapped("remove_if_exists_emit_key", &json!("k"), &json!(1), &mut state), Ok(Some(json!("k"))));
    assert_eq!(state, None);
    assert_eq!(mapped("emit_running_count", &json!("k"), &json!(0), &mut state), Ok(Some(json!(0))));
    assert_eq!(mapped("emit_key_and_running_count", &json!("k"), &json!(1), &mut state), Ok(Some(json!(["k", 1]))));
    assert_eq!(state, Some(json!(1)));
    assert_eq!(timed_out("emit_key_on_timeout", &json!("k"), state.as_ref()), Ok(Some(json!("k"))));
}
