//! The test kit finds the reduces that depend on how the host cuts and orders rows, and only those.

#[path = "orders/dependent.rs"]
mod dependent;
#[path = "orders/independent.rs"]
mod independent;

use proptest::prelude::*;
use tidemill_sdk::{
    __private::{Batch, Binding, Failure, Operator, Signature, Write},
    bindings::exports::tidemill::plugin::operators::{CallContext, Phase},
    prelude::*,
    testing::{Function, Kit, ReduceFunction},
};

#[derive(Clone, Debug, Default, PartialEq, Record)]
pub struct Inner {
    share: f64,
    words: Vec<Option<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Record)]
pub struct Everything {
    flag: bool,
    number: i64,
    #[record(name = "seen-at")]
    at: Timestamp,
    bytes: Vec<u8>,
    maybe: Option<f64>,
    inner: Inner,
    maybe_inner: Option<Inner>,
    lists: Vec<Vec<Inner>>,
    text: String,
}

/// Why the kit fails these rows of a key.
fn reason<'a, F: ReduceFunction>(rows: impl IntoIterator<Item = F::Input<'a>>) -> Option<String> {
    let rows = rows.into_iter().map(|row| ("key", row));
    Kit::new().reduce::<F, _>(rows).err().map(|failed| failed.reason)
}

const CUT: &str = "The accumulator of some rows";
const ORDER: &str = "use `update_state`";

#[test]
fn reduces_that_depend_on_order_or_cut_are_found() {
    use dependent::*;
    let numbers = [3, 5, 9, 4];
    let floats = [1.0, 2.0, 4.0];
    for (name, advice, reason) in [
        ("first", ORDER, reason::<first>(numbers)),
        ("last", ORDER, reason::<last>(numbers)),
        ("concatenation", ORDER, reason::<concatenation>(["a", "b"])),
        ("bytes", ORDER, reason::<bytes>([&b"a"[..], b"b"])),
        ("subtraction", CUT, reason::<subtraction>(numbers)),
        ("mean-of-means", CUT, reason::<mean_of_means>(floats)),
        ("collect", ORDER, reason::<collect>(numbers)),
        ("longest", ORDER, reason::<longest>(["aa", "b", "bb"].map(String::from))),
        ("distance", ORDER, reason::<distance>(numbers)),
        ("merge-drops", CUT, reason::<merge_drops>([1, 2])),
        ("merge-takes-the-other", CUT, reason::<merge_takes_the_other>([2, 1])),
        ("merge-is-another", CUT, reason::<merge_is_another>(numbers)),
        ("merge-wants-order", ORDER, reason::<merge_wants_order>([1, 2])),
        ("merge-takes-this-for-one", CUT, reason::<merge_takes_this_for_one>([1, 1, 1])),
        ("merge-takes-the-other-for-one", CUT, reason::<merge_takes_the_other_for_one>([1, 1, 1])),
        ("create-forgets", CUT, reason::<create_forgets>([1, 1])),
        ("zero-counts", CUT, reason::<zero_counts>([1, 1])),
        ("missing-wins", ORDER, reason::<missing_wins>([0, 1])),
    ] {
        let reason = reason.expect(name);
        assert!(reason.starts_with(&format!("`{name}` depends on how its rows are cut or ordered: ")), "{reason}");
        assert!(reason.contains(advice), "{name}: {reason}");
        assert!(reason.contains("must be associative and commutative"), "{reason}");
    }
}

#[test]
fn reduces_that_do_not_depend_on_order_pass() {
    use independent::*;
    let zeros = Everything::default();
    let nan = Inner { share: f64::NAN, words: vec![None, Some("a".to_owned())] };
    let full = Everything {
        maybe: Some(f64::INFINITY),
        inner: nan.clone(),
        maybe_inner: Some(nan.clone()),
        lists: vec![vec![], vec![nan.clone(), nan]],
        ..zeros.clone()
    };
    for (name, reason) in [
        ("sum", reason::<sum>([i64::MAX, 7, i64::MAX, -3])),
        ("max", reason::<max>([3, 9, 9, 1].map(Timestamp))),
        ("min", reason::<min>([Some(4), None, Some(2)])),
        ("all", reason::<all>([true, false, true])),
        ("rounding", reason::<float_sum>([0.1, 0.2, 0.3, 0.7, 1e5])),
        ("cancelling", reason::<float_sum>([0.1, 0.7, 1e5, -0.3, -1e5, -0.5])),
        ("no numbers", reason::<float_sum>([1.0, f64::NAN, 2.0])),
        ("no end", reason::<float_sum>([f64::INFINITY, 1.0, 2.0])),
        ("signs of zero", reason::<float_sum>([-0.0, 0.0, -0.0])),
        ("set", reason::<set>(["b", "a", "c", "a"])),
        ("mean", reason::<mean>([0.1, 0.2, 0.7, 1.0])),
        ("variance", reason::<variance>((0..40).map(|number| 1e7 + f64::from(number * number) / 7.0))),
        ("count", reason::<count>([4, 2, 3])),
        ("equal rows", reason::<same_of_all>(vec![full; 5])),
        ("equal zeros", reason::<same_of_all>(vec![zeros; 5])),
        ("no rows", reason::<sum>([])),
        ("one row", reason::<dependent::last>([1])),
    ] {
        assert_eq!(reason, None, "{name}");
    }
}

/// Rows in which one thing differs, of each type and as deep as it can lie.
#[test]
fn a_difference_is_seen_in_every_type() {
    let inner = Inner { share: 1.0, words: vec![Some("a".to_owned()), None] };
    let row = Everything {
        maybe: Some(1.0),
        inner: inner.clone(),
        maybe_inner: Some(inner.clone()),
        lists: vec![vec![inner.clone()], vec![], vec![inner.clone(), inner]],
        bytes: vec![1, 2],
        ..Everything::default()
    };
    type Change = fn(&mut Everything);
    let changes: [(&str, Change); 15] = [
        ("boolean", |row| row.flag = true),
        ("integer", |row| row.number = 1),
        ("timestamp", |row| row.at = Timestamp(1)),
        ("text", |row| row.text.push('b')),
        ("bytes", |row| row.bytes[1] = 3),
        ("missing", |row| row.maybe = None),
        ("optional", |row| row.maybe = Some(2.0)),
        ("record", |row| row.inner.share = 1.001),
        ("list", |row| row.inner.words[1] = Some(String::new())),
        ("missing record", |row| row.maybe_inner = None),
        ("optional record", |row| row.maybe_inner.as_mut().unwrap().share = f64::NAN),
        ("list of lists", |row| row.lists[2][1].share = f64::NEG_INFINITY),
        ("longer list", |row| row.lists.push(Vec::new())),
        ("cut list", |row| row.lists.swap(0, 1)),
        ("deep text", |row| row.lists[2][0].words[0] = Some("b".to_owned())),
    ];
    for (name, change) in changes {
        let mut other = row.clone();
        change(&mut other);
        for rows in [[row.clone(), other.clone()], [other, row.clone()]] {
            assert!(reason::<dependent::last_of_all>(rows).is_some(), "{name}");
        }
    }
}

/// Rounding is a billionth, also beside larger floats: what is more is a difference.
#[test]
fn floats_differ_by_no_more_than_rounding() {
    use dependent::{Reading, last_float, last_value};
    let readings = |seconds, values: [f64; 2]| values.map(|value| Reading { seconds, value });
    for (name, is_found, reason) in [
        ("rounding", false, reason::<last_float>([1.0, 1.0 + 1e-10])),
        ("difference", true, reason::<last_float>([1.0, 1.0 + 1e-8])),
        ("small numbers", true, reason::<last_float>([1e-300, 2e-300])),
        ("signs", true, reason::<last_float>([1.0, -1.0])),
        ("infinities", true, reason::<last_float>([f64::INFINITY, f64::NEG_INFINITY])),
        ("infinity", true, reason::<last_float>([f64::MAX, f64::INFINITY])),
        ("no number", true, reason::<last_float>([0.0, f64::NAN])),
        ("larger ones beside it", true, reason::<last_value>(readings(1.7e9, [1.0, 1.01]))),
        ("an infinite one beside it", true, reason::<last_value>(readings(f64::INFINITY, [1.0, 2.0]))),
        ("the largest ones beside it", true, reason::<last_value>(readings(f64::MAX, [1.0, 1e300]))),
    ] {
        assert_eq!(reason.is_some(), is_found, "{name}: {reason:?}");
    }
}

/// Wherever a key's rows lie among others', and however they are cut into chunks.
#[test]
fn what_depends_on_order_is_found_wherever_its_rows_are() {
    fn places<'a, F: ReduceFunction>(
        name: &str,
        advice: &str,
        rows: impl Fn() -> Vec<F::Input<'a>>,
        other: impl Fn() -> F::Input<'a>,
    ) {
        for (before, between, behind) in [(0, 0, 9), (9, 0, 0), (5, 0, 5), (0, 4, 0), (2, 1, 6), (7, 3, 1)] {
            for chunk_rows in [1, 2, 3, 100] {
                let mut keys = 1..;
                let mut input: Vec<(usize, F::Input<'a>)> =
                    keys.by_ref().take(before).map(|key| (key, other())).collect();
                for row in rows() {
                    input.push((0, row));
                    input.extend(keys.by_ref().take(between).map(|key| (key, other())));
                }
                input.extend(keys.by_ref().take(behind).map(|key| (key, other())));
                let failed = Kit::new().chunk_rows(chunk_rows).reduce::<F, _>(input).err();
                let reason = failed.map_or("nothing was found".to_owned(), |failed| failed.reason);
                let key = format!("the key of row {before}, counted from 0");
                let is_told = reason.contains(&key) && reason.contains(advice);
                assert!(is_told, "{name} {before} {between} {behind} {chunk_rows}: {reason}");
            }
        }
    }
    use dependent::*;
    places::<first>("first", ORDER, || vec![1, 2], || 7);
    places::<last>("last", ORDER, || vec![1, 2], || 7);
    places::<concatenation>("concatenation", ORDER, || vec!["a", "b"], || "c");
    places::<subtraction>("subtraction", CUT, || vec![1, 2, 4], || 7);
    places::<mean_of_means>("mean of means", CUT, || vec![1.0, 2.0, 4.0], || 7.0);
    places::<distance>("distance", ORDER, || vec![1, 2, 4], || 7);
    places::<merge_drops>("merge drops", CUT, || vec![1, 2], || 7);
    places::<merge_takes_the_other>("merge takes the other", CUT, || vec![2, 1], || 7);
    places::<merge_wants_order>("merge wants order", ORDER, || vec![1, 2], || 7);
    places::<merge_takes_this_for_one>("merge takes this for one", CUT, || vec![1, 2, 3], || 7);
    places::<merge_takes_the_other_for_one>("merge takes the other for one", CUT, || vec![1, 2, 3], || 7);
    places::<create_forgets>("create forgets", CUT, || vec![1, 2], || 7);
    places::<zero_counts>("zero counts", CUT, || vec![1, 2], || 7);
}

#[test]
fn a_reason_says_what_the_rows_came_to() {
    let reason = |rows: &[(&'static str, i64)]| {
        Kit::new().reduce::<dependent::last, _>(rows.iter().copied()).unwrap_err().reason
    };
    let expect = "`last` depends on how its rows are cut or ordered: the key of row 1, counted from 0, comes to 3, and to 2 \
                  with its rows in the opposite order. ";
    let found = reason(&[("a", 1), ("b", 2), ("b", 3)]);
    assert!(found.starts_with(expect), "{found}");
    let long = dependent_text(&"é".repeat(1_000));
    assert!(long.contains("é...") && long.len() < 1_000, "{long}");
}

fn dependent_text(text: &str) -> String {
    reason::<dependent::concatenation>([text, "a"]).unwrap()
}

#[reduce]
fn loud(context: &Context, a: i64, b: i64) -> i64 {
    context.count("added", 1);
    info!("{a} and {b}");
    a + b
}

#[map]
fn counted(context: &Context, number: i64) -> i64 {
    context.count("mapped", 1);
    number
}

/// Rows are asked for while a map's notes are taken: so what a reduce notes meanwhile can be seen.
#[test]
fn other_orders_are_not_noted() {
    let rows = [1, 2].into_iter().inspect(|row| {
        warn!("before {row}");
        Kit::new().reduce::<loud, _>([("a", 1), ("b", 1), ("a", 2), ("a", 4)]).unwrap();
        Kit::new().reduce::<dependent::last, _>([("a", 1), ("a", 2)]).unwrap_err();
        warn!("behind {row}");
    });
    let out = Kit::new().map::<counted>(rows).unwrap();
    let lines: Vec<_> = out.noted().lines.iter().map(|(_, line)| line.as_str()).collect();
    let once = ["2 and 4", "1 and 6"];
    let expect = [&["before 1"][..], &once, &["behind 1", "before 2"], &once, &["behind 2"]].concat();
    assert_eq!(lines, expect);
    let counters: Vec<_> = out.noted().counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counters, [("added", 4), ("mapped", 2)]);
}

/// A sum that takes its rows only as they came. The attribute makes none that fails; so it is made by hand.
struct Fickle;

struct FickleOperator(Box<dyn Operator>);

impl Function for Fickle {
    fn signature() -> Signature {
        Signature { name: "fickle".to_owned(), ..independent::sum::signature() }
    }

    fn open(binding: &Binding) -> Result<Box<dyn Operator>, String> {
        Ok(Box::new(FickleOperator(independent::sum::open(binding)?)))
    }
}

impl Operator for FickleOperator {
    fn reduce_groups(
        &mut self,
        call: CallContext,
        phase: Phase,
        rows: Batch,
        groups: Vec<u8>,
        count: u32,
    ) -> Result<Batch, Failure> {
        if rows.rows > 1 && rows.columns[0].values.starts_with(&9_i64.to_le_bytes()) {
            return Err(Failure { reason: "nine came first".to_owned(), retryable: false });
        }
        self.0.reduce_groups(call, phase, rows, groups, count)
    }
}

impl ReduceFunction for Fickle {
    type Parameters = tidemill_sdk::AnyParameters;
    type Input<'a> = i64;
    type State = i64;

    fn create(_context: &Context, row: i64) -> i64 {
        row
    }

    fn add(_context: &Context, state: &mut i64, row: i64) {
        *state += row;
    }

    fn merge(_context: &Context, state: &mut i64, other: i64) {
        *state += other;
    }

    fn subtract(state: i64, part: i64) -> Result<i64, String> {
        Ok(state - part)
    }

    fn finish(state: i64) -> impl Write {
        state
    }
}

#[test]
fn a_call_that_fails_in_another_order_is_a_difference() {
    assert_eq!(reason::<Fickle>([1, 2, 3]), None);
    assert_eq!(reason::<Fickle>([9, 1, 1, 1]).as_deref(), Some("nine came first"));
    let expect = "`fickle` fails with its rows in the opposite order, and not as they came: nine came first";
    assert_eq!(reason::<Fickle>([1, 1, 9]).as_deref(), Some(expect));
}

proptest! {
    #![proptest_config(crate::cases::cases(128))]

    #[test]
    fn rounding_is_no_difference(
        rows in prop::collection::vec((0_u8..3, -1e6..1e6), 0..60),
        chunk_rows in 1_usize..9,
    ) {
        let kit = Kit::new().chunk_rows(chunk_rows);
        prop_assert!(kit.reduce::<independent::float_sum, _>(rows.clone()).is_ok());
        prop_assert!(kit.reduce::<independent::mean, _>(rows.clone()).is_ok());
        prop_assert!(kit.reduce::<independent::variance, _>(rows).is_ok());
    }

    #[test]
    fn what_is_kept_sorted_passes(rows in prop::collection::vec((0_u8..3, "[a-c]{0,2}"), 0..30)) {
        let rows = rows.iter().map(|(key, word)| (*key, word.as_str()));
        prop_assert!(Kit::new().reduce::<independent::set, _>(rows).is_ok());
    }

    #[test]
    fn the_last_of_rows_that_differ_is_found(mut rows in prop::collection::vec(any::<i64>(), 2..30), place in any::<prop::sample::Index>()) {
        let place = place.index(rows.len() - 1);
        prop_assume!(rows[0] != rows[rows.len() - 1]);
        prop_assert!(reason::<dependent::last>(rows.clone()).is_some());
        prop_assert!(reason::<dependent::first>(rows.clone()).is_some());
        rows.sort();
        prop_assume!(rows[place] != rows[place + 1]);
        prop_assert!(reason::<dependent::collect>(rows).is_some());
    }
}
